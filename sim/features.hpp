// Which kinds of faults and which features a run has, and which were left out of it: the head of its report. Planned faults by
// how many there are, what comes by chance by its odds.
#pragma once

#include <sim/scenario.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep::sim {

/// f(name, value) for each feature that is not planned but on or off; 0: off.
template <class F>
void for_each_feature(const tunables& t, F f) {
    const auto on = [](bool yes) { return std::uint64_t{yes}; };
    f("slow-packets", t.links.slow_one_in);
    f("lost-packets", t.links.lost_one_in);
    f("bursts", t.links.burst_one_in);
    f("narrow-links", t.links.bytes_per_second);
    f("corrupted-bytes", t.network.corrupted_one_in);
    f("heavy-delays", t.delay_shape);
    f("frames", on(t.messages));
    f("stalled-jobs", t.runtime.stall_one_in);
    f("dropped-events", t.kernel_events.dropped_one_in);
    f("repeated-events", t.kernel_events.repeated_one_in);
    f("late-events", t.kernel_events.late_one_in);
    f("rename-halves-apart", t.kernel_events.apart_one_in);
    f("rename-halves-lost", t.kernel_events.halved_one_in);
    f("refused-watches", t.kernel_events.refused_one_in);
    f("no-kernel-events", on(t.kernel_events.fails_to_start));
    f("polling", on(t.polling));
    f("clocks-off", on(t.clock_offset_max != duration::zero()));
    f("clocks-drift", t.clock_drift_max);
    f("no-passes", on(t.node.rescan_interval == duration::zero()));
    f("trees", t.user.trees_one_in);
    f("rewrites", t.user.rewrites_one_in);
    f("hard-links", t.user.hard_links);
    f("logs", t.user.logs);
    f("races", t.races_one_in);
}

/// f(name, value, planned): how many there are of each kind of planned faults, and each feature; 0: off.
template <class F>
void for_each_kind(const scenario& s, F f) {
    std::array<std::uint64_t, fault_kind_count> planned{};
    for (const fault& fault : s.faults) ++planned[static_cast<std::size_t>(fault.kind)];
    for (std::size_t k = 0; k < fault_kind_count; ++k) f(fault_grammars[k].name, planned[k], true);
    for_each_feature(s.tuned, [&](std::string_view name, std::uint64_t value) { f(name, value, false); });
}

/// Two lines: what is on, and what is off.
inline std::string features_of(const scenario& s) {
    std::string on = "on:", off = "off:";
    for_each_kind(s, [&](std::string_view name, std::uint64_t value, bool planned) {
        std::string& line = value != 0 ? on : off;
        line += (line.back() == ':' ? " " : ", ") + std::string(name);
        if (value != 0 && planned) line += " x" + std::to_string(value);
    });
    return on + "\n" + off + "\n";
}

}  // namespace lockstep::sim
