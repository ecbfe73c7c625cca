// Names are bytes.
#include <tests/traps/three_nodes.hpp>

using namespace traps_test;

TEST_CASE("row 18: names are bytes: newlines, no UTF-8, 255 of them, and twins that only look alike") {
    three_nodes nodes;
    const std::vector<std::string> names{"new\nline",
                                         "\n",
                                         " ",
                                         "tab\there",
                                         "-rf",
                                         "*",
                                         "?",
                                         "back\\slash",
                                         "\"quoted\"",
                                         "\x01\x7f",
                                         "\xff\xfe\x80",
                                         std::string(255, 'n'),
                                         std::string(254, 'n') + "\xc3",
                                         "caf\xc3\xa9",
                                         "cafe\xcc\x81",
                                         "CAF\xc3\x89",
                                         "Name",
                                         "name",
                                         "...",
                                         ".hidden",
                                         "..x",
                                         ".lockstep2",
                                         "C:",
                                         "con",
                                         "a.",
                                         "a "};
    for (const auto& name : names) {
        fs::create_directory(nodes.dir(1) / ("d" + name.substr(0, 254)));
        write(nodes.dir(1) / ("d" + name.substr(0, 254)) / name, "in " + name);
        write(nodes.dir(1) / name, "at " + name);
    }
    nodes.settle();
    for (int id : {2, 3})
        for (const auto& name : names) {
            CHECK(text_of(nodes.dir(id) / name) == "at " + name);
            CHECK(text_of(nodes.dir(id) / ("d" + name.substr(0, 254)) / name) == "in " + name);
        }
    CHECK(nodes.number(1, "files") == 2 * names.size());
    for (const auto& name : names) {
        fs::rename(nodes.dir(2) / name,
                   nodes.dir(2) / ("d" + name.substr(0, 254)) / ("r" + name.substr(0, 254)));
    }
    nodes.settle();
    CHECK(text_of(nodes.dir(1) / "dnew\nline" / "rnew\nline") == "at new\nline");
}

TEST_CASE("row 18: two nodes that edit one file of the longest name keep both contents") {
    three_nodes nodes;
    const std::string name(255, 'n');
    write(nodes.dir(1) / name, "base");
    nodes.settle();
    // Edited while it is down: neither edit can know of the other.
    nodes.end(2, SIGKILL);
    write(nodes.dir(2) / name, "of two");
    write(nodes.dir(1) / name, "of one");
    CHECK(within(seconds(20), [&] { return text_of(nodes.dir(3) / name) == "of one"; }));
    nodes.start(2);
    REQUIRE(within(seconds(20), [&] { return nodes.is(2, "state", "ready"); }));
    nodes.settle();
    std::set<std::string> contents;
    for (const auto& [path, line] : tree_of(nodes.dir(3))) {
        CHECK(path.size() <= 255);
        contents.insert(text_of(nodes.dir(3) / path));
    }
    CHECK(contents == std::set<std::string>{"of one", "of two"});
}
