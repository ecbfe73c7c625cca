// What the disks of a cluster prove, by counting: who won each term, and what is committed. Checkers compare it with what
// nodes say and apply.
#pragma once

#include <sim/checkers/durable_log.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <vector>

namespace lockstep::sim {

class raft_record {
public:
    explicit raft_record(const std::vector<node_id>& voters) {
        for (const node_id id : voters) members_.emplace(id, member{});
    }

    const durable_log& log(node_id node) const { return members_.at(node).log; }
    /// A disk that was wiped after it took part counts for nothing that comes to it any more.
    bool counts(node_id node) const { return members_.at(node).counts; }
    bool is_majority(std::size_t nodes) const noexcept { return 2 * nodes > members_.size(); }
    std::size_t size() const noexcept { return members_.size(); }
    /// The state of that position is durable on the node's disk by itself.
    const log_position& snapshot(node_id node) const { return members_.at(node).snapshot; }

    /// For whom a majority voted durably; no_node: nobody, yet.
    node_id winner(lockstep::term t) const {
        if (t == last_won_.first) return last_won_.second;
        const auto found = winners_.find(t);
        return found == winners_.end() ? no_node : found->second;
    }
    /// Terms that somebody won.
    std::size_t elections() const noexcept { return winners_.size(); }
    bool won(node_id node, lockstep::term t) const { return node != no_node && winner(t) == node; }

    /// The last entry that disks of a majority took in the term that made it: with it, all before are decided. What came to
    /// a disk in a later term counts with an entry of that one (Ongaro 3.6.2); what came in time goes on counting, since the
    /// leader of that term, with a slow disk, may be the last to have it.
    const log_position& committed() const noexcept { return committed_; }
    /// Null: not committed, or nobody that held it then had it in its log any more.
    const entry_mark* committed_at(log_index index) const noexcept {
        if (index.value == 0 || index.value > marks_.size()) return nullptr;
        const entry_mark& mark = marks_[index.value - 1];
        return mark.term.value == 0 ? nullptr : &mark;
    }

    /// The term in which disks of a majority took it, or what followed it. Precondition: committed_at() gives something.
    lockstep::term committed_in(log_index index) const { return terms_[index.value - 1]; }

    durable_log::cut persisted(node_id node, const durable_write& w) {
        member& m = members_.at(node);
        auto gone = m.log.apply(w);
        count_vote(node, w.term, w.voted_for);
        if (!m.counts) return gone;
        if (!gone.marks.empty()) std::erase_if(m.own, [&](const log_position& end) { return !m.log.holds(end); });
        if (!w.entries.empty() && w.entries.back().term == w.term) {
            if (m.own.empty() || m.own.back().term != w.term) m.own.push_back({});
            m.own.back() = {m.log.last(), w.term};
            count_holders(w.term);
        }
        return gone;
    }
    /// What it took before was acknowledged, maybe: to those that count it, it goes on counting for the terms that it came in.
    void wiped(node_id node) {
        member& m = members_.at(node);
        m = {{}, std::move(m.own), {}, m.counts && m.log.term().value == 0};
    }
    void snapshot_kept(node_id node, log_position at) { members_.at(node).snapshot = at; }

private:
    struct member {
        durable_log log;
        std::vector<log_position> own;   ///< of each term that may still commit, the last entry that came in it; ascending
        log_position snapshot;
        bool counts = true;

        log_index end_in(lockstep::term t) const noexcept {
            for (const log_position& end : own)
                if (end.term == t) return end.index;
            return {};
        }
    };

    void count_vote(node_id voter, lockstep::term t, node_id candidate) {
        if (candidate == no_node || winner(t) != no_node || !members_.at(voter).counts) return;
        auto& votes = votes_[t];
        votes[voter] = candidate;
        const auto same = [&](const auto& vote) { return vote.second == candidate; };
        if (!is_majority(static_cast<std::size_t>(std::count_if(votes.begin(), votes.end(), same)))) return;
        winners_.emplace(t, candidate);
        votes_.erase(votes_.begin(), votes_.upper_bound(t));
        last_won_ = {t, candidate};
    }

    void count_holders(lockstep::term t) {
        if (t < committed_.term) return;
        ends_.clear();
        for (auto& [node, m] : members_) {
            std::erase_if(m.own, [&](const log_position& end) { return end.term < committed_.term; });
            ends_.push_back(m.end_in(t));
        }
        std::sort(ends_.begin(), ends_.end(), std::greater<>());
        const log_index reached = ends_[members_.size() / 2];
        if (reached <= committed_.index) return;
        marks_.resize(reached.value);
        terms_.resize(reached.value, t);
        for (log_index i = committed_.index + 1; i <= reached; ++i) marks_[i.value - 1] = mark_among({reached, t}, i);
        committed_ = {reached, t};
    }
    entry_mark mark_among(log_position held, log_index i) const {
        for (const auto& [node, m] : members_)
            if (const entry_mark* mark = m.log.at(i); mark && m.log.term_at(held.index) == held.term) return *mark;
        return {};
    }

    std::map<node_id, member> members_;
    std::map<lockstep::term, std::map<node_id, node_id>> votes_;
    std::map<lockstep::term, node_id> winners_;
    std::pair<lockstep::term, node_id> last_won_;
    log_position committed_;
    std::vector<entry_mark> marks_;   ///< of committed entries, from index 1 on
    std::vector<lockstep::term> terms_;   ///< in which they were, likewise
    std::vector<log_index> ends_;     ///< scratch
};

}  // namespace lockstep::sim
