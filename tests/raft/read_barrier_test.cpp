#include <lockstep/raft/read_barrier.hpp>

#include <tests/catch.hpp>

using namespace lockstep;
using namespace lockstep::raft;

namespace {
pending_read make(std::uint64_t id, int deadline_s = 1) {
    return {id, node_id(1), time_point(std::chrono::seconds(deadline_s)), id, {}, 0};
}
}  // namespace

TEST_CASE("a read is proven only by a round that began after it came") {
    read_barrier reads;
    reads.add(make(1));
    CHECK(reads.wants_round());
    reads.round_began(5);
    CHECK(!reads.wants_round());
    reads.add(make(2));
    CHECK(reads.wants_round());
    reads.give_index(log_index(9));
    const auto first = reads.take_proven(5);
    REQUIRE(first.size() == 1);
    CHECK(first[0].id == 1);
    reads.round_began(6);
    CHECK(reads.take_proven(5).empty());
    CHECK(reads.take_proven(6).size() == 1);
    CHECK(reads.empty());
}

TEST_CASE("a read waits for a commit of the leader's own term, and keeps the first index") {
    read_barrier reads;
    reads.add(make(1));
    reads.round_began(3);
    CHECK(reads.take_proven(3).empty());
    reads.give_index(log_index(7));
    reads.give_index(log_index(8));
    const auto done = reads.take_proven(3);
    REQUIRE(done.size() == 1);
    CHECK(done[0].index == log_index(7));
}

TEST_CASE("reads expire in order, are found by key, and are all given back") {
    read_barrier reads;
    CHECK(reads.deadline() == never);
    reads.add(make(1, 1));
    reads.add(make(2, 2));
    reads.add(make(3, 3));
    CHECK(reads.deadline() == time_point(std::chrono::seconds(1)));
    CHECK(reads.take_expired(time_point(std::chrono::seconds(1))).size() == 1);
    CHECK(reads.take_key(9).empty());
    const auto found = reads.take_key(2);
    REQUIRE(found.size() == 1);
    CHECK(found[0].id == 2);
    CHECK(reads.take_all().size() == 1);
    CHECK(reads.empty());
}
