// What a replicated directory is made of: entries with an id that survives renames, and two versions.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/base/sha256.hpp>

#include <cstdint>
#include <string>

namespace lockstep::folder {

enum class entry_type : std::uint8_t { file = 1, directory = 2, symlink = 3 };

/// Of the target of a link.
inline constexpr std::uint64_t link_bytes_max = 4095;

/// The log index of the command that set a thing; 0: never. An edit names the version it was made from.
using version = log_index;

/// Where something is: a name in a directory. Names are bytes.
struct placement {
    entry_id parent;  ///< root_entry: the top level
    std::string name;
    friend auto operator<=>(const placement&, const placement&) = default;
};

/// One file, directory or link. The bytes of a file, or the target of a link, are in the command at `content_version`;
/// those of a chunked file are in the chunks that its manifest lists, itself a chunk of that name.
struct entry {
    entry_id id;
    placement where;
    entry_type type = entry_type::file;
    std::uint32_t mode = 0;        ///< 0777 at most; 0 of a link
    std::int64_t mtime_ns = 0;     ///< since the Unix epoch; 0 of a directory: not replicated there
    content_hash hash;             ///< of file bytes or link target; empty of a directory
    std::uint64_t size = 0;        ///< bytes
    content_hash manifest;         ///< of a chunked file; else empty
    version content_version;
    version placement_version;
    friend bool operator==(const entry&, const entry&) = default;
};

}  // namespace lockstep::folder
