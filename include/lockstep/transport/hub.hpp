// What all connections of one stream_transport share: who this node is, whom to tell, what is counted.
#pragma once

#include <lockstep/concepts/runtime.hpp>
#include <lockstep/concepts/transport.hpp>
#include <lockstep/transport/options.hpp>

#include <map>
#include <string>
#include <utility>

namespace lockstep::framing {

/// Shared by the connections, so that it lives as long as any of their callbacks runs. Once `stopped`, nobody is told
/// anything any more.
template <class Runtime>
struct hub {
    hub(Runtime& rt, stream_transport_options o) : runtime(rt), options(o) {}

    Runtime& runtime;
    const stream_transport_options options;
    hello self;
    transport_callbacks callbacks;
    transport_counters counters;
    /// A peer has just reached this node, so it is worth dialling it at once.
    unique_function<void(node_id)> reachable;
    /// This node's connection to a peer for control has come up, so its bulk may be dialled.
    unique_function<void(node_id)> control_up;
    bool stopped = false;

    void count_sent(channel on, std::size_t bytes) {
        counters.bytes_sent += bytes;
        if (on == channel::bulk) counters.bulk_bytes_sent += bytes;
    }
    void count_received(channel on, std::size_t bytes) {
        counters.bytes_received += bytes;
        if (on == channel::bulk) counters.bulk_bytes_received += bytes;
    }

    /// Tells a problem unless it was told lately.
    void problem(std::string text) {
        if (stopped) return;
        const time_point now = runtime.now();
        std::erase_if(told_, [&](const auto& told) { return told.second + options.problem_interval <= now; });
        if (told_.contains(text) || told_.size() >= options.problems_max) return;
        told_.emplace(text, now);
        callbacks.problem(std::move(text));
    }

    void another_cluster(node_id peer) {
        if (!stopped) callbacks.another_cluster(peer);
    }

private:
    std::map<std::string, time_point> told_;
};

/// One timer that is set again and again; set or stopped, what was set before never comes. Not copyable; destroying it
/// stops it.
template <class Runtime>
class timer {
public:
    explicit timer(Runtime& rt) : runtime_(rt) {}
    ~timer() { stop(); }
    timer(const timer&) = delete;
    timer& operator=(const timer&) = delete;

    template <class F>
    void set(time_point at, F f) {
        stop();
        id_ = runtime_.schedule(at, [this, f = std::move(f)]() mutable {
            id_ = 0;
            f();
        });
    }
    void stop() {
        if (id_ != 0) runtime_.cancel(std::exchange(id_, 0));
    }

private:
    Runtime& runtime_;
    timer_id id_ = 0;
};

}  // namespace lockstep::framing
