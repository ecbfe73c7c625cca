#pragma once

#include <lockstep/raft/core.hpp>
#include <lockstep/base/probe.hpp>

#include <algorithm>

namespace lockstep::raft {

// ---- at every node

LOCKSTEP_DECL void core::on(const input::snapshot_saved& s) {
    if (s.index > applied_ || s.index < snapshot_.index) return;
    snapshot_ = {s.index, *log_.term_at(s.index)};
    // What the disk does not have yet is still to be written.
    const log_index to = std::min({s.keep_from, s.index, writes_.durable()});
    if (to <= log_.base().index) return;
    log_.drop(to);
    out_.drop = log_.base();
    // What a peer has not acknowledged can be sent to it no more, and it may never come to write what it was sent: contents
    // that only such entries name may be gone. Where it is only slow, its acknowledgement ends the offer.
    if (role_ != role::leader) return;
    for (progress& p : peers_)
        if (p.match < to && p.state != progress_state::snapshot) {
            sometimes(probe::follower_left_behind_by_cut);
            p.needs_snapshot();
        }
}

/// The state is durable, so this node can answer for everything up to `s.at` from now on, whatever its log file says:
/// after a crash before the next write, the core that starts from this snapshot begins the log anew as well. That is
/// why the acknowledgement does not wait for that write.
LOCKSTEP_DECL void core::on(const input::snapshot_installed& s) {
    if (installing_ && installing_->at.index <= s.at.index) installing_.reset();
    if (s.at.index > applied_) {
        snapshot_ = s.at;
        const bool held = log_.has(s.at);
        LOCKSTEP_ASSERT(held || s.at.index > commit_);
        // A leader has everything that is committed. One that lacks it was lied to.
        if (!held && role_ != role::follower) become_follower(hard_.term, no_node);
        advance_commit(s.at.index);
        // What was handed out and is covered is skipped by the driver.
        applied_ = s.at.index;
        handed_out_ = std::max(handed_out_, applied_);
        applying_.settle(applied_);
        if (!held) begin_log_anew();
    }
    acknowledge_position(s.at.index);
}

LOCKSTEP_DECL void core::on(const input::install_failed& f) {
    if (installing_ == f.what) installing_.reset();
}

/// Nothing of the log agrees with the snapshot that application began with or that was installed.
LOCKSTEP_DECL void core::begin_log_anew() {
    sometimes(probe::log_begun_anew);
    log_.restart(snapshot_);
    writes_.restart(snapshot_.index);
    begin_anew_ = snapshot_;
    verified_ = std::min(verified_, snapshot_.index);
    acked_ = std::min(acked_, snapshot_.index);
    // A crash came before the term of the snapshot was durable here.
    if (hard_.term < snapshot_.term) hard_ = {snapshot_.term, no_node};
}

/// Everything up to `index` is committed, and so it is in the log of every leader.
LOCKSTEP_DECL void core::acknowledge_position(log_index index) {
    if (role_ != role::follower || leader_ == no_node) return;
    verified_ = std::max(verified_, std::min(index, commit_));
    owes_ack_ = true;
}

// ---- at a follower

LOCKSTEP_DECL void core::handle(const message& m, const snapshot_offer& s) {
    const bool held = log_.has(s.at);
    // A lie: it contradicts what is decided.
    if (!held && s.at.index <= commit_ && s.at.index >= log_.base().index) return;
    if (!follow_sender(m)) return;
    // What is in a snapshot is committed. The log may have it and not know.
    if (held) advance_commit(s.at.index);
    if (sometimes(probe::snapshot_offered_already_held, s.at.index <= commit_)) {
        acknowledge_position(s.at.index);
        return;
    }
    const install_request wanted{s.at, m.from};
    // Another leader's may be older: the former one may be gone, and with it the source.
    const bool better = !installing_ || installing_->from != m.from || installing_->at.index < s.at.index;
    if (!better) return;
    sometimes(probe::snapshot_offer_replaced, installing_.has_value());
    installing_ = wanted;
    out_.install = wanted;
}

// ---- at a leader

/// It is repeated as probes are, after an answered heartbeat.
LOCKSTEP_DECL void core::offer_snapshot(progress& p) {
    if (p.state != progress_state::snapshot) p.needs_snapshot();
    if (p.paused) return;
    send(p.id, snapshot_offer{snapshot_});
    p.offered(round_);
}

}  // namespace lockstep::raft
