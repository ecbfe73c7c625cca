#pragma once

#include <lockstep/base/assert.hpp>
#include <lockstep/base/checksum.hpp>
#include <lockstep/base/endian.hpp>
#include <lockstep/storage/pack_format.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace lockstep::storage::pack_format {
namespace detail {

/// Magic, checksum of what is behind it, version: the first 20 bytes of both kinds of file.
inline void finish_head(byte_buffer& bytes, std::string_view text) {
    const byte_view first = as_bytes(text);
    std::copy(first.begin(), first.end(), bytes.begin());
    store_le(bytes.data() + 16, version);
    store_le(bytes.data() + 8, checksum(byte_view(bytes).subspan(16)));
}

inline error_code check_head(byte_view bytes, std::string_view text) noexcept {
    if (!equal(bytes.first(text.size()), as_bytes(text))) return make_error_code(errc::corrupt);
    if (load_le<std::uint64_t>(bytes.data() + 8) != checksum(bytes.subspan(16))) return make_error_code(errc::corrupt);
    const auto found = load_le<std::uint32_t>(bytes.data() + 16);
    if (found > version) return make_error_code(errc::newer_format);
    return found == version ? error_code{} : make_error_code(errc::corrupt);
}

inline constexpr std::string_view index_suffix = ".index";

}  // namespace detail

LOCKSTEP_DECL std::uint64_t pack_seed(const pack_header& header) noexcept {
    std::array<std::byte, 16> bytes;
    store_le(bytes.data(), header.salt);
    store_le(bytes.data() + 8, header.number);
    return checksum(bytes);
}

LOCKSTEP_DECL byte_buffer encode_header(const pack_header& header) {
    byte_buffer bytes(header_size);
    store_le(bytes.data() + 24, header.number);
    store_le(bytes.data() + 32, header.salt);
    detail::finish_head(bytes, magic);
    return bytes;
}

LOCKSTEP_DECL result<pack_header> decode_header(byte_view bytes) {
    if (bytes.size() < header_size) return make_error_code(errc::truncated);
    bytes = bytes.first(header_size);
    if (const auto error = detail::check_head(bytes, magic)) return error;
    return pack_header{load_le<std::uint64_t>(bytes.data() + 24), load_le<std::uint64_t>(bytes.data() + 32)};
}

LOCKSTEP_DECL std::string pack_name(std::uint64_t number) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string name = "pack-0000000000000000";
    for (std::size_t i = 0; i < 16; ++i) name[20 - i] = digits[(number >> (4 * i)) & 15];
    return name;
}

LOCKSTEP_DECL std::string index_name(std::uint64_t number) { return pack_name(number) += detail::index_suffix; }

LOCKSTEP_DECL std::optional<std::uint64_t> number_of_pack(std::string_view name) {
    if (name.size() != 21) return std::nullopt;
    std::uint64_t number = 0;
    for (const char c : name.substr(5)) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f')) return std::nullopt;
        number = number << 4 | static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
    }
    if (pack_name(number) != name) return std::nullopt;
    return number;
}

LOCKSTEP_DECL std::optional<std::uint64_t> number_of_index(std::string_view name) {
    if (!name.ends_with(detail::index_suffix)) return std::nullopt;
    return number_of_pack(name.substr(0, name.size() - detail::index_suffix.size()));
}

LOCKSTEP_DECL void append_record(byte_buffer& to, std::uint64_t offset, std::uint64_t seed, std::uint64_t durable,
                                 const content_hash& hash, byte_view data) {
    LOCKSTEP_ASSERT(!data.empty() && data.size() <= chunk_bytes_max);
    const std::size_t at = to.size();
    to.resize(at + static_cast<std::size_t>(record_size(data.size())));
    std::byte* head = to.data() + at;
    store_le(head + 8, record_magic);
    store_le(head + 12, static_cast<std::uint32_t>(data.size()));
    std::memcpy(head + 16, hash.bytes.data(), hash.bytes.size());
    store_le(head + 48, checksum(data, seed + offset));
    store_le(head + 56, durable);
    store_le(head, checksum(byte_view(to).subspan(at + 8, record_header_size - 8), seed + offset));
    std::copy(data.begin(), data.end(), to.begin() + static_cast<std::ptrdiff_t>(at + record_header_size));
}

LOCKSTEP_DECL std::optional<record_header> read_record_header(byte_view bytes, std::uint64_t offset,
                                                              std::uint64_t seed) noexcept {
    if (bytes.size() < record_header_size) return std::nullopt;
    const std::byte* head = bytes.data();
    if (load_le<std::uint32_t>(head + 8) != record_magic) return std::nullopt;
    const byte_view covered = bytes.subspan(8, record_header_size - 8);
    if (load_le<std::uint64_t>(head) != checksum(covered, seed + offset)) return std::nullopt;
    record_header record;
    record.length = load_le<std::uint32_t>(head + 12);
    if (record.length == 0 || record.length > chunk_bytes_max) return std::nullopt;
    std::memcpy(record.hash.bytes.data(), head + 16, record.hash.bytes.size());
    record.data_checksum = load_le<std::uint64_t>(head + 48);
    record.durable = load_le<std::uint64_t>(head + 56);
    return record;
}

LOCKSTEP_DECL bool is_data_of(const record_header& header, byte_view data, std::uint64_t offset,
                              std::uint64_t seed) noexcept {
    return data.size() == header.length && checksum(data, seed + offset) == header.data_checksum;
}

LOCKSTEP_DECL byte_buffer encode_index(const pack_index& index) {
    LOCKSTEP_ASSERT(index.entries.size() <= pack_chunks_max);
    byte_buffer bytes(index_header_size + index.entries.size() * index_entry_size);
    store_le(bytes.data() + 20, static_cast<std::uint32_t>(index.entries.size()));
    store_le(bytes.data() + 24, index.pack.number);
    store_le(bytes.data() + 32, index.pack.salt);
    store_le(bytes.data() + 40, index.pack_bytes);
    std::byte* at = bytes.data() + index_header_size;
    for (const pack_entry& entry : index.entries) {
        std::memcpy(at, entry.hash.bytes.data(), entry.hash.bytes.size());
        store_le(at + 32, entry.offset);
        store_le(at + 36, entry.length);
        at += index_entry_size;
    }
    detail::finish_head(bytes, index_magic);
    return bytes;
}

LOCKSTEP_DECL result<pack_index> decode_index(byte_view bytes) {
    if (bytes.size() < index_header_size) return make_error_code(errc::truncated);
    if (const auto error = detail::check_head(bytes, index_magic)) return error;
    const auto count = load_le<std::uint32_t>(bytes.data() + 20);
    if (count > pack_chunks_max || bytes.size() != index_header_size + count * index_entry_size) {
        return make_error_code(errc::corrupt);
    }
    pack_index index;
    index.pack = {load_le<std::uint64_t>(bytes.data() + 24), load_le<std::uint64_t>(bytes.data() + 32)};
    index.pack_bytes = load_le<std::uint64_t>(bytes.data() + 40);
    index.entries.resize(count);
    const std::byte* at = bytes.data() + index_header_size;
    std::uint64_t end = header_size;
    for (pack_entry& entry : index.entries) {
        std::memcpy(entry.hash.bytes.data(), at, entry.hash.bytes.size());
        entry.offset = load_le<std::uint32_t>(at + 32);
        entry.length = load_le<std::uint32_t>(at + 36);
        const bool sane = entry.length > 0 && entry.length <= chunk_bytes_max && entry.offset % alignment == 0;
        if (!sane || entry.offset < end) return make_error_code(errc::corrupt);
        end = entry.offset + record_size(entry.length);
        at += index_entry_size;
    }
    if (end > index.pack_bytes || index.pack_bytes > pack_bytes_max) return make_error_code(errc::corrupt);
    return index;
}

}  // namespace lockstep::storage::pack_format
