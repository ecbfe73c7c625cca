// What the scanner is asked and what it answers. Values that cross from the loop to a lane and back.
#pragma once

#include <lockstep/sync/local_tree.hpp>
#include <lockstep/sync/root.hpp>

#include <string>
#include <vector>

namespace lockstep::sync {

/// What a look does with a file that somebody holds open for writing.
enum class open_file : std::uint8_t {
    wait,           ///< it is looked at again later
    between_writes, ///< read if it only grew, or was not written for a while
    take,           ///< read as it is
};

/// Where to look: the thing at `path`, or (inside) what stands in that directory; `deep` goes on below.
struct scan_target {
    std::string path;
    bool inside = false;
    bool deep = false;
    bool settled = false;   ///< what is missing or was moved is believed: it had its time to show as half of a rename
    open_file written = open_file::wait;
    unsigned unsettled = 0;   ///< at so many looks in a row it was being written
};

struct scan_request {
    root_location root;
    local_tree local;
    std::vector<scan_target> targets;
    std::uint64_t inline_max = 0;   ///< bytes; a larger file is named, not read
    std::size_t names_max = 512;    ///< after about so many names, or
    std::size_t bytes_max = 32 << 20;  ///< bytes read, the rest is handed back
    std::int64_t racy_ns = 50'000'000;
    std::int64_t still_ns = 20'000'000;   ///< nothing was renamed in a directory that did not change for so long
    std::int64_t quiet_ns = 500'000'000;   ///< an open file that was not written for so long is not in the midst of it
};

/// One difference between the disk and the local tree given.
struct finding {
    enum class kind : std::uint8_t {
        appeared,    ///< nothing known stands at `path`
        changed,     ///< `entry` has other content, attributes or type
        refreshed,   ///< `entry` is the same, only its identity on disk differs
        moved,       ///< `entry` stands at `path` now and no longer where it was
        vanished,    ///< `entry` is not where it was
        unsettled,   ///< being written: look again
        too_large,
        unreadable,
        special,     ///< socket, device, FIFO
        invalid_name,
    };
    kind what = kind::appeared;
    std::string path;
    entry_id entry;
    file_status disk;
    content_hash hash;
    shared_bytes content;         ///< file bytes or link target, of appeared and of changed content
    bool content_changed = false; ///< of changed: not only attributes
    bool certain = true;
    bool held = false;            ///< not certain as long as somebody holds it open for writing: a mapping shows in no time stamp
    bool settled = false;         ///< as the target was
    unsigned unsettled = 0;       ///< as the target was
    bool still = false;           ///< of vanished and moved: nothing changed lately in the directory where it was
};

/// A directory to be watched (through the open handle) and then listed.
template <class Directory>
struct found_directory {
    std::string path;
    std::shared_ptr<Directory> handle;
    bool fresh = false;   ///< not only on the way of a deep look: what is in it may be new
};

template <class Directory>
struct scan_result {
    error_code root_error;  ///< set: the root is gone or foreign, and nothing else here counts
    std::vector<finding> findings;
    std::vector<found_directory<Directory>> directories;
    std::vector<scan_target> rest;   ///< not looked at yet
    std::uint64_t names_seen = 0;
};

}  // namespace lockstep::sync
