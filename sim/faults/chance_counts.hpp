// What went wrong by chance, beside planned faults: each packet, frame, kernel event and job of a run may be hit, with odds that are
// tunables. And what planned faults came to: the shapes of partitions, and what became of unsynced writes. How often each came to
// pass, and under which name the report says so.
#pragma once

#include <sim/disk/disk_inode.hpp>
#include <sim/disk/sim_kernel_events.hpp>
#include <sim/machine/sim_runtime.hpp>
#include <sim/network/partition.hpp>
#include <sim/network/sim_network.hpp>
#include <sim/network/sim_transport.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

namespace lockstep::sim {

struct chance_counts {
    kernel_event_counts events;
    link_counts links;
    network_counts network;
    message_counts frames;
    partition_counts partitions;
    unsynced_counts unsynced;
    job_counts jobs;
};

/// f(name, number) for each; `T` is chance_counts or const chance_counts.
template <class T, class F>
void for_each_chance(T& c, F f) {
    f("event-overflows", c.events.overflows);
    f("events-merged", c.events.merged);
    f("events-dropped", c.events.dropped);
    f("events-repeated", c.events.repeated);
    f("events-late", c.events.late);
    f("rename-halves-apart", c.events.apart);
    f("rename-halves-lost", c.events.halved);
    f("watches-refused", c.events.refused);
    f("directories-filled-before-watch", c.events.filled_before);
    f("packets-slow", c.links.slow);
    f("packets-lost", c.links.lost);
    f("packets-sent-again", c.links.sent_again);
    f("bursts", c.links.bursts);
    f("link-queues-full", c.links.queue_full);
    f("bytes-corrupted", c.network.corrupted);
    f("frames-lost", c.frames.lost);
    f("frames-repeated", c.frames.repeated);
    f("frames-reordered", c.frames.reordered);
    f("ways-broken", c.frames.broken);
    f("jobs-stalled", c.jobs.stalled);
    static constexpr const char* shapes[] = {"partitions-total",          "partitions-one-node", "partitions-one-hears-nothing",
                                             "partitions-one-is-unheard", "partitions-minority", "partitions-bridge",
                                             "partitions-ring"};
    static_assert(std::size(shapes) == partition_kind_count);
    for (std::size_t k = 0; k < partition_kind_count; ++k) f(shapes[k], c.partitions.of_shape[k]);
    f("partitions-other", c.partitions.of_none);
    f("aimed-at-leader", c.partitions.at_leader);
    f("aimed-at-next-leader", c.partitions.at_next);
    f("unsynced-writes-kept", c.unsynced.kept);
    f("unsynced-writes-lost", c.unsynced.lost);
    f("unsynced-writes-torn", c.unsynced.torn);
    f("unsynced-names-kept", c.unsynced.names_kept);
    f("unsynced-names-lost", c.unsynced.names_lost);
}

inline void add(chance_counts& to, const chance_counts& more) {
    std::vector<std::uint64_t> numbers;
    for_each_chance(more, [&](const char*, std::uint64_t n) { numbers.push_back(n); });
    std::size_t i = 0;
    for_each_chance(to, [&](const char*, std::uint64_t& n) { n += numbers[i++]; });
}

}  // namespace lockstep::sim
