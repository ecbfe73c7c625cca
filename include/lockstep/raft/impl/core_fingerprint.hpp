// What decides what a core does, told to a sink: templates, and so not among the bodies that are compiled once.
#pragma once

#include <lockstep/raft/core.hpp>

#include <algorithm>
#include <vector>

namespace lockstep::raft {

/// Told only where it counts: what a leader knows of its peers at a leader, ballots at a candidate. What the rest left behind is
/// set anew before it is used.
template <fingerprint_sink Sink>
void core::fingerprint_into(Sink& sink) const {
    sink.node(self_);
    sink.number(static_cast<std::uint64_t>(role_));
    raft::fingerprint_into(sink, hard_);
    sink.node(leader_);
    sink.number((votes_ ? 1u : 0u) | (own_ballot_ ? 2u : 0u) | (owes_ack_ ? 4u : 0u) | (leader_is_alive() ? 8u : 0u) |
                (now_ < fetch_retry_ ? 16u : 0u));
    log_.fingerprint_into(sink);
    writes_.fingerprint_into(sink);
    for (const log_index i : {commit_, verified_, acked_, handed_out_, applied_}) sink.number(i.value);
    raft::fingerprint_into(sink, snapshot_);
    raft::fingerprint_into(sink, begin_anew_.value_or(log_position{}));
    fingerprint_of_sent_into(sink, held_);
    raft::fingerprint_into(sink, installing_ ? installing_->at : log_position{});
    sink.node(installing_ ? installing_->from : no_node);
    sink.number(round_);
    sink.number(role_ == role::leader ? term_begin_.value : 0);
    fingerprint_of_peers_into(sink);
    uncommitted_.fingerprint_into(sink);
    applying_.fingerprint_into(sink);
    sink.number(fetching_ ? fetching_->from.value : 0);
    sink.node(fetched_for_);
    reads_.fingerprint_into(sink);
    asked_.fingerprint_into(sink);
    fingerprint_of_sent_into(sink, out_.send);
}

template <fingerprint_sink Sink>
void core::fingerprint_of_peers_into(Sink& sink) const {
    const bool counts_ballots = role_ == role::pre_candidate || role_ == role::candidate;
    std::vector<const progress*> ordered;
    ordered.reserve(peers_.size());
    for (const progress& p : peers_) ordered.push_back(&p);
    std::sort(ordered.begin(), ordered.end(),
              [&](const progress* a, const progress* b) { return sink.rename(a->id) < sink.rename(b->id); });
    for (const progress* p : ordered) {
        sink.node(p->id);
        sink.number(p->counts);
        if (counts_ballots) sink.number(p->ballot ? (*p->ballot ? 2u : 1u) : 0u);
        if (role_ == role::leader) p->fingerprint_into(sink);
    }
}

}  // namespace lockstep::raft
