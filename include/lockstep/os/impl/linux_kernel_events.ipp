#pragma once

#include <lockstep/os/descriptor.hpp>
#include <lockstep/os/linux_kernel_events.hpp>

#include <boost/asio/error.hpp>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace lockstep {
namespace detail {

/// Why no inotify instance was made: EMFILE is what the kernel says of its limit of instances and of this process's
/// limit of descriptors alike. Under the second no other descriptor is to be had either.
inline errc instance_error(int error) noexcept {
    if (error != EMFILE) return error == ENFILE ? errc::too_many_open_files : errc::other;
    const os::descriptor other(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    return !other && errno == EMFILE ? errc::too_many_open_files : errc::instance_limit;
}

/// Why a directory is not watched.
inline errc watch_error(int error) noexcept {
    switch (error) {
        case ENOSPC: return errc::watch_limit;
        case ENFILE: return errc::too_many_open_files;
        case ENOENT: return errc::not_found;
        case ENOTDIR: return errc::not_a_directory;
        case EACCES: return errc::permission_denied;
        default: return errc::other;
    }
}

/// One inotify event tells one thing; the mask is looked at in the order of what matters most.
inline bool translate(const inotify_event& from, const char* name, kernel_event& to) {
    static constexpr struct { std::uint32_t bit; event_kind kind; } kinds[] = {
        {IN_Q_OVERFLOW, event_kind::overflow}, {IN_UNMOUNT, event_kind::unmounted}, {IN_IGNORED, event_kind::ignored},
        {IN_CREATE, event_kind::created}, {IN_MOVED_FROM, event_kind::moved_from}, {IN_MOVED_TO, event_kind::moved_to},
        {IN_DELETE, event_kind::removed}, {IN_CLOSE_WRITE, event_kind::closed_write}, {IN_MODIFY, event_kind::modified},
        {IN_ATTRIB, event_kind::attributes}, {IN_DELETE_SELF, event_kind::self_removed}, {IN_MOVE_SELF, event_kind::self_moved}};
    for (const auto& known : kinds) {
        if ((from.mask & known.bit) == 0) continue;
        to.watch = from.wd;
        to.kind = known.kind;
        to.is_directory = (from.mask & IN_ISDIR) != 0;
        to.cookie = from.cookie;
        to.name = from.len > 0 ? std::string(name) : std::string{};
        return true;
    }
    return false;
}

}  // namespace detail

LOCKSTEP_DECL result<> linux_kernel_events::start(unique_function<void()> ready) {
    const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) return make_error_code(detail::instance_error(errno));
    boost::asio::posix::stream_descriptor descriptor(context_);
    boost::system::error_code refused;
    descriptor.assign(fd, refused);
    if (refused) {
        ::close(fd);
        return make_error_code(errc::other);
    }
    descriptor_.emplace(std::move(descriptor));
    owner_ = std::make_shared<owner>(owner{std::move(ready)});
    wait();
    return {};
}

LOCKSTEP_DECL void linux_kernel_events::wait() {
    descriptor_->async_wait(boost::asio::posix::stream_descriptor::wait_read,
                            [weak = std::weak_ptr(owner_)](boost::system::error_code error) {
                                const auto told = weak.lock();
                                if (!told || error == boost::asio::error::operation_aborted) return;
                                told->wait_failed = bool(error);
                                told->ready();   // which reads, and so learns of it
                            });
}

LOCKSTEP_DECL result<watch_id> linux_kernel_events::add(const os::posix_file_system::directory& dir) {
    static constexpr std::uint32_t mask = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO |
                                          IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    if (!descriptor_) return make_error_code(errc::halted);
    // By descriptor, not by path: whatever stands at the path by now, this inode is watched.
    const std::string path = "/proc/self/fd/" + std::to_string(dir.native_handle());
    const int watch = ::inotify_add_watch(descriptor_->native_handle(), path.c_str(), mask);
    if (watch < 0) return make_error_code(detail::watch_error(errno));
    return watch_id{watch};
}

LOCKSTEP_DECL void linux_kernel_events::remove(watch_id id) {
    if (descriptor_) ::inotify_rm_watch(descriptor_->native_handle(), static_cast<int>(id));
}

LOCKSTEP_DECL std::vector<kernel_event> linux_kernel_events::read() {
    std::vector<kernel_event> events;
    if (!descriptor_) return events;
    alignas(inotify_event) char buffer[read_bytes_max];
    ssize_t got = 0;
    do got = ::read(descriptor_->native_handle(), buffer, sizeof buffer);
    while (got < 0 && errno == EINTR);
    const bool nothing_yet = got < 0 && errno == EAGAIN;
    if (owner_->wait_failed || (got <= 0 && !nothing_yet)) {
        // Waiting for it again would come back at once, without end.
        descriptor_.reset();
        events.push_back({-1, event_kind::broken, false, 0, {}});
        return events;
    }
    for (ssize_t at = 0; at < got;) {
        inotify_event head;
        std::memcpy(&head, buffer + at, sizeof head);
        kernel_event event;
        if (detail::translate(head, buffer + at + sizeof head, event)) events.push_back(std::move(event));
        at += static_cast<ssize_t>(sizeof head + head.len);
    }
    wait();
    return events;
}

LOCKSTEP_DECL void linux_kernel_events::stop() {
    owner_.reset();
    descriptor_.reset();
}

}  // namespace lockstep
