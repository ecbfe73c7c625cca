// Pre-votes change nothing: a node comes to a higher term by hearing of it in a message that is no pre-vote, in the rejection
// of one, or in a snapshot; or by standing, and then for the one term that a majority, itself among it, granted. So the term of
// a node that reaches nobody grows by at most one. A grant carries the term asked for, a rejection the voter's own.
// Source: Ongaro 9.6; traps 5, 6, 7.
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <map>
#include <set>

namespace lockstep::sim {

class pre_vote final : public witness {
public:
    pre_vote(world& w, const raft_record& record) : witness(w), record_(record) {}

    void heard(const seen_message& m) override {
        node_terms& known = nodes_[m.what.to];
        const auto* request = m.get<raft::vote_request>();
        const auto* reply = m.get<raft::vote_reply>();
        if (request && request->pre) known.asked[m.what.from].insert(m.what.term);
        else if (reply && reply->pre && reply->granted) known.granted[m.what.term].insert(m.what.from);
        else if (m.what.term > record_.log(m.what.to).term()) known.heard.insert(m.what.term);
    }

    void said(const seen_message& m) override {
        const auto* reply = m.get<raft::vote_reply>();
        if (!reply || !reply->pre || !reply->granted) return;
        if (!nodes_[m.what.from].asked[m.what.to].contains(m.what.term))
            wrong(m.what.from, "grants node " + std::to_string(m.what.to.value) + " a pre-vote that it was not asked for," + in_term(m.what.term));
    }

    void persisted(const seen_write& w) override {
        node_terms& known = nodes_[w.node];
        const lockstep::term t = w.what.term;
        if (t <= known.durable) return;
        // Told, and what may not be needed any more once it is durable.
        const bool told = known.heard.contains(t) || record_.snapshot(w.node).term == t;
        const bool may_stand = record_.is_majority(known.granted[t].size() + 1);
        const bool stands = w.what.voted_for == w.node;
        if (!told && !may_stand)
            wrong(w.node, "went from term " + std::to_string(known.durable.value) + " to " + std::to_string(t.value) +
                              ", of which nobody told it and for which no majority would have voted");
        else if (stands && !may_stand) wrong(w.node, "stands" + in_term(t) + ", and no majority would have voted for it");
        known.durable = t;
        known.heard.erase(known.heard.begin(), known.heard.upper_bound(t));
        known.granted.erase(known.granted.begin(), known.granted.upper_bound(t));
        for (auto& [node, terms] : known.asked) terms.erase(terms.begin(), terms.lower_bound(t));
    }
    void wiped(node_id node) override { nodes_.erase(node); }

private:
    struct node_terms {
        lockstep::term durable;
        std::set<lockstep::term> heard;                          ///< above the durable one
        std::map<lockstep::term, std::set<node_id>> granted;     ///< to it, likewise
        std::map<node_id, std::set<lockstep::term>> asked;       ///< of it
    };
    const raft_record& record_;
    std::map<node_id, node_terms> nodes_;
};

}  // namespace lockstep::sim
