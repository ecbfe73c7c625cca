#pragma once

#include <lockstep/raft/core.hpp>
#include <lockstep/base/probe.hpp>
#include <lockstep/raft/quorum.hpp>

#include <utility>

namespace lockstep::raft {

LOCKSTEP_DECL void core::set_role(role r) {
    if (role_ == r) return;
    role_ = r;
    out_.events.push_back(role_changed{role_, hard_.term});
}

LOCKSTEP_DECL void core::set_leader(node_id leader) {
    if (leader_ == leader) return;
    leader_ = leader;
    out_.events.push_back(leader_changed{leader_, hard_.term});
}

LOCKSTEP_DECL void core::rearm_election() {
    const auto low = static_cast<std::uint64_t>(options_.election_timeout_min.count());
    const auto high = static_cast<std::uint64_t>(options_.election_timeout_max.count());
    election_deadline_ = now_ + duration(static_cast<duration::rep>(random_.between(low, high)));
}

LOCKSTEP_DECL void core::become_follower(lockstep::term t, node_id leader) {
    LOCKSTEP_ASSERT(t >= hard_.term);
    if (t > hard_.term) {
        sometimes(probe::leader_deposed, role_ == role::leader);
        hard_ = {t, no_node};
        // What was promised in an older term is of no use, and after a truncation it would be a lie.
        held_.clear();
        owes_ack_ = false;
        verified_ = acked_ = log_index{};
    }
    const bool stepped_down = role_ == role::leader;
    if (stepped_down) {
        uncommitted_.clear();
        // As a follower it has seen no append of this term; its log is what it wrote itself.
        verified_ = acked_ = log_index{};
    }
    if (leader_ != leader || stepped_down) fail_reads();
    set_role(role::follower);
    set_leader(leader);
    if (stepped_down) rearm_election();
}

LOCKSTEP_DECL void core::become_pre_candidate() {
    set_role(role::pre_candidate);
    own_ballot_ = true;  // a pre-vote promises nothing, so nothing need be durable
    start_vote(true);
    count_ballots();
}

LOCKSTEP_DECL void core::become_candidate() {
    held_.clear();
    owes_ack_ = false;
    verified_ = acked_ = log_index{};
    hard_ = {hard_.term + 1, self_};
    set_role(role::candidate);
    own_ballot_ = false;
    rearm_election();
    start_vote(false);
}

LOCKSTEP_DECL void core::start_vote(bool pre) {
    for (auto& p : peers_) {
        p.ballot.reset();
        const lockstep::term asked = pre ? hard_.term + 1 : hard_.term;
        message m{self_, p.id, asked, vote_request{pre, log_.last_index(), log_.last_term()}};
        // A request is also this node's vote for itself: it leaves only once that is durable.
        (pre ? out_.send : held_).push_back(std::move(m));
    }
}

LOCKSTEP_DECL void core::count_ballots() {
    const vote_result result = majority_vote(voters_, [&](node_id id) -> std::optional<bool> {
        if (id == self_) return own_ballot_ ? std::optional(true) : std::nullopt;
        const progress* const p = find_peer(id);
        return p->counts ? p->ballot : std::nullopt;
    });
    if (result == vote_result::pending) return;
    if (sometimes(probe::election_lost, result == vote_result::lost)) become_follower(hard_.term, no_node);
    else if (role_ == role::pre_candidate) become_candidate();
    else become_leader();
}

LOCKSTEP_DECL void core::become_leader() {
    LOCKSTEP_ASSERT(role_ == role::candidate && hard_.voted_for == self_);
    sometimes(probe::elected_with_uncommitted_tail, log_.last_index() > commit_);
    set_role(role::leader);
    set_leader(self_);
    uncommitted_.clear();
    for (auto& p : peers_) p.reset(log_.last_index(), now_);
    round_times_.clear();
    term_begin_ = log_.last_index() + 1;
    log_.append({term_begin_, hard_.term, entry_kind::empty, {}});
    heartbeat_deadline_ = now_ + options_.heartbeat_interval;
    start_round();
}

/// Whether a vote now would depose a leader that is well, as far as this node can tell.
LOCKSTEP_DECL bool core::leader_is_alive() const {
    if (role_ == role::leader || has_promised()) return true;
    return leader_ != no_node && now_ - leader_heard_ < options_.election_timeout_min;
}

/// With leases: whom this node heard counts on it to elect nobody else, whatever terms it has learnt of since, and
/// though it was restarted.
LOCKSTEP_DECL bool core::has_promised() const {
    return options_.lease_drift_ppm != 0 && now_ - leader_heard_ < options_.election_timeout_min;
}

LOCKSTEP_DECL bool core::heard_by_quorum() const {
    return majority_vote(voters_, [&](node_id id) -> std::optional<bool> {
               if (id == self_) return true;
               for (const auto& p : peers_)
                   if (p.id == id) return p.counts && now_ - p.heard < options_.election_timeout_max;
               return false;
           }) == vote_result::won;
}

LOCKSTEP_DECL void core::handle(const message& m, const vote_request& v) {
    const bool log_is_current = std::pair(v.last_term, v.last_index) >= std::pair(log_.last_term(), log_.last_index());
    const bool free_to_vote = hard_.voted_for == no_node ? leader_ == no_node : hard_.voted_for == m.from;
    if (v.pre) {
        const bool term_is_open = m.term > hard_.term || (m.term == hard_.term && free_to_vote);
        const bool well = sometimes(probe::pre_vote_refused_leader_is_well, leader_is_alive());
        const bool granted = votes_ && term_is_open && log_is_current && !well;
        if (granted) out_.send.push_back({self_, m.from, m.term, vote_reply{true, true}});
        else reply(m, vote_reply{true, false});
        return;
    }
    sometimes(probe::vote_refused_given_to_another, !free_to_vote);
    sometimes(probe::vote_refused_log_is_behind, !log_is_current);
    const bool promised = sometimes(probe::vote_refused_promised, has_promised());
    if (!votes_ || !free_to_vote || !log_is_current || promised || role_ == role::leader) {
        reply(m, vote_reply{false, false});
        return;
    }
    if (role_ == role::pre_candidate) become_follower(hard_.term, no_node);
    hard_.voted_for = m.from;
    rearm_election();
    held_.push_back({self_, m.from, hard_.term, vote_reply{false, true}});
}

LOCKSTEP_DECL void core::handle(const message& m, const vote_reply& v) {
    progress* const p = find_peer(m.from);
    if (role_ != (v.pre ? role::pre_candidate : role::candidate) || !p->counts) return;
    if (v.granted && m.term != (v.pre ? hard_.term + 1 : hard_.term)) return;
    p->ballot = v.granted;
    count_ballots();
}

}  // namespace lockstep::raft
