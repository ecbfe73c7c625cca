#include <lockstep/raft/progress.hpp>

#include <tests/catch.hpp>

using namespace lockstep;
using namespace lockstep::raft;

namespace {

progress replicating(std::uint64_t match) {
    progress p(node_id(2));
    p.reset(log_index(match), {});
    p.sent(log_index(match), 0, 1);
    p.accepted(log_index(match));
    return p;
}

}  // namespace

TEST_CASE("a probe waits for its answer and then turns into replication") {
    const options o;
    progress p(node_id(2));
    p.reset(log_index(10), {});
    CHECK(p.next == log_index(11));
    CHECK(p.may_send(o));
    p.sent(log_index(12), 200, 1);
    CHECK(!p.may_send(o));
    CHECK(p.next == log_index(11));
    CHECK(p.accepted(log_index(12)));
    CHECK(p.state == progress_state::replicate);
    CHECK(p.match == log_index(12));
    CHECK(p.next == log_index(13));
}

TEST_CASE("replication runs ahead of the answers, within its bounds") {
    options o;
    o.inflight_messages_max = 3;
    o.inflight_bytes_max = 1000;
    auto p = replicating(10);
    for (std::uint64_t i = 11; i <= 13; ++i) {
        CHECK(p.may_send(o));
        p.sent(log_index(i), 100, 1);
    }
    CHECK(p.next == log_index(14));
    CHECK(!p.may_send(o));
    CHECK(p.accepted(log_index(12)));
    CHECK(p.inflight.count() == 1);
    p.sent(log_index(14), 950, 1);
    CHECK(!p.may_send(o));
}

TEST_CASE("a refusal goes back to where the logs may agree, and match never falls") {
    auto p = replicating(10);
    p.sent(log_index(15), 100, 1);
    p.sent(log_index(20), 100, 1);
    CHECK(!p.rejected(log_index(9), log_index(3)));    // overtaken by the acceptance of 10
    CHECK(!p.rejected(log_index(25), log_index(20)));  // never sent
    CHECK(p.rejected(log_index(15), log_index(12)));
    CHECK(p.state == progress_state::probe);
    CHECK(p.next == log_index(13));
    CHECK(p.match == log_index(10));
    CHECK(p.inflight.empty());
    CHECK(!p.rejected(log_index(15), log_index(12)));  // of the pipeline before the probe
    CHECK(p.rejected(log_index(12), log_index(0)));
    CHECK(p.next == log_index(11));
}

TEST_CASE("each refusal lowers the probe even if its hint does not") {
    progress p(node_id(2));
    p.reset(log_index(10), {});
    p.sent(log_index(10), 0, 1);
    CHECK(p.rejected(log_index(10), log_index(10)));
    CHECK(p.next == log_index(10));
}

TEST_CASE("an answered heartbeat asks after what left before it and was not acknowledged") {
    auto p = replicating(10);
    p.sent(log_index(15), 100, 4);
    p.answered(4);  // began before the append left: it proves nothing
    CHECK(!p.only_ask);
    p.answered(5);
    CHECK(p.only_ask);
    p.sent(log_index(15), 0, 5);
    CHECK(!p.only_ask);
    CHECK(p.next == log_index(16));
    p.accepted(log_index(15));
    p.answered(6);
    CHECK(!p.only_ask);
}

TEST_CASE("a lost probe is sent again after a heartbeat was answered") {
    const options o;
    progress p(node_id(2));
    p.reset(log_index(10), {});
    p.sent(log_index(11), 100, 1);
    CHECK(!p.may_send(o));
    p.answered(2);
    CHECK(p.may_send(o));
    CHECK(p.only_ask);
}

TEST_CASE("after a broken connection nothing is sent until a heartbeat is answered") {
    const options o;
    auto p = replicating(10);
    p.sent(log_index(15), 100, 4);
    p.unreachable();
    CHECK(p.next == log_index(11));
    CHECK(p.inflight.empty());
    CHECK(!p.may_send(o));
    p.answered(5);
    CHECK(p.may_send(o));
}
