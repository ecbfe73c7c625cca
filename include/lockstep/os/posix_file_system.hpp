// The `file_system` of Linux: system calls relative to open directories, with their errors as `errc`.
// It decides nothing and keeps nothing; what a call means is said in concepts/file_system.hpp.
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/concepts/file_system.hpp>
#include <lockstep/os/descriptor.hpp>

#include <atomic>

namespace lockstep::os {

/// How open_directory_at stays beneath its directory.
enum class path_resolution : std::uint8_t {
    kernel,      ///< openat2, or component by component where the kernel has none
    components,  ///< always component by component
};

/// Thread safety: any member from any thread; a handle by one thread at a time.
class posix_file_system {
public:
    class directory {
    public:
        /// For as long as this handle lives.
        int native_handle() const noexcept { return fd_.get(); }

    private:
        friend class posix_file_system;
        explicit directory(descriptor fd) noexcept : fd_(std::move(fd)) {}
        descriptor fd_;
    };

    class file {
    public:
        int native_handle() const noexcept { return fd_.get(); }

    private:
        friend class posix_file_system;
        file(descriptor fd, bool writable) noexcept : fd_(std::move(fd)), writable_(writable) {}
        descriptor fd_;
        bool writable_;
    };

    class lock {
        friend class posix_file_system;
        explicit lock(descriptor fd) noexcept : fd_(std::move(fd)) {}
        descriptor fd_;
    };

    explicit posix_file_system(path_resolution how = path_resolution::kernel) noexcept
        : use_openat2_(how == path_resolution::kernel) {}
    posix_file_system(const posix_file_system&) = delete;
    posix_file_system& operator=(const posix_file_system&) = delete;

    // --- directories ---

    LOCKSTEP_DECL result<directory> open_directory(const std::string& native_path);
    LOCKSTEP_DECL result<directory> open_directory_at(const directory& dir, std::string_view path);
    LOCKSTEP_DECL result<std::vector<directory_item>> list(const directory& dir);
    LOCKSTEP_DECL result<file_status> status(const directory& dir);
    LOCKSTEP_DECL result<file_status> status_at(const directory& dir, std::string_view name);
    LOCKSTEP_DECL result<> make_directory(const directory& dir, std::string_view name, std::uint32_t mode);
    LOCKSTEP_DECL result<> remove_directory(const directory& dir, std::string_view name);
    LOCKSTEP_DECL result<> remove_file(const directory& dir, std::string_view name);
    LOCKSTEP_DECL result<> make_symlink(const directory& dir, std::string_view name, std::string_view target);
    LOCKSTEP_DECL result<std::string> read_symlink(const directory& dir, std::string_view name);
    /// A file system that has no no_replace or exchange says `unsupported` for files and invalid_argument for
    /// directories: for those the kernel does not tell it from a move into the directory's own subtree.
    LOCKSTEP_DECL result<> rename(const directory& from, std::string_view name, const directory& to,
                                  std::string_view new_name, rename_mode how);
    LOCKSTEP_DECL result<> sync_directory(const directory& dir);
    LOCKSTEP_DECL result<> set_mode(const directory& dir, std::uint32_t mode);
    LOCKSTEP_DECL result<> set_directory_mode_at(const directory& dir, std::string_view name, std::uint32_t mode);
    LOCKSTEP_DECL result<> set_mtime(const directory& dir, std::int64_t ns);
    LOCKSTEP_DECL result<> set_symlink_mtime(const directory& dir, std::string_view name, std::int64_t ns);
    LOCKSTEP_DECL result<std::uint64_t> available_bytes(const directory& dir);
    /// The kernel's, from /proc; empty where that is not there.
    LOCKSTEP_DECL std::string boot_id() const;
    LOCKSTEP_DECL std::int64_t clock_ns() const noexcept;
    LOCKSTEP_DECL result<lock> lock_file(const directory& dir, std::string_view name);

    // --- files ---

    LOCKSTEP_DECL result<file> open_file(const directory& dir, std::string_view name, open_mode how,
                                         std::uint32_t mode);
    LOCKSTEP_DECL result<file_status> status(const file& f);
    LOCKSTEP_DECL result<std::size_t> read_at(const file& f, std::uint64_t at, std::span<std::byte> out);
    LOCKSTEP_DECL result<> write_at(file& f, std::uint64_t at, byte_view in);
    LOCKSTEP_DECL result<> resize(file& f, std::uint64_t size);
    LOCKSTEP_DECL result<> sync_data(file& f);
    LOCKSTEP_DECL result<> sync_file(file& f);
    LOCKSTEP_DECL result<> set_mode(file& f, std::uint32_t mode);
    LOCKSTEP_DECL result<> set_mtime(file& f, std::int64_t ns);
    /// By trying for a read lease. Only for a file opened with open_mode::read, and only where this process owns the
    /// file or may lease any (CAP_LEASE): `unsupported` otherwise.
    LOCKSTEP_DECL result<bool> has_writers(const file& f);

private:
    LOCKSTEP_DECL result<descriptor> open_beneath(int dir, const std::string& path);
    LOCKSTEP_DECL result<descriptor> open_components(int dir, std::string_view path);

    std::atomic<bool> use_openat2_;
};

static_assert(file_system<posix_file_system>);

}  // namespace lockstep::os

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/os/impl/posix_file_system.ipp>
#include <lockstep/os/impl/posix_file_system_files.ipp>
#endif
