// What a node says about itself.
#pragma once

#include <lockstep/base/ids.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

struct peer_status {
    node_id id;
    std::string address;
    bool connected = false;
    bool counts = true;            ///< false: another disk than the founding record lists
    log_index match;               ///< at a leader: known to be durable there
    std::size_t queued_bytes = 0;
};

/// A large file on its way.
struct transfer_status {
    std::string path;
    std::string what;              ///< reading, sending (others fetch it before it is proposed), writing
    std::uint64_t bytes = 0;
    std::uint64_t done = 0;
};

struct skipped_path {
    std::string path;
    std::string why;
};

/// Paths with a reason: the first of them, and how many there are in all.
struct named_paths {
    static constexpr std::size_t named_max = 100;

    /// False: no more are named.
    bool add(std::string path, std::string why) {
        ++count;
        if (first.size() < named_max) first.push_back({std::move(path), std::move(why)});
        return first.size() < named_max;
    }

    std::vector<skipped_path> first;
    std::uint64_t count = 0;       ///< of all, named or not
};

struct node_status {
    node_id id;
    std::string role;              ///< leader, follower, candidate
    std::string state;             ///< starting, waiting, following, ready, root_missing, disk_full, disk_failing, stopped
    std::string waiting_for;       ///< for a person; empty when nothing is
    lockstep::term term;
    node_id leader;
    log_index commit;
    log_index applied;
    log_index synced;              ///< everything committed up to here is on this node's disk
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::vector<peer_status> peers;

    // queue depths
    std::uint64_t hints = 0;       ///< places still to look at
    std::uint64_t proposals = 0;   ///< undecided
    std::uint64_t to_write = 0;    ///< entries whose committed state is not on this disk yet
    std::uint64_t displaced = 0;   ///< users' edits taken aside, not yet safe

    // counters
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t malformed_frames = 0;  ///< arrived, and could not be understood
    std::uint64_t commands = 0;    ///< applied
    std::uint64_t conflicts = 0;   ///< applied commands that made a conflict copy
    std::uint64_t rescans = 0;     ///< of the whole directory
    std::uint64_t files_read = 0;  ///< by looks that could not tell by names and stamps whether a file changed
    std::uint64_t overflows = 0;
    std::uint64_t watches = 0;
    bool polling = false;
    std::uint64_t log_bytes = 0;
    log_index snapshot;            ///< the state that a start begins with, and the log leads on from
    std::uint64_t compactions = 0; ///< the log was cut behind a new snapshot
    std::uint64_t installs = 0;    ///< the state was taken over from another node
    std::uint64_t collections = 0; ///< chunks that nothing needed were removed
    std::vector<transfer_status> transfers;
    std::uint64_t fetching = 0;    ///< bytes of chunks that are to come from other nodes
    std::uint64_t chunk_bytes = 0; ///< of the chunk store on disk
    std::uint64_t tree_bytes = 0;  ///< of the replicated directory on disk, once it is in step: sizes of its files
    named_paths skipped;           ///< not replicated: too large, special, unreadable, …
    named_paths unwritable;        ///< committed, and cannot be put on this disk
};

struct barrier_result {
    bool ok = false;
    std::string missing;           ///< what is still to come, or why it cannot
};

}  // namespace lockstep
