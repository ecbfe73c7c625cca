// A follower's commit is the smaller of its leader's and of what it verified: a leader names to a follower no more than that one
// acknowledged to it in this term; and what a node that does not lead applies, it was told to be committed, by a leader
// whose messages reached as far, and has on its own disk.
// Source: Ongaro 3.5; traps 18 (etcd-io/raft #139).
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace lockstep::sim {

class follower_commit final : public witness {
public:
    follower_commit(world& w, const raft_record& record) : witness(w), record_(record) {}

    void started(node_id node, log_position snapshot) override { nodes_[node] = {snapshot.index, false, {}, {}}; }

    void said(const seen_message& m) override {
        const node_id node = m.what.from;
        const auto* beat = m.get<raft::heartbeat>();
        if (beat || m.get<raft::append_request>()) nodes_[node].led = true;
        if (!beat || beat->commit.value == 0) return;
        const acknowledged& known = acks_[{node, m.what.to}];
        const log_index match = known.term == m.what.term ? known.index : log_index{};
        if (beat->commit > match)
            wrong(node, "tells node " + std::to_string(m.what.to.value) + " that index " + std::to_string(beat->commit.value) +
                            " is committed, which acknowledged " + std::to_string(match.value) + in_term(m.what.term));
    }

    void heard(const seen_message& m) override {
        seen& node = nodes_[m.what.to];
        if (const auto* reply = m.get<raft::append_reply>(); reply && !reply->rejected) {
            acknowledged& known = acks_[{m.what.to, m.what.from}];
            if (m.what.term < known.term) return;   // late, and to a former leader
            if (m.what.term > known.term) known = {m.what.term, {}};
            known.index = std::max(known.index, reply->index);
        } else if (const auto* append = m.get<raft::append_request>()) {
            node.told_that(m.what.term, append->commit, append->prev_index + append->entries.size());
        } else if (const auto* beat = m.get<raft::heartbeat>()) {
            node.told_that(m.what.term, beat->commit, beat->commit);
        } else if (const auto* offer = m.get<raft::snapshot_offer>()) {
            node.told_that(m.what.term, offer->at.index, offer->at.index);
        }
    }

    void installed(node_id node, log_position at, std::uint64_t) override {
        nodes_[node].told = std::max(nodes_[node].told, at.index);
    }
    void applied(const seen_apply& a) override {
        const seen& node = nodes_[a.node];
        const durable_log& disk = record_.log(a.node);
        if (a.entry.index > disk.last()) return wrong(a.node, "applied what is not on its own disk", a.entry.index);
        const bool leads = node.led || record_.won(a.node, disk.term());
        if (!leads && a.entry.index > node.told)
            wrong(a.node, "applied more than it was told to be committed, which is " + std::to_string(node.told.value) + ",", a.entry.index);
    }

private:
    struct seen {
        log_index told;            ///< committed
        bool led = false;          ///< it counts by itself
        lockstep::term term;
        log_index reached{};       ///< by what was heard in that term

        void told_that(lockstep::term t, log_index commit, log_index reaches) {
            if (t < term) return;   // it is over: nobody heeds it, and what was heard since holds
            reached = t == term ? std::max(reached, reaches) : reaches;
            term = t;
            told = std::max(told, std::min(commit, reached));
        }
    };
    struct acknowledged {
        lockstep::term term;
        log_index index;
    };
    const raft_record& record_;
    std::map<node_id, seen> nodes_;
    std::map<std::pair<node_id, node_id>, acknowledged> acks_;   ///< to the first, by the second
};

}  // namespace lockstep::sim
