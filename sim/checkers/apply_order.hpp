// Application goes one way: a process begins behind the snapshot that its disk holds, and applies each index once, in order; what
// an installed state covers is skipped, and nothing else. An installed state is durable before it counts, and the log on the
// disk never begins behind the snapshot.
// Source: Ongaro 5; traps 37 (tikv #12618), 38 (openraft #2116), "snapshot <= applied", "applied is monotone".
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <map>

namespace lockstep::sim {

class apply_order final : public witness {
public:
    apply_order(world& w, const raft_record& record) : witness(w), record_(record) {}

    void started(node_id node, log_position snapshot) override {
        applied_[node] = snapshot.index;
        const log_index base = record_.log(node).base().index;
        if (base > snapshot.index) wrong(node, "starts from a state of index " + std::to_string(snapshot.index.value) + ", and its log begins", base);
    }
    void applied(const seen_apply& a) override {
        log_index& last = applied_[a.node];
        if (a.entry.index != last + 1) wrong(a.node, "applied behind index " + std::to_string(last.value) + " what stands", a.entry.index);
        last = a.entry.index;
    }
    void installed(node_id node, log_position at, std::uint64_t) override {
        log_index& last = applied_[node];
        if (at.index <= last) wrong(node, "installed a state that is older than what it applied, up to " + std::to_string(last.value) + ",", at.index);
        if (record_.snapshot(node) != at) wrong(node, "installed a state that is not on its disk", at.index);
        last = at.index;
    }
    void persisted(const seen_write& w) override {
        const log_index kept = record_.snapshot(w.node).index;
        if (w.what.base && w.what.base->index > kept)
            wrong(w.node, "dropped its log up to what is behind its durable state of index " + std::to_string(kept.value) + ",", w.what.base->index);
    }

private:
    const raft_record& record_;
    std::map<node_id, log_index> applied_;
};

}  // namespace lockstep::sim
