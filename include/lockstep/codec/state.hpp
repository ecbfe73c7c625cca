// Bytes of a node's durable identity. Format: docs/formats/commands.md.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/config.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/codec/node_messages.hpp>

namespace lockstep {

LOCKSTEP_DECL shared_bytes encode_identity(const node_identity& identity);
/// corrupt, truncated, newer_format.
LOCKSTEP_DECL result<node_identity> decode_identity(const shared_bytes& bytes);

}  // namespace lockstep

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/codec/impl/state.ipp>
#endif
