// Everything about a run that may be varied: of the node, the network, the kernel, the users. One table names each, says
// how far it may go, and so serves drawing a run from its seed, writing it down and reading it back.
#pragma once

#include <sim/machine/machine.hpp>
#include <sim/network/sim_transport.hpp>
#include <sim/replicated/operations.hpp>
#include <sim/workload/sim_user.hpp>

#include <lockstep/node/options.hpp>
#include <lockstep/transport/options.hpp>

#include <algorithm>
#include <type_traits>

namespace lockstep::sim {

struct tunables {
    node_options node;                  ///< of every node, but for its id and addresses
    link_options links;
    network_options network;
    runtime_options runtime;
    kernel_event_options kernel_events;
    user_options user;
    client_options clients;             ///< of the workload of consensus
    std::uint64_t users_at_calls_one_in = 12;   ///< file-system calls of a node before which a user makes one of his
    std::uint64_t races_one_in = 0;     ///< calls at which another one edits what the node is at work on; 0: none
    std::uint64_t delay_shape = 0;      ///< a delay_shape
    message_options frames;             ///< of that model
    bool messages = false;              ///< the model of frames, which get lost and come twice, instead of connections
    stream_transport_options transport; ///< over connections
    bool polling = false;               ///< nodes are told to poll, whatever the kernel gives
    duration clock_offset_max{};        ///< wall clocks are off from the beginning, each by another time, forward or back
    std::uint64_t clock_drift_max = 0;  ///< and all clocks go too fast or too slow by up to so many millionths
};

/// Calls f(name, value, low, high) for each, in an order that never changes; `T` is tunables or const tunables. Values are
/// unsigned numbers, durations or bools.
template <class T, class F>
void for_each_tunable(T& t, F f) {
    using std::chrono::microseconds, std::chrono::milliseconds, std::chrono::seconds;
    const auto number = [&](std::string_view name, auto& value, std::uint64_t low, std::uint64_t high) {
        using value_type = std::remove_cvref_t<decltype(value)>;
        f(name, value, static_cast<value_type>(low), static_cast<value_type>(high));
    };
    const auto time = [&](std::string_view name, auto& value, duration low, duration high) { f(name, value, low, high); };
    const auto flag = [&](std::string_view name, auto& value) { f(name, value, false, true); };

    time("heartbeat", t.node.raft.heartbeat_interval, milliseconds(20), milliseconds(200));
    time("election-min", t.node.raft.election_timeout_min, milliseconds(250), milliseconds(1500));
    time("election-max", t.node.raft.election_timeout_max, milliseconds(500), milliseconds(4000));
    number("append-bytes", t.node.raft.append_bytes_max, 1, 1 << 20);
    number("append-entries", t.node.raft.append_entries_max, 1, 1024);
    number("inflight-messages", t.node.raft.inflight_messages_max, 1, 64);
    number("inflight-bytes", t.node.raft.inflight_bytes_max, 1, 16 << 20);
    number("uncommitted-bytes", t.node.raft.uncommitted_bytes_max, 64 << 10, 64 << 20);
    number("window-bytes", t.node.raft.window_bytes_max, 4 << 10, 32 << 20);
    number("apply-bytes", t.node.raft.apply_bytes_max, 1, 16 << 20);
    number("persist-bytes", t.node.raft.persist_bytes_max, 1, 16 << 20);
    number("lease-drift", t.node.raft.lease_drift_ppm, 1'000, 400'000);
    number("inline-max", t.node.inline_max, 0, 64 << 10);
    number("chunk-min", t.node.cuts.min, 32, 16 << 10);
    number("chunk-average", t.node.cuts.average, 128, 64 << 10);
    number("chunk-max", t.node.cuts.max, 512, 256 << 10);
    number("piece-bytes", t.node.piece_bytes, 256, 4 << 20);
    time("settle", t.node.settle, milliseconds(1), milliseconds(200));
    time("open-file-interval", t.node.open_file_interval, milliseconds(50), seconds(2));
    time("rescan-interval", t.node.rescan_interval, seconds(2), seconds(60));
    time("resend-after", t.node.resend_after, milliseconds(200), seconds(4));
    time("retry-after", t.node.retry_after, milliseconds(100), seconds(2));
    time("formation-interval", t.node.formation_interval, milliseconds(50), milliseconds(500));
    number("proposals-max", t.node.proposals_max, 1, 1024);
    number("proposal-bytes", t.node.proposal_bytes_max, 1, 24 << 20);
    number("content-cache", t.node.content_cache_bytes, 0, 64 << 20);
    number("batch-actions", t.node.batch_actions_max, 1, 256);
    number("batch-bytes", t.node.batch_bytes_max, 1, 16 << 20);
    number("log-bytes", t.node.log_bytes_max, 2 << 10, 64 << 20);
    number("log-tail", t.node.log_tail_bytes, 0, 16 << 20);
    number("pack-bytes", t.node.pack_bytes, 4 << 10, 64 << 20);
    number("collect-after", t.node.collect_after_bytes, 1 << 10, 256 << 20);
    number("journal-bytes", t.node.journal_bytes_min, 1 << 10, 4 << 20);
    number("digest-interval", t.node.digest_interval, 16, 1024);
    flag("polling", t.polling);

    time("back-off-min", t.transport.back_off_min, milliseconds(1), milliseconds(200));
    time("back-off-max", t.transport.back_off_max, milliseconds(50), seconds(3));
    time("handshake-timeout", t.transport.handshake_timeout, milliseconds(500), seconds(8));
    time("ping-interval", t.transport.ping_interval, milliseconds(100), seconds(2));
    time("silence-max", t.transport.silence_max, seconds(1), seconds(10));
    number("queue-bytes", t.transport.queue_bytes_max, 2 << 20, 96 << 20);
    number("bulk-queue-bytes", t.transport.bulk_queue_bytes_max, 64 << 10, 8 << 20);
    number("queue-frames", t.transport.queue_frames_max, 16, 8192);
    number("write-bytes", t.transport.write_bytes, 1, 1 << 20);
    number("strangers-max", t.transport.strangers_max, 8, 64);

    time("delay-min", t.links.delay_min, microseconds(10), milliseconds(5));
    time("delay-max", t.links.delay_max, microseconds(100), milliseconds(60));
    number("slow-one-in", t.links.slow_one_in, 0, 2000);
    time("slow-max", t.links.slow_max, milliseconds(5), milliseconds(400));
    number("delay-shape", t.delay_shape, 0, 2);
    number("lost-one-in", t.links.lost_one_in, 20, 2000);
    number("burst-one-in", t.links.burst_one_in, 50, 5000);
    number("link-bytes-per-second", t.links.bytes_per_second, 50'000, 10'000'000);
    number("corrupted-one-in", t.network.corrupted_one_in, 100, 10'000);
    number("socket-buffer", t.network.buffer_max, 4 << 10, 256 << 10);
    number("split-one-in", t.network.split_one_in, 1, 100);
    number("link-queue-bytes", t.links.queue_bytes_max, 64 << 10, 1 << 20);
    number("burst-packets", t.links.burst_packets, 2, 200);
    flag("messages", t.messages);
    number("bulk-lost-one-in", t.frames.bulk_lost_one_in, 5, 1000);
    number("bulk-repeated-one-in", t.frames.bulk_repeated_one_in, 5, 1000);
    number("bulk-broken-one-in", t.frames.bulk_broken_one_in, 50, 5000);
    number("bulk-bytes-per-second", t.frames.bulk_bytes_per_second, 100'000, 32 << 20);

    time("job-start", t.runtime.job_start_max, microseconds(2), milliseconds(1));
    time("job-time", t.runtime.job_time_max, microseconds(20), milliseconds(8));
    number("stall-one-in", t.runtime.stall_one_in, 0, 5000);
    time("stall-max", t.runtime.stall_max, milliseconds(20), seconds(2));
    number("event-queue", t.kernel_events.queue_max, 8, 4096);
    number("watches-max", t.kernel_events.watches_max, 4, 8192);
    time("event-delay", t.kernel_events.delay_max, microseconds(10), milliseconds(50));
    number("event-dropped-one-in", t.kernel_events.dropped_one_in, 20, 2000);
    number("event-repeated-one-in", t.kernel_events.repeated_one_in, 5, 500);
    number("event-late-one-in", t.kernel_events.late_one_in, 10, 1000);
    number("event-halves-apart-one-in", t.kernel_events.apart_one_in, 2, 100);
    number("event-halved-one-in", t.kernel_events.halved_one_in, 4, 200);
    number("watch-refused-one-in", t.kernel_events.refused_one_in, 10, 1000);
    time("event-late", t.kernel_events.late_max, milliseconds(60), seconds(4));
    flag("no-kernel-events", t.kernel_events.fails_to_start);
    time("clock-offset", t.clock_offset_max, duration::zero(), std::chrono::hours(24));
    number("clock-drift", t.clock_drift_max, 0, 50'000);

    time("edit-pause", t.user.pause_max, milliseconds(20), seconds(2));
    time("edit-step", t.user.step_max, microseconds(100), milliseconds(50));
    time("edit-hold", t.user.hold_max, milliseconds(5), seconds(2));
    number("edit-bytes", t.user.bytes_max, 1, 40'000);
    number("names", t.user.names, 1, 40);
    number("depth", t.user.depth_max, 1, 6);
    number("synced-one-in", t.user.synced_one_in, 1, 20);
    number("slow-edit-one-in", t.user.slow_one_in, 1, 100);
    number("trees-one-in", t.user.trees_one_in, 1, 8);
    number("logs", t.user.logs, 0, 9);
    number("user-at-calls-one-in", t.users_at_calls_one_in, 2, 500);
    number("races-one-in", t.races_one_in, 10, 2000);

    number("frame-lost-one-in", t.frames.lost_one_in, 5, 1000);
    number("frame-repeated-one-in", t.frames.repeated_one_in, 5, 1000);
    number("frame-broken-one-in", t.frames.broken_one_in, 200, 10'000);
    number("clients", t.clients.clients, 1, 64);
    time("ask-pause", t.clients.pause_max, milliseconds(1), seconds(10));
    time("ask-timeout", t.clients.timeout, milliseconds(50), seconds(20));
    number("rewrites-one-in", t.user.rewrites_one_in, 1, 8);
    flag("hard-links", t.user.hard_links);
    number("frame-bytes", t.transport.frame_bytes_max, 1 << 20, 65 << 20);
    time("problem-interval", t.transport.problem_interval, seconds(1), seconds(60));
    number("problems-max", t.transport.problems_max, 1, 64);
    number("frame-queue-bytes", t.frames.queue_bytes_max, 64 << 10, 96 << 20);
    number("frame-bulk-queue-bytes", t.frames.bulk_queue_bytes_max, 64 << 10, 8 << 20);
    time("dial-interval", t.frames.dial_every, milliseconds(5), milliseconds(250));
    flag("frames-in-order", t.frames.in_order);
    number("event-read", t.kernel_events.read_max, 1, 256);
    time("refused-after", t.network.refused_after, milliseconds(500), seconds(8));
}

/// Nothing goes wrong by chance.
inline void make_quiet(tunables& t) {
    t.runtime.stall_one_in = t.links.slow_one_in = t.links.lost_one_in = t.links.burst_one_in = 0;
    t.links.bytes_per_second = t.network.corrupted_one_in = t.delay_shape = 0;
    t.frames.lost_one_in = t.frames.repeated_one_in = t.frames.broken_one_in = 0;
    auto& k = t.kernel_events;
    k.dropped_one_in = k.halved_one_in = k.repeated_one_in = k.late_one_in = k.apart_one_in = k.refused_one_in = 0;
    auto& frames = t.frames;
    frames.bulk_lost_one_in = frames.bulk_repeated_one_in = frames.bulk_broken_one_in = 0;
    t.clock_offset_max = duration::zero();
    t.clock_drift_max = 0;
}

/// What the clocks of a machine show when the run begins.
inline clock_options first_clock(const world& w, const tunables& t, node_id node) {
    random_generator random = w.fork("first clock", node.value);
    const auto about_zero = [&](std::int64_t most) { return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(2 * most) + 1)) - most; };
    clock_options clock;
    clock.offset_ns = about_zero(t.clock_offset_max.count());
    clock.drift_ppm = static_cast<std::int32_t>(about_zero(static_cast<std::int64_t>(t.clock_drift_max)));
    return clock;
}

/// Those that depend on each other are put in order.
inline void make_legal(tunables& t) {
    auto& raft = t.node.raft;
    raft.election_timeout_min = std::max(raft.election_timeout_min, 3 * raft.heartbeat_interval);
    raft.election_timeout_max = std::max(raft.election_timeout_max, raft.election_timeout_min * 3 / 2);
    auto& cuts = t.node.cuts;
    cuts.average = std::max(cuts.average, 2 * cuts.min);
    cuts.max = std::min(std::max(cuts.max, 2 * cuts.average), content::chunk_bytes_max);
    t.node.piece_bytes = std::max<std::size_t>(t.node.piece_bytes, cuts.max);
    t.node.log_tail_bytes = std::min(t.node.log_tail_bytes, t.node.log_bytes_max / 2);
    t.links.delay_max = std::max(t.links.delay_max, t.links.delay_min);
    t.links.slow_max = std::max(t.links.slow_max, t.links.delay_max);
    t.runtime.stall_max = std::max(t.runtime.stall_max, t.runtime.job_time_max);
    t.kernel_events.late_max = std::max(t.kernel_events.late_max, t.kernel_events.delay_max);
    auto& transport = t.transport;
    transport.back_off_max = std::max(transport.back_off_max, transport.back_off_min);
    transport.silence_max = std::max(transport.silence_max, 3 * transport.ping_interval);
    raft.uncommitted_bytes_max = std::max(raft.uncommitted_bytes_max, static_cast<std::size_t>(2 * t.node.inline_max));
    // An append crosses a connection, a buffer a round trip, well before its follower gives up the leader that is sending it.
    const auto trips = static_cast<std::uint64_t>(std::max<std::int64_t>(1, raft.election_timeout_min / 3 / (2 * t.links.delay_max)));
    t.network.buffer_max = std::max<std::size_t>(t.network.buffer_max, t.node.inline_max / trips);
    raft.append_bytes_max = std::min<std::size_t>(raft.append_bytes_max, trips * t.network.buffer_max);
    // Whatever is sent fits into a frame, with a command more than the bound says, which may be a manifest.
    const std::size_t largest = std::max({raft.append_bytes_max, t.node.proposal_bytes_max, t.node.piece_bytes});
    transport.frame_bytes_max = std::max(transport.frame_bytes_max, largest + t.node.inline_max + (std::size_t{1} << 20));
}

}  // namespace lockstep::sim
