// What a node's own disk holds of an entry, as far as it is known: the planner's view of the disk.
#pragma once

#include <lockstep/folder/entry.hpp>

namespace lockstep::folder {

/// The versions are those that the disk's state was made from: bases of the next edit.
struct local_entry {
    entry_id id;
    placement where;
    entry_type type = entry_type::file;
    std::uint32_t mode = 0;
    std::int64_t mtime_ns = 0;
    content_hash hash;
    std::uint64_t size = 0;
    version content_version;
    version placement_version;
    bool parked = false;  ///< it stands in staging, out of the way of others; `where` is where it was
    friend bool operator==(const local_entry&, const local_entry&) = default;
};

}  // namespace lockstep::folder
