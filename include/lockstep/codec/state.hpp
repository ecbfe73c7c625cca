// Bytes of what a state directory keeps in files of their own: whose it is, and the newest snapshot.
// Formats: docs/formats/commands.md, docs/formats/snapshots.md.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/config.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/codec/node_messages.hpp>

namespace lockstep {

LOCKSTEP_DECL shared_bytes encode_identity(const node_identity& identity);
/// corrupt, truncated, newer_format.
LOCKSTEP_DECL result<node_identity> decode_identity(const shared_bytes& bytes);

/// A snapshot that this node has durably, as a whole.
struct snapshot_record {
    log_position at;          ///< of the last entry that is in it
    log_position log_base;    ///< nothing up to there counts in the log any more: what it names may be gone
    shared_bytes manifest;    ///< encoded (content/manifest.hpp), of the bytes that a tree_encoder gave
    friend bool operator==(const snapshot_record&, const snapshot_record&) = default;
};

LOCKSTEP_DECL shared_bytes encode_snapshot_record(const snapshot_record& record);
/// The manifest shares the given bytes and is not looked into. corrupt, truncated, too_large, newer_format.
LOCKSTEP_DECL result<snapshot_record> decode_snapshot_record(const shared_bytes& bytes);

}  // namespace lockstep

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/codec/impl/state.ipp>
#endif
