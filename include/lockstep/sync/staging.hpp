// Taking things out of the replicated directory without losing what a user wrote at that very moment.
#pragma once

#include <lockstep/sync/disk_types.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep::sync {

inline constexpr std::string_view staged_prefix = "new-";      ///< being built; worthless without an intent
inline constexpr std::string_view loosened_prefix = "mode-";   ///< no name in staging: of records only
inline constexpr std::string_view kept_prefix = "kept-";       ///< nobody knows what it is any more: for a person to see to
inline constexpr std::string_view parked_prefix = "parked-";   ///< an entry out of the way of others

/// What the owner of a directory lacks where it may not be changed.
inline constexpr std::uint32_t loosened_bits = 0700;
/// A file is hashed in pieces of its own size, within these.
inline constexpr std::uint64_t hash_piece_bytes_min = 4096;
inline constexpr std::uint64_t hash_piece_bytes_max = 256 * 1024;

inline std::string parked_name(entry_id id) {
    return std::string(parked_prefix) + std::to_string(id.session.node.value) + "-" +
           std::to_string(id.session.number) + "-" + std::to_string(id.sequence);
}

/// The entry that parked_name() named; nothing where it names none.
inline std::optional<entry_id> entry_of_parked(std::string_view name) {
    if (!name.starts_with(parked_prefix)) return std::nullopt;
    entry_id id;
    std::string_view rest = name.substr(parked_prefix.size());
    for (std::uint64_t* number : {&id.session.node.value, &id.session.number, &id.sequence}) {
        const auto end = std::min(rest.find('-'), rest.size());
        const auto [stop, error] = std::from_chars(rest.data(), rest.data() + end, *number);
        if (error != std::errc{} || stop != rest.data() + end) return std::nullopt;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return parked_name(id) == name ? std::optional(id) : std::nullopt;
}

/// Moves something parked to the top level, where it is found as something new. Gives the name that was free: it may have come
/// back before.
template <file_system FileSystem>
result<std::string> return_to_root(FileSystem& fs, typename FileSystem::directory& staging, typename FileSystem::directory& root,
                                   const std::string& parked) {
    const std::string stem = "returned-" + parked.substr(parked_prefix.size());
    for (std::uint64_t counter = 0;; ++counter) {
        std::string name = counter == 0 ? stem : stem + "-" + std::to_string(counter);
        auto moved = fs.rename(staging, parked, root, name, rename_mode::no_replace);
        if (moved) return name;
        if (moved.error() != errc::already_exists) return moved.error();
    }
}

/// A path below the root, cut into its directory and its last name.
struct split_path {
    std::string parent;
    std::string name;
    explicit split_path(const std::string& path) {
        const auto slash = path.rfind('/');
        if (slash != std::string::npos) parent = path.substr(0, slash);
        name = slash == std::string::npos ? path : path.substr(slash + 1);
    }
};

/// What is known of a displaced thing.
enum class displaced_state : std::uint8_t {
    expected,   ///< just what was known to stand there: nothing of a user's is in it
    edited,     ///< a user changed it
    written,    ///< somebody can still write to it: look again later
    gone,
    unknown,    ///< could not be looked at
};

/// Hashes a regular file or link; nothing where it changes meanwhile or cannot be read.
template <file_system FileSystem>
result<content_hash> hash_of(FileSystem& fs, typename FileSystem::directory& directory, std::string_view name,
                             const file_status& status) {
    if (status.type == file_type::symlink) {
        auto target = fs.read_symlink(directory, name);
        if (!target) return target.error();
        return sha256(as_bytes(*target));
    }
    auto file = fs.open_file(directory, name, open_mode::read, 0);
    if (!file) return file.error();
    sha256_hasher hasher;
    byte_buffer piece(static_cast<std::size_t>(std::clamp(status.size, hash_piece_bytes_min, hash_piece_bytes_max)));
    for (std::uint64_t at = 0;;) {
        auto got = fs.read_at(*file, at, std::span<std::byte>(piece));
        if (!got) return got.error();
        if (*got == 0) break;
        hasher.update(byte_view(piece).first(*got));
        at += *got;
    }
    return hasher.finish();
}

/// Looks at what an exchange brought out. Only ctime may differ from what was recorded before (a rename sets it).
template <file_system FileSystem>
displaced_state look_at_displaced(FileSystem& fs, typename FileSystem::directory& staging, const std::string& staged,
                                  const local_record& expected) {
    auto status = fs.status_at(staging, staged);
    if (!status) return status.error() == errc::not_found ? displaced_state::gone : displaced_state::unknown;
    if (status->type == file_type::regular) {
        auto file = fs.open_file(staging, staged, open_mode::read, 0);
        if (!file) return displaced_state::unknown;
        if (auto writers = fs.has_writers(*file); writers && *writers) return displaced_state::written;
        status = fs.status(*file);
        if (!status) return displaced_state::unknown;
    }
    if (status->type != expected.disk.type) return displaced_state::edited;
    // A time that its author's clock gave it may lie ahead of this one's: when that gets there, a write leaves the same.
    const bool times_tell_writes = expected.certain && expected.disk.mtime_ns <= expected.disk.ctime_ns;
    if (times_tell_writes && same_state(*status, expected.disk, false)) return displaced_state::expected;
    if (status->size != expected.size) return displaced_state::edited;
    auto hash = hash_of(fs, staging, staged, *status);
    if (!hash) return displaced_state::unknown;
    return *hash == expected.hash ? displaced_state::expected : displaced_state::edited;
}

}  // namespace lockstep::sync
