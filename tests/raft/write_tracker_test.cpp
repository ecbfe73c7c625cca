#include <lockstep/raft/write_tracker.hpp>

#include <tests/catch.hpp>

using namespace lockstep;
using namespace lockstep::raft;

namespace {
const hard_state second{term(2), node_id(1)};
const hard_state third{term(3), no_node};
}  // namespace

TEST_CASE("nothing counts before its write completes") {
    write_tracker w({}, log_index(3));
    const auto ticket = w.begin(second, log_index(5), {});
    CHECK(w.outstanding());
    CHECK(w.durable() == log_index(3));
    CHECK(w.handed() == log_index(5));
    CHECK(w.durable_hard() == hard_state{});
    CHECK(!w.complete(ticket + 1));
    CHECK(w.complete(ticket));
    CHECK(w.durable() == log_index(5));
    CHECK(w.durable_hard() == second);
    CHECK(!w.complete(ticket));
}

TEST_CASE("a completion does not count for what replaced its entries") {
    write_tracker w({}, log_index(3));
    const auto ticket = w.begin(second, log_index(6), {});
    w.truncate(log_index(5));
    CHECK(w.handed() == log_index(4));
    CHECK(w.complete(ticket));
    CHECK(w.durable() == log_index(4));
    const auto next = w.begin(third, log_index(6), {});
    CHECK(w.complete(next));
    CHECK(w.durable() == log_index(6));
}

TEST_CASE("a truncation lowers what is durable, whatever is being written") {
    write_tracker w({}, log_index(8));
    const auto ticket = w.begin(second, log_index(9), {});
    w.truncate(log_index(4));
    CHECK(w.durable() == log_index(3));
    CHECK(w.complete(ticket));
    CHECK(w.durable() == log_index(3));
}
