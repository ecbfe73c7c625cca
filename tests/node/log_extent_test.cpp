// How long the log is, and where its tail begins: to a mark's precision, never too late.
#include <lockstep/node/log_extent.hpp>

#include <tests/catch.hpp>

using namespace lockstep;

namespace {

log_extent of_entries(std::uint64_t count, std::uint64_t bytes_each, std::uint64_t grain) {
    log_extent extent(grain);
    for (std::uint64_t i = 1; i <= count; ++i) extent.add(log_index(i), bytes_each);
    return extent;
}

}  // namespace

TEST_CASE("a log without entries has no bytes and no place to cut it") {
    log_extent extent;
    CHECK(extent.bytes() == 0);
    CHECK(extent.before_tail(0) == log_index());
    extent.cut(log_index(5));
    CHECK(extent.bytes() == 0);
}

TEST_CASE("the tail that stays is never shorter than it should be, and longer by a grain at most") {
    const std::uint64_t grain = 64;
    const log_extent extent = of_entries(1000, 10, grain);
    CHECK(extent.bytes() == 10000);
    for (const std::uint64_t tail : {0u, 1u, 9u, 10u, 63u, 64u, 100u, 1234u, 5000u, 9000u}) {
        CAPTURE(tail);
        const std::uint64_t stays = (1000 - extent.before_tail(tail).value) * 10;
        CHECK(stays >= tail);
        CHECK(stays <= tail + grain + 10);
    }
    CHECK(extent.before_tail(10001) == log_index());
}

TEST_CASE("what was cut counts no more, and what stands behind the cut does") {
    log_extent extent = of_entries(100, 10, 1);
    const log_index at = extent.before_tail(300);
    REQUIRE(at == log_index(70));
    extent.cut(at);
    CHECK(extent.bytes() == 300);
    CHECK(extent.before_tail(300) == log_index());
    extent.add(log_index(101), 50);
    CHECK(extent.bytes() == 350);
    CHECK(extent.before_tail(300) == log_index(75));
    extent.cut(log_index(200));
    CHECK(extent.bytes() == 0);
}

TEST_CASE("a cut between two marks leaves the entries that share a mark with one behind it") {
    log_extent extent = of_entries(100, 10, 100);
    const std::uint64_t before = extent.bytes();
    extent.cut(log_index(55));
    CHECK(extent.bytes() >= 450);
    CHECK(extent.bytes() <= 450 + 110);
    CHECK(extent.bytes() < before);
}

TEST_CASE("an entry larger than the tail is a tail of its own") {
    log_extent extent(16);
    extent.add(log_index(1), 10);
    extent.add(log_index(2), 10);
    extent.add(log_index(3), 5000);
    CHECK(extent.before_tail(100) == log_index(2));
    extent.cut(log_index(2));
    CHECK(extent.bytes() == 5000);
}
