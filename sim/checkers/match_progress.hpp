// What a leader knows of a follower grows: within its term it never asks again for what that follower acknowledged to it,
// whatever stale rejections arrive, unless the follower's disk is another one.
// Source: Ongaro 3.5; traps 17 (etcd #1207).
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace lockstep::sim {

class match_progress final : public witness {
public:
    match_progress(world& w, const raft_record& record) : witness(w), record_(record) {}

    /// Whether it counts for the cluster or not: its leader may ask for all of it, at any time.
    void wiped(node_id node) override { wiped_.insert(node); }

    void heard(const seen_message& m) override {
        const auto* reply = m.get<raft::append_reply>();
        if (!reply || reply->rejected || !record_.won(m.what.to, m.what.term)) return;
        acknowledged& known = acks_[{m.what.to, m.what.from}];
        if (m.what.term < known.term) return;   // late, and to a former leader
        if (m.what.term > known.term) known = {m.what.term, {}};
        known.index = std::max(known.index, reply->index);
    }
    void said(const seen_message& m) override {
        const auto* append = m.get<raft::append_request>();
        if (!append || wiped_.contains(m.what.to)) return;
        const acknowledged& known = acks_[{m.what.from, m.what.to}];
        if (known.term == m.what.term && append->prev_index < known.index)
            wrong(m.what.from, "goes back to index " + std::to_string(append->prev_index.value) + " with node " + std::to_string(m.what.to.value) +
                                   ", which acknowledged " + std::to_string(known.index.value) + in_term(m.what.term));
    }

private:
    struct acknowledged {
        lockstep::term term;
        log_index index;
    };
    const raft_record& record_;
    std::set<node_id> wiped_;
    std::map<std::pair<node_id, node_id>, acknowledged> acks_;   ///< to the first, by the second
};

}  // namespace lockstep::sim
