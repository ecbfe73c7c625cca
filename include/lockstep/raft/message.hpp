// What cores say to each other. Plain values; `codec/` gives them bytes.
#pragma once

#include <lockstep/raft/entry.hpp>

#include <cstdint>
#include <variant>
#include <vector>

namespace lockstep::raft {

/// Asks for a vote (or, with `pre`, whether one would be given). The message's term is the one asked for:
/// the candidate's own, or for a pre-vote that plus one.
struct vote_request {
    bool pre = false;
    log_index last_index;
    lockstep::term last_term;
    friend bool operator==(const vote_request&, const vote_request&) = default;
};

/// A grant carries the term asked for; a rejection the voter's own.
struct vote_reply {
    bool pre = false;
    bool granted = false;
    friend bool operator==(const vote_reply&, const vote_reply&) = default;
};

/// Entries prev+1 onwards, contiguous; an empty one probes.
struct append_request {
    log_index prev_index;
    lockstep::term prev_term;
    log_index commit;
    std::vector<entry> entries;
    friend bool operator==(const append_request&, const append_request&) = default;
};

/// Accepted: `index` is the last durable index verified against this leader.
/// Rejected: `rejected_prev` is the prev_index refused; `index` and `hint_term` are the largest index at or
/// below it whose term is at most the leader's prev_term, so that each probe passes a whole term.
struct append_reply {
    bool rejected = false;
    log_index index;
    log_index rejected_prev;
    lockstep::term hint_term;
    friend bool operator==(const append_reply&, const append_reply&) = default;
};

/// Never waits behind data. `commit` is min(leader's commit, match of the receiver). Round 0 only tells that and is not
/// answered.
struct heartbeat {
    log_index commit;
    std::uint64_t round = 0;  ///< grows by one each time the leader asks; a reply names it
    friend bool operator==(const heartbeat&, const heartbeat&) = default;
};
struct heartbeat_reply {
    std::uint64_t round = 0;
    friend bool operator==(const heartbeat_reply&, const heartbeat_reply&) = default;
};

/// A follower hands commands to the leader it knows. May be lost or repeated; the commands' own sessions make
/// them apply once. Its term is 0: it is not part of the protocol.
struct forwarded_proposal {
    std::vector<shared_bytes> commands;
    friend bool operator==(const forwarded_proposal&, const forwarded_proposal&) = default;
};

/// A follower asks the leader for a read index; the answer says whether it could be given. Term 0.
struct read_request {
    std::uint64_t id = 0;
    friend bool operator==(const read_request&, const read_request&) = default;
};
struct read_reply {
    std::uint64_t id = 0;
    bool ok = false;
    log_index index;
    friend bool operator==(const read_reply&, const read_reply&) = default;
};

/// From a leader to a follower that needs entries which are gone: the leader's newest snapshot. It carries no state:
/// the follower gets that by other means, and acknowledges the position as if it had been appended.
struct snapshot_offer {
    log_position at;
    friend bool operator==(const snapshot_offer&, const snapshot_offer&) = default;
};

using message_body = std::variant<vote_request, vote_reply, append_request, append_reply, heartbeat, heartbeat_reply,
                                  forwarded_proposal, read_request, read_reply, snapshot_offer>;

struct message {
    node_id from;
    node_id to;
    lockstep::term term;
    message_body body;
    friend bool operator==(const message&, const message&) = default;
};

}  // namespace lockstep::raft
