#pragma once

#include <lockstep/raft/core.hpp>
#include <lockstep/base/probe.hpp>
#include <lockstep/raft/message_sanity.hpp>
#include <lockstep/raft/quorum.hpp>

namespace lockstep::raft {

LOCKSTEP_DECL void core::on(const input::read_barrier& r) {
    if (role_ == role::leader) {
        register_read(self_, r.id);
        return;
    }
    pending_read read{r.id, self_, now_ + options_.election_timeout_max, random_(), {}, 0};
    if (leader_ == no_node || asked_.full()) {
        answer(read, false, {});
        return;
    }
    sometimes(probe::read_forwarded);
    // The key is drawn, not counted: an answer to a question from before a restart must match none of now.
    send(leader_, read_request{read.key});
    asked_.add(read);
}

LOCKSTEP_DECL void core::handle(const message& m, const read_request& r) {
    if (role_ == role::leader) register_read(m.from, r.id);
    else reply(m, read_reply{r.id, false, {}});
}

LOCKSTEP_DECL void core::handle(const message& m, const read_reply& r) {
    if (m.from != leader_ || r.index.value >= detail::number_max) return;
    for (const auto& read : asked_.take_key(r.id)) answer(read, r.ok, r.index);
}

LOCKSTEP_DECL void core::register_read(node_id origin, std::uint64_t id) {
    pending_read read{id, origin, now_ + options_.election_timeout_max, 0, {}, 0};
    if (reads_.full()) {
        answer(read, false, {});
        return;
    }
    if (lease_holds()) {
        sometimes(probe::read_answered_by_lease);
        answer(read, true, commit_);
        return;
    }
    if (!sometimes(probe::read_waited_for_own_term, commit_ < term_begin_)) read.index = commit_;
    reads_.add(read);
}

/// A read is proven by answers to a round that began after it came: such answers say that, at that time, no quorum
/// had moved on to another leader.
LOCKSTEP_DECL std::uint64_t core::proven_round() {
    return majority_reached(voters_, [&](node_id id) {
        if (id == self_) return round_;
        const progress* const p = find_peer(id);
        return p->counts ? p->round_answered : 0;
    });
}

LOCKSTEP_DECL void core::release_reads() {
    if (reads_.empty()) return;
    if (commit_ >= term_begin_) reads_.give_index(commit_);
    for (const auto& read : reads_.take_proven(proven_round())) answer(read, true, *read.index);
}

/// Whether no other leader can have committed anything by now.
LOCKSTEP_DECL bool core::lease_holds() {
    if (options_.lease_drift_ppm == 0 || role_ != role::leader || commit_ < term_begin_) return false;
    return now_ < round_times_.lease_end(proven_round(), lease_length(options_.election_timeout_min, options_.lease_drift_ppm));
}

LOCKSTEP_DECL void core::answer(const pending_read& r, bool ok, log_index index) {
    if (r.origin == self_) out_.reads.push_back({r.id, ok, index});
    else send(r.origin, read_reply{r.id, ok, index});
}

LOCKSTEP_DECL void core::fail_reads() {
    for (auto* reads : {&reads_, &asked_})
        for (const auto& r : reads->take_all()) {
            sometimes(probe::read_failed_leader_changed);
            answer(r, false, {});
        }
}

}  // namespace lockstep::raft
