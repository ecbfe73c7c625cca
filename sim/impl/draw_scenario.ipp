#pragma once

#include <sim/scenario.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>

namespace lockstep::sim {
namespace detail {

/// Small sizes meet each other often, and tell more about a program than large ones: a few of them are drawn for any run.
inline void draw_sizes(random_generator& random, tunables& t) {
    t.messages = random.one_in(3);
    t.kernel_events.queue_max = random.one_in(2) ? 64 : 4096;
    t.kernel_events.fails_to_start = random.one_in(16);
    if (!random.one_in(2)) {
        t.node.inline_max = 150;
        t.node.cuts = {32, 128, 512};
        t.node.piece_bytes = 1024;
    }
    if (!random.one_in(3)) {
        t.node.log_bytes_max = 6 << 10;
        t.node.log_tail_bytes = 1 << 10;
        t.node.pack_bytes = 4 << 10;
        t.node.collect_after_bytes = 8 << 10;
    }
}

/// Between the bounds, small differences as likely as large ones.
template <class T>
T draw_between(random_generator& random, T low, T high) {
    const auto span = static_cast<std::uint64_t>(high - low);
    const std::uint64_t bits = random.below(static_cast<std::uint64_t>(std::bit_width(span)) + 1);
    const std::uint64_t most = bits >= 64 ? span : std::min(span, (std::uint64_t{1} << bits) - 1);
    const std::uint64_t step = random.between(0, most);
    return random.one_in(4) ? static_cast<T>(high - static_cast<T>(step)) : static_cast<T>(low + static_cast<T>(step));
}
inline duration draw_between(random_generator& random, duration low, duration high) {
    return duration(draw_between(random, low.count(), high.count()));
}
inline bool draw_between(random_generator& random, bool, bool) { return random.one_in(2); }

/// Three, the fewest that may lose one, unless it is said how many. Some swarms have other numbers: a ring of majorities needs four.
inline std::uint64_t draw_nodes(const world& w, const drawing& how) {
    constexpr std::uint64_t others[] = {1, 2, 4, 5, 5, 7};
    random_generator random = w.fork("nodes");
    if (how.nodes) return *how.nodes;
    return how.swarm && random.one_in(4) ? others[random.below(std::size(others))] : 3;
}

/// Who there is beside the one user of each machine.
inline void draw_users(const world& w, const drawing& how, std::uint64_t nodes, tunables& t) {
    if (w.fork("trees").one_in(2)) t.user.trees_one_in = 3;
    if (w.fork("rewrites").one_in(3)) t.user.rewrites_one_in = 2;
    if (!how.swarm) return;
    random_generator random = w.fork("users");
    if (random.one_in(3)) t.user.logs = random.between(1, nodes);
    if (random.one_in(3)) t.races_one_in = random.between(20, 400);
}

/// Where no event gets lost without a word, nodes find everything without looking for it. With passes over everything, what they
/// overlook would come right before the end of a run.
inline void draw_passes(const world& w, const drawing& how, tunables& t) {
    if (!how.swarm && w.fork("passes").one_in(2)) t.node.rescan_interval = duration::zero();
}

/// Each of them is left alone in most runs, so that runs differ in what they vary.
inline void draw_tunables(const world& w, random_generator& random, tunables& t) {
    const std::uint64_t rarity = random.between(2, 12);
    std::uint64_t number = 0;
    for_each_tunable(t, [&](std::string_view name, auto& value, auto low, auto high) {
        random_generator own = w.fork("tunable", ++number);
        if (name == "no-kernel-events" || !own.one_in(rarity)) return;   // that one is drawn for every run
        value = draw_between(own, low, high);
    });
}

inline auto disk_rates(fault_rates& rates) {
    return std::array{&rates.rot_every, &rates.rot_reads_every, &rates.bad_sector_every, &rates.misdirect_every, &rates.fail_write_every,
                      &rates.fail_sync_every, &rates.slow_disk_every, &rates.stall_disk_every, &rates.wipe_every, &rates.older_every};
}

/// How far apart entries come to a follower, where what may be under way to it is little: what is left when the faults end has to come
/// within the time that a run has then.
inline duration time_of_an_entry(const tunables& t) {
    constexpr std::size_t entry_bytes = 150;
    const raft::options& raft = t.node.raft;
    const std::size_t a_message = std::clamp<std::size_t>(raft.append_bytes_max / entry_bytes, 1, raft.append_entries_max);
    const std::size_t messages = std::clamp<std::size_t>(raft.inflight_bytes_max / entry_bytes, 1, raft.inflight_messages_max);
    return 2 * t.links.delay_max / static_cast<std::int64_t>(a_message * messages);
}

/// Each kind is left out of half of the runs: a disk that has everything at once has lost all that it kept before long.
inline void draw_disk_rates(const world& w, fault_rates& rates) {
    random_generator random = w.fork("rates of disk faults");
    for (duration* every : disk_rates(rates)) {
        if (random.one_in(2)) *every = duration::zero();
        else if (random.one_in(4)) *every /= 4;
    }
}

/// Whole kinds of faults are left out of some runs, and come much more often in others.
inline void draw_rates(const world& w, random_generator& random, fault_rates& rates) {
    for (duration* every : {&rates.crash_every, &rates.cut_every, &rates.reset_every, &rates.lose_events_every, &rates.full_every,
                            &rates.cut_frame_every, &rates.stall_every, &rates.crash_loop_every, &rates.pause_every, &rates.slow_every,
                            &rates.drift_every, &rates.stall_clock_every, &rates.step_clock_every, &rates.deny_every,
                            &rates.root_gone_every}) {
        if (random.one_in(6)) *every = duration::zero();
        else if (random.one_in(4)) *every /= 4;
    }
    draw_disk_rates(w, rates);
    if (random.one_in(3)) rates.down_max = duration(random.between(10'000'000, 12'000'000'000));
    if (random.one_in(3)) rates.cut_max = duration(random.between(60'000'000, 12'000'000'000));
    if (random.one_in(3)) rates.power_one_in = random.between(1, 8);
    if (random.one_in(3)) rates.at_call_one_in = random.between(1, 8);
    if (random.one_in(3)) rates.calls_max = random.between(5, 3000);
    if (random.one_in(4)) rates.all_one_in = random.between(1, 30);
}

}  // namespace detail

namespace detail {

/// Crashes, cuts, resets, lost events and full disks only.
inline void leave_out_the_rest(fault_rates& rates) {
    for (duration* every : {&rates.cut_frame_every, &rates.stall_every, &rates.crash_loop_every, &rates.pause_every, &rates.slow_every,
                            &rates.drift_every, &rates.stall_clock_every, &rates.step_clock_every, &rates.deny_every,
                            &rates.root_gone_every})
        *every = duration::zero();
}

/// Leases claim a bound for all clocks. What breaks it is no fault that a run has to bear: drift stays within, and nothing is
/// suspended.
inline void keep_to_claimed_drift(scenario& s) {
    const std::int64_t claimed = s.tuned.node.raft.lease_drift_ppm;
    if (claimed == 0) return;
    s.tuned.clock_drift_max = std::min(s.tuned.clock_drift_max, static_cast<std::uint64_t>(claimed));
    std::erase_if(s.faults, [](const fault& f) { return f.kind == fault_kind::stall_clock; });
    for (fault& f : s.faults)
        if (f.kind == fault_kind::drift) f.by = std::clamp(f.by, -claimed, claimed);
}

/// What only folders have is left out: kernel events, a disk that is full again and again, and damage, which `replicated` has nobody
/// to look after. A command is never larger than what may be undecided. Mostly frames instead of
/// connections, which lose and reorder more and cost less; and leases in some runs, which only clients can tell the truth of.
inline void keep_to_consensus(const world& w, tunables& t, fault_rates& rates) {
    rates.lose_events_every = rates.deny_every = rates.root_gone_every = duration::zero();
    rates.full_every *= 4;
    for (duration* every : {&rates.rot_every, &rates.rot_reads_every, &rates.bad_sector_every, &rates.misdirect_every, &rates.wipe_every,
                            &rates.older_every})
        *every = duration::zero();
    t.node.proposal_bytes_max = std::max<std::uint64_t>(t.node.proposal_bytes_max, 256);
    t.messages = !w.fork("model of the network").one_in(8);
    if (w.fork("leases").one_in(3)) t.node.raft.lease_drift_ppm = 50'000;
}

inline void draw_workload(const world& w, scenario& s) {
    if (s.workload == workload_kind::consensus) {
        for (std::uint64_t c = 0; c < s.tuned.clients.clients; ++c) {
            const auto asked = draw_operations(w, c, s.tuned.clients, s.nodes, s.faulty);
            s.operations.insert(s.operations.end(), asked.begin(), asked.end());
        }
        return order_by_time(s.operations);
    }
    for (std::uint64_t id = 1; id <= s.nodes; ++id) {
        const auto edits = draw_edits(w, node_id(id), s.tuned.user, s.faulty);
        s.edits.insert(s.edits.end(), edits.begin(), edits.end());
    }
    order_by_time(s.edits);
}

}  // namespace detail

LOCKSTEP_DECL scenario draw_scenario(std::uint64_t seed, const drawing& how) {
    const world w(seed);
    random_generator random = w.fork("scenario");
    scenario s;
    s.workload = how.workload;
    s.seed = seed;
    s.nodes = detail::draw_nodes(w, how);
    s.faulty = how.faulty;
    s.calm = how.calm;
    fault_rates rates;
    detail::draw_sizes(random, s.tuned);
    if (how.swarm && !random.one_in(4)) {
        detail::draw_tunables(w, random, s.tuned);
        detail::draw_rates(w, random, rates);
    }
    if (!how.swarm)
        for (duration* every : detail::disk_rates(rates)) *every = duration::zero();
    if (how.workload == workload_kind::consensus) detail::keep_to_consensus(w, s.tuned, rates);
    else if (!how.swarm) detail::leave_out_the_rest(rates);
    if (how.swarm) rates.aimed_one_in = 5;
    detail::draw_users(w, how, s.nodes, s.tuned);
    // Each edit is work for every machine: more of them have fewer, or a run takes minutes.
    s.tuned.user.pause_max = std::max<duration>(s.tuned.user.pause_max, s.nodes * s.nodes * std::chrono::milliseconds(2));
    detail::draw_passes(w, how, s.tuned);
    make_legal(s.tuned);
    s.tuned.user.pause_max = std::max<duration>(s.tuned.user.pause_max, s.nodes * detail::time_of_an_entry(s.tuned) / 2);
    if (how.faults) s.faults = fault_drawer(w, s.nodes, how.faulty, rates).draw();
    else make_quiet(s.tuned);
    detail::keep_to_claimed_drift(s);
    detail::draw_workload(w, s);
    return s;
}

}  // namespace lockstep::sim
