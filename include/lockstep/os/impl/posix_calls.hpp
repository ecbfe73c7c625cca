// What the bodies of posix_file_system share: names as C strings, statx, interrupted calls. Not for users.
#pragma once

#include <lockstep/concepts/file_system.hpp>
#include <lockstep/os/file_error.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace lockstep::os::detail {

inline constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
inline constexpr std::size_t name_max = 255;

/// Makes a call again for as long as a signal interrupts it.
template <class Call>
auto again(Call call) {
    auto value = call();
    while (value < 0 && errno == EINTR) value = call();
    return value;
}

inline result<> done(int value) {
    if (value == 0) return {};
    return file_error(errno);
}

inline error_code check_name(std::string_view name) noexcept {
    if (name.empty() || name == "." || name == "..") return errc::invalid_argument;
    if (name.find('/') != name.npos || name.find('\0') != name.npos) return errc::invalid_argument;
    if (name.size() > name_max) return errc::name_too_long;
    return {};
}

/// One component, checked, ending in NUL.
class c_name {
public:
    explicit c_name(std::string_view name) noexcept : error_(check_name(name)) {
        if (error_) return;
        std::memcpy(text_.data(), name.data(), name.size());
        text_[name.size()] = '\0';
    }
    explicit operator bool() const noexcept { return !error_; }
    error_code error() const noexcept { return error_; }
    const char* get() const noexcept { return text_.data(); }

private:
    std::array<char, name_max + 1> text_;
    error_code error_;
};

/// Components joined by single slashes, none of them `.` or `..`; a component too long is left to the kernel.
inline bool is_relative_path(std::string_view path) noexcept {
    if (path.find('\0') != path.npos) return false;
    for (;;) {
        const std::size_t length = std::min(path.find('/'), path.size());
        const std::string_view name = path.substr(0, length);
        if (name.empty() || name == "." || name == "..") return false;
        if (length == path.size()) return true;
        path.remove_prefix(length + 1);
    }
}

inline file_type type_of_mode(std::uint32_t mode) noexcept {
    if (S_ISREG(mode)) return file_type::regular;
    if (S_ISDIR(mode)) return file_type::directory;
    if (S_ISLNK(mode)) return file_type::symlink;
    return file_type::other;
}

inline file_type type_of_item(unsigned char type) noexcept {
    if (type == DT_REG) return file_type::regular;
    if (type == DT_DIR) return file_type::directory;
    if (type == DT_LNK) return file_type::symlink;
    return file_type::other;
}

inline std::int64_t nanoseconds(const statx_timestamp& at) noexcept {
    return static_cast<std::int64_t>(at.tv_sec) * 1'000'000'000 + static_cast<std::int64_t>(at.tv_nsec);
}

/// Of what `name` is in `dir`, never followed; of the descriptor itself where it is empty.
inline result<file_status> status_of(int dir, const char* name) {
    struct statx found {};
    const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name == '\0' ? AT_EMPTY_PATH : 0);
    if (again([&] { return ::statx(dir, name, flags, STATX_BASIC_STATS | STATX_BTIME, &found); }) != 0) {
        return file_error(errno);
    }
    file_status status;
    status.type = type_of_mode(found.stx_mode);
    status.mode = found.stx_mode & 07777u;
    status.size = found.stx_size;
    status.device = makedev(found.stx_dev_major, found.stx_dev_minor);
    status.inode = found.stx_ino;
    status.links = found.stx_nlink;
    status.mtime_ns = nanoseconds(found.stx_mtime);
    status.ctime_ns = nanoseconds(found.stx_ctime);
    if ((found.stx_mask & STATX_BTIME) != 0) status.birth_ns = nanoseconds(found.stx_btime);
    return status;
}

/// Times for futimens: the last access stays as it is.
inline std::array<timespec, 2> modified_at(std::int64_t ns) noexcept {
    constexpr std::int64_t second = 1'000'000'000;
    std::int64_t seconds = ns / second;
    std::int64_t rest = ns % second;
    if (rest < 0) {
        rest += second;
        --seconds;
    }
    std::array<timespec, 2> times{};
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_sec = static_cast<time_t>(seconds);
    times[1].tv_nsec = static_cast<long>(rest);
    return times;
}

}  // namespace lockstep::os::detail
