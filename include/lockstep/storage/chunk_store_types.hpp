// What a chunk store is given and what it tells.
#pragma once

#include <lockstep/content/chunk.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::storage {

struct chunk_store_options {
    /// A pack that would grow beyond this is sealed; at least 4 KiB. A larger chunk gets a pack of its own size.
    std::uint64_t pack_bytes = std::uint64_t{64} << 20;
    /// Puts merged into one write and one sync.
    std::size_t group_bytes_max = std::size_t{8} << 20;
    /// Bytes of one put.
    std::size_t put_bytes_max = std::size_t{16} << 20;
};

using content::named_chunk;

struct chunk_store_status {
    std::uint64_t bytes = 0;         ///< on disk
    std::uint64_t chunk_bytes = 0;   ///< of the chunks it has, live or not
    std::size_t chunks = 0;
    std::size_t packs = 0;
    std::size_t queued_bytes = 0;    ///< put and not answered yet
    std::uint64_t damaged = 0;       ///< chunks found damaged since the start, when they were read or copied
};

struct collection_report {
    std::uint64_t live_bytes = 0;    ///< of chunks kept: live, or used since the collection began
    std::uint64_t dropped_bytes = 0; ///< of packs removed, or to be removed when nobody reads them any more
    std::size_t packs_removed = 0;
    std::size_t chunks_copied = 0;
    std::size_t chunks_damaged = 0;  ///< that were to be kept, could not be read, and are not there any more
};

/// What a start found, for a person.
struct chunk_store_report {
    std::size_t packs = 0;
    std::size_t packs_scanned = 0;        ///< without a sound index: read as a whole
    std::size_t damaged = 0;              ///< places where something durable is damaged: what was there is not
    std::uint64_t torn_bytes = 0;         ///< cut off: writes that never completed
    std::vector<std::string> damage;      ///< the first of them: file, offset, name of the chunk if it is known
    static constexpr std::size_t damage_max = 16;
};

}  // namespace lockstep::storage
