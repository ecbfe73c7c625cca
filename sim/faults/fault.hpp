// What can go wrong, as values: drawn from a seed (draw_faults.hpp), read from a scenario (scenario.hpp), thinned out when
// a failing run is shrunk, and carried out by the fault_plan.
#pragma once

#include <sim/disk/sim_disk.hpp>

#include <lockstep/base/ids.hpp>
#include <lockstep/base/time.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::sim {

enum class fault_kind : std::uint8_t {
    crash,        ///< a machine's process ends, or its power fails; it is started again after `lasts`
    cut,          ///< nothing gets through between two sides for `lasts`
    reset,        ///< a connection breaks in both directions
    cut_frame,    ///< likewise, in the midst of what it carries: some of it still arrives
    stall,        ///< nothing comes through one direction of a connection for `lasts`
    lose_events,  ///< the next kernel event is lost, and all behind it until the queue was read
    full,         ///< a disk has no more than `by` bytes left, for `lasts`
    crash_loop,   ///< a process ends `by` times, each time within `lasts` of its start
    pause,        ///< as SIGSTOP, and SIGCONT after `lasts`
    slow,         ///< everything on a machine takes `by` times as long, for `lasts`
    drift,        ///< a machine's clocks go faster by so many millionths (or slower, below 0) from now on
    stall_clock,  ///< they stand still for `lasts`: it was suspended
    step_clock,   ///< its wall clock is set by so many nanoseconds, forward or back
    campaign,     ///< a node's election timer ends: its clock leaps ahead to that
    deny,         ///< programs may not use the `by`-th thing in the directory, for `lasts`
    root_gone,    ///< the directory is taken away for `lasts`; what stands there meanwhile, `by` says (directory_faults.hpp)
    rot,          ///< a bit of what a node keeps flips on its disk; `by` picks which
    rot_reads,    ///< for `lasts`, one in `by` reads of what a node keeps has a bit wrong that is right on the disk
    bad_sector,   ///< a sector of what a node keeps cannot be read any more until it is written; `by` picks which
    misdirect,    ///< one of the next writes of chunks lands on something else that is kept; `by` picks which, and where
    fail_write,   ///< the `by`-th write from then on fails (EIO), and is not made
    fail_sync,    ///< the `by`-th sync from then on fails (EIO): some of what it was for is on the disk, and the next one says that all is
    slow_disk,    ///< all that a disk does takes `by` times as long, for `lasts`
    stall_disk,   ///< nothing comes back from a disk for `lasts`
    wipe,         ///< all that a node keeps is gone, and it is started again after `lasts`; the users' files stay
    older,        ///< a node ends, and finds after `lasts` what an older binary would have left
};

inline bool is_of_disks(fault_kind kind) noexcept { return kind >= fault_kind::rot && kind <= fault_kind::older; }
/// Kinds after which something that was kept is not there any more, or not what it was.
inline bool damages(fault_kind kind) noexcept {
    return (kind >= fault_kind::rot && kind <= fault_kind::misdirect) || kind == fault_kind::wipe;
}

/// Kinds that befall only what keeps a folder.
inline bool is_of_folders(fault_kind kind) noexcept {
    return damages(kind) || kind == fault_kind::older || kind == fault_kind::lose_events || kind == fault_kind::deny || kind == fault_kind::root_gone;
}

/// How a kind is written, and what is said of it beside whom it hits.
struct fault_grammar {
    std::string_view name;
    bool by = false;       ///< a number
    bool lasts = false;    ///< a time
    bool anybody = false;  ///< nobody need be named
    std::int64_t low = 0;  ///< of the number: below it and above `high` it would make no difference, or no sense
    std::int64_t high = 0;
};
/// Clocks go at half their speed at least, and at half as much again at most.
inline constexpr std::int64_t drift_max = 500'000;
inline constexpr std::int64_t any_number = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t day_ns = 86'400'000'000'000;
inline constexpr fault_grammar fault_grammars[] = {
    {"crash"}, {"cut"}, {"reset", false, false, true}, {"cut-frame", false, false, true}, {"stall", false, true, true},
    {"lose-events"}, {"full", true, true, false, 0, std::int64_t{1} << 32}, {"crash-loop", true, true, false, 1, 100},
    {"pause", false, true}, {"slow", true, true, false, 2, 1000}, {"drift", true, false, false, -drift_max, drift_max},
    {"stall-clock", false, true}, {"step-clock", true, false, false, -366 * day_ns, 366 * day_ns}, {"campaign"},
    {"deny", true, true, false, 0, any_number}, {"root-gone", true, true, false, 0, 1}, {"rot", true, false, false, 1, any_number},
    {"rot-reads", true, true, false, 1, 1'000'000}, {"bad-sector", true, false, false, 1, any_number},
    {"misdirect", true, false, false, 1, any_number}, {"fail-write", true, false, false, 1, 1'000'000},
    {"fail-sync", true, false, false, 1, 1'000'000}, {"slow-disk", true, true, false, 2, 1000}, {"stall-disk", false, true},
    {"wipe", false, true}, {"older", false, true},
};
inline constexpr std::size_t fault_kind_count = std::size(fault_grammars);

/// Some nodes. Who leads, who would next, and who is left, is found out when it happens.
struct some_nodes {
    std::set<node_id> ids;
    bool leader = false;
    bool next = false;     ///< of those with the newest log beside the leader, the one whose time-out ends first
    bool others = false;   ///< all that are not on the other side
    friend bool operator==(const some_nodes&, const some_nodes&) = default;
};

struct fault {
    duration at{};                               ///< since the run began
    fault_kind kind = fault_kind::crash;
    some_nodes who;                              ///< of what befalls a connection: one end of it; none is any
    some_nodes from_whom;                        ///< of a cut: the other side
    bool one_way = false;                        ///< of a cut: only what `who` says to the other side is lost
    crash_kind how = crash_kind::process;
    std::uint64_t call = 0;                      ///< of a crash: at the n-th file-system call from then on; 0: at once
    bool at_sync = false;                        ///< of such calls those that sync count only
    std::int64_t by = 0;                         ///< of what kind of number, the kind says
    duration lasts{};
    friend bool operator==(const fault&, const fault&) = default;
};

/// Things that have a time, in its order; those of one time stay in the order that they had.
template <class Timed>
void order_by_time(std::vector<Timed>& list) {
    std::multimap<duration, Timed> ordered;
    for (Timed& item : list) ordered.emplace(item.at, std::move(item));
    list.clear();
    for (auto& [at, item] : ordered) list.push_back(std::move(item));
}

}  // namespace lockstep::sim
