// The README's examples of the library are those that are compiled: this one, and those in examples/.
#include <lockstep/raft/core.hpp>

#include <tests/catch.hpp>
#include <tests/program/process.hpp>

namespace raft = lockstep::raft;

TEST_CASE("the library's example in the README compiles, and commits") {
    // begin
    raft::initial_state initial;
    initial.self = lockstep::node_id(1);
    initial.voters = {initial.self};
    lockstep::time_point now{};
    raft::core core(raft::options{}, initial, now);

    std::vector<raft::entry> applied;
    auto turn = [&] {
        raft::output out = core.take_output();
        // send(out.send) to the peers, make out.persist durable, then:
        if (out.persist) core.step(raft::input::persisted{out.persist->ticket}, now);
        applied.insert(applied.end(), out.commit.begin(), out.commit.end());
    };
    while (core.state_role() != raft::role::leader) {
        now = core.deadline();
        core.step(raft::input::wake{}, now);
        turn();
    }
    core.step(raft::input::propose{{lockstep::shared_bytes::copy_of("hello")}}, now);
    for (int i = 0; i < 3; ++i) turn();
    // end
    REQUIRE(!applied.empty());
    CHECK(applied.back().data == lockstep::shared_bytes::copy_of("hello"));
}

namespace {

/// What stands between the lines "// begin" and "// end" of a source, indented less by as much as those are.
std::vector<std::string> shown_parts(const std::string& file) {
    std::vector<std::string> parts;
    bool inside = false;
    std::size_t indent = 0;
    std::istringstream source(program_test::text_of(LOCKSTEP_SOURCE_DIR "/" + file));
    for (std::string line; std::getline(source, line);) {
        const std::size_t begins = line.find("// begin");
        if (begins != std::string::npos && line.substr(begins) == "// begin") {
            parts.emplace_back();
            indent = begins;
            inside = true;
        } else if (line.size() > indent && line.substr(indent) == "// end") {
            inside = false;
        } else if (inside) {
            parts.back() += (line.empty() ? line : line.substr(indent)) + "\n";
        }
    }
    return parts;
}

}  // namespace

TEST_CASE("the README shows the examples that are tested here") {
    const std::string readme = program_test::text_of(LOCKSTEP_SOURCE_DIR "/README.md");
    for (const auto& [file, count] : {std::pair("tests/program/readme_test.cpp", 1), {"examples/embed/main.cpp", 3},
                                      {"examples/simulate_yours/main.cpp", 1}}) {
        const auto parts = shown_parts(file);
        CHECK(parts.size() == std::size_t(count));
        for (const auto& part : parts) {
            INFO(file << ":\n" << part);
            CHECK(readme.find(part) != std::string::npos);
        }
    }
}

TEST_CASE("a state machine and a checker of one's own go through a thousand seeds in under 60 lines of code") {
    std::istringstream source(program_test::text_of(LOCKSTEP_SOURCE_DIR "/examples/simulate_yours/main.cpp"));
    int lines = 0;
    for (std::string line; std::getline(source, line);) {
        const std::size_t begins = line.find_first_not_of(' ');
        lines += begins != std::string::npos && line.compare(begins, 2, "//") != 0;
    }
    CHECK(lines > 20);
    CHECK(lines < 60);
}
