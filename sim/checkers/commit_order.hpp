// A commit goes one way: what a node calls committed while its process runs never falls, and is never below what it applied or
// the state that it began with; nor does what it tells one peer of that within a term.
// Source: Ongaro 3.5, 5.1; traps, "commit and applied are monotone within a run of the process, and never below the snapshot".
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace lockstep::sim {

class commit_order final : public witness {
public:
    commit_order(world& w, const raft_record&) : witness(w) {}

    void started(node_id node, log_position snapshot) override {
        committed_[node] = snapshot.index;
        for (auto& [way, told] : told_)
            if (way.first == node) told = {};
    }
    void applied(const seen_apply& a) override { known_committed(a.node, a.entry.index); }
    void installed(node_id node, log_position at, std::uint64_t) override { known_committed(node, at.index); }
    /// Its leaders begin anew with it, at any time.
    void wiped(node_id node) override { wiped_.insert(node); }

    void said(const seen_message& m) override {
        if (const auto* append = m.get<raft::append_request>()) {
            const log_index known = committed_[m.what.from];
            if (append->commit < known) return fell(m.what.from, append->commit, known, "");
            committed_[m.what.from] = append->commit;
        } else if (const auto* beat = m.get<raft::heartbeat>(); beat && !wiped_.contains(m.what.to)) {
            told_so_far& told = told_[{m.what.from, m.what.to}];
            if (told.term == m.what.term && beat->commit < told.index)
                return fell(m.what.from, beat->commit, told.index, " to node " + std::to_string(m.what.to.value));
            told = {m.what.term, beat->commit};
        }
    }

private:
    struct told_so_far {
        lockstep::term term;
        log_index index;
    };

    void known_committed(node_id node, log_index index) { committed_[node] = std::max(committed_[node], index); }
    void fell(node_id node, log_index now, log_index before, const std::string& to) {
        wrong(node, "calls index " + std::to_string(now.value) + " committed" + to + ", after " + std::to_string(before.value));
    }

    std::map<node_id, log_index> committed_;                          ///< by the process that runs
    std::map<std::pair<node_id, node_id>, told_so_far> told_;         ///< by the first, to the second
    std::set<node_id> wiped_;
};

}  // namespace lockstep::sim
