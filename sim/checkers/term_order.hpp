// Terms go one way: on a disk the term never falls, whatever restarts come, and it is at least that of the last entry; and a
// message carries at least the durable term of who says it.
// Source: Ongaro 3.3; traps 4, 10, and "term and vote are monotone across restarts".
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <map>

namespace lockstep::sim {

class term_order final : public witness {
public:
    term_order(world& w, const raft_record& record) : witness(w), record_(record) {}

    void persisted(const seen_write& w) override {
        lockstep::term& before = durable_[w.node];
        if (w.what.term < before)
            wrong(w.node, "went back from the durable term " + std::to_string(before.value) + " to " + std::to_string(w.what.term.value));
        before = w.what.term;
        if (w.log.last_term() > w.what.term)
            wrong(w.node, "holds an entry of term " + std::to_string(w.log.last_term().value) + ", above its durable term " +
                              std::to_string(w.what.term.value), w.log.last());
    }
    void wiped(node_id node) override { durable_.erase(node); }

    void said(const seen_message& m) override {
        if (m.get<raft::forwarded_proposal>() || m.get<raft::read_request>() || m.get<raft::read_reply>()) return;  // no terms
        const auto* reply = m.get<raft::vote_reply>();
        if (reply && reply->pre && reply->granted) return;   // carries the term that was asked for
        const lockstep::term durable = record_.log(m.what.from).term();
        if (m.what.term < durable)
            wrong(m.what.from, "says something" + in_term(m.what.term) + ", and its durable term is " + std::to_string(durable.value));
    }

private:
    const raft_record& record_;
    std::map<node_id, lockstep::term> durable_;
};

}  // namespace lockstep::sim
