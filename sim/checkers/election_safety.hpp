// Election safety: who speaks as the leader of a term is the one for whom a majority voted durably in it, and so there is at
// most one. Nobody is named by the empty id.
// Source: Ongaro and Ousterhout, figure 3; traps 12.
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <map>

namespace lockstep::sim {

class election_safety final : public witness {
public:
    election_safety(world& w, const raft_record& record) : witness(w), record_(record) {}

    void said(const seen_message& m) override {
        const node_id node = m.what.from;
        if (node == no_node || m.what.to == no_node) return wrong(node, "sends a message from or to the empty id");
        if (!m.get<raft::append_request>() && !m.get<raft::heartbeat>() && !m.get<raft::snapshot_offer>()) return;
        lockstep::term& known = leads_[node];
        if (known == m.what.term) return;
        const node_id elected = record_.winner(m.what.term);
        if (elected == node) known = m.what.term;
        else if (elected == no_node) wrong(node, "speaks as leader, and no majority voted durably" + in_term(m.what.term));
        else wrong(node, "speaks as leader, and node " + std::to_string(elected.value) + " was elected" + in_term(m.what.term));
    }

private:
    const raft_record& record_;
    std::map<node_id, lockstep::term> leads_;
};

}  // namespace lockstep::sim
