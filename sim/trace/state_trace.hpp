// Tells a trace what changed in nodes: role, term and vote, what is durable and committed, what a node has applied, and what
// a workload adds. Looked at after each event, and before anything else of the node is recorded.
#pragma once

#include <sim/checker.hpp>
#include <sim/trace/recorder.hpp>

#include <lockstep/raft/core.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace lockstep::sim {

/// How a node stands.
struct standing {
    const raft::core* core = nullptr;   ///< null: it does not run, or has not begun
    std::uint64_t synced = 0;
    std::uint64_t conflicts = 0;
};

inline std::string_view to_string(raft::role r) {
    switch (r) {
        case raft::role::follower: return "follower";
        case raft::role::pre_candidate: return "pre-candidate";
        case raft::role::candidate: return "candidate";
        case raft::role::leader: return "leader";
    }
    return "?";
}

/// Lifetime: until the world's last step; what it asks for a node's standing too.
class state_trace final : public checker {
public:
    using look = std::function<standing(node_id)>;

    state_trace(trace_recorder& r, std::vector<node_id> nodes, look l)
        : recorder_(r), nodes_(std::move(nodes)), look_(std::move(l)) {
        recorder_.set_look([this](node_id node) { changes_of(node); });
    }

    void after_event(world&) override {
        for (const node_id node : nodes_) changes_of(node);
    }
    /// An entry was applied, and is told by whoever saw it.
    void applied(node_id node, log_index index) { known_[node].applied = index.value; }

private:
    struct known {
        raft::role role = raft::role::follower;
        std::uint64_t term = 0, vote = 0, leader = 0;
        std::uint64_t last = 0, durable = 0, commit = 0, applied = 0, synced = 0, conflicts = 0;
    };

    void changes_of(node_id node) {
        // What is told here asks for what changed before it.
        if (std::exchange(telling_, true)) return;
        look_at(node);
        telling_ = false;
    }

    void look_at(node_id node) {
        const standing s = look_(node);
        // The next process begins from nothing.
        if (!s.core) return void(known_.erase(node));
        known& k = known_[node];
        role(node, k, *s.core);
        const std::uint64_t durable = s.core->durable_index().value, last = s.core->last_index().value;
        if (std::pair(durable, last) != std::pair(k.durable, k.last)) {
            k.durable = durable, k.last = last;
            tell(node, traced::durable, "durable up to " + std::to_string(durable) + " of " + std::to_string(last),
                 trace_values().add("durable", durable).add("last", last));
        }
        number(node, k.commit, s.core->commit_index().value, traced::commit, "commit");
        // What it applies is told as it does, before the core counts it.
        if (s.core->applied_index().value > k.applied) number(node, k.applied, s.core->applied_index().value, traced::install, "applied");
        number(node, k.synced, s.synced, traced::sync, "synced");
        number(node, k.conflicts, s.conflicts, traced::conflict, "conflicts");
    }

    void role(node_id node, known& k, const raft::core& core) {
        known now = k;
        now.role = core.state_role();
        now.term = core.current_term().value;
        now.vote = core.voted_for().value;
        now.leader = core.leader().value;
        if (std::tie(now.role, now.term, now.vote, now.leader) == std::tie(k.role, k.term, k.vote, k.leader)) return;
        std::string text;
        if (now.role != k.role || now.term != k.term) text = std::string(to_string(now.role)) + " in term " + std::to_string(now.term);
        if (now.vote != k.vote && now.vote != 0)
            text += (text.empty() ? "" : ", ") + std::string("votes for node ") + std::to_string(now.vote);
        if (now.leader != k.leader && now.role != raft::role::leader)
            text += (text.empty() ? "" : ", ") + (now.leader ? "follows node " + std::to_string(now.leader) : std::string("knows no leader"));
        if (text.empty()) text = "no vote in term " + std::to_string(now.term);
        k = now;
        tell(node, traced::role, std::move(text),
             trace_values().add("role", std::string(to_string(k.role))).add("term", k.term).add("vote", k.vote).add("leader", k.leader));
    }

    void number(node_id node, std::uint64_t& before, std::uint64_t now, traced what, std::string_view name) {
        if (before == now) return;
        before = now;
        std::string text = std::string(name) + " " + std::to_string(now);
        if (what == traced::install) text = "takes over the state at " + std::to_string(now);
        tell(node, what, std::move(text), trace_values().add(name, now));
    }

    void tell(node_id node, traced what, std::string text, trace_values state) {
        recorder_.record(trace_lane::of(node), what, std::move(text), {}, std::move(state));
    }

    trace_recorder& recorder_;
    std::vector<node_id> nodes_;
    look look_;
    std::map<node_id, known> known_;
    bool telling_ = false;
};

}  // namespace lockstep::sim
