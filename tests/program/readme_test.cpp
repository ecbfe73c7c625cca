// The README's example of the library, as it stands there.
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

TEST_CASE("the README shows the example that is tested here") {
    std::string shown;
    bool inside = false;
    std::istringstream source(program_test::text_of(LOCKSTEP_SOURCE_DIR "/tests/program/readme_test.cpp"));
    for (std::string line; std::getline(source, line);) {
        if (line == "    // end") break;
        if (inside) shown += (line.empty() ? line : line.substr(4)) + "\n";
        if (line == "    // begin") inside = true;
    }
    REQUIRE(!shown.empty());
    CHECK(program_test::text_of(LOCKSTEP_SOURCE_DIR "/README.md").find(shown) != std::string::npos);
}
