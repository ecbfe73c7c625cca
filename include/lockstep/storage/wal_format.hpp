// The bytes of the write-ahead log: segment header, batches, records. Pure: no files. Specified in docs/formats/wal.md.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/config.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/concepts/log_storage.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::storage::wal_format {

inline constexpr std::string_view magic = "LSTEPWAL";
inline constexpr std::uint32_t version = 2;
/// The first one whose segments may hold base records.
inline constexpr std::uint32_t version_with_base = 2;
inline constexpr std::uint32_t batch_magic = 0x48435442;  // "BTCH"
/// The segment's header fills a page, so that no append ever rewrites a sector of it.
inline constexpr std::size_t header_size = 4096;
inline constexpr std::size_t batch_header_size = 64;
inline constexpr std::size_t record_header_size = 32;
inline constexpr std::size_t alignment = 8;
/// Offsets are kept in 32 bits.
inline constexpr std::uint64_t segment_size_max = std::uint64_t{1} << 31;

struct segment_header {
    std::uint64_t sequence = 0;
    std::uint64_t salt = 0;
    std::uint32_t format = version;
};

/// Checksums of a segment start from here: bytes of another segment, or from elsewhere in this one, never validate.
LOCKSTEP_DECL std::uint64_t segment_seed(const segment_header& header) noexcept;

/// In the newest version, whatever the header says.
LOCKSTEP_DECL byte_buffer encode_header(const segment_header& header);
/// corrupt; newer_format; truncated where there are fewer than header_size bytes.
LOCKSTEP_DECL result<segment_header> decode_header(byte_view bytes);

/// `wal-` and the sequence as 16 hexadecimal digits, and `.log`.
LOCKSTEP_DECL std::string segment_name(std::uint64_t sequence);
LOCKSTEP_DECL std::optional<std::uint64_t> sequence_of(std::string_view name);

struct batch_header {
    std::uint64_t number = 0;      ///< 1, 2, 3 … over all segments
    std::uint64_t durable = 0;     ///< batches up to this one were synced before this one was written
    lockstep::term term;
    node_id voted_for;
    log_index first;               ///< of the first record; 0 where there is none
    std::uint32_t count = 0;       ///< of records
    std::uint64_t body = 0;        ///< bytes of records after this header
};

/// Where a record's data is, as an offset in the segment.
struct record_place {
    std::uint32_t offset = 0;  ///< of the record's header
    std::uint32_t length = 0;  ///< of its data
    friend bool operator==(const record_place&, const record_place&) = default;
};

constexpr std::uint64_t record_size(std::uint64_t length) noexcept {
    return (record_header_size + length + alignment - 1) / alignment * alignment;
}

/// Where the log begins, said by a batch of its own.
struct base_record {
    log_position at;
    std::uint64_t first_segment = 0;  ///< the first one that is needed: what is in those before it is gone
    bool anew = false;                ///< all that was there is gone, behind the base too
};
/// Kinds of records that are the log's own.
inline constexpr std::uint32_t kind_base = 256;
inline constexpr std::uint32_t kind_anew = 257;
inline constexpr std::uint64_t base_batch_size = batch_header_size + record_size(8);

/// What append_batch will add.
LOCKSTEP_DECL std::uint64_t batch_size(const log_batch& batch) noexcept;

/// Appends a batch to `to`, whose end will be written at `offset` of the segment; tells where its records will be.
/// Precondition: batch_size() within segment_size_max.
LOCKSTEP_DECL void append_batch(byte_buffer& to, std::uint64_t offset, std::uint64_t seed, std::uint64_t number,
                                std::uint64_t durable, const log_batch& batch, std::vector<record_place>& places);

/// Appends a batch with nothing but a base record: base_batch_size bytes.
LOCKSTEP_DECL void append_base(byte_buffer& to, std::uint64_t offset, std::uint64_t seed, std::uint64_t number,
                               std::uint64_t durable, lockstep::term term, node_id voted_for, const base_record& base);

/// The batch header that stands at `offset` of a segment's bytes, if one does.
LOCKSTEP_DECL std::optional<batch_header> read_batch_header(byte_view segment, std::uint64_t offset,
                                                            std::uint64_t seed);

struct record_view {
    log_index index;
    lockstep::term term;
    std::uint32_t kind = 0;  ///< of the log's user, or one of those above
    byte_view data;
};

/// The record at the start of `bytes`, which stand at `offset` of the segment; `bytes` may go on behind it.
LOCKSTEP_DECL std::optional<record_view> read_record(byte_view bytes, std::uint64_t offset, std::uint64_t seed);

/// What a record says of the base, if it does.
LOCKSTEP_DECL std::optional<base_record> read_base(const record_view& record) noexcept;

}  // namespace lockstep::storage::wal_format

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/storage/impl/wal_format.ipp>
#endif
