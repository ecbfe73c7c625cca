// The checkers of elections, terms and votes, each with a story that it lets pass and one that it does not.
#include <tests/sim/checkers/consensus_bench.hpp>

#include <sim/checkers/election_safety.hpp>
#include <sim/checkers/election_timer.hpp>
#include <sim/checkers/leader_completeness.hpp>
#include <sim/checkers/pre_vote.hpp>
#include <sim/checkers/quorum_contact.hpp>
#include <sim/checkers/term_order.hpp>
#include <sim/checkers/vote_durability.hpp>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

TEST_CASE("a leader whom a majority voted for durably may speak as one") {
    consensus_bench<election_safety> b;
    b.elect(n1, 2);
    b.say(n1, n2, 2, raft::heartbeat{});
    CHECK(b.verdict().empty());
}

TEST_CASE("a leader with one durable vote of three is none") {
    consensus_bench<election_safety> b;
    b.write(n1, 2, n1);
    b.say(n1, n2, 2, raft::heartbeat{});
    CHECK(b.verdict() == "node 1 speaks as leader, and no majority voted durably in term 2");
}

TEST_CASE("a second leader of a term is named, and so is the first") {
    consensus_bench<election_safety> b;
    b.elect(n1, 2);
    b.say(n1, n2, 2, raft::append_request{});
    b.say(n3, n2, 2, raft::append_request{});
    CHECK(b.verdict() == "node 3 speaks as leader, and node 1 was elected in term 2");
}

TEST_CASE("nobody is called by the empty id") {
    consensus_bench<election_safety> b;
    b.say(n1, no_node, 2, raft::vote_request{});
    CHECK(b.verdict() == "node 1 sends a message from or to the empty id");
}

TEST_CASE("votes that are on the disk may be said, again too") {
    consensus_bench<vote_durability> b;
    b.write(n2, 3, n1);
    b.say(n2, n1, 3, raft::vote_reply{false, true});
    b.write(n2, 3, n1);
    b.say(n2, n1, 3, raft::vote_reply{false, true});
    b.write(n2, 4, no_node);
    b.write(n2, 4, n2);
    b.say(n2, n1, 4, raft::vote_request{});
    CHECK(b.verdict().empty());
}

TEST_CASE("a vote that is said before it is on the disk is seen") {
    consensus_bench<vote_durability> b;
    b.write(n2, 3, no_node);
    b.say(n2, n1, 3, raft::vote_reply{false, true});
    CHECK(b.verdict() == "node 2 votes for node 1 in term 3, and its disk holds term 3 with a vote for node 0");
}

TEST_CASE("who asks for votes has voted for itself, durably") {
    consensus_bench<vote_durability> b;
    b.write(n2, 3, n1);
    b.say(n2, n1, 4, raft::vote_request{});
    CHECK(b.verdict() == "node 2 votes for node 2 in term 4, and its disk holds term 3 with a vote for node 1");
}

TEST_CASE("a vote that changes within a term is seen, and so is one that is forgotten") {
    for (const node_id later : {n3, no_node}) {
        consensus_bench<vote_durability> b;
        b.write(n2, 3, n1);
        b.write(n2, 3, later);
        CHECK(b.verdict() == "node 2 changed its durable vote from node 1 to node " + std::to_string(later.value) + " in term 3");
    }
}

TEST_CASE("a disk that took the place of a wiped one takes no part in elections") {
    consensus_bench<vote_durability> b;
    b.write(n2, 3, n1);
    b.seen.wiped(n2);
    b.write(n2, 4, no_node);
    CHECK(b.verdict().empty());
    b.say(n2, n1, 4, raft::vote_reply{true, true});
    CHECK(b.verdict() == "node 2 takes part in an election in term 4, with a disk in place of one that was wiped");
}

TEST_CASE("terms that rise pass, and entries of terms up to the durable one") {
    consensus_bench<term_order> b;
    b.write(n1, 2, no_node, {entry_at(1, 1)});
    b.write(n1, 3, no_node, {entry_at(2, 3)});
    b.say(n1, n2, 3, raft::append_reply{});
    b.say(n1, n2, 2, raft::vote_reply{true, true});   // asked for by one who is behind
    b.say(n1, n2, 0, raft::read_request{});
    CHECK(b.verdict().empty());
}

TEST_CASE("a term that falls on a disk is seen") {
    consensus_bench<term_order> b;
    b.write(n1, 3, no_node);
    b.write(n1, 2, no_node);
    CHECK(b.verdict() == "node 1 went back from the durable term 3 to 2");
}

TEST_CASE("an entry that is ahead of its disk's term is seen") {
    consensus_bench<term_order> b;
    b.write(n1, 2, no_node, {entry_at(1, 3)});
    CHECK(b.verdict() == "node 1 holds an entry of term 3, above its durable term 2 at index 1");
}

TEST_CASE("a message of a term that its sender has left behind is seen") {
    consensus_bench<term_order> b;
    b.write(n1, 5, no_node);
    b.say(n1, n2, 4, raft::heartbeat_reply{});
    CHECK(b.verdict() == "node 1 says something in term 4, and its durable term is 5");
}

TEST_CASE("a term may be taken from a message, a rejected pre-vote, or a pre-vote that was won") {
    consensus_bench<pre_vote> b;
    b.hear(n2, n1, 3, raft::heartbeat{});
    b.write(n1, 3, no_node);
    b.hear(n2, n1, 6, raft::vote_reply{true, false});
    b.write(n1, 6, no_node);
    b.hear(n3, n1, 7, raft::vote_reply{true, true});
    b.write(n1, 7, n1);
    CHECK(b.verdict().empty());
}

TEST_CASE("a pre-vote that was asked for is no reason for a higher term") {
    consensus_bench<pre_vote> b;
    b.hear(n2, n1, 3, raft::vote_request{.pre = true, .last_index = {}, .last_term = {}});
    b.write(n1, 3, no_node);
    CHECK(b.verdict() == "node 1 went from term 0 to 3, of which nobody told it and for which no majority would have voted");
}

TEST_CASE("a candidate that times out needs another pre-vote for its next term") {
    consensus_bench<pre_vote> b;
    b.hear(n3, n1, 1, raft::vote_reply{true, true});
    b.write(n1, 1, n1);
    b.write(n1, 2, n1);
    CHECK(b.verdict() == "node 1 went from term 1 to 2, of which nobody told it and for which no majority would have voted");
}

TEST_CASE("a node that was told of a term does not stand in it without a pre-vote") {
    consensus_bench<pre_vote> b;
    b.hear(n3, n1, 4, raft::heartbeat{});
    b.write(n1, 4, n1);
    CHECK(b.verdict() == "node 1 stands in term 4, and no majority would have voted for it");
}

TEST_CASE("a pre-vote is granted for the term asked for and no other") {
    consensus_bench<pre_vote> b;
    b.hear(n2, n1, 3, raft::vote_request{.pre = true, .last_index = {}, .last_term = {}});
    b.say(n1, n2, 3, raft::vote_reply{true, true});
    CHECK(b.verdict().empty());
    b.say(n1, n2, 4, raft::vote_reply{true, true});
    CHECK(b.verdict() == "node 1 grants node 2 a pre-vote that it was not asked for, in term 4");
}

TEST_CASE("a leader has what was committed before its term") {
    consensus_bench<leader_completeness> b;
    b.elect(n1, 1);
    b.replicate({n1, n2}, 1, 3, 1);
    b.write(n2, 2, n2);
    b.say(n2, n3, 2, raft::vote_request{false, log_index(3), term(1)});
    b.write(n3, 2, n2);
    b.replicate({n2}, 4, 4, 2);
    CHECK(b.verdict().empty());
}

TEST_CASE("a candidate that is elected with less than what is committed is seen at once") {
    consensus_bench<leader_completeness> b;
    b.elect(n1, 1);
    b.replicate({n1, n2}, 1, 3, 1);
    b.write(n3, 2, n3);
    b.say(n3, n2, 2, raft::vote_request{false, log_index(2), term(1)});
    b.write(n2, 2, n3);
    CHECK(b.verdict() == "node 3 was elected in term 2 with a log that ends at index 2 of term 1, before what is committed at index 3");
}

TEST_CASE("a leader that claimed more than it has is seen when it begins to write") {
    consensus_bench<leader_completeness> b;
    b.elect(n1, 1);
    b.replicate({n1, n2}, 1, 3, 1);
    b.write(n3, 2, n3);
    b.say(n3, n2, 2, raft::vote_request{false, log_index(3), term(1)});
    b.write(n2, 2, n3);
    b.replicate({n3}, 1, 1, 2);
    CHECK(b.verdict() == "node 3 leads term 2 without a committed entry at index 3");
}

TEST_CASE("a node that hears its leader does not stand before an election time-out is over") {
    for (const auto& [after, wrong] : {std::pair(600ms, false), std::pair(300ms, true)}) {
        time_point now{};
        const raft::options o;   // 500 ms at least
        consensus_bench<election_timer> b(o, [&](node_id) { return now; });
        b.elect(n1, 1);
        b.hear(n1, n2, 1, raft::heartbeat{{}, 1});
        b.say(n2, n1, 1, raft::heartbeat_reply{1});
        now += after;
        b.say(n2, n3, 2, raft::vote_request{.pre = true, .last_index = {}, .last_term = {}});
        CHECK(b.verdict() == (wrong ? "node 2 stands for term 2, 300 ms after it heard the leader of its own" : ""));
    }
}

TEST_CASE("what a node decided before it heard of its leader may leave afterwards") {
    const raft::options o;
    consensus_bench<election_timer> b(o, [](node_id) { return time_point{}; });
    b.elect(n1, 1);
    b.hear(n1, n2, 1, raft::heartbeat{{}, 1});
    b.say(n2, n1, 1, raft::heartbeat_reply{});   // to a former leader
    b.say(n2, n3, 2, raft::vote_request{.pre = true, .last_index = {}, .last_term = {}});
    CHECK(b.verdict().empty());
}

TEST_CASE("a leader that hears no majority falls silent") {
    time_point now{};
    const raft::options o;
    consensus_bench<quorum_contact> b(o, [&](node_id) { return now; });
    b.elect(n1, 1);
    for (std::uint64_t round = 1; round <= 40; ++round, now += 100ms) {
        b.say(n1, n2, 1, raft::heartbeat{{}, round});
        if (round < 20) b.hear(n3, n1, 1, raft::heartbeat_reply{round});
        if (round < 31) CHECK(b.verdict().empty());
    }
    CHECK(b.verdict() == "node 1 goes on as leader in term 1, and heard 0 of 2 others within an election time-out");
}
