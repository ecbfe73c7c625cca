// Whether a message could have come from a correct peer, as far as it shows by itself. A core looks here first, so that
// nonsense changes nothing.
#pragma once

#include <lockstep/raft/message.hpp>

#include <cstdint>
#include <variant>

namespace lockstep::raft {

namespace detail {

/// Far beyond any life of a cluster: only an attacker names more, hoping that a sum wraps.
inline constexpr std::uint64_t number_max = std::uint64_t{1} << 62;

/// Pre-votes that carry a term nobody is in yet: they are no news of a term.
inline bool is_pre_vote(const message_body& body) {
    if (const auto* request = std::get_if<vote_request>(&body)) return request->pre;
    const auto* reply = std::get_if<vote_reply>(&body);
    return reply != nullptr && reply->pre && reply->granted;
}

/// Messages outside of terms: their term is zero.
inline bool is_termless(const message_body& body) {
    return std::holds_alternative<forwarded_proposal>(body) || std::holds_alternative<read_request>(body) ||
           std::holds_alternative<read_reply>(body);
}

/// Position and term of a log's end belong together.
inline bool is_position(log_index index, lockstep::term t) {
    return index.value < number_max && (index.value == 0) == (t.value == 0);
}

inline bool is_sane(const snapshot_offer& s, lockstep::term t) {
    return is_position(s.at.index, s.at.term) && s.at.index.value != 0 && s.at.term <= t;
}

/// Whether an append could have been made by a correct leader of `t`: contiguous, terms that do not fall.
inline bool is_sane(const append_request& a, lockstep::term t) {
    if (!is_position(a.prev_index, a.prev_term) || a.prev_term > t || a.commit.value >= number_max) return false;
    log_index index = a.prev_index;
    lockstep::term last = a.prev_term;
    for (const entry& e : a.entries) {
        if (e.index != index + 1 || e.term < last || e.term.value == 0 || e.term > t) return false;
        index = e.index;
        last = e.term;
    }
    return true;
}

}  // namespace detail

}  // namespace lockstep::raft
