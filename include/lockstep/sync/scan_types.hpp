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
    unsigned unsettled = 0;          ///< at so many looks in a row it was being written,
    content_hash unsettled_since{};  ///< all of them since this was read there
};

struct scan_request {
    root_location root;
    local_tree local;
    std::vector<scan_target> targets;
    std::uint64_t inline_max = 0;   ///< bytes; a larger file is named (finding::kind::large), not read
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
        large,       ///< a file that is read in pieces, apart from looking (large_file.hpp): `disk` says what stands there
        unreadable,
        special,     ///< socket, device, FIFO
        invalid_name,
    };
    kind what = kind::appeared;
    std::string path;
    entry_id entry;
    file_status disk;
    content_hash hash;
    std::uint64_t size = 0;       ///< of the content
    bool chunked = false;         ///< `content` is the manifest of a large file, whose chunks are stored
    shared_bytes content;         ///< file bytes or link target, of appeared and of changed content
    bool content_changed = false; ///< of changed: not only attributes
    bool certain = true;
    bool held = false;            ///< not certain as long as somebody holds it open for writing: a mapping shows in no time stamp
    bool settled = false;         ///< as the target was
    unsigned unsettled = 0;       ///< as the target was, and:
    content_hash unsettled_since{};
    bool still = false;           ///< of vanished and moved: nothing changed lately in the directory where it was
};

/// Says how what was found differs from what is known of it there.
inline void compare_with(finding& found, const local_record& known, bool content_changed) {
    const bool link = known.type == folder::entry_type::symlink;
    const bool directory = known.type == folder::entry_type::directory;
    const bool attributes = (!link && known.mode != (found.disk.mode & 0777)) ||
                            (!link && !directory && known.mtime_ns != found.disk.mtime_ns);
    found.what = content_changed || attributes ? finding::kind::changed : finding::kind::refreshed;
    found.content_changed = content_changed;
    found.entry = known.id;
    if (!content_changed) found.content = {};
}

/// As that, of a file or link that was read; `known`: what is known at its path, if anything is.
inline void compare_content(finding& found, const local_record* known) {
    if (known && known->type == entry_type_of(found.disk.type))
        return compare_with(found, *known, known->hash != found.hash || known->size != found.size);
    found.what = known ? finding::kind::changed : finding::kind::appeared;
    found.content_changed = true;
    found.entry = known ? known->id : root_entry;
}

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
    std::uint64_t files_read = 0;    ///< to hash them
};

}  // namespace lockstep::sync
