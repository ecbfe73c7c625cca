// The bytes of packs and of their indexes. Pure: no files. Specified in docs/formats/packs.md.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/config.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/base/sha256.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::storage {

/// Where a chunk is in a pack.
struct pack_entry {
    content_hash hash;
    std::uint32_t offset = 0;   ///< of its record
    std::uint32_t length = 0;   ///< of its data
    friend bool operator==(const pack_entry&, const pack_entry&) = default;
};

namespace pack_format {

inline constexpr std::string_view magic = "LSTEPPCK";
inline constexpr std::string_view index_magic = "LSTEPIDX";
inline constexpr std::uint32_t version = 1;
inline constexpr std::uint32_t record_magic = 0x4b4e4843;  // "CHNK"
inline constexpr std::size_t header_size = 64;
inline constexpr std::size_t record_header_size = 64;
inline constexpr std::size_t index_header_size = 48;
inline constexpr std::size_t index_entry_size = 40;
inline constexpr std::size_t alignment = 8;
inline constexpr std::uint32_t chunk_bytes_max = 256 << 10;
inline constexpr std::uint64_t pack_bytes_max = std::uint64_t{1} << 31;
inline constexpr std::size_t pack_chunks_max = 65536;
inline constexpr std::size_t index_bytes_max = index_header_size + pack_chunks_max * index_entry_size;

struct pack_header {
    std::uint64_t number = 0;
    std::uint64_t salt = 0;
    friend bool operator==(const pack_header&, const pack_header&) = default;
};

/// Checksums of a pack start from here: bytes of another pack never validate, nor does a pack kept as content.
LOCKSTEP_DECL std::uint64_t pack_seed(const pack_header& header) noexcept;

LOCKSTEP_DECL byte_buffer encode_header(const pack_header& header);
/// corrupt; newer_format; truncated where there are fewer than header_size bytes.
LOCKSTEP_DECL result<pack_header> decode_header(byte_view bytes);

/// `pack-` and the number as 16 hexadecimal digits.
LOCKSTEP_DECL std::string pack_name(std::uint64_t number);
/// The same and `.index`.
LOCKSTEP_DECL std::string index_name(std::uint64_t number);
LOCKSTEP_DECL std::optional<std::uint64_t> number_of_pack(std::string_view name);
LOCKSTEP_DECL std::optional<std::uint64_t> number_of_index(std::string_view name);

constexpr std::uint64_t record_size(std::uint64_t length) noexcept {
    return (record_header_size + length + alignment - 1) / alignment * alignment;
}

struct record_header {
    content_hash hash;
    std::uint32_t length = 0;
    std::uint64_t durable = 0;         ///< the pack was synced up to here when this was written
    std::uint64_t data_checksum = 0;
};

/// Appends the record of a chunk to `to`, whose end will be written at `offset` of the pack.
/// Precondition: 1 to chunk_bytes_max bytes.
LOCKSTEP_DECL void append_record(byte_buffer& to, std::uint64_t offset, std::uint64_t seed, std::uint64_t durable,
                                 const content_hash& hash, byte_view data);
/// The record header at the start of `bytes`, which stand at `offset` of the pack, if one is there.
LOCKSTEP_DECL std::optional<record_header> read_record_header(byte_view bytes, std::uint64_t offset,
                                                              std::uint64_t seed) noexcept;
/// Whether these are the data that the header at `offset` speaks of.
LOCKSTEP_DECL bool is_data_of(const record_header& header, byte_view data, std::uint64_t offset,
                              std::uint64_t seed) noexcept;

/// What a sealed pack holds.
struct pack_index {
    pack_header pack;
    std::uint64_t pack_bytes = 0;      ///< of the pack, all records included
    std::vector<pack_entry> entries;   ///< in the order of their offsets
};

LOCKSTEP_DECL byte_buffer encode_index(const pack_index& index);
/// corrupt, also where an entry lies outside of the pack; newer_format; truncated.
LOCKSTEP_DECL result<pack_index> decode_index(byte_view bytes);

}  // namespace pack_format
}  // namespace lockstep::storage

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/storage/impl/pack_format.ipp>
#endif
