#include <tests/raft/cluster.hpp>

#include <tests/catch.hpp>

using namespace lockstep;
using namespace lockstep::raft;
using namespace lockstep::raft::test;

namespace {

/// Every limit small, so that all of them are reached.
options narrow() {
    options o;
    o.window_bytes_max = 2000;
    o.append_bytes_max = 400;
    o.apply_bytes_max = 700;
    o.persist_bytes_max = 600;
    o.inflight_messages_max = 4;
    o.inflight_bytes_max = 2000;
    o.uncommitted_bytes_max = 4000;
    return o;
}

faults draw(random_generator& random) {
    faults f;
    f.fetch_fails_one_in = 10;
    if (random.one_in(3)) f.lose_one_in = random.between(5, 50);
    if (random.one_in(3)) f.repeat_one_in = random.between(3, 20);
    if (random.one_in(3)) f.delay_max = std::chrono::milliseconds(random.between(5, 300));
    if (random.one_in(3)) f.stall_one_in = random.between(20, 300);
    if (random.one_in(2)) f.crash_every_ms = random.between(100, 2000);
    if (random.one_in(2)) f.partition_every_ms = random.between(200, 3000);
    return f;
}

/// And logs that are compacted, most of them to nothing, with states that go from node to node.
faults draw_compacting(random_generator& random) {
    faults f = draw(random);
    f.compact_one_in = random.between(1, 30);
    f.keep_max = random.one_in(2) ? 0 : random.below(30);
    if (random.one_in(2)) f.install_fails_one_in = random.between(2, 10);
    if (random.one_in(2)) f.crash_at_install_one_in = random.between(2, 10);
    if (random.one_in(3)) f.install_max = std::chrono::milliseconds(random.between(50, 2000));
    return f;
}

}  // namespace

TEST_CASE("whatever the network, the disks and crashes do, nothing committed is lost and the cluster comes to rest") {
    std::size_t committed = 0;
    std::size_t reads = 0;
    for (std::uint64_t seed = 0; seed < 250; ++seed) {
        random_generator random(seed);
        const options o = random.one_in(2) ? narrow() : options{};
        const std::size_t size = random.one_in(4) ? random.between(1, 9) : random.one_in(3) ? 5 : 3;
        INFO("seed " << seed << ", " << size << " nodes");
        cluster c(seed, size, o, draw(random));
        REQUIRE_NOTHROW(c.torment(5s));
        REQUIRE_NOTHROW(c.converge());
        committed += c.committed();
        for (const auto& [id, n] : c.nodes()) reads += n.reads_ok;
    }
    CHECK(committed > 10'000);
    CHECK(reads > 1'000);
}

TEST_CASE("logs compacted at any moment, and states installed instead of entries, lose nothing either") {
    std::size_t committed = 0, installs = 0, drops = 0, restarts = 0;
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        random_generator random(seed + 1000);
        const options o = random.one_in(2) ? narrow() : options{};
        const std::size_t size = random.one_in(4) ? random.between(1, 9) : random.one_in(3) ? 5 : 3;
        INFO("seed " << seed << ", " << size << " nodes");
        cluster c(seed, size, o, draw_compacting(random));
        REQUIRE_NOTHROW(c.torment(5s));
        REQUIRE_NOTHROW(c.converge());
        committed += c.committed();
        installs += c.installs();
        drops += c.drops();
        restarts += c.restarts_at_install();
    }
    CAPTURE(committed, installs, drops, restarts);
    CHECK(committed > 10'000);
    CHECK(installs > 500);
    CHECK(drops > 5'000);
    CHECK(restarts > 20);
}

TEST_CASE("a follower away while the log was compacted past it catches up by a snapshot, and then by entries") {
    for (const bool crashed : {true, false}) {
        faults compacting;
        compacting.compact_one_in = 10;
        cluster c(4, 3, {}, compacting);
        c.run(2s);
        REQUIRE(c.leader() != nullptr);
        auto& leader = *c.leader();
        auto& late = c.at(leader.id.value == 1 ? 2 : 1);
        if (crashed) c.crash(late);
        else c.isolate(late.id.value);
        for (int i = 0; i < 500; ++i) {
            c.propose(leader, std::string(50, 'x'));
            c.run(1ms);
        }
        c.run(500ms);
        REQUIRE(leader.raft->base().index > late.disk.last());
        c.world().compact_one_in = 0;
        const std::size_t sent = c.entries_sent();
        c.heal();
        REQUIRE(c.run_until([&] { return c.equal_everywhere(); }, 3s));
        CHECK(late.installs == 1);
        CHECK(c.entries_sent() - sent < 100);
        CHECK(late.disk.base.index.value > 400);
        // What it installed is what it starts from.
        const auto base = late.disk.base;
        c.crash(late);
        c.start(late);
        CHECK(late.raft->base() == base);
        CHECK(late.raft->applied_index() == late.disk.snapshot.at.index);
        c.converge();
        CHECK(late.installs == 1);
    }
}

TEST_CASE("a wiped node gets a log that was compacted by a snapshot, again and again") {
    faults compacting;
    compacting.compact_one_in = 5;
    cluster c(5, 3, {}, compacting);
    c.run(2s);
    REQUIRE(c.leader() != nullptr);
    auto& leader = *c.leader();
    auto& wiped = c.at(leader.id.value == 1 ? 2 : 1);
    for (int i = 0; i < 50; ++i) {
        c.propose(leader, "x");
        c.run(2ms);
    }
    for (std::size_t times = 1; times <= 3; ++times) {
        REQUIRE(leader.raft->base().index.value > 0);
        c.wipe(wiped);
        c.start(wiped);
        REQUIRE(c.run_until([&] { return c.equal_everywhere(); }, 5s));
        CHECK(wiped.applied == leader.applied);
        CHECK(wiped.installs >= times);
    }
}

TEST_CASE("the leader's death costs one election") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        cluster c(seed, 3);
        REQUIRE(c.run_until([&] { return c.leader() != nullptr; }, 3s));
        c.run(1s);
        const node_id old = c.leader()->id;
        c.crash(*c.leader());
        const auto from = c.now();
        REQUIRE(c.run_until([&] { return c.leader() != nullptr && c.leader()->id != old; }, 3s));
        CHECK(c.now() - from < 2s);
        c.propose(*c.leader(), "x");
        c.run(100ms);
        c.converge();
    }
}

TEST_CASE("a node that was cut off comes back without an election") {
    cluster c(7, 3);
    c.run(3s);
    REQUIRE(c.leader() != nullptr);
    const term before = c.leader()->raft->current_term();
    const node_id leader = c.leader()->id;
    const std::uint64_t other = leader.value == 1 ? 2 : 1;
    c.isolate(other);
    c.run(10s);
    CHECK(c.at(other).raft->current_term() == before);
    c.heal();
    c.converge();
    CHECK(c.leader()->id == leader);
    CHECK(c.leader()->raft->current_term() == before);
}

TEST_CASE("a node stuck at a higher term comes back in bounded time") {
    cluster c(9, 3);
    c.run(3s);
    REQUIRE(c.leader() != nullptr);
    auto& stuck = c.at(c.leader()->id.value == 1 ? 2 : 1);
    c.crash(stuck);
    stuck.disk.hard = {stuck.disk.hard.term + 5, no_node};
    c.start(stuck);
    REQUIRE(c.run_until([&] { return c.equal_everywhere(); }, 3s));
    c.converge();
}

TEST_CASE("a follower that missed much more than the window catches up, each entry sent about once") {
    auto o = narrow();
    o.uncommitted_bytes_max = 1 << 20;
    faults in_order;
    in_order.delay_min = in_order.delay_max = 500us;
    cluster c(3, 3, o, in_order);
    c.run(2s);
    REQUIRE(c.leader() != nullptr);
    auto& leader = *c.leader();
    auto& late = c.at(leader.id.value == 1 ? 2 : 1);
    c.crash(late);
    for (int i = 0; i < 1000; ++i) {
        c.propose(leader, std::string(50, 'x'));
        c.run(1ms);
    }
    c.run(500ms);
    const std::size_t sent = c.entries_sent();
    c.start(late);
    REQUIRE(c.run_until([&] { return c.equal_everywhere(); }, 10s));
    CHECK(c.entries_sent() - sent < 1100);
}

TEST_CASE("a wiped node follows and catches up, and is in no quorum") {
    cluster c(5, 3);
    c.run(2s);
    REQUIRE(c.leader() != nullptr);
    auto& leader = *c.leader();
    for (int i = 0; i < 20; ++i) c.propose(leader, "x");
    c.run(200ms);
    auto& wiped = c.at(leader.id.value == 1 ? 2 : 1);
    c.wipe(wiped);
    c.start(wiped);
    REQUIRE(c.run_until([&] { return c.equal_everywhere(); }, 5s));
    CHECK(wiped.applied == leader.applied);
    // Again and again: it was in no quorum before and is in none now, but what it had acknowledged is gone once more.
    for (const bool idle : {false, true}) {
        if (idle) c.run(1s);  // no acknowledgement of before is under way
        c.wipe(wiped);
        c.start(wiped);
        if (!idle) c.propose(leader, "y");
        REQUIRE(c.run_until([&] { return c.equal_everywhere(); }, 5s));
        CHECK(wiped.applied == leader.applied);
    }
    const auto third = 6 - leader.id.value - wiped.id.value;
    c.crash(c.at(third));
    const auto before = c.committed();
    c.propose(leader, "only on the wiped node");
    c.run(200ms);
    CHECK(c.committed() == before);
}

TEST_CASE("the same seed gives the same run") {
    const auto run = [] {
        faults f;
        f.lose_one_in = 20;
        f.crash_every_ms = 300;
        cluster c(11, 3, {}, f);
        c.torment(5s);
        c.converge();
        std::vector<std::uint64_t> prints;
        for (const auto& [id, n] : c.nodes()) prints.push_back(n.raft->fingerprint());
        return std::pair(prints, c.messages_sent());
    };
    CHECK(run() == run());
}
