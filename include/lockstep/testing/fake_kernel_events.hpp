// Scripted `kernel_events` for tests: watches are numbered by the inode that a file system tells, events are what the
// test says.
#pragma once

#include <lockstep/concepts/file_system.hpp>
#include <lockstep/concepts/kernel_events.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::testing {

/// give() queues events, deliver() tells that they wait and lets them be read, `batch_max` at a time.
template <file_system FileSystem>
class fake_kernel_events {
public:
    explicit fake_kernel_events(FileSystem& fs) : fs_(fs) {}
    fake_kernel_events(const fake_kernel_events&) = delete;
    fake_kernel_events& operator=(const fake_kernel_events&) = delete;

    // --- the concept ---

    result<> start(unique_function<void()> ready) {
        if (start_error != errc{}) return make_error_code(start_error);
        ready_ = std::move(ready);
        return {};
    }
    result<watch_id> add(const typename FileSystem::directory& dir) {
        auto status = fs_.status(dir);
        if (!status) return status.error();
        if (const auto known = watches_.find(status->inode); known != watches_.end()) return known->second;
        if (watches_.size() >= watches_max) return make_error_code(errc::watch_limit);
        const watch_id id = ++last_watch_;
        watches_.emplace(status->inode, id);
        return id;
    }
    void remove(watch_id id) {
        removed.push_back(id);
        drop(id);
    }
    std::vector<kernel_event> read() {
        const auto count = static_cast<std::ptrdiff_t>(std::min(batch_max, queue_.size()));
        std::vector<kernel_event> out(queue_.begin(), queue_.begin() + count);
        queue_.erase(queue_.begin(), queue_.begin() + count);
        return out;
    }
    void stop() { ready_ = nullptr; }

    // --- for tests ---

    void give(kernel_event event) {
        if (event.kind == event_kind::ignored) drop(event.watch);
        queue_.push_back(std::move(event));
    }
    void deliver() {
        while (ready_ && !queue_.empty()) ready_();
    }
    watch_id last_watch() const noexcept { return last_watch_; }

    errc start_error{};
    std::size_t watches_max = static_cast<std::size_t>(-1);
    std::size_t batch_max = 1024;
    std::vector<watch_id> removed;

private:
    void drop(watch_id id) {
        std::erase_if(watches_, [id](const auto& watch) { return watch.second == id; });
    }

    FileSystem& fs_;
    unique_function<void()> ready_;
    std::map<std::uint64_t, watch_id> watches_;
    std::vector<kernel_event> queue_;
    watch_id last_watch_ = 0;
};

}  // namespace lockstep::testing
