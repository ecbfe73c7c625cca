// posix_file_system: directories and names.
#pragma once

#include <lockstep/os/impl/posix_calls.hpp>
#include <lockstep/os/posix_file_system.hpp>

#include <dirent.h>
#include <linux/openat2.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

namespace lockstep::os {

LOCKSTEP_DECL result<posix_file_system::directory> posix_file_system::open_directory(const std::string& native_path) {
    if (native_path.find('\0') != std::string::npos) return make_error_code(errc::invalid_argument);
    descriptor fd(detail::again([&] { return ::open(native_path.c_str(), detail::directory_flags); }));
    if (!fd) return file_error(errno);
    return directory(std::move(fd));
}

LOCKSTEP_DECL result<posix_file_system::directory> posix_file_system::open_directory_at(const directory& dir,
                                                                                        std::string_view path) {
    if (path.empty()) {
        descriptor fd(detail::again([&] { return ::openat(dir.native_handle(), ".", detail::directory_flags); }));
        if (!fd) return file_error(errno);
        return directory(std::move(fd));
    }
    if (!detail::is_relative_path(path)) return make_error_code(errc::invalid_argument);
    // The kernel takes paths of less than PATH_MAX bytes: a longer one goes in parts, each beneath the last.
    constexpr std::size_t part_max = 4000;
    descriptor reached;
    while (!path.empty()) {
        std::size_t length = path.size();
        if (length > part_max) {
            length = path.rfind('/', part_max);
            if (length == std::string_view::npos) return make_error_code(errc::name_too_long);
        }
        auto next = open_beneath(reached ? reached.get() : dir.native_handle(), std::string(path.substr(0, length)));
        if (!next) return next.error();
        reached = std::move(*next);
        path.remove_prefix(std::min(path.size(), length + 1));
    }
    return directory(std::move(reached));
}

LOCKSTEP_DECL result<descriptor> posix_file_system::open_beneath(int dir, const std::string& path) {
    if (!use_openat2_.load(std::memory_order_relaxed)) return open_components(dir, path);
    struct open_how how {};
    how.flags = static_cast<std::uint64_t>(detail::directory_flags);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    descriptor fd(detail::again([&] {
        return static_cast<int>(::syscall(SYS_openat2, dir, path.c_str(), &how, sizeof how));
    }));
    if (fd) return fd;
    // Sandboxes that do not know the call answer EPERM, which here means nothing else.
    if (errno == ENOSYS) use_openat2_.store(false, std::memory_order_relaxed);
    if (errno == ENOSYS || errno == EPERM) return open_components(dir, path);
    if (errno == EXDEV) return make_error_code(errc::symlink_in_path);
    return file_error(errno);
}

LOCKSTEP_DECL result<descriptor> posix_file_system::open_components(int dir, std::string_view path) {
    descriptor reached;
    while (!path.empty()) {
        const int from = reached ? reached.get() : dir;
        const std::size_t length = std::min(path.find('/'), path.size());
        const std::string name(path.substr(0, length));
        descriptor next(
            detail::again([&] { return ::openat(from, name.c_str(), detail::directory_flags | O_NOFOLLOW); }));
        if (!next) {
            const int error = errno;
            // O_DIRECTORY hides that it is a link.
            struct stat found {};
            const bool link = error == ENOTDIR && ::fstatat(from, name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 &&
                              S_ISLNK(found.st_mode);
            return file_error(link ? ELOOP : error);
        }
        reached = std::move(next);
        path.remove_prefix(std::min(path.size(), length + 1));
    }
    return reached;
}

LOCKSTEP_DECL result<std::vector<directory_item>> posix_file_system::list(const directory& dir) {
    // A descriptor for the stream to close; it shares its position with ours, hence the rewind.
    descriptor copy(detail::again([&] { return ::fcntl(dir.native_handle(), F_DUPFD_CLOEXEC, 0); }));
    if (!copy) return file_error(errno);
    std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(copy.get()), &::closedir);
    if (!stream) return file_error(errno);
    copy.release();
    ::rewinddir(stream.get());
    std::vector<directory_item> items;
    for (;;) {
        errno = 0;
        const dirent* next = ::readdir(stream.get());
        if (next == nullptr) {
            if (errno != 0) return file_error(errno);
            return items;
        }
        const std::string_view name = next->d_name;
        if (name == "." || name == "..") continue;
        directory_item item{std::string(name), detail::type_of_item(next->d_type), next->d_ino};
        if (next->d_type == DT_UNKNOWN) {
            const auto status = detail::status_of(dir.native_handle(), next->d_name);
            if (!status && status.error() == errc::not_found) continue;
            if (!status) return status.error();
            item.type = status->type;
        }
        items.push_back(std::move(item));
    }
}

LOCKSTEP_DECL result<file_status> posix_file_system::status(const directory& dir) {
    return detail::status_of(dir.native_handle(), "");
}

LOCKSTEP_DECL result<file_status> posix_file_system::status_at(const directory& dir, std::string_view name) {
    const detail::c_name n(name);
    if (!n) return n.error();
    return detail::status_of(dir.native_handle(), n.get());
}

LOCKSTEP_DECL result<> posix_file_system::make_directory(const directory& dir, std::string_view name,
                                                         std::uint32_t mode) {
    const detail::c_name n(name);
    if (!n) return n.error();
    const int at = dir.native_handle();
    if (::mkdirat(at, n.get(), 0700) != 0) return file_error(errno);
    const descriptor fd(detail::again([&] { return ::openat(at, n.get(), detail::directory_flags | O_NOFOLLOW); }));
    if (fd && ::fchmod(fd.get(), static_cast<mode_t>(mode & 07777)) == 0) return {};
    const error_code error = file_error(errno);
    ::unlinkat(at, n.get(), AT_REMOVEDIR);
    return error;
}

LOCKSTEP_DECL result<> posix_file_system::remove_directory(const directory& dir, std::string_view name) {
    const detail::c_name n(name);
    if (!n) return n.error();
    if (::unlinkat(dir.native_handle(), n.get(), AT_REMOVEDIR) == 0) return {};
    return file_error(errno == EEXIST ? ENOTEMPTY : errno);
}

LOCKSTEP_DECL result<> posix_file_system::remove_file(const directory& dir, std::string_view name) {
    const detail::c_name n(name);
    if (!n) return n.error();
    return detail::done(::unlinkat(dir.native_handle(), n.get(), 0));
}

LOCKSTEP_DECL result<> posix_file_system::make_symlink(const directory& dir, std::string_view name,
                                                       std::string_view target) {
    const detail::c_name n(name);
    if (!n) return n.error();
    if (target.empty() || target.find('\0') != std::string_view::npos) return make_error_code(errc::invalid_argument);
    return detail::done(::symlinkat(std::string(target).c_str(), dir.native_handle(), n.get()));
}

LOCKSTEP_DECL result<std::string> posix_file_system::read_symlink(const directory& dir, std::string_view name) {
    const detail::c_name n(name);
    if (!n) return n.error();
    std::string target(4096, '\0');
    const ssize_t length = ::readlinkat(dir.native_handle(), n.get(), target.data(), target.size());
    if (length < 0) return file_error(errno);
    target.resize(static_cast<std::size_t>(length));
    return target;
}

LOCKSTEP_DECL result<> posix_file_system::rename(const directory& from, std::string_view name, const directory& to,
                                                 std::string_view new_name, rename_mode how) {
    const detail::c_name source(name);
    if (!source) return source.error();
    const detail::c_name target(new_name);
    if (!target) return target.error();
    const unsigned flags = how == rename_mode::exchange     ? RENAME_EXCHANGE
                           : how == rename_mode::no_replace ? RENAME_NOREPLACE
                                                            : 0u;
    if (::renameat2(from.native_handle(), source.get(), to.native_handle(), target.get(), flags) == 0) return {};
    const int error = errno;
    if (how == rename_mode::replace) return file_error(error == EEXIST ? ENOTEMPTY : error);
    if (error != EINVAL) return file_error(error);
    const auto is_directory = [](const directory& where, const detail::c_name& what) {
        const auto found = detail::status_of(where.native_handle(), what.get());
        return found && found->type == file_type::directory;
    };
    const bool subtree = is_directory(from, source) || (how == rename_mode::exchange && is_directory(to, target));
    return make_error_code(subtree ? errc::invalid_argument : errc::unsupported);
}

LOCKSTEP_DECL result<> posix_file_system::sync_directory(const directory& dir) {
    return detail::done(detail::again([&] { return ::fsync(dir.native_handle()); }));
}

LOCKSTEP_DECL result<> posix_file_system::set_mode(const directory& dir, std::uint32_t mode) {
    return detail::done(::fchmod(dir.native_handle(), static_cast<mode_t>(mode & 07777)));
}

LOCKSTEP_DECL result<> posix_file_system::set_directory_mode_at(const directory& dir, std::string_view name,
                                                                std::uint32_t mode) {
    const detail::c_name n(name);
    if (!n) return n.error();
    // A place in the tree: it needs no right to read, and fchmod() does not take it, hence the way through /proc.
    const descriptor at(detail::again([&] {
        return ::openat(dir.native_handle(), n.get(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }));
    if (!at) return file_error(errno);
    const std::string path = "/proc/self/fd/" + std::to_string(at.get());
    return detail::done(::chmod(path.c_str(), static_cast<mode_t>(mode & 07777)));
}

LOCKSTEP_DECL result<> posix_file_system::set_mtime(const directory& dir, std::int64_t ns) {
    return detail::done(::futimens(dir.native_handle(), detail::modified_at(ns).data()));
}

LOCKSTEP_DECL result<> posix_file_system::set_symlink_mtime(const directory& dir, std::string_view name,
                                                            std::int64_t ns) {
    const detail::c_name n(name);
    if (!n) return n.error();
    return detail::done(
        ::utimensat(dir.native_handle(), n.get(), detail::modified_at(ns).data(), AT_SYMLINK_NOFOLLOW));
}

LOCKSTEP_DECL result<std::uint64_t> posix_file_system::available_bytes(const directory& dir) {
    struct statvfs space {};
    if (detail::again([&] { return ::fstatvfs(dir.native_handle(), &space); }) != 0) return file_error(errno);
    return static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
}

LOCKSTEP_DECL std::string posix_file_system::boot_id() const {
    const descriptor fd(detail::again([] { return ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC); }));
    std::array<char, 64> text{};
    const auto got = fd ? detail::again([&] { return ::read(fd.get(), text.data(), text.size()); }) : -1;
    std::string id(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    while (!id.empty() && id.back() == '\n') id.pop_back();
    return id;
}

LOCKSTEP_DECL std::int64_t posix_file_system::clock_ns() const noexcept {
    // The clock that inodes are stamped from: a step behind CLOCK_REALTIME, never ahead of a stamp still to come.
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace lockstep::os
