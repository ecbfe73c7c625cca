// What a node is told when it starts.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/base/time.hpp>
#include <lockstep/concepts/policies.hpp>
#include <lockstep/content/chunk.hpp>
#include <lockstep/raft/options.hpp>

#include <string>
#include <vector>

namespace lockstep {

struct node_options {
    node_id id;
    std::string directory;              ///< the replicated root; must exist
    std::string state_directory;        ///< empty: <directory>/.lockstep
    std::string listen;                 ///< "host:port"
    std::vector<peer_address> peers;    ///< the other members, at most 8
    watcher_choice watcher = watcher_choice::automatic;
    raft::options raft;

    std::uint64_t inline_max = 64 << 10;                           ///< bytes, 256 KiB at most; larger contents stand in chunks, not in the log
    content::chunking cuts;                                        ///< alike on all nodes: who cuts alike shares chunks
    std::size_t piece_bytes = 4 << 20;                             ///< of a large file: read, stored or written in one go
    duration settle = std::chrono::milliseconds(30);               ///< before a missing or moved file is believed
    duration open_file_interval = std::chrono::milliseconds(1000); ///< a file kept open for writing is read this often
    duration rescan_interval = std::chrono::seconds(60);           ///< after each look at everything the next; 0: never
    duration resend_after = std::chrono::milliseconds(1500);       ///< undecided commands are sent again
    duration retry_after = std::chrono::milliseconds(1000);        ///< what could not be written is tried again
    duration formation_interval = std::chrono::milliseconds(200);  ///< asking peers how they stand
    std::size_t proposals_max = 1024;                              ///< undecided at a time
    std::size_t proposal_bytes_max = 24 << 20;                     ///< of them
    std::size_t content_cache_bytes = 64 << 20;                    ///< committed contents kept for writing to the disk
    std::size_t batch_actions_max = 256;                           ///< of one piece of work on the disk
    std::size_t batch_bytes_max = 16 << 20;
    std::uint64_t log_bytes_max = 64 << 20;                        ///< of entries: a longer log is cut behind a snapshot
    std::uint64_t log_tail_bytes = 16 << 20;                       ///< of them, kept for slow followers
    std::uint64_t pack_bytes = 64 << 20;                           ///< of a file of the chunk store
    std::uint64_t collect_after_bytes = 256 << 20;                 ///< of chunks more than after the last collection
    std::uint64_t journal_bytes_min = 4 << 20;                     ///< of synced records: rewritten only if longer
    std::uint64_t digest_interval = 1024;                          ///< entries between comparisons of state
};

}  // namespace lockstep
