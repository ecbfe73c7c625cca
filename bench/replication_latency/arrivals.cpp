#include "arrivals.hpp"

#include "child.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace bench {
namespace {

bool holds(const std::filesystem::path& path, lockstep::byte_view wanted) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    struct stat status {};
    bool same = ::fstat(fd, &status) == 0 && static_cast<std::size_t>(status.st_size) == wanted.size();
    lockstep::byte_buffer part(std::min<std::size_t>(wanted.size(), std::size_t{1} << 18));
    for (std::size_t at = 0; same && at < wanted.size();) {
        const auto got = ::read(fd, part.data(), part.size());
        same = got > 0 && std::memcmp(part.data(), wanted.data() + at, static_cast<std::size_t>(got)) == 0;
        at += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    }
    ::close(fd);
    return same;
}

}  // namespace

arrivals::arrivals(std::vector<std::filesystem::path> directories)
    : directories_(std::move(directories)), inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    if (inotify_ < 0) throw failure(std::string("inotify: ") + std::strerror(errno));
    for (std::size_t i = 0; i < directories_.size(); ++i) {
        const int watch = ::inotify_add_watch(inotify_, directories_[i].c_str(),
                                              IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR);
        if (watch < 0)
            throw failure("cannot watch " + directories_[i].string() + ": " + std::strerror(errno));
        watches_[watch] = i;
    }
}

arrivals::~arrivals() { ::close(inotify_); }

void arrivals::expect(std::size_t origin, const std::map<std::string, lockstep::byte_buffer>& contents) {
    take_events();
    contents_ = &contents;
    missing_.clear();
    to_verify_.clear();
    verified_.clear();
    for (std::size_t i = 0; i < directories_.size(); ++i)
        for (const auto& file : contents)
            if (i != origin) missing_.emplace(i, file.first);
}

std::optional<clock::time_point> arrivals::wait(clock::duration limit) {
    const auto until = clock::now() + limit;
    for (;;) {
        take_events();
        if (missing_.empty()) {
            // An event that comes while the bytes are compared may be the one that made them right: then they are
            // compared once more, and its time counts.
            verify();
            take_events();
            if (missing_.empty() && to_verify_.empty()) return last_;
            continue;
        }
        if (!wait_readable(inotify_, until - clock::now())) return std::nullopt;
    }
}

std::string arrivals::missing() const {
    return missing_.empty() ? std::string()
                            : (directories_[missing_.begin()->first] / missing_.begin()->second).string();
}

void arrivals::take_events() {
    alignas(inotify_event) char bytes[65536];
    for (;;) {
        const auto count = ::read(inotify_, bytes, sizeof bytes);
        if (count <= 0) return;
        const auto now = clock::now();
        for (ssize_t at = 0; at < count;) {
            const auto* event = reinterpret_cast<const inotify_event*>(bytes + at);
            at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
            if ((event->mask & IN_Q_OVERFLOW) != 0) {
                to_verify_.merge(missing_);
                missing_.clear();
                last_ = now;
                continue;
            }
            const auto directory = watches_.find(event->wd);
            if (contents_ == nullptr || directory == watches_.end() || event->len == 0) continue;
            auto found = missing_.extract({directory->second, event->name});
            if (found.empty()) {
                if (!verified_.contains({directory->second, event->name})) continue;
                to_verify_.emplace(directory->second, event->name);
            } else {
                to_verify_.insert(std::move(found));
            }
            last_ = now;
        }
    }
}

void arrivals::verify() {
    for (const auto& file : std::exchange(to_verify_, {})) {
        const bool same = holds(directories_[file.first] / file.second, contents_->at(file.second));
        (same ? verified_ : missing_).insert(file);
        if (!same) verified_.erase(file);
    }
}

}  // namespace bench
