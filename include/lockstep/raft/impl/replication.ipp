#pragma once

#include <lockstep/raft/core.hpp>
#include <lockstep/base/probe.hpp>
#include <lockstep/raft/quorum.hpp>

#include <algorithm>
#include <utility>

namespace lockstep::raft {

// ---- at a follower

LOCKSTEP_DECL void core::handle(const message& m, const append_request& a) {
    // What is committed here can only be contradicted by a lie. Below the base it cannot be contradicted at all: every
    // leader has what was committed.
    const bool known = sometimes(probe::append_below_base, a.prev_index < log_.base().index);
    const bool agrees = known || log_.has({a.prev_index, a.prev_term});
    if (a.prev_index <= commit_ && !agrees) return;
    if (!follow_sender(m)) return;
    if (sometimes(probe::append_refused_logs_differ, !agrees)) {
        const auto bound = std::min(a.prev_index, log_.last_index());
        const log_index hint = log_.last_at_most(bound, a.prev_term).value_or(log_.base().index);
        reply(m, append_reply{true, hint, a.prev_index, *log_.term_at(hint)});
        return;
    }
    if (!accept_entries(a)) return;
    const log_index end = std::max(a.prev_index + a.entries.size(), log_.base().index);
    verified_ = std::max(verified_, end);
    advance_commit(std::min(a.commit, verified_));
    if (end <= writes_.durable() && writes_.durable_hard().term == hard_.term) {
        acked_ = std::min(verified_, writes_.durable());
        reply(m, append_reply{false, acked_, {}, {}});
    } else {
        sometimes(probe::acknowledgement_waited_for_disk, writes_.outstanding());
        owes_ack_ = true;
    }
}

/// Appends what is new. What is there already stays, and a tail is cut only where it contradicts.
/// Returns false if the append is to be treated as lost.
LOCKSTEP_DECL bool core::accept_entries(const append_request& a) {
    auto next = a.entries.begin();
    const auto present = [&](const entry& e) {
        return e.index < log_.base().index || log_.term_at(e.index) == e.term;
    };
    while (next != a.entries.end() && present(*next)) ++next;
    if (next == a.entries.end()) {
        sometimes(probe::append_present_already, !a.entries.empty());
        return true;
    }
    if (next->index <= std::max(commit_, verified_)) return false;  // a lie: it contradicts what is decided
    log_.trim(options_.window_bytes_max, writes_.durable());
    if (log_.window_bytes() > options_.window_bytes_max) return false;  // the disk is too far behind
    if (sometimes(probe::tail_truncated, next->index <= log_.last_index())) {
        sometimes(probe::tail_truncated_while_written, writes_.outstanding());
        log_.truncate(next->index);
        writes_.truncate(next->index);
    }
    for (; next != a.entries.end(); ++next) log_.append(*next);
    return true;
}

LOCKSTEP_DECL void core::handle(const message& m, const heartbeat& h) {
    if (!follow_sender(m)) return;
    // The leader names no more than what this node acknowledged to it, perhaps before a restart.
    const log_index known = std::min(h.commit, log_.last_index());
    verified_ = std::max(verified_, known);
    advance_commit(known);
    if (h.round != 0) reply(m, heartbeat_reply{h.round});
}

LOCKSTEP_DECL void core::advance_commit(log_index to) {
    commit_ = std::max(commit_, to);
    uncommitted_.settle(commit_);
    if (!installing_ || installing_->at.index > commit_) return;
    sometimes(probe::install_overtaken_by_log);
    installing_.reset();
}

// ---- proposals

LOCKSTEP_DECL void core::on(const input::propose& p) {
    if (p.commands.empty()) return;
    if (role_ == role::leader) take_proposals(p.commands);
    else if (sometimes(probe::proposal_forwarded, leader_ != no_node)) send(leader_, forwarded_proposal{p.commands});
    else drop_proposals(p.commands.size(), "no leader is known");
}

LOCKSTEP_DECL void core::handle(const message&, const forwarded_proposal& p) {
    if (!sometimes(probe::proposal_reached_former_leader, role_ != role::leader)) take_proposals(p.commands);
    else if (!p.commands.empty()) drop_proposals(p.commands.size(), "forwarded to a node that does not lead");
}

LOCKSTEP_DECL void core::take_proposals(const std::vector<shared_bytes>& commands) {
    for (std::size_t i = 0; i < commands.size(); ++i) {
        entry e{log_.last_index() + 1, hard_.term, entry_kind::command, commands[i]};
        const bool full = !uncommitted_.empty() && uncommitted_.bytes() + weight(e) > options_.uncommitted_bytes_max;
        const bool disk_behind = log_.window_bytes() > options_.window_bytes_max + options_.uncommitted_bytes_max;
        if (full || disk_behind) {
            // The rest too: taking a later one would break the order of its session.
            drop_proposals(commands.size() - i, "too much is waiting to be committed");
            return;
        }
        uncommitted_.add(e.index, weight(e));
        log_.append(std::move(e));
    }
}

LOCKSTEP_DECL void core::drop_proposals(std::size_t commands, const char* why) {
    sometimes(probe::proposal_without_leader, leader_ == no_node);
    out_.events.push_back(proposal_dropped{commands, why});
}

// ---- at a leader

LOCKSTEP_DECL void core::handle(const message& m, const append_reply& a) {
    if (role_ != role::leader) return;
    progress& p = *find_peer(m.from);
    p.heard = now_;
    if (a.rejected) {
        if (a.index > a.rejected_prev || a.rejected_prev > log_.last_index()) return;
        // Where its log would have to be looked for below the base, it needs a snapshot.
        const log_index hint = log_.last_at_most(a.index, a.hint_term)
                                   .value_or(std::min(a.index, log_.base().index - 1));
        // What is in no quorum may have lost its disk once more, and with it what it acknowledged.
        if (!p.counts && a.rejected_prev <= p.match) p.lost(hint);
        else p.rejected(a.rejected_prev, hint);
    } else if (a.index <= log_.last_index() && p.accepted(a.index)) {
        count_replicas();
    }
}

LOCKSTEP_DECL void core::handle(const message& m, const heartbeat_reply& h) {
    if (role_ != role::leader || h.round > round_) return;
    progress& p = *find_peer(m.from);
    p.heard = now_;
    p.answered(h.round);
    release_reads();
}

/// Only entries of the own term are committed by counting; those before come with them (Ongaro 3.6.2).
LOCKSTEP_DECL void core::count_replicas() {
    const std::uint64_t reached = majority_reached(voters_, [&](node_id id) {
        if (id == self_) return writes_.durable().value;
        const progress* const p = find_peer(id);
        return p->counts ? p->match.value : 0;
    });
    const log_index index(reached);
    if (index <= commit_) return;
    if (sometimes(probe::entry_of_old_term_not_counted, log_.term_at(index) != hard_.term)) return;
    sometimes(probe::committed_before_own_disk_had_it, writes_.durable() < index);
    advance_commit(index);
    release_reads();
}

LOCKSTEP_DECL void core::start_round() {
    ++round_;
    reads_.round_began(round_);
    if (options_.lease_drift_ppm != 0) round_times_.began(round_, now_, options_.heartbeat_interval / 4);
    for (auto& p : peers_) {
        p.commit_told = std::min(commit_, p.match);
        send(p.id, heartbeat{p.commit_told, round_});
    }
    release_reads();
}

LOCKSTEP_DECL void core::replicate_to(progress& p) {
    if (p.state == progress_state::snapshot || p.next <= log_.base().index) {
        offer_snapshot(p);
    } else if (p.only_ask) {
        send_append(p);
    } else if (p.state == progress_state::probe) {
        if (!p.paused) send_append(p);
    } else {
        while (p.next <= log_.last_index() && p.may_send(options_))
            if (!send_append(p)) break;
    }
    // An advanced commit index is not left to the next heartbeat.
    const log_index usable = std::min(commit_, p.match);
    if (usable > p.commit_told) {
        p.commit_told = usable;
        send(p.id, heartbeat{usable, 0});
    }
}

/// Sends what follows p.next - 1. Returns false if there are entries to send that must be read back first.
LOCKSTEP_DECL bool core::send_append(progress& p) {
    append_request a{p.next - 1, *log_.term_at(p.next - 1), commit_, {}};
    const bool wants_entries = !p.only_ask && p.next <= log_.last_index();
    std::size_t bytes = 0;
    if (wants_entries) {
        a.entries = log_.slice(p.next, log_.last_index(), options_.append_bytes_max, options_.append_entries_max);
        for (const entry& e : a.entries) bytes += weight(e);
        if (a.entries.empty()) {
            want(p.id, p.next);
            if (p.state == progress_state::replicate) return false;
        }
    }
    const log_index end = a.prev_index + a.entries.size();
    p.commit_told = std::max(p.commit_told, std::min(commit_, end));
    send(p.id, std::move(a));
    p.sent(end, bytes, round_);
    return true;
}

}  // namespace lockstep::raft
