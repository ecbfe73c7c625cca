// The `kernel_events` concept: change notifications of directories, as inotify gives them.
#pragma once

#include <lockstep/base/result.hpp>
#include <lockstep/base/unique_function.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

/// Names a watched directory inode; adding the same inode again gives the same id. Never reused within one instance's
/// life before an `ignored` event for it was read.
using watch_id = std::int64_t;

enum class event_kind : std::uint16_t {
    created = 1,        ///< a name appeared (also mkdir, link, symlink)
    modified = 2,       ///< written or truncated
    closed_write = 3,   ///< a descriptor open for writing was closed
    attributes = 4,
    moved_from = 5,
    moved_to = 6,
    removed = 7,
    self_removed = 8,   ///< the watched directory itself
    self_moved = 9,
    ignored = 10,       ///< the watch is gone
    overflow = 11,      ///< events were lost; `watch` is meaningless
    unmounted = 12,
    broken = 13,        ///< the last: nothing comes from this instance any more; `watch` is meaningless
};

struct kernel_event {
    watch_id watch = 0;
    event_kind kind = event_kind::created;
    bool is_directory = false;   ///< the named thing is a directory
    std::uint32_t cookie = 0;    ///< pairs moved_from with moved_to
    std::string name;            ///< of the thing in the watched directory; empty for the directory itself
};

/// Events of one instance come in the order in which the kernel saw them, may merge when identical and adjacent, and may
/// be lost only behind an `overflow` or `broken`. All is called on the loop; `ready` is called there once when events wait, and again
/// only after read() was called.
template <class K, class Directory>
concept kernel_events = requires(K& k, const Directory& dir, watch_id id, unique_function<void()> ready) {
    { k.start(std::move(ready)) } -> std::same_as<result<>>;                // instance_limit, too_many_open_files
    { k.add(dir) } -> std::same_as<result<watch_id>>;                        // watch_limit
    { k.remove(id) };
    { k.read() } -> std::same_as<std::vector<kernel_event>>;                 // what waits, bounded, maybe nothing
    { k.stop() };
};

}  // namespace lockstep
