#include <lockstep/raft/lease.hpp>

#include <tests/catch.hpp>

using namespace lockstep;
using namespace lockstep::raft;
using namespace std::chrono_literals;

namespace {
time_point at(int ms) { return time_point(std::chrono::milliseconds(ms)); }
}  // namespace

TEST_CASE("a lease is what is left of a promise when its clock was as fast and the leader's as slow as may be") {
    CHECK(lease_length(500ms, 0) == 500ms);
    // The promise ends after 500 ms of a clock that is 10 % fast: 500 / 1.1. The leader's is 10 % slow meanwhile.
    CHECK(lease_length(550ms, 100'000) == 450ms);
    CHECK(lease_length(500ms, 999'999) < 1us);
    CHECK(lease_length(std::chrono::hours(24), 1) < std::chrono::hours(24));
}

TEST_CASE("a lease runs from when the answered round left, not from the answer") {
    round_times times;
    CHECK(times.lease_end(7, 100ms) == time_point::min());
    times.began(7, at(10), 0ms);
    times.began(8, at(30), 0ms);
    CHECK(times.lease_end(6, 100ms) == time_point::min());
    CHECK(times.lease_end(7, 100ms) == at(110));
    CHECK(times.lease_end(8, 100ms) == at(130));
    CHECK(times.lease_end(9, 100ms) == at(130));
}

TEST_CASE("rounds close to each other count from the first of them, and only so many are kept") {
    round_times times;
    times.began(1, at(0), 25ms);
    times.began(2, at(20), 25ms);
    CHECK(times.lease_end(2, 100ms) == at(100));
    for (int i = 1; i <= static_cast<int>(round_times::kept_max); ++i)
        times.began(static_cast<std::uint64_t>(2 + i), at(100 * i), 25ms);
    CHECK(times.lease_end(2, 100ms) == time_point::min());
    CHECK(times.lease_end(3, 100ms) == at(200));
    times.clear();
    CHECK(times.lease_end(3, 100ms) == time_point::min());
}
