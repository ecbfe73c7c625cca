// What a content is made of: its chunks in order, or where these are many, the pieces of that list, which are chunks
// themselves. A manifest is bounded whatever the content's size, and fits into a chunk.
// Format: docs/formats/contents.md.
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/content/chunk.hpp>

#include <span>
#include <vector>

namespace lockstep::content {

struct manifest {
    std::uint8_t level = 1;    ///< 1: `refs` are the content's chunks; 2: pieces of the list of them (encode_piece)
    std::uint64_t bytes = 0;   ///< of the content
    std::vector<chunk_ref> refs;
    friend bool operator==(const manifest&, const manifest&) = default;
};

/// A list up to here is a manifest of level 1.
inline constexpr std::size_t refs_direct_max = 64;
/// A piece of a list ends behind a ref whose hash says so, or here.
inline constexpr std::size_t piece_refs_min = 256;
inline constexpr std::size_t piece_refs_max = 4096;
inline constexpr std::size_t pieces_max = 4096;
inline constexpr std::size_t encoded_ref_bytes = 36;

inline constexpr std::uint8_t manifest_version = 1;
inline constexpr std::size_t encoded_manifest_head_bytes = 14;
inline constexpr std::size_t encoded_manifest_bytes_max = encoded_manifest_head_bytes + pieces_max * encoded_ref_bytes;
static_assert(encoded_manifest_bytes_max <= chunk_bytes_max, "a manifest can be stored as a chunk");
static_assert(piece_refs_max * encoded_ref_bytes <= chunk_bytes_max, "and so can a piece of a list");

/// A piece of a list that has to be stored as a chunk.
struct list_piece {
    chunk_ref ref;
    byte_buffer bytes;
};

struct built_manifest {
    manifest what;
    std::vector<list_piece> pieces;   ///< of level 2: to be stored
};

/// The manifest of a content with these chunks. The list is cut by what stands in it, so that an edit makes few new
/// pieces. errc::too_large beyond pieces_max pieces.
LOCKSTEP_DECL result<built_manifest> build_manifest(std::span<const chunk_ref> chunks);

/// 36 bytes a ref: the hash, and the size as 4 bytes, little-endian.
LOCKSTEP_DECL byte_buffer encode_piece(std::span<const chunk_ref> chunks);
/// errc::corrupt where that is no list of chunks of a legal size.
LOCKSTEP_DECL result<std::vector<chunk_ref>> decode_piece(byte_view bytes);

/// Whether it could have come from build_manifest(): level, count, sizes; of level 1 their sum too.
LOCKSTEP_DECL bool well_formed(const manifest& m) noexcept;

/// Precondition: well_formed.
LOCKSTEP_DECL byte_buffer encode(const manifest& m);
/// What encode() made, and nothing else: errc::newer_format, or errc::corrupt where it is not well formed, cut short,
/// or longer. Allocates no more than `bytes` can hold.
LOCKSTEP_DECL result<manifest> decode_manifest(byte_view bytes);

}  // namespace lockstep::content

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/content/impl/manifest.ipp>
#endif
