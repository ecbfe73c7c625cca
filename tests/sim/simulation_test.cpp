// A whole run is a pure function of its seed.
#include <tests/catch.hpp>

#include <sim/simulation.hpp>

using namespace lockstep::sim;

TEST_CASE("a run of the real node gives the same trace twice, and another one for another seed") {
    const auto simulate = [](std::uint64_t seed) { return lockstep::sim::simulate(draw_scenario(seed, {})); };
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
        const run_result first = simulate(seed), second = simulate(seed);
        CHECK(first.trace_hash == second.trace_hash);
        CHECK(first.events == second.events);
        CHECK(first.outcome.text == second.outcome.text);
        CHECK(first.committed > 0);
        CHECK(first.edits > 50);
        CHECK(simulate(seed + 100).trace_hash != first.trace_hash);
    }
}
