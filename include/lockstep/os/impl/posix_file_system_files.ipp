// posix_file_system: files and locks.
#pragma once

#include <lockstep/os/impl/posix_calls.hpp>
#include <lockstep/os/posix_file_system.hpp>

#include <signal.h>
#include <sys/file.h>

#include <limits>

namespace lockstep::os {

namespace detail {

inline constexpr std::uint64_t offset_max = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());
/// Linux moves no more than this in one call.
inline constexpr std::size_t transfer_max = 0x7ffff000;

/// O_NONBLOCK: opening a FIFO, or a file under somebody's lease, must never wait.
inline constexpr int file_flags = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

/// An existing name for create_or_open, or a new one; `created` tells which.
inline int open_or_create(int dir, const char* name, bool& created) noexcept {
    // Somebody else may remove and make the name between our calls, but hardly so often.
    constexpr int attempts = 64;
    for (int i = 0; i < attempts; ++i) {
        created = true;
        int fd = again([&] { return ::openat(dir, name, O_RDWR | O_CREAT | O_EXCL | file_flags, 0600); });
        if (fd >= 0 || errno != EEXIST) return fd;
        created = false;
        fd = again([&] { return ::openat(dir, name, O_RDWR | file_flags); });
        if (fd >= 0 || errno != ENOENT) return fd;
    }
    return -1;
}

}  // namespace detail

LOCKSTEP_DECL result<posix_file_system::file> posix_file_system::open_file(const directory& dir, std::string_view name,
                                                                           open_mode how, std::uint32_t mode) {
    const detail::c_name n(name);
    if (!n) return n.error();
    const int at = dir.native_handle();
    bool created = false;
    descriptor fd;
    switch (how) {
        case open_mode::read:
            fd.reset(detail::again([&] { return ::openat(at, n.get(), O_RDONLY | detail::file_flags); }));
            break;
        case open_mode::read_write:
            fd.reset(detail::again([&] { return ::openat(at, n.get(), O_RDWR | detail::file_flags); }));
            break;
        case open_mode::create_new:
            fd.reset(detail::again(
                [&] { return ::openat(at, n.get(), O_RDWR | O_CREAT | O_EXCL | detail::file_flags, 0600); }));
            created = true;
            break;
        case open_mode::create_or_open: fd.reset(detail::open_or_create(at, n.get(), created)); break;
    }
    if (!fd) return file_error(errno);
    if (created) {
        if (::fchmod(fd.get(), static_cast<mode_t>(mode & 07777)) == 0) return file(std::move(fd), true);
        const error_code error = file_error(errno);
        ::unlinkat(at, n.get(), 0);
        return error;
    }
    struct stat found {};
    if (::fstat(fd.get(), &found) != 0) return file_error(errno);
    if (S_ISDIR(found.st_mode)) return make_error_code(errc::is_a_directory);
    if (!S_ISREG(found.st_mode)) return make_error_code(errc::unsupported);
    return file(std::move(fd), how != open_mode::read);
}

LOCKSTEP_DECL result<file_status> posix_file_system::status(const file& f) {
    return detail::status_of(f.native_handle(), "");
}

LOCKSTEP_DECL result<std::size_t> posix_file_system::read_at(const file& f, std::uint64_t at,
                                                             std::span<std::byte> out) {
    if (at > detail::offset_max || out.size() > detail::offset_max - at) return make_error_code(errc::invalid_argument);
    std::size_t read = 0;
    while (read < out.size()) {
        const std::size_t most = std::min(out.size() - read, detail::transfer_max);
        const ssize_t n = detail::again(
            [&] { return ::pread(f.native_handle(), out.data() + read, most, static_cast<off_t>(at + read)); });
        if (n < 0) return file_error(errno);
        if (n == 0) break;
        read += static_cast<std::size_t>(n);
    }
    return read;
}

LOCKSTEP_DECL result<> posix_file_system::write_at(file& f, std::uint64_t at, byte_view in) {
    if (at > detail::offset_max || in.size() > detail::offset_max - at) return make_error_code(errc::invalid_argument);
    if (!f.writable_) return make_error_code(errc::permission_denied);
    std::size_t written = 0;
    while (written < in.size()) {
        const std::size_t most = std::min(in.size() - written, detail::transfer_max);
        const ssize_t n = detail::again(
            [&] { return ::pwrite(f.native_handle(), in.data() + written, most, static_cast<off_t>(at + written)); });
        if (n < 0) return file_error(errno);
        if (n == 0) return make_error_code(errc::io_error);
        written += static_cast<std::size_t>(n);
    }
    return {};
}

LOCKSTEP_DECL result<> posix_file_system::resize(file& f, std::uint64_t size) {
    if (size > detail::offset_max) return make_error_code(errc::invalid_argument);
    if (!f.writable_) return make_error_code(errc::permission_denied);
    return detail::done(detail::again([&] { return ::ftruncate(f.native_handle(), static_cast<off_t>(size)); }));
}

LOCKSTEP_DECL result<> posix_file_system::sync_data(file& f) {
    return detail::done(detail::again([&] { return ::fdatasync(f.native_handle()); }));
}

LOCKSTEP_DECL result<> posix_file_system::sync_file(file& f) {
    return detail::done(detail::again([&] { return ::fsync(f.native_handle()); }));
}

LOCKSTEP_DECL result<> posix_file_system::set_mode(file& f, std::uint32_t mode) {
    return detail::done(::fchmod(f.native_handle(), static_cast<mode_t>(mode & 07777)));
}

LOCKSTEP_DECL result<> posix_file_system::set_mtime(file& f, std::int64_t ns) {
    return detail::done(::futimens(f.native_handle(), detail::modified_at(ns).data()));
}

LOCKSTEP_DECL result<bool> posix_file_system::has_writers(const file& f) {
    // Said in full, because an error code converts to bool too.
    const auto failed = [](error_code error) { return result<bool>(boost::system::in_place_error, error); };
    // Our own descriptor would count as a writer.
    if (f.writable_) return failed(errc::unsupported);
    const int fd = f.native_handle();
    // Somebody may open the file for writing while the lease stands: the kernel then signals us. SIGURG is ignored
    // unless somebody handles it; the default (SIGIO) would end the process.
    if (::fcntl(fd, F_SETSIG, SIGURG) != 0) return failed(errc::unsupported);
    if (::fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
        ::fcntl(fd, F_SETLEASE, F_UNLCK);
        return false;
    }
    if (errno == EAGAIN) return true;
    return failed(errno == EACCES || errno == EINVAL ? make_error_code(errc::unsupported) : file_error(errno));
}

LOCKSTEP_DECL result<posix_file_system::lock> posix_file_system::lock_file(const directory& dir,
                                                                           std::string_view name) {
    auto opened = open_file(dir, name, open_mode::create_or_open, 0600);
    if (!opened) return opened.error();
    if (detail::again([&] { return ::flock(opened->native_handle(), LOCK_EX | LOCK_NB); }) != 0)
        return file_error(errno);
    return lock(std::move(opened->fd_));
}

}  // namespace lockstep::os
