// Runs that are not the same twice are found, and the first event that differs is named.
#include <tests/catch.hpp>

#include <sim/determinism.hpp>

#include <lockstep/base/random.hpp>

using namespace lockstep;
using namespace lockstep::sim;

namespace {

block_hashes hashes_of(std::uint64_t events, std::uint64_t differs_from) {
    block_hashes h;
    for (std::uint64_t i = 1; i <= events; ++i) h.add(mix64(i) ^ (i >= differs_from ? 1 : 0));
    return h;
}

scenario short_run(std::uint64_t seed) {
    drawing how;
    how.faulty = std::chrono::seconds(4);
    return draw_scenario(seed, how);
}

/// Runs it as --check-determinism does, with something planted in its world.
run_result checked(const scenario& s, std::function<void(world&)> plant) {
    run_hooks hooks;
    hooks.prepare = std::move(plant);
    return determinism_check([&](const run_hooks& h) { return simulate(s, h); }).run(hooks);
}

bool has(const run_result& r, const std::string& text) { return r.outcome.text.find(text) != std::string::npos; }

}  // namespace

TEST_CASE("the block in which two runs part holds the first event that differs") {
    for (const std::uint64_t events : {1u, 5u, 4095u, 4096u, 4097u, 10'000u, 100'000u})
        for (const std::uint64_t first : {std::uint64_t{1}, events / 3 + 1, events}) {
            const auto found = block_hashes::first_difference(hashes_of(events, events + 1), hashes_of(events, first));
            REQUIRE(found);
            CHECK(found->has(first));
            CHECK(found->upto - found->after <= events / (block_hashes::blocks_max / 2) + 1);
        }
    CHECK(!block_hashes::first_difference(hashes_of(5000, 5001), hashes_of(5000, 5001)));
}

TEST_CASE("runs of different lengths part at the latest where one ends") {
    for (const std::uint64_t longer : {101u, 5000u, 50'000u}) {
        const auto found = block_hashes::first_difference(hashes_of(100, 1'000'000), hashes_of(longer, 1'000'000));
        REQUIRE(found);
        CHECK(found->upto > 100);
    }
    const auto early = block_hashes::first_difference(hashes_of(100, 50), hashes_of(50'000, 1'000'000));
    REQUIRE(early);
    CHECK(early->has(50));
}

TEST_CASE("a run that is a function of its seed passes") {
    const run_result r = checked(short_run(3), [](world& w) { w.after(std::chrono::seconds(1), trace_kind::world, nullptr, 7, [] {}); });
    CHECK(r.outcome.text == "");
}

TEST_CASE("an event that another run has otherwise is named, in both") {
    std::uint64_t runs = 0;
    const run_result r = checked(short_run(4), [&](world& w) {
        w.after(std::chrono::milliseconds(2500), trace_kind::world, nullptr, 0xabc000 + ++runs, [] {});
    });
    CHECK(r.outcome.what == exit_class::correctness);
    INFO(r.outcome.text);
    CHECK(has(r, "first at event "));
    CHECK(has(r, ": world event at 2.5s, digest 0000000000abc003, "));
    CHECK(has(r, "| the other time: world event at 2.5s, digest 0000000000abc004, "));
}

TEST_CASE("an event that does something else each time is named, whatever follows from it") {
    std::uint64_t runs = 0;
    const run_result r = checked(short_run(5), [&](world& w) {
        ++runs;
        w.after(std::chrono::milliseconds(1500), trace_kind::world, nullptr, 77, [&w, n = runs] { w.trace(trace_kind::world, node_id(2), n); });
    });
    INFO(r.outcome.text);
    CHECK(has(r, ": world event at 1.5s, digest 000000000000004d, "));
    CHECK(has(r, "| the other time: world event at 1.5s, digest 000000000000004d, "));
}

TEST_CASE("an event that only some runs have is named") {
    std::uint64_t runs = 0;
    const run_result r = checked(short_run(6), [&](world& w) {
        if (++runs % 2 == 0) w.after(std::chrono::milliseconds(1250), trace_kind::fault, nullptr, 5, [] {});
    });
    INFO(r.outcome.text);
    CHECK(has(r, "| the other time: fault event at 1.25s, digest 0000000000000005"));
}

TEST_CASE("a difference that never shows again is told as far as it is known") {
    std::uint64_t runs = 0;
    const run_result r = checked(short_run(7), [&](world& w) {
        if (++runs == 2) w.after(std::chrono::milliseconds(1250), trace_kind::fault, nullptr, 5, [] {});
    });
    INFO(r.outcome.text);
    CHECK(has(r, "the same run went two ways: first in events "));
    CHECK(has(r, "never there again in 6 more pairs of runs"));
}

TEST_CASE("a run that fails is not run again") {
    std::uint64_t runs = 0;
    const run_result r = checked(short_run(8), [&](world& w) {
        ++runs;
        w.after(std::chrono::seconds(1), trace_kind::world, nullptr, 0, [&w] { w.fail(exit_class::correctness, "planted"); });
    });
    CHECK(runs == 1);
    CHECK(r.outcome.text == "planted");
}
