// The example of how to embed the library, run as a reader would.
#include <tests/program/process.hpp>

#include <algorithm>

using namespace program_test;

namespace {

arguments on(const std::string& directory) {
    const taken_port one, two, three;
    return {directory, one.address(), two.address(), three.address()};
}

outcome run_embed(const scratch& s, const arguments& given) { return process(s, given, {}, LOCKSTEP_EMBED).wait(); }

/// The lines in order, for the nodes answer in any.
std::string sorted(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    std::sort(lines.begin(), lines.end());
    std::string all;
    for (const auto& line : lines) all += line + "\n";
    return all;
}

}  // namespace

TEST_CASE("the embedding example counts alike on its three nodes, and goes on from its logs") {
    scratch s;
    const std::string data = s.make("data");
    for (int run = 1; run <= 2; ++run) {
        const auto o = run_embed(s, on(data));
        const std::string count = std::to_string(30 * run);
        CAPTURE(o.err);
        CHECK(o.code == 0);
        CHECK(sorted(o.out) == "node 1 counts " + count + "\nnode 2 counts " + count + "\nnode 3 counts " + count + "\n");
    }
}

TEST_CASE("the embedding example says why it cannot start, and ends") {
    scratch s;
    const taken_port taken;
    auto given = on(s.make("data"));
    given[2] = taken.address();
    const auto o = run_embed(s, given);
    CHECK(o.code == 1);
    CHECK(o.err.find("listening on " + taken.address()) != std::string::npos);
    CHECK(run_embed(s, {}).code == 2);
}

TEST_CASE("the embedding example is a program of under 100 lines") {
    const std::string source = text_of(LOCKSTEP_SOURCE_DIR "/examples/embed/main.cpp");
    CHECK(!source.empty());
    CHECK(std::count(source.begin(), source.end(), '\n') < 100);
}
