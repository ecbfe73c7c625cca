// What a member of a replicated state machine is told when it starts, and its bounds.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/base/time.hpp>
#include <lockstep/concepts/transport.hpp>
#include <lockstep/raft/options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

struct replicated_options {
    node_id id;
    std::string directory;              ///< of this member alone, for its log and identity; must exist
    std::string listen;                 ///< "host:port"
    std::vector<peer_address> peers;    ///< the other members, at most 8
    group_id group{2};                  ///< the same on all members; 1 is the folder's
    raft::options raft;

    duration resend_after = std::chrono::milliseconds(1500);       ///< undecided commands are sent again
    duration formation_interval = std::chrono::milliseconds(200);  ///< asking peers how they stand, and reads again
    std::size_t command_bytes_max = 16 << 20;                      ///< of one command
    std::size_t proposals_max = 4096;                              ///< undecided at a time
    std::size_t proposal_bytes_max = 32 << 20;                     ///< of them
    std::size_t reads_max = 4096;                                  ///< waiting at a time
    std::uint64_t digest_interval = 1024;                          ///< entries between comparisons of state
};

}  // namespace lockstep
