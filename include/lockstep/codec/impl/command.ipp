#pragma once

#include <lockstep/codec/command.hpp>

#include <lockstep/codec/archive.hpp>

namespace lockstep {

namespace folder {
template <class Archive>
void serialize(Archive& ar, placement& p) { ar(p.parent, codec::text_field{p.name}); }

template <class Archive>
void serialize(Archive& ar, command& c) {
    ar(c.session, c.sequence, codec::bounded_enum<operation>{c.what, operation::replace}, c.entry, c.where,
       codec::text_field{c.path}, c.content_base, c.placement_base,
       codec::bounded_enum<entry_type>{c.type, entry_type::symlink}, c.mode, c.mtime_ns, c.hash, c.size, c.content);
}
}  // namespace folder

namespace codec {
inline constexpr std::uint8_t inline_command_version = 1;
inline constexpr std::uint8_t chunked_command_version = 2;
}

LOCKSTEP_DECL shared_bytes encode_command(const folder::command& command) {
    byte_buffer bytes;
    bytes.reserve(256 + command.path.size() + command.where.name.size() + command.content.size());
    append_le(bytes, command.chunked ? codec::chunked_command_version : codec::inline_command_version);
    codec::encode_to(bytes, command);
    return shared_bytes(std::move(bytes));
}

LOCKSTEP_DECL result<folder::command> decode_command(const shared_bytes& bytes) {
    auto command = codec::decode_all<folder::command>(bytes, codec::chunked_command_version);
    if (!command) return command;
    command->chunked = is_chunked_command(bytes.view());
    if (static_cast<int>(command->type) == 0) return make_error_code(errc::corrupt);
    return command;
}

LOCKSTEP_DECL bool is_chunked_command(byte_view bytes) noexcept {
    return !bytes.empty() && std::to_integer<std::uint8_t>(bytes.front()) == codec::chunked_command_version;
}

}  // namespace lockstep
