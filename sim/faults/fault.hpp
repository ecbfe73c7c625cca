// What can go wrong, as values: drawn from a seed (draw_faults.hpp), read from a scenario (scenario.hpp), thinned out when
// a failing run is shrunk, and carried out by the fault_plan.
#pragma once

#include <sim/disk/sim_disk.hpp>

#include <lockstep/base/ids.hpp>
#include <lockstep/base/time.hpp>

#include <cstdint>
#include <set>
#include <string_view>

namespace lockstep::sim {

enum class fault_kind : std::uint8_t {
    crash,        ///< a machine's process ends, or its power fails; it is started again after `lasts`
    cut,          ///< nothing gets through between two sides for `lasts`
    reset,        ///< a connection breaks in both directions, in the midst of whatever it carries
    lose_events,  ///< kernel events are lost until the queue was read
    full,         ///< a disk has no more than `room` left, for `lasts`: what is written and what is removed counts
};
inline constexpr std::string_view fault_names[] = {"crash", "cut", "reset", "lose-events", "full"};

/// Some nodes. Who leads, and who is left, is found out when it happens.
struct some_nodes {
    std::set<node_id> ids;
    bool leader = false;
    bool others = false;   ///< all that are not on the other side
    friend bool operator==(const some_nodes&, const some_nodes&) = default;
};

struct fault {
    duration at{};                               ///< since the run began
    fault_kind kind = fault_kind::crash;
    some_nodes who;                              ///< of a reset: one, or none, which is any
    some_nodes from_whom;                        ///< of a cut: the other side
    bool one_way = false;                        ///< of a cut: only what `who` says to the other side is lost
    crash_kind how = crash_kind::process;
    std::uint64_t call = 0;                      ///< of a crash: at the n-th file-system call from then on; 0: at once
    std::uint64_t room = 0;                      ///< of a full disk: bytes
    duration lasts{};
    friend bool operator==(const fault&, const fault&) = default;
};

}  // namespace lockstep::sim
