// The bytes of a pack: a file of chunks, one behind the other. Pure: no files. Specified in docs/formats/packs.md.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/checksum.hpp>
#include <lockstep/base/endian.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/base/sha256.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep::storage::pack_format {

inline constexpr std::string_view magic = "LSTEPPCK";
inline constexpr std::uint32_t version = 1;
inline constexpr std::size_t header_size = 32;
inline constexpr std::uint32_t record_magic = 0x4b4e4843;  // "CHNK"
inline constexpr std::size_t record_header_size = 48;
inline constexpr std::size_t alignment = 8;

inline constexpr std::size_t padded(std::size_t bytes) noexcept { return (bytes + alignment - 1) / alignment * alignment; }
inline constexpr std::size_t record_size(std::size_t chunk_bytes) noexcept { return record_header_size + padded(chunk_bytes); }

inline byte_buffer encode_header(std::uint64_t number) {
    byte_buffer bytes(header_size);
    const byte_view name = as_bytes(magic);
    std::copy(name.begin(), name.end(), bytes.begin());
    store_le(bytes.data() + 8, version);
    store_le(bytes.data() + 16, number);
    store_le(bytes.data() + 24, checksum(byte_view(bytes).first(24)));
    return bytes;
}

/// The pack's number. corrupt, newer_format, truncated.
inline result<std::uint64_t> decode_header(byte_view bytes) {
    if (bytes.size() < header_size) return make_error_code(errc::truncated);
    if (!equal(bytes.first(magic.size()), as_bytes(magic)) ||
        load_le<std::uint64_t>(bytes.data() + 24) != checksum(bytes.first(24)))
        return make_error_code(errc::corrupt);
    if (load_le<std::uint32_t>(bytes.data() + 8) > version) return make_error_code(errc::newer_format);
    return load_le<std::uint64_t>(bytes.data() + 16);
}

/// What stands in front of a chunk's bytes: magic, their number, a checksum of these three, their hash.
struct record_header {
    content_hash hash;
    std::uint32_t bytes = 0;
};

inline void append_record(byte_buffer& to, const content_hash& hash, byte_view chunk) {
    const std::size_t at = to.size();
    to.resize(at + record_size(chunk.size()));
    store_le(to.data() + at, record_magic);
    store_le(to.data() + at + 4, static_cast<std::uint32_t>(chunk.size()));
    std::memcpy(to.data() + at + 16, hash.bytes.data(), hash.bytes.size());
    byte_buffer sum(to.begin() + static_cast<std::ptrdiff_t>(at), to.begin() + static_cast<std::ptrdiff_t>(at + record_header_size));
    store_le(to.data() + at + 8, checksum(sum));
    std::copy(chunk.begin(), chunk.end(), to.begin() + static_cast<std::ptrdiff_t>(at + record_header_size));
}

inline std::optional<record_header> decode_record(byte_view bytes) {
    if (bytes.size() < record_header_size || load_le<std::uint32_t>(bytes.data()) != record_magic) return std::nullopt;
    byte_buffer sum(bytes.begin(), bytes.begin() + record_header_size);
    store_le(sum.data() + 8, std::uint64_t{0});
    if (load_le<std::uint64_t>(bytes.data() + 8) != checksum(sum)) return std::nullopt;
    record_header record;
    record.bytes = load_le<std::uint32_t>(bytes.data() + 4);
    std::memcpy(record.hash.bytes.data(), bytes.data() + 16, record.hash.bytes.size());
    return record;
}

/// `pack-` and the number as 16 hexadecimal digits.
inline std::string pack_name(std::uint64_t number) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string name = "pack-";
    for (int shift = 60; shift >= 0; shift -= 4) name += digits[(number >> shift) & 15];
    return name;
}
inline std::optional<std::uint64_t> number_of(std::string_view name) {
    if (name.size() != 21 || !name.starts_with("pack-")) return std::nullopt;
    std::uint64_t number = 0;
    for (const char c : name.substr(5)) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit && (c < 'a' || c > 'f')) return std::nullopt;
        number = number << 4 | static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
    }
    return number;
}

}  // namespace lockstep::storage::pack_format
