#pragma once

#include <lockstep/content/manifest.hpp>

#include <lockstep/base/byte_reader.hpp>

#include <algorithm>
#include <cstring>

namespace lockstep::content {
namespace detail {

/// One ref in 1024 ends a piece: about as likely wherever the list was changed.
inline bool ends_piece(const chunk_ref& ref) noexcept {
    return ref.hash.bytes[0] == 0 && (ref.hash.bytes[1] & 3u) == 0;
}

inline std::size_t next_piece(std::span<const chunk_ref> list) noexcept {
    const std::size_t end = std::min(list.size(), piece_refs_max);
    for (std::size_t at = std::min(end, piece_refs_min); at < end; ++at)
        if (ends_piece(list[at - 1])) return at;
    return end;
}

inline bool legal_chunk(const chunk_ref& ref) noexcept {
    return ref.bytes > 0 && ref.bytes <= chunk_bytes_max;
}

inline void append_ref(byte_buffer& to, const chunk_ref& ref) {
    append_bytes(to, std::as_bytes(std::span(ref.hash.bytes)));
    append_le(to, ref.bytes);
}

inline chunk_ref read_ref(byte_reader& from) noexcept {
    chunk_ref ref;
    const byte_view hash = from.bytes(ref.hash.bytes.size());
    if (!hash.empty()) std::memcpy(ref.hash.bytes.data(), hash.data(), hash.size());
    ref.bytes = from.number<std::uint32_t>();
    return ref;
}

}  // namespace detail

LOCKSTEP_DECL byte_buffer encode_piece(std::span<const chunk_ref> chunks) {
    byte_buffer bytes;
    bytes.reserve(chunks.size() * encoded_ref_bytes);
    for (const chunk_ref& ref : chunks) detail::append_ref(bytes, ref);
    return bytes;
}

LOCKSTEP_DECL result<std::vector<chunk_ref>> decode_piece(byte_view bytes) {
    const std::size_t count = bytes.size() / encoded_ref_bytes;
    if (count == 0 || count > piece_refs_max || bytes.size() % encoded_ref_bytes != 0) {
        return make_error_code(errc::corrupt);
    }
    std::vector<chunk_ref> chunks(count);
    byte_reader from(bytes);
    for (chunk_ref& ref : chunks) {
        ref = detail::read_ref(from);
        if (!detail::legal_chunk(ref)) return make_error_code(errc::corrupt);
    }
    return chunks;
}

LOCKSTEP_DECL result<built_manifest> build_manifest(std::span<const chunk_ref> chunks) {
    built_manifest built;
    for (const chunk_ref& ref : chunks) built.what.bytes += ref.bytes;
    if (chunks.size() <= refs_direct_max) {
        built.what.refs.assign(chunks.begin(), chunks.end());
        return built;
    }
    built.what.level = 2;
    while (!chunks.empty()) {
        if (built.pieces.size() == pieces_max) return make_error_code(errc::too_large);
        const std::size_t count = detail::next_piece(chunks);
        list_piece piece;
        piece.bytes = encode_piece(chunks.first(count));
        piece.ref = {sha256(byte_view(piece.bytes)), static_cast<std::uint32_t>(piece.bytes.size())};
        built.what.refs.push_back(piece.ref);
        built.pieces.push_back(std::move(piece));
        chunks = chunks.subspan(count);
    }
    return built;
}

LOCKSTEP_DECL bool well_formed(const manifest& m) noexcept {
    if (m.level != 1 && m.level != 2) return false;
    if (m.refs.size() > (m.level == 1 ? refs_direct_max : pieces_max)) return false;
    std::uint64_t bytes = 0;
    for (const chunk_ref& ref : m.refs) {
        if (!detail::legal_chunk(ref)) return false;
        if (m.level == 2 && ref.bytes % encoded_ref_bytes != 0) return false;
        bytes += ref.bytes;
    }
    return m.level == 1 ? bytes == m.bytes : !m.refs.empty();
}

LOCKSTEP_DECL byte_buffer encode(const manifest& m) {
    LOCKSTEP_ASSERT(well_formed(m));
    byte_buffer bytes;
    bytes.reserve(encoded_manifest_head_bytes + m.refs.size() * encoded_ref_bytes);
    append_le(bytes, manifest_version);
    append_le(bytes, m.level);
    append_le(bytes, m.bytes);
    append_le(bytes, static_cast<std::uint32_t>(m.refs.size()));
    for (const chunk_ref& ref : m.refs) detail::append_ref(bytes, ref);
    return bytes;
}

LOCKSTEP_DECL result<manifest> decode_manifest(byte_view bytes) {
    byte_reader from(bytes);
    const auto version = from.number<std::uint8_t>();
    if (version > manifest_version) return make_error_code(errc::newer_format);
    manifest m;
    m.level = from.number<std::uint8_t>();
    m.bytes = from.number<std::uint64_t>();
    const auto count = from.number<std::uint32_t>();
    const bool whole = !from.failed() && version == manifest_version && count <= pieces_max &&
                       bytes.size() == encoded_manifest_head_bytes + count * encoded_ref_bytes;
    if (!whole) return make_error_code(errc::corrupt);
    m.refs.resize(count);
    for (chunk_ref& ref : m.refs) ref = detail::read_ref(from);
    if (!well_formed(m)) return make_error_code(errc::corrupt);
    return m;
}

}  // namespace lockstep::content
