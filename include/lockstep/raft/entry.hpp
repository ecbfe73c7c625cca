// One position of the replicated log, and the durable state beside it.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/ids.hpp>

namespace lockstep::raft {

enum class entry_kind : std::uint8_t {
    empty = 0,          ///< what a new leader appends so that it may commit in its own term
    command = 1,        ///< opaque bytes for the state machine
    configuration = 2,  ///< a membership (not yet used: membership is fixed)
};

struct entry {
    log_index index;
    lockstep::term term;
    entry_kind kind = entry_kind::empty;
    shared_bytes data;
    friend bool operator==(const entry&, const entry&) = default;
};

/// Term and vote are one atomic durable record.
struct hard_state {
    lockstep::term term;
    node_id voted_for;
    friend bool operator==(const hard_state&, const hard_state&) = default;
};

}  // namespace lockstep::raft
