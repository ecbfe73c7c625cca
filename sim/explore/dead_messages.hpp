// Messages of which nothing can come any more, whenever they arrive and whatever crashes come before: they are taken
// off the network at once, so that states which differ in such leftovers alone are one. Each rule says why; `last_term`
// is the bound on terms.
#pragma once

#include <sim/explore/interned.hpp>

#include <cstdint>

namespace lockstep::sim::explore {

/// A node never leads, and never stands in, a term that it is durably in and neither leads nor stands in now.
inline bool ever_leads(const member_facts& f, std::uint64_t term) {
    const bool in_it = f.term == term && (f.role == raft::role::leader || f.role == raft::role::candidate);
    return in_it || f.disk_term < term;
}
inline bool ever_stands(const member_facts& f, std::uint64_t term) {
    return (f.term == term && f.role == raft::role::candidate) || f.disk_term < term;
}

/// Only who leads its term listens, or who is in an older one. To a leader, an answer to a round that began before its
/// last append is of use for reads alone.
inline bool is_dead_answer(const message_facts& m, const member_facts& receiver, bool reads) {
    if (!ever_leads(receiver, m.term)) return true;
    const bool leads = receiver.role == raft::role::leader && receiver.term == m.term;
    return !reads && leads && m.kind == message_kind::heartbeat_reply && m.round <= receiver.round_at_send[m.from - 1u];
}

/// What a vote's reply says is of use to who stands in its term; a refusal also to who is in an older one.
inline bool is_dead_vote(const message_facts& m, const member_facts& receiver) {
    switch (m.kind) {
        case message_kind::vote_reply: return !ever_stands(receiver, m.term);
        case message_kind::pre_vote_grant: return receiver.disk_term >= m.term;
        case message_kind::pre_vote_refusal: return receiver.disk_term > m.term;
        default: return false;
    }
}

/// Of an older term than its receiver's: all that comes of it is an answer in the receiver's term. Of that comes
/// nothing where the sender is durably in the last term, and does not take the answer for one to something newer. A
/// request for a pre-vote changes nothing at its receiver in any case; a refusal at most ends a campaign that would
/// lead beyond the last term.
inline bool is_dead_question(const message_facts& m, const member_facts& receiver, const member_facts& sender,
                             std::uint64_t last_term) {
    if (sender.disk_term != last_term) return false;
    if (m.kind == message_kind::pre_vote_request) return true;
    if (m.term >= receiver.disk_term) return false;
    switch (m.kind) {
        case message_kind::heartbeat: return true;
        case message_kind::append_request: return !ever_leads(sender, last_term);
        case message_kind::vote_request: return !ever_stands(sender, last_term);
        default: return false;
    }
}

inline bool is_dead(const message_facts& m, const member_facts& receiver, const member_facts& sender, const bounds& b) {
    switch (m.kind) {
        case message_kind::append_reply:
        case message_kind::heartbeat_reply: return is_dead_answer(m, receiver, b.reads != 0);
        case message_kind::vote_reply:
        case message_kind::pre_vote_grant:
        case message_kind::pre_vote_refusal: return is_dead_vote(m, receiver);
        case message_kind::other: return false;
        default: return is_dead_question(m, receiver, sender, b.terms);
    }
}

}  // namespace lockstep::sim::explore
