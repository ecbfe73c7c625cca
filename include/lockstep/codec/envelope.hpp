// The frame between nodes: which group it is for, and a message of Raft or of the node.
// Format: docs/formats/messages.md.
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/codec/node_messages.hpp>
#include <lockstep/raft/message.hpp>

#include <variant>

namespace lockstep {

/// The position of a type here is its number on the wire: only ever append.
using envelope_body = std::variant<raft::message, founding_query, founding_state, synced_query, synced_report,
                                   barrier_query, barrier_answer, digest_report, problem_report, chunk_query,
                                   chunk_answer, prepare_query, prepare_answer, snapshot_query,
                                   snapshot_answer>;

struct envelope {
    group_id group;
    envelope_body body;
    friend bool operator==(const envelope&, const envelope&) = default;
};

LOCKSTEP_DECL shared_bytes encode_envelope(group_id group, const envelope_body& body);
/// Entries' and commands' bytes share the given bytes. corrupt, truncated, too_large, newer_format.
LOCKSTEP_DECL result<envelope> decode_envelope(const shared_bytes& bytes);

}  // namespace lockstep

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/codec/impl/envelope.ipp>
#endif
