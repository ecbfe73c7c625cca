// What a log entry says of a large content.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/codec/command.hpp>
#include <lockstep/folder/apply.hpp>

#include <optional>

namespace lockstep {

/// The manifest that a command names; nothing where it names none. What cannot be decoded, or is no manifest, changes nothing
/// when it is applied: there is nothing to wait for.
inline std::optional<shared_bytes> manifest_named_by(const shared_bytes& command) {
    if (!is_chunked_command(command.view())) return std::nullopt;
    const auto decoded = decode_command(command);
    if (!decoded || !folder::well_formed(*decoded)) return std::nullopt;
    return decoded->content;
}

}  // namespace lockstep
