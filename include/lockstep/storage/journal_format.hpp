// The bytes of a journal: a header, then records. Pure: no files. Specified in docs/formats/journal.md.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/config.hpp>
#include <lockstep/base/result.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace lockstep::storage::journal_format {

inline constexpr std::string_view magic = "LSTEPJNL";
inline constexpr std::uint32_t version = 1;
inline constexpr std::uint32_t record_magic = 0x4452434a;  // "JCRD"
inline constexpr std::size_t header_size = 64;
inline constexpr std::size_t record_header_size = 32;
inline constexpr std::size_t alignment = 8;
inline constexpr std::size_t record_max = std::size_t{1} << 24;

/// `salt` makes the checksums of this file's records its own.
LOCKSTEP_DECL byte_buffer encode_header(std::uint64_t salt);
/// The salt. corrupt, newer_format.
LOCKSTEP_DECL result<std::uint64_t> decode_header(byte_view bytes);

/// Of a record with so much data, in the file.
constexpr std::size_t record_size(std::size_t data_bytes) noexcept {
    return (record_header_size + data_bytes + alignment - 1) / alignment * alignment;
}

struct record_view {
    std::uint64_t number = 0;   ///< 1, 2, 3 … in the file
    std::uint64_t durable = 0;  ///< records up to this one were synced before this one was written
    byte_view data;
    std::uint64_t size = 0;     ///< all of it, in the file
};

/// Appends a record that will stand at `offset` of the file.
LOCKSTEP_DECL void append_record(byte_buffer& to, std::uint64_t offset, std::uint64_t salt, std::uint64_t number,
                                 std::uint64_t durable, byte_view data);

/// The record at `offset` of the file whose bytes these are, if one stands there whole.
LOCKSTEP_DECL std::optional<record_view> read_record(byte_view file, std::uint64_t offset, std::uint64_t salt);

}  // namespace lockstep::storage::journal_format

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/storage/impl/journal_format.ipp>
#endif
