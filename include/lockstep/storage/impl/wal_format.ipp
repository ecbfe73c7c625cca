#pragma once

#include <lockstep/base/checksum.hpp>
#include <lockstep/base/endian.hpp>
#include <lockstep/storage/wal_format.hpp>

#include <algorithm>
#include <array>

namespace lockstep::storage::wal_format {

LOCKSTEP_DECL std::uint64_t segment_seed(const segment_header& header) noexcept {
    std::array<std::byte, 16> bytes;
    store_le(bytes.data(), header.salt);
    store_le(bytes.data() + 8, header.sequence);
    return checksum(bytes);
}

LOCKSTEP_DECL byte_buffer encode_header(const segment_header& header) {
    byte_buffer bytes(header_size);
    const byte_view text = as_bytes(magic);
    std::copy(text.begin(), text.end(), bytes.begin());
    store_le(bytes.data() + 16, version);
    store_le(bytes.data() + 24, header.sequence);
    store_le(bytes.data() + 32, header.salt);
    store_le(bytes.data() + 8, checksum(byte_view(bytes).subspan(16)));
    return bytes;
}

LOCKSTEP_DECL result<segment_header> decode_header(byte_view bytes) {
    if (bytes.size() < header_size) return make_error_code(errc::truncated);
    bytes = bytes.first(header_size);
    if (!equal(bytes.first(magic.size()), as_bytes(magic))) return make_error_code(errc::corrupt);
    if (load_le<std::uint64_t>(bytes.data() + 8) != checksum(bytes.subspan(16))) return make_error_code(errc::corrupt);
    const auto format = load_le<std::uint32_t>(bytes.data() + 16);
    if (format > version) return make_error_code(errc::newer_format);
    if (format == 0) return make_error_code(errc::corrupt);
    return segment_header{load_le<std::uint64_t>(bytes.data() + 24), load_le<std::uint64_t>(bytes.data() + 32), format};
}

LOCKSTEP_DECL std::string segment_name(std::uint64_t sequence) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string name = "wal-0000000000000000.log";
    for (std::size_t i = 0; i < 16; ++i) name[19 - i] = digits[(sequence >> (4 * i)) & 15];
    return name;
}

LOCKSTEP_DECL std::optional<std::uint64_t> sequence_of(std::string_view name) {
    if (name.size() != 24) return std::nullopt;
    std::uint64_t sequence = 0;
    for (const char c : name.substr(4, 16)) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f')) return std::nullopt;
        sequence = sequence << 4 | static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
    }
    if (segment_name(sequence) != name) return std::nullopt;
    return sequence;
}

LOCKSTEP_DECL std::uint64_t batch_size(const log_batch& batch) noexcept {
    std::uint64_t size = batch_header_size;
    for (const auto& record : batch.records) size += record_size(record.data.size());
    return size;
}

namespace detail {

inline void append_record(byte_buffer& to, std::uint64_t offset, std::uint64_t seed, log_position position,
                          std::uint32_t kind, byte_view data) {
    const std::size_t at = to.size();
    to.resize(at + static_cast<std::size_t>(record_size(data.size())));
    std::byte* head = to.data() + at;
    store_le(head + 8, static_cast<std::uint32_t>(data.size()));
    store_le(head + 12, kind);
    store_le(head + 16, position.index.value);
    store_le(head + 24, position.term.value);
    std::copy(data.begin(), data.end(), to.begin() + static_cast<std::ptrdiff_t>(at + record_header_size));
    store_le(head, checksum(byte_view(to).subspan(at + 8), seed + offset));
}

inline void append_head(byte_buffer& to, std::uint64_t offset, std::uint64_t seed, const batch_header& batch) {
    LOCKSTEP_ASSERT(batch.body <= segment_size_max && offset + batch_header_size <= segment_size_max - batch.body);
    const std::size_t at = to.size();
    to.resize(at + batch_header_size);
    std::byte* head = to.data() + at;
    store_le(head + 8, batch_magic);
    store_le(head + 12, batch.count);
    store_le(head + 16, batch.number);
    store_le(head + 24, batch.durable);
    store_le(head + 32, batch.term.value);
    store_le(head + 40, batch.voted_for.value);
    store_le(head + 48, batch.first.value);
    store_le(head + 56, batch.body);
    store_le(head, checksum(byte_view(to).subspan(at + 8), seed + offset));
}

}  // namespace detail

LOCKSTEP_DECL void append_batch(byte_buffer& to, std::uint64_t offset, std::uint64_t seed, std::uint64_t number,
                                std::uint64_t durable, const log_batch& batch, std::vector<record_place>& places) {
    const std::size_t at = to.size();
    const log_index first = batch.records.empty() ? log_index() : batch.records.front().index;
    detail::append_head(to, offset, seed,
                        {number, durable, batch.term, batch.voted_for, first,
                         static_cast<std::uint32_t>(batch.records.size()), batch_size(batch) - batch_header_size});
    for (const auto& record : batch.records) {
        const std::uint64_t where = offset + (to.size() - at);
        places.push_back({static_cast<std::uint32_t>(where), static_cast<std::uint32_t>(record.data.size())});
        detail::append_record(to, where, seed, {record.index, record.term}, record.kind, record.data.view());
    }
}

LOCKSTEP_DECL void append_base(byte_buffer& to, std::uint64_t offset, std::uint64_t seed, std::uint64_t number,
                               std::uint64_t durable, lockstep::term term, node_id voted_for, const base_record& base) {
    detail::append_head(to, offset, seed,
                        {number, durable, term, voted_for, base.at.index, 1, base_batch_size - batch_header_size});
    std::array<std::byte, 8> data;
    store_le(data.data(), base.first_segment);
    detail::append_record(to, offset + batch_header_size, seed, base.at, base.anew ? kind_anew : kind_base, data);
}

LOCKSTEP_DECL std::optional<batch_header> read_batch_header(byte_view segment, std::uint64_t offset,
                                                            std::uint64_t seed) {
    if (offset > segment.size() || segment.size() - offset < batch_header_size) return std::nullopt;
    const byte_view bytes = segment.subspan(static_cast<std::size_t>(offset), batch_header_size);
    const std::byte* head = bytes.data();
    if (load_le<std::uint32_t>(head + 8) != batch_magic) return std::nullopt;
    if (load_le<std::uint64_t>(head) != checksum(bytes.subspan(8), seed + offset)) return std::nullopt;
    batch_header batch;
    batch.count = load_le<std::uint32_t>(head + 12);
    batch.number = load_le<std::uint64_t>(head + 16);
    batch.durable = load_le<std::uint64_t>(head + 24);
    batch.term = lockstep::term(load_le<std::uint64_t>(head + 32));
    batch.voted_for = node_id(load_le<std::uint64_t>(head + 40));
    batch.first = log_index(load_le<std::uint64_t>(head + 48));
    batch.body = load_le<std::uint64_t>(head + 56);
    return batch;
}

LOCKSTEP_DECL std::optional<record_view> read_record(byte_view bytes, std::uint64_t offset, std::uint64_t seed) {
    if (bytes.size() < record_header_size) return std::nullopt;
    const std::byte* head = bytes.data();
    const std::uint32_t length = load_le<std::uint32_t>(head + 8);
    if (record_size(length) > bytes.size()) return std::nullopt;
    const byte_view whole = bytes.first(static_cast<std::size_t>(record_size(length)));
    if (load_le<std::uint64_t>(head) != checksum(whole.subspan(8), seed + offset)) return std::nullopt;
    const std::uint32_t kind = load_le<std::uint32_t>(head + 12);
    if (kind > kind_anew) return std::nullopt;
    return record_view{log_index(load_le<std::uint64_t>(head + 16)), lockstep::term(load_le<std::uint64_t>(head + 24)),
                       kind, whole.subspan(record_header_size, length)};
}

LOCKSTEP_DECL std::optional<base_record> read_base(const record_view& record) noexcept {
    if (record.kind < kind_base || record.data.size() != 8) return std::nullopt;
    const auto first_segment = load_le<std::uint64_t>(record.data.data());
    return base_record{{record.index, record.term}, first_segment, record.kind == kind_anew};
}

}  // namespace lockstep::storage::wal_format
