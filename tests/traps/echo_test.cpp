// What costs a command and what does not.
#include <tests/traps/three_nodes.hpp>

using namespace traps_test;

TEST_CASE("row 13: a thousand edits are a thousand commands, and an idle cluster's log stands still") {
    three_nodes nodes;
    const auto first = nodes.commands();
    for (int i = 0; i < 1000; ++i) write(nodes.dir(1) / std::to_string(i), "first " + std::to_string(i));
    nodes.settle();
    CHECK(nodes.commands() - first == 1000);
    const auto second = nodes.commands();
    for (int i = 0; i < 1000; ++i) write(nodes.dir(2) / std::to_string(i), "second " + std::to_string(i));
    nodes.settle();
    CHECK(nodes.commands() - second == 1000);
    const auto third = nodes.commands();
    for (int i = 0; i < 50; ++i) {
        write(nodes.dir(3) / "again", "edit " + std::to_string(i));
        REQUIRE(nodes.barrier(3).code == 0);
    }
    CHECK(nodes.commands() - third == 50);
    nodes.settle();
    const auto commit = nodes.number(1, "commit");
    CHECK(!within(seconds(4), [&] { return nodes.number(1, "commit") != commit; }));
}

TEST_CASE("row 14: chmod and touch are one attribute command each, and send no content") {
    three_nodes nodes;
    const auto file = nodes.dir(1) / "file";
    write(file, std::string(1 << 20, 'x'));
    fs::create_directory(nodes.dir(1) / "d");
    nodes.settle();
    auto commands = nodes.commands();
    const auto sent = nodes.bytes_sent();
    const auto one_more = [&](const char* what) {
        INFO(what);
        nodes.settle();
        CHECK(nodes.commands() - commands <= 1);
        commands = nodes.commands();
    };
    fs::permissions(file, fs::perms(0640));
    one_more("chmod of a file");
    CHECK((fs::status(nodes.dir(3) / "file").permissions() & fs::perms::all) == fs::perms(0640));
    fs::permissions(file, fs::perms(0640));
    one_more("chmod that changes nothing");
    fs::permissions(nodes.dir(1) / "d", fs::perms(0711));
    one_more("chmod of a directory");
    REQUIRE(::utimensat(AT_FDCWD, file.c_str(), nullptr, 0) == 0);
    one_more("touch");
    fs::permissions(nodes.dir(2) / "file", fs::perms(04755));
    REQUIRE(nodes.barrier(2).code == 0);
    CHECK((fs::status(nodes.dir(3) / "file").permissions() & fs::perms::mask) == fs::perms(0755));
    CHECK(nodes.bytes_sent() - sent < 256 << 10);
}

TEST_CASE("row 15: of writes with the same size and the same time, the last one wins") {
    three_nodes nodes;
    const auto d = nodes.dir(1);
    const timespec when[2] = {{1000000000, 5}, {1000000000, 5}};
    const auto save = [&](const fs::path& path, const std::string& text) {
        write(path, text);
        REQUIRE(::utimensat(AT_FDCWD, path.c_str(), when, 0) == 0);
    };
    for (int i = 0; i < 200; ++i) save(d / std::to_string(i), "aaaa");
    nodes.settle();
    // In place; two in a row; by rename; and between them, looks at any moment.
    for (int i = 0; i < 200; ++i) {
        const auto path = d / std::to_string(i);
        if (i % 3 == 0) save(path, "bbbb");
        save(path, "cccc");
        if (i % 3 == 1) {
            save(d / "saving", "dddd");
            fs::rename(d / "saving", path);
        }
    }
    const auto mine = tree_of(d);
    nodes.settle();
    CHECK(difference(mine, tree_of(d)) == "");
    int wrong = 0;
    for (int i = 0; i < 200; ++i)
        if (text_of(nodes.dir(3) / std::to_string(i)) != (i % 3 == 1 ? "dddd" : "cccc")) ++wrong;
    CHECK(wrong == 0);
    // By its event alone.
    save(d / "7", "eeee");
    CHECK(within(seconds(3), [&] { return text_of(nodes.dir(2) / "7") == "eeee"; }));
}
