#pragma once

#include <lockstep/raft/core.hpp>
#include <lockstep/base/probe.hpp>
#include <lockstep/raft/message_sanity.hpp>

#include <algorithm>
#include <utility>

namespace lockstep::raft {

LOCKSTEP_DECL core::core(const options& o, const initial_state& initial, time_point now)
    : options_(o),
      self_(initial.self),
      voters_(initial.voters),
      votes_(initial.votes),
      random_(initial.seed),
      now_(now),
      hard_(initial.hard),
      log_(initial.base, initial.runs, initial.last_index),
      writes_(initial.hard, initial.last_index),
      commit_(initial.snapshot.index),
      snapshot_(initial.snapshot),
      handed_out_(initial.snapshot.index),
      applied_(initial.snapshot.index) {
    LOCKSTEP_ASSERT(voters_.contains(self_) && !voters_.contains(no_node) && voters_.size() <= 9);
    LOCKSTEP_ASSERT(log_.last_term() <= hard_.term);
    LOCKSTEP_ASSERT(o.election_timeout_min > o.heartbeat_interval && o.election_timeout_max >= o.election_timeout_min);
    for (const node_id id : voters_)
        if (id != self_) peers_.emplace_back(id);
    LOCKSTEP_ASSERT(o.lease_drift_ppm < 1'000'000);
    LOCKSTEP_ASSERT(snapshot_.index >= log_.base().index);
    if (sometimes(probe::start_with_snapshot_ahead_of_log, !log_.has(snapshot_))) begin_log_anew();
    check_order();
    leader_heard_ = now_;  // with leases: what it promised before it was started holds yet
    rearm_election();
    if (peers_.empty()) election_deadline_ = now_;  // nobody to wait for
}

LOCKSTEP_DECL void core::step(input_value in, time_point now) {
    now_ = std::max(now_, now);
    std::visit([this](const auto& value) { on(value); }, in);
    check_order();
}

LOCKSTEP_DECL void core::check_order() const {
    LOCKSTEP_ASSERT(log_.base().index <= snapshot_.index && snapshot_.index <= applied_ && applied_ <= handed_out_);
    LOCKSTEP_ASSERT(handed_out_ <= commit_ && commit_ <= log_.last_index());
    LOCKSTEP_ASSERT(log_.base().index <= writes_.durable() && writes_.durable() <= log_.last_index());
}

LOCKSTEP_DECL void core::on(const message& m) {
    if (m.to != self_ || m.term.value >= detail::number_max) return;
    progress* const peer = find_peer(m.from);
    if (peer == nullptr) return;
    if (detail::is_termless(m.body) ? m.term.value != 0 : !admit_term(m)) return;
    std::visit([&](const auto& body) { handle(m, body); }, m.body);
}

/// The rules of terms, before anything else is looked at. Returns whether the message is to be handled.
LOCKSTEP_DECL bool core::admit_term(const message& m) {
    if (m.term.value == 0) return false;
    const auto* const append = std::get_if<append_request>(&m.body);
    if (append != nullptr && !detail::is_sane(*append, m.term)) return false;
    const auto* const offer = std::get_if<snapshot_offer>(&m.body);
    if (offer != nullptr && !detail::is_sane(*offer, m.term)) return false;
    if (const auto* v = std::get_if<vote_request>(&m.body)) {
        if (!detail::is_position(v->last_index, v->last_term) || v->last_term >= m.term) return false;
        if (!find_peer(m.from)->counts) return false;
        // Somebody who lost touch must not depose a leader that a quorum hears (Ongaro 4.2.3).
        const bool deposes = !v->pre && m.term > hard_.term && leader_is_alive();
        if (sometimes(probe::vote_request_ignored_leader_is_well, deposes)) return false;
    }
    if (detail::is_pre_vote(m.body)) return true;
    if (m.term > hard_.term) {
        become_follower(m.term, no_node);
        return true;
    }
    if (m.term == hard_.term) return true;

    // An old leader must hear that its time is over, or a node at a higher term could never come back: it ignores
    // the leader, and the leader's followers ignore its campaign.
    sometimes(probe::former_leader_told, !std::holds_alternative<vote_request>(m.body));
    if (std::holds_alternative<heartbeat>(m.body)) {
        // It names no round: since a restart, the sender may lead this term and have a round of that number again.
        reply(m, heartbeat_reply{});
    } else if (append != nullptr) {
        reply(m, append_reply{true, {}, append->prev_index, {}});
    } else if (offer != nullptr) {
        reply(m, append_reply{true, {}, offer->at.index, {}});
    } else if (std::holds_alternative<vote_request>(m.body)) {
        reply(m, vote_reply{false, false});
    }
    return false;
}

/// A message that only this term's leader sends. Any of them, a refused one too, is a sign of life.
LOCKSTEP_DECL bool core::follow_sender(const message& m) {
    if (role_ == role::leader || (leader_ != no_node && leader_ != m.from)) return false;
    if (role_ != role::follower || leader_ != m.from) become_follower(m.term, m.from);
    leader_heard_ = now_;
    rearm_election();
    return true;
}

LOCKSTEP_DECL progress* core::find_peer(node_id id) {
    for (auto& p : peers_)
        if (p.id == id) return &p;
    return nullptr;
}

LOCKSTEP_DECL void core::send(node_id to, message_body body) {
    const lockstep::term t = detail::is_termless(body) ? lockstep::term{} : hard_.term;
    out_.send.push_back({self_, to, t, std::move(body)});
}

LOCKSTEP_DECL void core::reply(const message& to, message_body body) { send(to.from, std::move(body)); }

LOCKSTEP_DECL void core::on(const input::persisted& p) {
    if (!writes_.complete(p.ticket)) return;
    log_.trim(options_.window_bytes_max, writes_.durable());
    if (role_ == role::candidate && writes_.durable_hard() == hard_ && !own_ballot_) {
        sometimes(probe::own_vote_waited_for_disk);
        own_ballot_ = true;
        count_ballots();
    }
    if (role_ == role::leader) count_replicas();
}

LOCKSTEP_DECL void core::on(const input::applied& a) {
    if (a.index <= applied_ || a.index > handed_out_) return;
    applied_ = a.index;
    applying_.settle(applied_);
}

LOCKSTEP_DECL void core::on(const input::fetched& f) {
    if (!fetching_) return;
    const bool wanted = !f.entries.empty() && f.entries.front().index == fetching_->from;
    fetching_.reset();
    if (wanted && log_.keep_block(f.entries)) return;
    fetch_retry_ = now_ + options_.heartbeat_interval;
}

LOCKSTEP_DECL void core::on(const input::peer_unreachable& p) {
    progress* const member = find_peer(p.peer);
    if (member != nullptr && role_ == role::leader) member->unreachable();
}

LOCKSTEP_DECL void core::on(const input::peer_standing& p) {
    progress* const member = find_peer(p.peer);
    if (member == nullptr || (member->counts == p.counts && !p.another_disk)) return;
    member->counts = p.counts;
    member->ballot.reset();
    member->reset(log_.last_index(), now_);
}

/// Where nobody else comes forward for some time, it stands again: a leader that can do less is better than none.
LOCKSTEP_DECL void core::on(const input::yield_leadership&) {
    if (role_ != role::leader || voters_.size() == 1) return;
    become_follower(hard_.term, no_node);
    election_deadline_ = now_ + 4 * options_.election_timeout_max;
}

LOCKSTEP_DECL void core::on(const input::wake&) {
    for (auto* reads : {&reads_, &asked_})
        for (const auto& r : reads->take_expired(now_)) {
            sometimes(probe::read_timed_out);
            answer(r, false, {});
        }
    if (role_ == role::leader) {
        // Rounds that reads begin do not put it off: a leader that is read from all the time has to notice, too, that it lost
        // its quorum.
        if (now_ < heartbeat_deadline_) return;
        heartbeat_deadline_ = now_ + options_.heartbeat_interval;
        const bool disk_hangs = writes_.outstanding() && now_ - writes_.started() >= options_.election_timeout_max;
        const bool alone = !heard_by_quorum();
        sometimes(probe::leader_stopped_for_slow_disk, disk_hangs);
        sometimes(probe::leader_lost_its_quorum, alone);
        if (disk_hangs || alone) become_follower(hard_.term, no_node);
        else start_round();
        return;
    }
    if (now_ < election_deadline_) return;
    rearm_election();
    set_leader(no_node);
    fail_reads();
    sometimes(probe::candidate_timed_out, role_ == role::candidate);
    // With a write under way it cannot say what it will hold: it waits for its disk.
    if (sometimes(probe::election_waited_for_disk, writes_.outstanding())) return;
    if (votes_) become_pre_candidate();
}

LOCKSTEP_DECL time_point core::deadline() const {
    time_point at = role_ == role::leader ? heartbeat_deadline_ : election_deadline_;
    at = std::min({at, reads_.deadline(), asked_.deadline()});
    if (!wishes_.empty() && !fetching_) at = std::min(at, fetch_retry_);
    return at;
}

LOCKSTEP_DECL std::uint64_t core::fingerprint() const {
    plain_fingerprint sink;
    fingerprint_into(sink);
    return sink.value();
}

}  // namespace lockstep::raft
