// Bytes of a folder command: what stands in the log. Format: docs/formats/commands.md.
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/folder/command.hpp>

namespace lockstep {

LOCKSTEP_DECL shared_bytes encode_command(const folder::command& command);
/// The content shares the given bytes. corrupt, truncated, too_large, newer_format.
LOCKSTEP_DECL result<folder::command> decode_command(const shared_bytes& bytes);
/// Whether these, if they are a command, are one whose content is in chunks. Looks at the first byte alone.
LOCKSTEP_DECL bool is_chunked_command(byte_view bytes) noexcept;

}  // namespace lockstep

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/codec/impl/command.ipp>
#endif
