// Checks what must always hold of the consensus (traps.md): election safety, votes and acknowledgements that are durable
// before they are spoken, committed entries that are durable on a majority and never change, leader completeness,
// monotone terms and commits.
#pragma once

#include <sim/world.hpp>

#include <lockstep/codec/envelope.hpp>
#include <lockstep/raft/core.hpp>

#include <cstdint>
#include <functional>
#include <vector>
#include <map>
#include <string>
#include <vector>

namespace lockstep::sim {

/// One machine as it is after an event. `core` is null where none runs.
struct raft_view {
    node_id node;
    std::uint64_t incarnation = 0;
    const raft::core* core = nullptr;
};

class raft_checker final : public checker {
public:
    using look = std::function<void(std::vector<raft_view>&)>;

    explicit raft_checker(look l) : look_(std::move(l)) {}

    void after_event(world& w) override {
        look_(views_);
        for (const raft_view& v : views_) {
            if (!v.core) continue;
            known& k = nodes_[v.node];
            if (is_as_it_was(k, v)) continue;
            if (k.incarnation != v.incarnation) recovered(w, k, v);
            else moved_on(w, k, v);
            led(w, k, v);
            k.term = v.core->current_term();
            k.commit = v.core->commit_index();
            k.durable = v.core->durable_index();
            k.durable_term = v.core->term_at(k.durable).value_or(lockstep::term{});
            if (k.commit > commit_) committed(w, v, views_);
        }
    }

    /// Each frame that a node handed to its transport.
    void sent(world& w, node_id from, const shared_bytes& frame) {
        ++frames_;
        const auto envelope = decode_envelope(frame);
        const auto* m = envelope ? std::get_if<raft::message>(&envelope->body) : nullptr;
        if (!m) return;
        const auto* reply = std::get_if<raft::vote_reply>(&m->body);
        const auto* request = std::get_if<raft::vote_request>(&m->body);
        if (reply && reply->granted && !reply->pre) voted(w, from, m->term, m->to);
        if (request && !request->pre) voted(w, from, m->term, from);
    }

    /// Each entry that a node applied.
    void applied(world& w, node_id node, const raft::entry& e) {
        const contents d{e.term, checksum(e.data.view(), static_cast<std::uint64_t>(e.kind))};
        const auto [there, first] = applied_.try_emplace(e.index, d);
        if (!first && there->second != d) wrong(w, node, "applied another entry than others", e.index);
    }

    /// The state that a node came to at an index, by applying or by installing it.
    void state(world& w, node_id node, log_index at, std::uint64_t digest) {
        const auto [there, first] = states_.try_emplace(at, digest);
        if (!first && there->second != digest) wrong(w, node, "came to another state than others", at);
    }

    log_index commit() const noexcept { return commit_; }
    std::uint64_t frames() const noexcept { return frames_; }
    /// Terms that came to have a leader.
    std::uint64_t elections() const noexcept { return leaders_.size(); }
    /// What was durable when a node was last seen running.
    log_index durable(node_id node) const {
        const auto k = nodes_.find(node);
        return k == nodes_.end() ? log_index{} : k->second.durable;
    }

private:
    struct known {
        std::uint64_t incarnation = 0;
        lockstep::term term;
        log_index commit;
        log_index durable;
        lockstep::term durable_term;
        lockstep::term voted_term;  ///< the last vote that left
        node_id voted_for;
        lockstep::term led;
    };
    struct contents {
        lockstep::term term;
        std::uint64_t data = 0;
        friend bool operator==(const contents&, const contents&) = default;
    };

    /// Most events change nothing of this, and of one node at most.
    static bool is_as_it_was(const known& k, const raft_view& v) {
        const raft::core& core = *v.core;
        return k.incarnation == v.incarnation && k.term == core.current_term() && k.commit == core.commit_index() &&
               k.durable == core.durable_index() && (core.state_role() != raft::role::leader || k.led == k.term) &&
               k.durable_term == core.term_at(k.durable).value_or(lockstep::term{});
    }

    /// What is gone from the log by compaction is in the state that took its place.
    static bool has(const raft::core& core, log_index at, lockstep::term t) {
        return at <= core.base().index || core.term_at(at) == t;
    }

    static void wrong(world& w, node_id node, const std::string& what, log_index at = {}) {
        w.fail(exit_class::correctness, "node " + std::to_string(node.value) + " " + what +
                                            (at.value ? " at index " + std::to_string(at.value) : std::string()));
    }

    void voted(world& w, node_id node, lockstep::term t, node_id whom) {
        known& k = nodes_[node];
        if (t == k.voted_term && whom != k.voted_for)
            wrong(w, node, "voted twice in term " + std::to_string(t.value));
        if (t < k.voted_term) return;
        k.voted_term = t;
        k.voted_for = whom;
    }

    /// The first look after a start, before anything was received: what was spoken must be there.
    void recovered(world& w, known& k, const raft_view& v) {
        if (k.incarnation != 0) {
            if (v.core->current_term() < k.voted_term) wrong(w, v.node, "lost the term of a vote that it gave");
            if (v.core->current_term() == k.voted_term && v.core->voted_for() != k.voted_for)
                wrong(w, v.node, "lost a vote that it gave");
            if (k.durable > v.core->base().index && v.core->term_at(k.durable) != k.durable_term)
                wrong(w, v.node, "lost an entry that was durable", k.durable);
        }
        k.incarnation = v.incarnation;
        k.led = {};
    }

    void moved_on(world& w, const known& k, const raft_view& v) {
        if (v.core->current_term() < k.term) wrong(w, v.node, "went back in terms");
        if (v.core->commit_index() < k.commit) wrong(w, v.node, "went back in commits", k.commit);
    }

    void led(world& w, known& k, const raft_view& v) {
        const lockstep::term t = v.core->current_term();
        if (v.core->state_role() != raft::role::leader || k.led == t) return;
        k.led = t;
        const auto [leader, first] = leaders_.try_emplace(t, v.node);
        if (!first && leader->second != v.node) wrong(w, v.node, "leads term " + std::to_string(t.value) + ", as another one did");
        if (commit_.value != 0 && commit_term_ < t && !has(*v.core, commit_, commit_term_))
            wrong(w, v.node, "leads without a committed entry", commit_);
    }

    /// Counted naively: the voters alive hold it durably; of those that are down, what was durable when last seen counts.
    void committed(world& w, const raft_view& v, const std::vector<raft_view>& views) {
        commit_ = v.core->commit_index();
        commit_term_ = v.core->term_at(commit_).value_or(lockstep::term{});
        std::size_t holders = 0;
        for (node_id voter : v.core->voters()) {
            const raft::core* core = nullptr;
            for (const raft_view& other : views)
                if (other.node == voter) core = other.core;
            if (core) holders += core->durable_index() >= commit_ && has(*core, commit_, commit_term_);
            else holders += nodes_[voter].durable >= commit_;
        }
        if (holders * 2 <= v.core->voters().size()) wrong(w, v.node, "committed what no majority holds", commit_);
    }

    look look_;
    std::vector<raft_view> views_;   ///< after the last event
    std::uint64_t frames_ = 0;
    std::map<node_id, known> nodes_;
    std::map<lockstep::term, node_id> leaders_;
    std::map<log_index, contents> applied_;
    std::map<log_index, std::uint64_t> states_;
    log_index commit_;
    lockstep::term commit_term_;
};

}  // namespace lockstep::sim
