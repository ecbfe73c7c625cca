// Numbered failpoints for the program as it is shipped: a library that is loaded before libc (LD_PRELOAD) and counts the
// calls that change files. At the one that it was told, the process ends as by kill -9, or the call fails, or writes less.
//
//   LOCKSTEP_FAILPOINT=HOW:CALL:PART:N    HOW   kill | eio | enospc | short
//                                         CALL  any | write | sync | name (what makes, moves and removes names)
//                                         PART  of the path that the call is about; nothing: any
//                                         N     which of those, from 1 on; 0: each of them
//   LOCKSTEP_FAILPOINT_COUNTS=FILE        16 bytes, mapped: how many such calls there were, and how often it struck
//
// One whose process is to be killed ends before the call is made, as the simulator's crash at a call does.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

enum class call { write, sync, name };

struct counts {
    std::atomic<std::uint64_t> met;
    std::atomic<std::uint64_t> struck;
};

counts own_counts;   // where nobody else looks

struct failpoint {
    std::string how, calls, part;
    std::uint64_t number = 0;
    counts* shared = &own_counts;
};

[[noreturn]] void refuse(const char* text) {
    [[maybe_unused]] const auto n = ::write(STDERR_FILENO, text, std::string_view(text).size());
    std::_Exit(99);
}

counts* map_counts(const char* path) {
    const int fd = ::open(path, O_RDWR | O_CLOEXEC);
    void* at = fd < 0 ? MAP_FAILED : ::mmap(nullptr, sizeof(counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) refuse("LOCKSTEP_FAILPOINT_COUNTS: cannot be mapped\n");
    ::close(fd);
    return static_cast<counts*>(at);
}

failpoint& the_failpoint() {
    static failpoint f = [] {
        failpoint read;
        const char* text = std::getenv("LOCKSTEP_FAILPOINT");
        if (text == nullptr) return read;
        const std::string all = text;
        const auto first = all.find(':'), second = all.find(':', first + 1), last = all.rfind(':');
        if (first == all.npos || second == all.npos || last <= second) refuse("LOCKSTEP_FAILPOINT: want HOW:CALL:PART:N\n");
        read.how = all.substr(0, first);
        read.calls = all.substr(first + 1, second - first - 1);
        read.part = all.substr(second + 1, last - second - 1);
        read.number = std::strtoull(all.c_str() + last + 1, nullptr, 10);
        if (const char* path = std::getenv("LOCKSTEP_FAILPOINT_COUNTS")) read.shared = map_counts(path);
        return read;
    }();
    return f;
}

/// The next definition of a function, which is libc's.
template <class F>
F* real(const char* name) {
    return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

std::string path_of(int fd, const char* name) {
    char target[4096];
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t n = ::readlink(link.c_str(), target, sizeof target);
    std::string path(target, n < 0 ? 0 : static_cast<std::size_t>(n));
    return name == nullptr ? path : path + "/" + name;
}

/// Whether the call is the one. A process that is to be killed does not come back from here.
bool strikes(call c, int fd, const char* name = nullptr) {
    failpoint& f = the_failpoint();
    if (f.how.empty()) return false;
    const char* const kind = c == call::write ? "write" : c == call::sync ? "sync" : "name";
    if (f.calls != "any" && f.calls != kind) return false;
    if (!f.part.empty() && path_of(fd, name).find(f.part) == std::string::npos) return false;
    if (f.shared->met.fetch_add(1) + 1 != f.number && f.number != 0) return false;
    f.shared->struck.fetch_add(1);
    if (f.how == "kill") {
        ::kill(::getpid(), SIGKILL);
        for (;;) ::pause();
    }
    return true;
}

/// -1 with the error, if it is to fail now.
bool fails(call c, int fd, const char* name = nullptr) {
    if (!strikes(c, fd, name)) return false;
    errno = the_failpoint().how == "enospc" ? ENOSPC : EIO;
    return true;
}

ssize_t write_some(int fd, const void* data, std::size_t size, off_t at) {
    static const auto next = real<ssize_t(int, const void*, std::size_t, off_t)>("pwrite");
    if (!strikes(call::write, fd)) return next(fd, data, size, at);
    if (the_failpoint().how == "short") return next(fd, data, size > 1 ? size / 2 : size, at);
    errno = the_failpoint().how == "enospc" ? ENOSPC : EIO;
    return -1;
}

}  // namespace

extern "C" {

ssize_t pwrite(int fd, const void* data, std::size_t size, off_t at) { return write_some(fd, data, size, at); }
ssize_t pwrite64(int fd, const void* data, std::size_t size, off_t at) { return write_some(fd, data, size, at); }

int fdatasync(int fd) {
    static const auto next = real<int(int)>("fdatasync");
    return fails(call::sync, fd) ? -1 : next(fd);
}
int fsync(int fd) {
    static const auto next = real<int(int)>("fsync");
    return fails(call::sync, fd) ? -1 : next(fd);
}

int renameat2(int from, const char* name, int to, const char* new_name, unsigned flags) noexcept {
    static const auto next = real<int(int, const char*, int, const char*, unsigned)>("renameat2");
    return fails(call::name, to, new_name) ? -1 : next(from, name, to, new_name, flags);
}
int unlinkat(int dir, const char* name, int flags) noexcept {
    static const auto next = real<int(int, const char*, int)>("unlinkat");
    return fails(call::name, dir, name) ? -1 : next(dir, name, flags);
}
int mkdirat(int dir, const char* name, mode_t mode) noexcept {
    static const auto next = real<int(int, const char*, mode_t)>("mkdirat");
    return fails(call::name, dir, name) ? -1 : next(dir, name, mode);
}
int ftruncate(int fd, off_t size) noexcept {
    static const auto next = real<int(int, off_t)>("ftruncate");
    return fails(call::write, fd) ? -1 : next(fd, size);
}
int openat(int dir, const char* name, int flags, ...) {
    static const auto next = real<int(int, const char*, int, ...)>("openat");
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    if ((flags & O_CREAT) != 0 && fails(call::name, dir, name)) return -1;
    return next(dir, name, flags, mode);
}
int symlinkat(const char* target, int dir, const char* name) noexcept {
    static const auto next = real<int(const char*, int, const char*)>("symlinkat");
    return fails(call::name, dir, name) ? -1 : next(target, dir, name);
}

}  // extern "C"
