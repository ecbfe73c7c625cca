// The `file_system` concept: the calls of a POSIX file system that the library makes, relative to open directories.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/result.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

enum class file_type : std::uint8_t { regular = 1, directory = 2, symlink = 3, other = 4 };

/// What lstat tells. Times are nanoseconds since the Unix epoch.
struct file_status {
    file_type type = file_type::other;
    std::uint32_t mode = 0;       ///< permission bits, 07777
    std::uint64_t size = 0;       ///< bytes; of a symlink its target's length
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t links = 0;
    std::int64_t mtime_ns = 0;
    std::int64_t ctime_ns = 0;
    std::int64_t birth_ns = 0;    ///< 0 where the file system does not tell
    friend bool operator==(const file_status&, const file_status&) = default;
};

struct directory_item {
    std::string name;
    file_type type = file_type::other;
    std::uint64_t inode = 0;
};

enum class open_mode : std::uint8_t {
    read,            ///< must exist; a symlink or non-regular file is refused
    read_write,      ///< must exist
    create_new,      ///< read-write; must not exist
    create_or_open,  ///< read-write
};

enum class rename_mode : std::uint8_t { replace, no_replace, exchange };

/// A `file_system` is called from any lane at once and blocks; handles are move-only, close on destruction, and are used
/// by one thread at a time. `name` is one path component (not empty, `.`, `..`, nor holding `/` or NUL: invalid_argument).
/// `path` in open_directory_at is relative, of components joined by `/`, and is resolved beneath the given directory
/// without following any symbolic link: symlink_in_path otherwise. The empty path is the directory itself.
/// Interrupted and short calls are continued inside. Nothing here is durable until the file (sync_file / sync_data) and,
/// for a created, renamed or removed name, its directory (sync_directory) were synced. A failed sync is final: the data
/// is lost as far as the caller may assume. Created files and directories get exactly the mode given: no umask.
template <class F>
concept file_system = requires(F& fs, const std::string& native_path, typename F::directory& dir, typename F::file& file,
                               std::string_view name, open_mode om, std::uint32_t mode, std::uint64_t n,
                               std::span<std::byte> out, byte_view in, rename_mode rm, std::int64_t ns) {
    requires std::movable<typename F::directory> && std::movable<typename F::file> && std::movable<typename F::lock>;

    // A path as the user gave it; a final symlink is followed. Used for roots only.
    { fs.open_directory(native_path) } -> std::same_as<result<typename F::directory>>;
    { fs.open_directory_at(dir, name) } -> std::same_as<result<typename F::directory>>;
    { fs.list(dir) } -> std::same_as<result<std::vector<directory_item>>>;        // without . and ..; any order
    { fs.status(dir) } -> std::same_as<result<file_status>>;
    { fs.status_at(dir, name) } -> std::same_as<result<file_status>>;             // never follows
    { fs.make_directory(dir, name, mode) } -> std::same_as<result<>>;
    { fs.remove_directory(dir, name) } -> std::same_as<result<>>;                 // not_empty
    { fs.remove_file(dir, name) } -> std::same_as<result<>>;                      // also a symlink
    { fs.make_symlink(dir, name, name) } -> std::same_as<result<>>;               // name, target
    { fs.read_symlink(dir, name) } -> std::same_as<result<std::string>>;
    { fs.rename(dir, name, dir, name, rm) } -> std::same_as<result<>>;            // from dir, from, to dir, to
    { fs.sync_directory(dir) } -> std::same_as<result<>>;
    { fs.set_mode(dir, mode) } -> std::same_as<result<>>;                         // of the open directory
    { fs.set_directory_mode_at(dir, name, mode) } -> std::same_as<result<>>;      // of one that maybe cannot be opened
    { fs.set_mtime(dir, ns) } -> std::same_as<result<>>;
    { fs.set_symlink_mtime(dir, name, ns) } -> std::same_as<result<>>;
    { fs.available_bytes(dir) } -> std::same_as<result<std::uint64_t>>;
    { fs.boot_id() } -> std::same_as<std::string>;                                // changes when unsynced writes may be lost; empty: unknown
    { fs.clock_ns() } -> std::same_as<std::int64_t>;                              // the time it would stamp a change with now
    { fs.lock_file(dir, name) } -> std::same_as<result<typename F::lock>>;        // exclusive; busy. Freed with the process

    { fs.open_file(dir, name, om, mode) } -> std::same_as<result<typename F::file>>;
    { fs.status(file) } -> std::same_as<result<file_status>>;
    { fs.read_at(file, n, out) } -> std::same_as<result<std::size_t>>;            // short only at the end of the file
    { fs.write_at(file, n, in) } -> std::same_as<result<>>;                       // all of it
    { fs.resize(file, n) } -> std::same_as<result<>>;
    { fs.sync_data(file) } -> std::same_as<result<>>;                             // fdatasync: data and size
    { fs.sync_file(file) } -> std::same_as<result<>>;                             // fsync: attributes too
    { fs.set_mode(file, mode) } -> std::same_as<result<>>;
    { fs.set_mtime(file, ns) } -> std::same_as<result<>>;
    // Whether somebody else may still write through a descriptor or mapping; `unsupported` where the kernel cannot tell.
    { fs.has_writers(file) } -> std::same_as<result<bool>>;
};

}  // namespace lockstep
