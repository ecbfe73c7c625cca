// The `watcher` concept: hints that something below a directory may have changed.
#pragma once

#include <lockstep/base/result.hpp>
#include <lockstep/base/time.hpp>
#include <lockstep/base/unique_function.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

/// "Look here." Paths are relative to the root, components joined by '/'; the root is "".
struct hint {
    enum class kind : std::uint8_t {
        name,       ///< the thing at `path` may have changed, come or gone
        directory,  ///< anything directly inside `path`, or its own attributes
        everything, ///< anything anywhere: events were lost, or a poll is due
    };
    kind what = kind::everything;
    std::string path;
    bool open_for_write = false;  ///< a writer modified it and has not closed it, as far as seen
    friend bool operator==(const hint&, const hint&) = default;
};

struct watcher_counters {
    std::uint64_t watches = 0;
    std::uint64_t events = 0;
    std::uint64_t overflows = 0;
    std::uint64_t polls = 0;
    bool polling = false;  ///< this watcher only polls, or fell back to it
    duration told_within{};  ///< so long after a change it may be told of, by polling; the kernel tells at once
};

struct watcher_callbacks {
    unique_function<void(std::vector<hint>)> hints;
    unique_function<void(std::string)> problem;  ///< for a person: no watches left, falling back
};

/// A `watcher` gives hints; truth is on the disk. For every change below a directory that was added, a hint that covers it
/// comes after the change, in bounded time; hints may also be false, repeated, merged or late. A change made after add()
/// returned and before it was listed shows in either. Watches follow the directory's inode: after a rename the
/// owner adds it again under its new path. All on the loop; callbacks never from inside a call.
///
/// flush(done): after every change that was made before the call has been given as a hint, `done` is called.
template <class W, class Directory>
concept watcher = requires(W& w, const W& cw, const std::string& path, const Directory& dir, watcher_callbacks callbacks,
                           unique_function<void(error_code)> done) {
    { w.start(dir, std::move(callbacks)) } -> std::same_as<result<>>;   // dir: where a flush may leave its marks
    { w.add(path, dir) };                                               // idempotent; before the directory is listed
    { w.remove(path) };                                                 // and everything below it
    { w.flush(std::move(done)) };
    { cw.counters() } -> std::same_as<watcher_counters>;
    { w.stop() };
};

}  // namespace lockstep
