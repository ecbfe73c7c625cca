// One edit as it stands in the log: what was seen, where, and the versions it was made from.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/folder/entry.hpp>

#include <string>

namespace lockstep::folder {

enum class operation : std::uint8_t {
    open_session = 0,    ///< once applied, every earlier session of the same node is fenced
    create = 1,          ///< a new entry, whose id is {session, sequence} of this command
    write = 2,           ///< new content (with mode and mtime) of an entry
    move = 3,            ///< a new placement
    remove = 4,
    set_attributes = 5,  ///< mode and mtime alone
    replace = 6,         ///< the entry at a place became another type: removes `entry`, creates {session, sequence} there
};

/// `where` is the placement that the origin saw on its disk, `path` the same as a full path ("a/b/c"), used where the
/// parent is no longer known. Everything an operation does not use is left at its default.
struct command {
    session_id session;
    std::uint64_t sequence = 0;   ///< 1, 2, … in a session (open_session is 0)
    operation what = operation::open_session;
    entry_id entry;               ///< what it is about; of create: {session, sequence}
    placement where;
    std::string path;
    version content_base;         ///< write, remove, replace
    version placement_base;       ///< move, remove, replace, write (0: not said)
    entry_type type = entry_type::file;
    std::uint32_t mode = 0;
    std::int64_t mtime_ns = 0;
    content_hash hash;
    std::uint64_t size = 0;
    bool chunked = false;         ///< `content` is the manifest of the file's bytes, which are stored as chunks
    shared_bytes content;         ///< file bytes or link target; of a chunked file its encoded manifest
    friend bool operator==(const command&, const command&) = default;
};

}  // namespace lockstep::folder
