#pragma once

#include <lockstep/base/checksum.hpp>
#include <lockstep/base/endian.hpp>
#include <lockstep/storage/journal_format.hpp>

#include <algorithm>

namespace lockstep::storage::journal_format {

LOCKSTEP_DECL byte_buffer encode_header(std::uint64_t salt) {
    byte_buffer bytes(header_size);
    const byte_view text = as_bytes(magic);
    std::copy(text.begin(), text.end(), bytes.begin());
    store_le(bytes.data() + 16, version);
    store_le(bytes.data() + 24, salt);
    store_le(bytes.data() + 8, checksum(byte_view(bytes).subspan(16)));
    return bytes;
}

LOCKSTEP_DECL result<std::uint64_t> decode_header(byte_view bytes) {
    if (bytes.size() < header_size) return make_error_code(errc::corrupt);
    bytes = bytes.first(header_size);
    error_code error;
    if (!equal(bytes.first(magic.size()), as_bytes(magic))) error = errc::corrupt;
    else if (load_le<std::uint64_t>(bytes.data() + 8) != checksum(bytes.subspan(16))) error = errc::corrupt;
    else if (load_le<std::uint32_t>(bytes.data() + 16) > version) error = errc::newer_format;
    if (error) return error;
    return load_le<std::uint64_t>(bytes.data() + 24);
}

LOCKSTEP_DECL void append_record(byte_buffer& to, std::uint64_t offset, std::uint64_t salt, std::uint64_t number,
                                 std::uint64_t durable, byte_view data) {
    LOCKSTEP_ASSERT(data.size() <= record_max);
    const std::size_t at = to.size();
    to.resize(at + record_size(data.size()));
    std::byte* head = to.data() + at;
    store_le(head + 8, static_cast<std::uint32_t>(data.size()));
    store_le(head + 12, record_magic);
    store_le(head + 16, number);
    store_le(head + 24, durable);
    std::copy(data.begin(), data.end(), to.begin() + static_cast<std::ptrdiff_t>(at + record_header_size));
    store_le(head, checksum(byte_view(to).subspan(at + 8), salt + offset));
}

LOCKSTEP_DECL std::optional<record_view> read_record(byte_view file, std::uint64_t offset, std::uint64_t salt) {
    if (offset > file.size() || file.size() - offset < record_header_size) return std::nullopt;
    const byte_view bytes = file.subspan(static_cast<std::size_t>(offset));
    const std::byte* head = bytes.data();
    if (load_le<std::uint32_t>(head + 12) != record_magic) return std::nullopt;
    const std::size_t length = load_le<std::uint32_t>(head + 8);
    const std::size_t size = record_size(length);
    if (length > record_max || size > bytes.size()) return std::nullopt;
    if (load_le<std::uint64_t>(head) != checksum(bytes.first(size).subspan(8), salt + offset)) return std::nullopt;
    return record_view{load_le<std::uint64_t>(head + 16), load_le<std::uint64_t>(head + 24),
                       bytes.subspan(record_header_size, length), size};
}

}  // namespace lockstep::storage::journal_format
