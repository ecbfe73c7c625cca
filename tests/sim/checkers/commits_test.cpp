// The checkers of commits, application and reads, each with a story that it lets pass and one that it does not.
#include <tests/sim/checkers/consensus_bench.hpp>

#include <sim/checkers/apply_order.hpp>
#include <sim/checkers/commit_on_majority.hpp>
#include <sim/checkers/commit_order.hpp>
#include <sim/checkers/follower_commit.hpp>
#include <sim/checkers/read_freshness.hpp>
#include <sim/checkers/state_machine_safety.hpp>

using namespace lockstep;
using namespace lockstep::sim;

namespace {

raft::append_reply accepted(std::uint64_t index) { return {false, log_index(index), {}, {}}; }

template <class Bench>
void apply(Bench& b, node_id node, const raft::entry& e, std::uint64_t state = 0) {
    b.seen.applied(node, e, state);
}

}  // namespace

TEST_CASE("what a majority holds may be called committed and applied, whether the leader's disk has it or not") {
    consensus_bench<commit_on_majority> b;
    b.elect(n1, 1);
    b.replicate({n2, n3}, 1, 2, 1);
    b.say(n1, n2, 1, raft::heartbeat{log_index(2), 1});
    apply(b, n2, entry_at(2, 1));
    CHECK(b.verdict().empty());
}

TEST_CASE("a commit that one disk of three holds is seen when it is said") {
    consensus_bench<commit_on_majority> b;
    b.elect(n1, 1);
    b.replicate({n1}, 1, 2, 1);
    b.replicate({n2}, 1, 1, 1);
    b.say(n1, n2, 1, raft::append_request{{}, {}, log_index(2), {}});
    CHECK(b.verdict() == "node 1 says that index 2 is committed, and a majority holds durably what is committed up to 1 only");
}

TEST_CASE("an entry of an older term that a majority holds is not committed by that") {
    consensus_bench<commit_on_majority> b;   // figure 8 of the paper
    b.elect(n1, 2);
    b.replicate({n1}, 1, 1, 2);
    b.elect(n3, 3);
    b.write(n3, 3, n3, {entry_at(1, 3)});
    b.write(n1, 4, n1);
    b.write(n2, 4, n1, {entry_at(1, 2)});
    b.say(n1, n2, 4, raft::heartbeat{log_index(1), 1});
    CHECK(b.verdict() == "node 1 says that index 1 is committed, and a majority holds durably what is committed up to 0 only");
}

TEST_CASE("an entry of an older term is committed with one of the own term behind it") {
    consensus_bench<commit_on_majority> b;
    b.elect(n1, 2);
    b.replicate({n1}, 1, 1, 2);
    b.write(n1, 4, n1, {entry_at(2, 4)});
    b.write(n2, 4, n1, {entry_at(1, 2), entry_at(2, 4)});
    b.say(n1, n2, 4, raft::heartbeat{log_index(2), 1});
    CHECK(b.verdict().empty());
}

TEST_CASE("the leader may be the last whose disk has an entry, even when those that had it have gone on to the next term") {
    consensus_bench<commit_on_majority> b;   // its disk stalled; an acknowledgement that was on its way commits it
    b.elect(n1, 1);
    b.replicate({n1, n3}, 1, 1, 1);
    b.replicate({n3}, 2, 2, 1);
    b.elect(n3, 2);
    b.write(n3, 2, n3, {entry_at(3, 2)});
    b.write(n1, 1, n1, {entry_at(2, 1)});
    apply(b, n1, entry_at(2, 1));
    CHECK(b.verdict().empty());
}

TEST_CASE("what was cut off meanwhile counts no more for the term that it came in") {
    consensus_bench<commit_on_majority> b;
    b.elect(n1, 1);
    b.replicate({n2}, 1, 2, 1);
    b.elect(n3, 2);
    b.write(n2, 2, n3, {entry_at(1, 2)});
    b.replicate({n1}, 1, 2, 1);
    apply(b, n1, entry_at(2, 1));
    CHECK(b.verdict() == "node 1 applied what no majority holds durably at index 2");
}

TEST_CASE("another entry than the committed one is seen when it is applied") {
    consensus_bench<commit_on_majority> b;
    b.elect(n1, 1);
    b.replicate({n1, n2}, 1, 1, 1);
    apply(b, n3, entry_at(1, 1, "y"));
    CHECK(b.verdict() == "node 3 applied another entry than the one that was committed at index 1");
}

TEST_CASE("an applied entry that no majority holds is seen") {
    consensus_bench<commit_on_majority> b;
    b.replicate({n1}, 1, 1, 1);
    apply(b, n1, entry_at(1, 1));
    CHECK(b.verdict() == "node 1 applied what no majority holds durably at index 1");
}

TEST_CASE("a follower applies what it was told and has") {
    consensus_bench<follower_commit> b;
    b.seen.started(n2, {});
    b.elect(n1, 1);
    b.replicate({n2}, 1, 3, 1);
    b.hear(n2, n1, 1, accepted(3));
    b.carry(n1, n2, 1, raft::heartbeat{log_index(2), 1});
    apply(b, n2, entry_at(2, 1));
    CHECK(b.verdict().empty());
    apply(b, n2, entry_at(3, 1));
    CHECK(b.verdict() == "node 2 applied more than it was told to be committed, which is 2, at index 3");
}

TEST_CASE("an append commits no further than this term's appends reached") {
    consensus_bench<follower_commit> b;
    b.seen.started(n2, {});
    b.replicate({n2}, 1, 3, 1);
    b.hear(n1, n2, 1, raft::append_request{log_index(3), term(1), {}, {}});
    b.hear(n1, n2, 2, raft::append_request{log_index(1), term(1), log_index(3), {}});
    apply(b, n2, entry_at(2, 1));
    CHECK(b.verdict() == "node 2 applied more than it was told to be committed, which is 1, at index 2");
}

TEST_CASE("what was acknowledged to a former leader, and comes late, takes nothing back of what the present one knows") {
    consensus_bench<follower_commit> b;
    b.hear(n2, n1, 2, raft::append_reply{false, log_index(3), {}, {}});
    b.hear(n2, n1, 1, raft::append_reply{false, log_index(1), {}, {}});
    b.say(n1, n2, 2, raft::heartbeat{log_index(3), 1});
    CHECK(b.verdict().empty());
}

TEST_CASE("what a former leader says late takes nothing back of what the present one said") {
    consensus_bench<follower_commit> b;
    b.seen.started(n2, {});
    b.replicate({n2}, 1, 3, 2);
    b.hear(n1, n2, 2, raft::append_request{log_index(3), term(2), {}, {}});
    b.hear(n3, n2, 1, raft::heartbeat{log_index(1), 1});
    b.hear(n1, n2, 2, raft::append_request{log_index(1), term(2), log_index(3), {}});
    apply(b, n2, entry_at(3, 2));
    CHECK(b.verdict().empty());
}

TEST_CASE("what is not on its own disk is not applied by a node") {
    consensus_bench<follower_commit> b;
    b.hear(n1, n2, 1, raft::heartbeat{log_index(2), 1});
    apply(b, n2, entry_at(1, 1));
    CHECK(b.verdict() == "node 2 applied what is not on its own disk at index 1");
}

TEST_CASE("a heartbeat names no more than what was acknowledged in its term") {
    consensus_bench<follower_commit> b;
    b.hear(n2, n1, 1, accepted(3));
    b.say(n1, n2, 1, raft::heartbeat{log_index(3), 1});
    CHECK(b.verdict().empty());
    b.say(n1, n2, 2, raft::heartbeat{log_index(3), 1});
    CHECK(b.verdict() == "node 1 tells node 2 that index 3 is committed, which acknowledged 0 in term 2");
}

TEST_CASE("a process applies from its snapshot on, and goes on behind one that it installs") {
    consensus_bench<apply_order> b;
    b.seen.snapshot_kept(n1, {log_index(4), term(1)});
    b.seen.started(n1, {log_index(4), term(1)});
    apply(b, n1, entry_at(5, 1));
    b.seen.snapshot_kept(n1, {log_index(9), term(1)});
    b.seen.installed(n1, {log_index(9), term(1)}, 0);
    apply(b, n1, entry_at(10, 1));
    CHECK(b.verdict().empty());
    apply(b, n1, entry_at(10, 1));
    CHECK(b.verdict() == "node 1 applied behind index 10 what stands at index 10");
}

TEST_CASE("a state that is installed is on the disk first") {
    consensus_bench<apply_order> b;
    b.seen.started(n1, {});
    b.seen.installed(n1, {log_index(9), term(1)}, 0);
    CHECK(b.verdict() == "node 1 installed a state that is not on its disk at index 9");
}

TEST_CASE("a log that begins behind the snapshot is seen when it is cut, and when a process starts with it") {
    const durable_write drop{term(1), n1, {}, {}, log_position{log_index(3), term(1)}, false};
    consensus_bench<apply_order> b;
    b.replicate({n1}, 1, 4, 1);
    b.seen.snapshot_kept(n1, {log_index(2), term(1)});
    b.seen.persisted(n1, drop);
    CHECK(b.verdict() == "node 1 dropped its log up to what is behind its durable state of index 2, at index 3");

    consensus_bench<apply_order> c;
    c.replicate({n1}, 1, 4, 1);
    c.seen.snapshot_kept(n1, {log_index(3), term(1)});
    c.seen.persisted(n1, drop);
    c.seen.started(n1, {log_index(2), term(1)});
    CHECK(c.verdict() == "node 1 starts from a state of index 2, and its log begins at index 3");
}

TEST_CASE("nodes that come to another entry or to another state are seen") {
    consensus_bench<state_machine_safety> b;
    apply(b, n1, entry_at(1, 1), 7);
    apply(b, n2, entry_at(1, 1), 7);
    CHECK(b.verdict().empty());
    b.seen.installed(n3, {log_index(1), term(1)}, 8);
    CHECK(b.verdict() == "node 3 came to another state than others at index 1");

    consensus_bench<state_machine_safety> c;
    apply(c, n1, entry_at(1, 1), 7);
    apply(c, n2, entry_at(1, 2), 7);
    CHECK(c.verdict() == "node 2 applied another entry than others at index 1");
}

TEST_CASE("a read that was forwarded is answered with what was applied when it was asked for, or later") {
    consensus_bench<read_freshness> b;
    apply(b, n3, entry_at(7, 1));
    b.say(n2, n1, 0, raft::read_request{42});
    apply(b, n3, entry_at(8, 1));
    b.say(n1, n2, 0, raft::read_reply{42, true, log_index(7)});
    b.say(n2, n1, 0, raft::read_request{43});
    b.say(n1, n2, 0, raft::read_reply{43, false, {}});
    CHECK(b.verdict().empty());
    b.say(n1, n2, 0, raft::read_reply{43, true, log_index(7)});
    CHECK(b.verdict() == "node 1 answers a read that was asked for when index 8 had been applied, with the state at index 7");
}

TEST_CASE("a commit grows, and begins again where a new process finds its state") {
    consensus_bench<commit_order> b;
    b.say(n1, n2, 1, raft::append_request{{}, {}, log_index(4), {}});
    apply(b, n1, entry_at(5, 1));
    b.say(n1, n3, 1, raft::append_request{{}, {}, log_index(5), {}});
    b.say(n1, n2, 1, raft::heartbeat{log_index(3), 1});   // that one has no more yet
    b.say(n1, n3, 1, raft::heartbeat{log_index(5), 2});
    b.say(n1, n3, 3, raft::heartbeat{log_index(2), 1});   // a term later it knows nothing of its peers
    b.seen.started(n1, {log_index(2), term(1)});
    b.say(n1, n2, 3, raft::append_request{{}, {}, log_index(2), {}});
    b.say(n1, n3, 3, raft::heartbeat{log_index(0), 1});
    CHECK(b.verdict().empty());
}

TEST_CASE("a commit that falls is seen when it is said") {
    consensus_bench<commit_order> b;
    b.say(n1, n2, 1, raft::append_request{{}, {}, log_index(4), {}});
    b.say(n1, n3, 2, raft::append_request{{}, {}, log_index(3), {}});
    CHECK(b.verdict() == "node 1 calls index 3 committed, after 4");
}

TEST_CASE("a commit below what was applied, or below the state of the start, is seen") {
    for (const bool start : {true, false}) {
        consensus_bench<commit_order> b;
        if (start) b.seen.started(n1, {log_index(7), term(1)});
        else apply(b, n1, entry_at(7, 1));
        b.say(n1, n2, 1, raft::append_request{{}, {}, log_index(6), {}});
        CHECK(b.verdict() == "node 1 calls index 6 committed, after 7");
    }
}

TEST_CASE("a peer that is told less than before in the same term is seen, unless its disk is another") {
    for (const bool wiped : {true, false}) {
        consensus_bench<commit_order> b;
        b.say(n1, n2, 1, raft::heartbeat{log_index(3), 1});
        if (wiped) b.seen.wiped(n2);
        b.say(n1, n2, 1, raft::heartbeat{log_index(0), 2});
        CHECK(b.verdict() == (wiped ? "" : "node 1 calls index 0 committed to node 2, after 3"));
    }
}
