// The bag of types of a simulated node: the shipped log, transport and watcher over simulated system models.
#pragma once

#include <sim/machine/machine.hpp>

#include <lockstep/concepts/policies.hpp>
#include <lockstep/storage/wal.hpp>
#include <lockstep/transport/stream_transport.hpp>
#include <lockstep/watch/selected_watcher.hpp>

#include <variant>

namespace lockstep::sim {

/// The shipped transport over connections, or the message-level model where the machine was given one.
class chosen_transport {
    template <class F>
    auto visit(F f) {
        if (auto* t = std::get_if<sim_transport>(&which_)) return f(*t);
        return f(std::get<stream_transport<sim_runtime, sim_streams>>(which_));
    }
    template <class F>
    auto visit(F f) const {
        if (const auto* t = std::get_if<sim_transport>(&which_)) return f(*t);
        return f(std::get<stream_transport<sim_runtime, sim_streams>>(which_));
    }

public:
    chosen_transport(sim_runtime& rt, sim_streams& streams) : streams_(streams) {
        if (streams.messages()) which_.emplace<sim_transport>(rt, streams);
        else which_.emplace<stream_transport<sim_runtime, sim_streams>>(rt, streams, streams.transport_options());
    }

    result<> start(const hello& self, const std::string& listen, std::vector<peer_address> peers, transport_callbacks callbacks) {
        self_ = self.node;
        callbacks.frame = [this, deliver = std::move(callbacks.frame)](node_id from, channel on, shared_bytes frame) mutable {
            if (!streams_.messages()) trace_frame_received(streams_.in_world(), from, self_, on, frame);
            if (streams_.heard_tap() && streams_.who()->alive) (*streams_.heard_tap())(from, self_, frame);
            deliver(from, on, std::move(frame));
        };
        return visit([&](auto& t) { return t.start(self, listen, std::move(peers), std::move(callbacks)); });
    }
    void set_cluster(cluster_id cluster) {
        visit([&](auto& t) { t.set_cluster(cluster); });
    }
    bool send(node_id to, channel on, shared_bytes frame) {
        const shared_bytes copy = frame;
        const bool accepted = visit([&](auto& t) { return t.send(to, on, std::move(frame)); });
        if (!accepted || !streams_.who()->alive) return accepted;
        if (!streams_.messages()) trace_frame_sent(streams_.in_world(), self_, to, on, copy);
        if (streams_.tap()) (*streams_.tap())(self_, to, copy);
        return accepted;
    }
    std::size_t queued_bytes(node_id to, channel on) const {
        return visit([&](const auto& t) { return t.queued_bytes(to, on); });
    }
    bool is_connected(node_id to, channel on) const {
        return visit([&](const auto& t) { return t.is_connected(to, on); });
    }
    transport_counters counters() const {
        return visit([](const auto& t) { return t.counters(); });
    }
    void stop() {
        visit([](auto& t) { t.stop(); });
    }

private:
    sim_streams& streams_;
    node_id self_;
    std::variant<std::monostate, sim_transport, stream_transport<sim_runtime, sim_streams>> which_;
};

/// A log of small segments, so that runs cross their ends.
class sim_wal : public storage::wal<sim_runtime, sim_file_system> {
public:
    sim_wal(sim_runtime& rt, sim_file_system& fs, std::string state_directory)
        : wal(rt, fs, std::move(state_directory), {std::uint64_t{128} << 10, std::size_t{1} << 20}) {}
};

template <class Observer>
struct sim_policies {
    using runtime = sim_runtime;
    using file_system = sim_file_system;
    using byte_streams = sim_streams;
    using kernel_events = sim_kernel_events;
    using transport = chosen_transport;
    using log_storage = sim_wal;
    using watcher = selected_watcher<runtime, file_system, kernel_events>;
    using observer = Observer;
};

}  // namespace lockstep::sim
