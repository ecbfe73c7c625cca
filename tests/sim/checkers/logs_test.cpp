// The checkers of logs and of what is said of them, each with a story that it lets pass and one that it does not.
#include <tests/sim/checkers/consensus_bench.hpp>

#include <sim/checkers/ack_durability.hpp>
#include <sim/checkers/append_shape.hpp>
#include <sim/checkers/committed_stays.hpp>
#include <sim/checkers/entry_provenance.hpp>
#include <sim/checkers/log_matching.hpp>
#include <sim/checkers/match_progress.hpp>
#include <sim/checkers/probe_economy.hpp>

using namespace lockstep;
using namespace lockstep::sim;

namespace {

raft::append_request append(std::uint64_t prev, std::uint64_t prev_term, std::vector<raft::entry> entries, std::uint64_t commit = 0) {
    return {log_index(prev), term(prev_term), log_index(commit), std::move(entries)};
}
raft::append_reply accepted(std::uint64_t index) { return {false, log_index(index), {}, {}}; }
raft::append_reply rejected(std::uint64_t prev, std::uint64_t hint, std::uint64_t hint_term) {
    return {true, log_index(hint), log_index(prev), term(hint_term)};
}

}  // namespace

TEST_CASE("a durable log keeps marks by index and term, and says what a write cut") {
    durable_log log;
    CHECK(log.last() == log_index(0));
    const entry_mark a{term(1), 11}, b{term(1), 12}, c{term(2), 13}, d{term(3), 14};
    CHECK(log.apply({term(1), n1, log_index(1), {a, b}, std::nullopt, false}).marks.empty());
    CHECK(log.apply({term(2), n2, log_index(3), {c}, std::nullopt, false}).marks.empty());
    CHECK(log.last() == log_index(3));
    CHECK(log.term_at(log_index(2)) == term(1));

    const auto cut = log.apply({term(3), n2, log_index(2), {d}, std::nullopt, false});
    CHECK(cut.from == log_index(2));
    CHECK(cut.marks == std::vector{b, c});
    CHECK(log.last() == log_index(2));
    CHECK(log.last_term() == term(3));

    CHECK(log.apply({term(3), n2, {}, {}, log_position{log_index(1), term(1)}, false}).marks.empty());
    CHECK(log.base() == log_position{log_index(1), term(1)});
    CHECK(log.at(log_index(1)) == nullptr);
    CHECK(log.term_at(log_index(1)) == term(1));
    CHECK(log.last() == log_index(2));

    const auto anew = log.apply({term(4), n2, {}, {}, log_position{log_index(9), term(4)}, true});
    CHECK(anew.marks.empty());   // what stood behind the base would have been cut
    CHECK(log.last() == log_index(9));
    CHECK(log.last_term() == term(4));
    CHECK(log.holds({log_index(5), term(7)}));
}

TEST_CASE("the record finds the winner of a term, and what is committed in it") {
    raft_record record({n1, n2, n3});
    const auto write = [&](node_id n, std::uint64_t t, node_id vote, std::uint64_t first, std::size_t count) {
        (void)record.persisted(n, {term(t), vote, log_index(first), std::vector(count, entry_mark{term(t), 1}), std::nullopt, false});
    };
    write(n1, 1, n1, 0, 0);
    CHECK(record.winner(term(1)) == no_node);
    write(n2, 1, n1, 0, 0);
    CHECK(record.winner(term(1)) == n1);
    write(n1, 1, n1, 1, 3);
    CHECK(record.committed() == log_position{});
    write(n2, 1, n1, 1, 2);
    CHECK(record.committed() == log_position{log_index(2), term(1)});
    REQUIRE(record.committed_at(log_index(2)) != nullptr);
    CHECK(record.committed_at(log_index(3)) == nullptr);
}

TEST_CASE("entries of an older term are committed by one of the newer term, not by their number") {
    raft_record record({n1, n2, n3});
    const entry_mark old{term(1), 1}, other{term(2), 2}, mine{term(3), 3};
    (void)record.persisted(n1, {term(1), n1, log_index(1), {old}, std::nullopt, false});
    (void)record.persisted(n3, {term(2), n3, log_index(1), {other}, std::nullopt, false});
    (void)record.persisted(n1, {term(3), n1, log_index(2), {mine}, std::nullopt, false});
    CHECK(record.committed() == log_position{});
    (void)record.persisted(n2, {term(3), n1, log_index(1), {old, mine}, std::nullopt, false});
    CHECK(record.committed() == log_position{log_index(2), term(3)});
    CHECK(*record.committed_at(log_index(1)) == old);
}

TEST_CASE("a disk that was wiped holds nothing that counts") {
    raft_record record({n1, n2, n3});
    const entry_mark mark{term(1), 1};
    (void)record.persisted(n2, {term(1), n1, {}, {}, std::nullopt, false});
    record.wiped(n2);
    (void)record.persisted(n1, {term(1), n1, log_index(1), {mark}, std::nullopt, false});
    (void)record.persisted(n2, {term(1), no_node, log_index(1), {mark}, std::nullopt, false});
    CHECK(record.committed() == log_position{});
    (void)record.persisted(n3, {term(1), n1, log_index(1), {mark}, std::nullopt, false});
    CHECK(record.committed() == log_position{log_index(1), term(1)});
}

TEST_CASE("what a disk took before it was wiped counts for who had its acknowledgement") {
    raft_record record({n1, n2, n3});
    const entry_mark mark{term(1), 1};
    (void)record.persisted(n2, {term(1), n1, log_index(1), {mark}, std::nullopt, false});
    record.wiped(n2);
    CHECK(record.committed() == log_position{});
    (void)record.persisted(n1, {term(1), n1, log_index(1), {mark, mark}, std::nullopt, false});
    CHECK(record.committed() == log_position{log_index(1), term(1)});   // and not the second
}

TEST_CASE("logs that agree at one place agree before it") {
    consensus_bench<log_matching> b;
    b.say(n1, n2, 2, append(0, 0, {entry_at(1, 1, "a"), entry_at(2, 2, "b")}));
    b.write(n2, 2, no_node, {entry_at(1, 1, "a"), entry_at(2, 2, "b")});
    b.write(n3, 2, no_node, {entry_at(1, 2, "c")});
    CHECK(b.verdict().empty());
}

TEST_CASE("two entries of one index and term are seen") {
    consensus_bench<log_matching> b;
    b.write(n1, 2, no_node, {entry_at(1, 1, "a")});
    b.say(n3, n2, 2, append(0, 0, {entry_at(1, 1, "b")}));
    CHECK(b.verdict() == "node 3 sends another entry of term 1 than others at index 1");
}

TEST_CASE("an entry that stands behind another one elsewhere is seen") {
    consensus_bench<log_matching> b;
    b.write(n1, 3, no_node, {entry_at(1, 1), entry_at(2, 3)});
    b.write(n2, 3, no_node, {entry_at(1, 2), entry_at(2, 3)});
    CHECK(b.verdict() == "node 2 holds an entry of term 3 behind one of term 2, which stands behind one of term 1 elsewhere at index 2");
}

TEST_CASE("entries are first seen at who won their term, then everywhere") {
    consensus_bench<entry_provenance> b;
    b.elect(n1, 1);
    b.say(n1, n2, 1, append(0, 0, {entry_at(1, 1)}));
    b.write(n2, 1, n1, {entry_at(1, 1)});
    b.write(n1, 1, n1, {entry_at(1, 1), entry_at(2, 1)});
    CHECK(b.verdict().empty());
}

TEST_CASE("an entry that comes up at a node that did not win its term is seen") {
    consensus_bench<entry_provenance> b;
    b.elect(n1, 1);
    b.say(n1, n2, 1, append(0, 0, {entry_at(1, 1)}));
    b.write(n2, 1, n1, {entry_at(1, 1), entry_at(2, 1)});
    CHECK(b.verdict() == "node 2 holds the first entry ever seen of term 1, which it did not win, at index 2");
}

TEST_CASE("an append with a gap, with terms that fall or with terms to come is seen") {
    const auto verdict_on = [](raft::append_request a) {
        consensus_bench<append_shape> b;
        b.say(n1, n2, 3, std::move(a));
        return b.verdict();
    };
    CHECK(verdict_on(append(4, 2, {entry_at(5, 2), entry_at(6, 3)})).empty());
    CHECK(verdict_on(append(4, 2, {entry_at(6, 2)})) == "node 1 sends an append with index 6 behind index 4");
    CHECK(verdict_on(append(4, 2, {entry_at(5, 2), entry_at(7, 2)})) == "node 1 sends an append with index 7 behind index 5");
    CHECK(verdict_on(append(4, 2, {entry_at(5, 1)})) == "node 1 sends an entry of term 1 behind one of term 2 in term 3 at index 5");
    CHECK(verdict_on(append(4, 2, {entry_at(5, 4)})) == "node 1 sends an entry of term 4 behind one of term 2 in term 3 at index 5");
    CHECK(verdict_on(append(4, 4, {})) == "node 1 sends an append behind an entry of a later term than its own at index 4");
}

TEST_CASE("an append that says another term than its sender's disk has is seen") {
    consensus_bench<append_shape> b;
    b.elect(n1, 2);
    b.replicate({n1, n2}, 1, 2, 2);
    b.say(n1, n3, 2, append(2, 2, {}));
    CHECK(b.verdict().empty());
    b.say(n1, n3, 2, append(2, 1, {}));
    CHECK(b.verdict() == "node 1 says that its entry before an append is of term 1, and its disk holds one of term 2 at index 2");
}

TEST_CASE("an acknowledgement of what is on the disk passes") {
    consensus_bench<ack_durability> b;
    b.elect(n1, 2);
    b.say(n1, n2, 2, append(0, 0, {entry_at(1, 2), entry_at(2, 2)}));
    b.write(n2, 2, n1, {entry_at(1, 2), entry_at(2, 2)});
    b.say(n2, n1, 2, accepted(2));
    CHECK(b.verdict().empty());
}

TEST_CASE("an acknowledgement that is ahead of its disk is seen") {
    consensus_bench<ack_durability> b;
    b.elect(n1, 2);
    b.write(n2, 2, n1, {entry_at(1, 2)});
    b.say(n2, n1, 2, accepted(2));
    CHECK(b.verdict() == "node 2 acknowledges index 2 in term 2, and its disk holds entries up to 1 only");
}

TEST_CASE("an acknowledgement in a term that is not durable is seen") {
    consensus_bench<ack_durability> b;
    b.write(n2, 1, n1, {entry_at(1, 1)});
    b.say(n2, n1, 2, accepted(1));
    CHECK(b.verdict() == "node 2 acknowledges index 1 in term 2, and its durable term is 1");
}

TEST_CASE("an acknowledgement of a tail that another leader wrote is seen") {
    consensus_bench<ack_durability> b;
    b.elect(n1, 3);
    b.say(n1, n2, 3, append(0, 0, {entry_at(1, 3)}));
    b.write(n2, 3, n1, {entry_at(1, 2)});
    b.say(n2, n1, 3, accepted(1));
    CHECK(b.verdict() == "node 2 acknowledges index 1 in term 3 to node 1, where an entry of term 3 stands, and holds one of term 2");
}

TEST_CASE("what is acknowledged is not truncated in the same term") {
    consensus_bench<ack_durability> b;
    b.elect(n1, 2);
    b.write(n2, 2, n1, {entry_at(1, 2), entry_at(2, 2)});
    b.say(n2, n1, 2, accepted(2));
    b.write(n2, 2, n1, {entry_at(1, 2)});
    CHECK(b.verdict() == "node 2 truncated what it acknowledged to the leader of the same term 2 at index 2");
}

TEST_CASE("a truncation for a later leader is no broken promise") {
    consensus_bench<ack_durability> b;
    b.elect(n1, 2);
    b.write(n2, 2, n1, {entry_at(1, 2), entry_at(2, 2)});
    b.say(n2, n1, 2, accepted(2));
    b.write(n2, 3, n3, {entry_at(2, 3)});
    CHECK(b.verdict().empty());
}

TEST_CASE("what is committed stays on each disk that has it") {
    consensus_bench<committed_stays> b;
    b.elect(n1, 1);
    b.replicate({n1, n2}, 1, 2, 1);
    b.replicate({n1}, 3, 3, 1);
    b.write(n1, 2, n2, {entry_at(3, 2)});   // one disk of three had it
    CHECK(b.verdict().empty());
    b.write(n1, 2, n2, {entry_at(2, 2)});
    CHECK(b.verdict() == "node 1 truncated a committed entry at index 2");
}

// Swarm seed 1909714: the disk of a node was stalled for four seconds, in which another term began and committed.
TEST_CASE("a disk that has not come to the term that committed an entry may let go of it, and no other") {
    for (const bool came : {false, true}) {
        consensus_bench<committed_stays> b;
        b.elect(n1, 1);
        b.replicate({n1, n2, n3}, 1, 1, 1);
        b.write(n3, 1, n1, {entry_at(2, 1)});   // nobody else had it then
        b.elect(n1, 3);
        for (const node_id n : {n1, n2}) b.write(n, 3, n1, {entry_at(2, 1), entry_at(3, 3)});
        CHECK(b.verdict().empty());
        if (came) b.write(n3, 3, no_node);
        b.write(n3, 3, no_node, {entry_at(2, 2)});
        CHECK(b.verdict() == (came ? "node 3 truncated a committed entry at index 2" : ""));
    }
}

TEST_CASE("a leader does not go back behind what was acknowledged to it") {
    consensus_bench<match_progress> b;
    b.elect(n1, 2);
    b.hear(n2, n1, 2, accepted(5));
    b.say(n1, n2, 2, append(5, 2, {}));
    b.say(n1, n3, 2, append(1, 2, {}));
    CHECK(b.verdict().empty());
    b.say(n1, n2, 2, append(4, 2, {}));
    CHECK(b.verdict() == "node 1 goes back to index 4 with node 2, which acknowledged 5 in term 2");
}

TEST_CASE("a search that passes a term at a time passes, one that goes entry by entry does not") {
    for (const std::uint64_t step : {10u, 1u}) {
        consensus_bench<probe_economy> b;
        for (std::uint64_t t = 1; t <= 4; ++t) b.replicate({n2}, 10 * t - 9, 10 * t, t);
        b.replicate({n1}, 1, 40, 1);
        b.elect(n1, 9);
        for (std::uint64_t at = 40; at > 1 && at >= step; at -= step) b.say(n2, n1, 9, rejected(at, at - step, 1));
        if (step == 10) CHECK(b.verdict().empty());
        else CHECK(b.verdict() == "node 2 was probed 12 times further back in term 9, where the logs have 7 terms in all, at index 27");
    }
}
