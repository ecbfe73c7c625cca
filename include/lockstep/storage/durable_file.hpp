// Small files that are replaced as a whole: after any crash there is the old content or the new one, checked.
// For identity and founding records. Format: docs/formats/journal.md.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/checksum.hpp>
#include <lockstep/base/endian.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/concepts/file_system.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lockstep::storage {

namespace durable_file_format {
inline constexpr std::string_view magic = "LSTEPREC";
inline constexpr std::uint32_t version = 1;
inline constexpr std::size_t header_size = 24;
inline constexpr std::size_t content_max = std::size_t{1} << 20;
inline constexpr std::size_t first_read = 4096;
}  // namespace durable_file_format

/// The content of a file that replace_file_durably wrote. Blocks.
/// Errors: not_found; corrupt (not such a file, damaged, or cut short); newer_format; what the file system says.
template <file_system FileSystem>
result<byte_buffer> read_file(FileSystem& fs, typename FileSystem::directory& dir, std::string_view name) {
    namespace format = durable_file_format;
    auto file = fs.open_file(dir, name, open_mode::read, 0);
    if (!file) return file.error();
    // Most are far smaller than the largest.
    byte_buffer bytes(format::first_read);
    for (std::size_t have = 0;;) {
        const auto read = fs.read_at(*file, have, std::span<std::byte>(bytes).subspan(have));
        if (!read) return read.error();
        have += *read;
        if (have < bytes.size() || have == format::header_size + format::content_max) {
            bytes.resize(have);
            break;
        }
        bytes.resize(format::header_size + format::content_max);
    }
    if (bytes.size() < format::header_size) return make_error_code(errc::corrupt);
    const byte_view all(bytes);
    if (!equal(all.first(format::magic.size()), as_bytes(format::magic))) return make_error_code(errc::corrupt);
    if (load_le<std::uint64_t>(bytes.data() + 8) != checksum(all.subspan(16))) return make_error_code(errc::corrupt);
    if (load_le<std::uint32_t>(bytes.data() + 16) > format::version) return make_error_code(errc::newer_format);
    if (load_le<std::uint32_t>(bytes.data() + 20) != bytes.size() - format::header_size) {
        return make_error_code(errc::corrupt);
    }
    bytes.erase(bytes.begin(), bytes.begin() + format::header_size);
    return bytes;
}

/// Makes `content` the content of `name`, durably. Blocks. Uses the name with `.new` behind it on the way.
/// Errors: too_large beyond content_max; what the file system says. After a failure, which of the two contents is there
/// is known only by reading, and whether it is durable is not known at all.
template <file_system FileSystem>
result<> replace_file_durably(FileSystem& fs, typename FileSystem::directory& dir, std::string_view name,
                              byte_view content) {
    namespace format = durable_file_format;
    if (content.size() > format::content_max) return make_error_code(errc::too_large);
    byte_buffer bytes(format::header_size + content.size());
    const byte_view magic = as_bytes(format::magic);
    std::copy(magic.begin(), magic.end(), bytes.begin());
    store_le(bytes.data() + 16, format::version);
    store_le(bytes.data() + 20, static_cast<std::uint32_t>(content.size()));
    std::copy(content.begin(), content.end(), bytes.begin() + format::header_size);
    store_le(bytes.data() + 8, checksum(byte_view(bytes).subspan(16)));

    const std::string unfinished = std::string(name) + ".new";
    if (auto removed = fs.remove_file(dir, unfinished); !removed && removed.error() != errc::not_found) {
        return removed.error();
    }
    {
        auto file = fs.open_file(dir, unfinished, open_mode::create_new, 0600);
        if (!file) return file.error();
        LOCKSTEP_TRY(fs.write_at(*file, 0, bytes));
        LOCKSTEP_TRY(fs.sync_file(*file));
    }
    LOCKSTEP_TRY(fs.rename(dir, unfinished, dir, name, rename_mode::replace));
    return fs.sync_directory(dir);
}

}  // namespace lockstep::storage
