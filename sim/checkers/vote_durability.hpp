// One vote a term: on a disk, the vote of a term goes from none to somebody once, whatever role changes and restarts come; term
// and vote are one record; and a vote that is given, to another or to oneself by asking for others', is on the disk at
// that moment. A disk that took the place of one that was wiped never votes.
// Source: Ongaro 3.4, 3.8; traps 1, 2, 3, 31.
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <map>

namespace lockstep::sim {

class vote_durability final : public witness {
public:
    vote_durability(world& w, const raft_record& record) : witness(w), record_(record) {}

    void persisted(const seen_write& w) override {
        raft::hard_state& before = durable_[w.node];
        if (w.what.term == before.term && before.voted_for != no_node && w.what.voted_for != before.voted_for)
            wrong(w.node, "changed its durable vote from node " + std::to_string(before.voted_for.value) + " to node " +
                              std::to_string(w.what.voted_for.value) + in_term(w.what.term));
        before = {w.what.term, w.what.voted_for};
    }
    void wiped(node_id node) override { durable_.erase(node); }

    void said(const seen_message& m) override {
        const auto* request = m.get<raft::vote_request>();
        const auto* reply = m.get<raft::vote_reply>();
        if (request && !request->pre) voted(m.what.from, m.what.from, m.what.term);
        if (reply && reply->granted && !reply->pre) voted(m.what.from, m.what.to, m.what.term);
        const bool takes_part = request || (reply && reply->granted);
        if (takes_part && !record_.counts(m.what.from))
            wrong(m.what.from, "takes part in an election" + in_term(m.what.term) + ", with a disk in place of one that was wiped");
    }

private:
    void voted(node_id voter, node_id whom, lockstep::term t) {
        const durable_log& disk = record_.log(voter);
        if (disk.term() == t && disk.voted_for() == whom) return;
        wrong(voter, "votes for node " + std::to_string(whom.value) + in_term(t) + ", and its disk holds term " +
                         std::to_string(disk.term().value) + " with a vote for node " + std::to_string(disk.voted_for().value));
    }

    const raft_record& record_;
    std::map<node_id, raft::hard_state> durable_;
};

}  // namespace lockstep::sim
