// What is given to a run besides its scenario, and what comes out of it.
#pragma once

#include <sim/checker.hpp>
#include <sim/faults/attendant.hpp>
#include <sim/faults/chance_counts.hpp>
#include <sim/faults/fault_plan.hpp>
#include <sim/world.hpp>

#include <lockstep/base/probe.hpp>
#include <lockstep/base/time.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <string>

namespace lockstep::sim {

struct run_hooks {
    std::function<void(std::string)> log;   ///< what nodes report, a line each; may be empty
    trace_recorder* trace = nullptr;        ///< of this run alone; none: nothing is recorded
    std::function<void(const ran_event&)> after_event;   ///< told of each event that ran; may be empty
    std::function<void(world&)> prepare;    ///< is given the world before anything happens in it; may be empty
};

/// What a run took of the processor. It is no part of what happened in it, and another one each time.
struct run_cost {
    duration time{};
    std::uint64_t allocations = 0;    ///< 0 where nobody counts them
};

/// Of a run of any workload; what a workload does not have stays 0.
struct run_result {
    failure outcome;
    run_cost cost;
    std::uint64_t trace_hash = 0;
    std::uint64_t events = 0;
    std::uint64_t messages = 0;       ///< frames that nodes gave to their transports
    std::uint64_t elections = 0;      ///< terms that came to have a leader
    duration virtual_time{};
    fault_counts faults{};           ///< by kind
    chance_counts chances;            ///< what went wrong besides
    std::uint64_t clocks_off = 0;     ///< machines whose clocks were wrong from the beginning
    std::uint64_t committed = 0;      ///< log entries
    attendant_counts stops;           ///< of nodes that ended themselves for a reason, and were started again
    std::uint64_t wiped = 0;          ///< disks, and what nodes kept that would not start over it
    std::uint64_t refused_damage = 0; ///< which would have left too few good disks
    duration settled{};               ///< after the faults stopped
    std::array<std::uint64_t, probe_count> probes{};   ///< how often each was reached

    // of folders
    std::uint64_t edits = 0;
    std::uint64_t conflicts = 0;
    std::uint64_t contents = 0;       ///< closed by users
    std::uint64_t chunked = 0;        ///< applied commands whose contents are in chunks
    std::uint64_t compactions = 0;    ///< logs cut behind a snapshot, by nodes since they started
    std::uint64_t installed = 0;      ///< nodes that caught up by a state of another
    std::uint64_t content_looks = 0;  ///< for a content on the disks of a majority
    std::uint64_t collections = 0;    ///< of chunks that nobody needed any more, likewise
    std::uint64_t denials_named = 0;  ///< things that a node could not use, and said so in its status
    std::uint64_t roots_missed = 0;   ///< directories that were away, and whose node said so
    std::uint64_t races = 0;          ///< edits of what a node was at work on
    std::uint64_t log_lines = 0;      ///< written to files that stay open
    std::uint64_t logs_open = 0;      ///< files that were kept open to the end
    std::uint64_t log_states = 0;     ///< of such files that were seen on disks

    // of replicated state machines
    std::uint64_t operations = 0;     ///< that clients asked for
    std::uint64_t unanswered = 0;     ///< of them, in time: nobody knows whether they were done
    std::uint64_t undecided = 0;      ///< histories whose linearizability could not be decided within the limits
};

/// How often each probe was reached since this object was made. One at a time in a process.
class probe_counter {
public:
    probe_counter() {
        reached_ = {};
        before_ = set_probe_handler([](probe p) noexcept { ++reached_[static_cast<std::size_t>(p)]; });
    }
    ~probe_counter() { set_probe_handler(before_); }
    probe_counter(const probe_counter&) = delete;
    probe_counter& operator=(const probe_counter&) = delete;

    const std::array<std::uint64_t, probe_count>& counts() const noexcept { return reached_; }

private:
    static inline std::array<std::uint64_t, probe_count> reached_{};
    probe_handler before_;
};

}  // namespace lockstep::sim
