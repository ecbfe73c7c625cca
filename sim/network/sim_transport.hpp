// A model of `transport` for messages: each frame on its own may be lost, repeated, delayed past others or cut off by a
// partition; bulk on its own odds, apart from control. Harsher than what connections can do, and cheaper. Runs choose by seed between this and stream_transport.
#pragma once

#include <sim/network/sim_network.hpp>
#include <sim/machine/sim_runtime.hpp>
#include <sim/trace/messages.hpp>

#include <lockstep/concepts/transport.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace lockstep::sim {

struct message_options {
    std::uint64_t lost_one_in = 50;      ///< 0: never
    std::uint64_t repeated_one_in = 50;
    std::uint64_t broken_one_in = 2000;  ///< frames at which the way to the peer breaks
    std::size_t queue_bytes_max = std::size_t{96} << 20;
    std::uint64_t bulk_lost_one_in = 50;
    std::uint64_t bulk_repeated_one_in = 50;
    std::uint64_t bulk_broken_one_in = 500;
    std::size_t bulk_queue_bytes_max = std::size_t{8} << 20;
    /// From one node to another; control has no width.
    std::uint64_t bulk_bytes_per_second = std::uint64_t{32} << 20;
    duration dial_every = std::chrono::milliseconds(25);
    bool in_order = false;  ///< no frame overtakes an earlier one of its channel
};

struct message_counts {
    std::uint64_t lost = 0;
    std::uint64_t repeated = 0;
    std::uint64_t reordered = 0;  ///< frames that overtook an earlier one
    std::uint64_t broken = 0;
};

class sim_transport;

/// All transports of a world, by the address on which they listen. Lifetime: outlives them.
class message_network {
public:
    message_network(world& w, links& l, message_options options = {})
        : world_(w), links_(l), options_(options), random_(w.fork("messages")) {}

    void calm() {
        options_.lost_one_in = options_.repeated_one_in = options_.broken_one_in = 0;
        options_.bulk_lost_one_in = options_.bulk_repeated_one_in = options_.bulk_broken_one_in = 0;
    }
    message_options& options() noexcept { return options_; }
    const message_counts& counts() const noexcept { return counts_; }
    /// Breaks the bulk that a node sends to another, if there is any.
    LOCKSTEP_DECL bool break_bulk(node_id from, node_id to);

private:
    friend class sim_transport;
    world& world_;
    links& links_;
    message_options options_;
    random_generator random_;
    message_counts counts_;
    std::map<std::string, sim_transport*> listening_;
};

class sim_transport {
public:
    sim_transport(message_network& n, life who) : network_(n), who_(std::move(who)) {}
    sim_transport(sim_runtime&, sim_streams& streams) : sim_transport(*streams.messages(), streams.who()) {}
    ~sim_transport() { stop(); }
    sim_transport(const sim_transport&) = delete;
    sim_transport& operator=(const sim_transport&) = delete;

    LOCKSTEP_DECL result<> start(const hello& self, const std::string& listen, std::vector<peer_address> peers,
                                 transport_callbacks callbacks);
    void set_cluster(cluster_id cluster) { self_.cluster = cluster; }
    LOCKSTEP_DECL bool send(node_id to, channel on, shared_bytes frame);
    std::size_t queued_bytes(node_id to, channel on) const {
        const auto p = peers_.find(to);
        return p == peers_.end() ? 0 : p->second.way_of(on).under_way;
    }
    bool is_connected(node_id to, channel on) const {
        const auto p = peers_.find(to);
        return p != peers_.end() && p->second.way_of(on).there;
    }
    transport_counters counters() const { return counters_; }
    LOCKSTEP_DECL void stop();

private:
    friend class message_network;
    struct way {
        life there;  ///< the incarnation at the other end; none: not connected
        std::size_t under_way = 0;
        bool wanted = false;   ///< bulk only: something was to be sent
        bool refused = false;  ///< bulk only: drained is owed
        time_point busy_until{};
        time_point last_arrival{};
    };
    struct peer {
        std::string address;
        way control;
        way bulk;
        way& way_of(channel on) { return on == channel::bulk ? bulk : control; }
        const way& way_of(channel on) const { return on == channel::bulk ? bulk : control; }
    };
    struct odds {
        std::uint64_t lost_one_in, repeated_one_in, broken_one_in;
        std::size_t queue_bytes_max;
    };

    LOCKSTEP_DECL void dial();
    LOCKSTEP_DECL void dial_bulk(node_id to, peer& p, bool open);
    LOCKSTEP_DECL void connect(node_id to, peer& p);
    LOCKSTEP_DECL void disconnect(node_id to, peer& p);
    LOCKSTEP_DECL odds odds_of(channel on) const;
    LOCKSTEP_DECL std::optional<duration> travel_time(node_id to, channel on, std::size_t bytes);
    LOCKSTEP_DECL duration arrange(way& w, duration delay);
    LOCKSTEP_DECL void carry(node_id to, channel on, shared_bytes frame, std::uint64_t sent);
    LOCKSTEP_DECL void left(node_id to, channel on, std::size_t bytes);
    LOCKSTEP_DECL void tell_drained(node_id to, way& bulk);
    /// Whether the hello of a peer on that disk is the last that was told of it.
    bool knows(node_id who, disk_id disk) const {
        const auto told = introduced_.find(who);
        return told != introduced_.end() && told->second == disk;
    }
    LOCKSTEP_DECL void receive(node_id from, channel on, const shared_bytes& frame, std::uint64_t sent);
    /// Runs on this node's loop, unless the transport was stopped. In the order in which it happened: who hears that a way
    /// broke after it heard of the next one takes the peer for gone.
    template <class F>
    void call(F f) {
        told_at_ = std::max(told_at_, network_.world_.now() + network_.links_.delay());
        network_.world_.schedule(told_at_, trace_kind::message, who_, 0,
                                 [session = std::weak_ptr(session_), f = std::move(f)] {
                                     if (session.lock()) f();
                                 });
    }

    message_network& network_;
    life who_;
    hello self_;
    std::string address_;
    std::map<node_id, peer> peers_;
    std::map<node_id, disk_id> introduced_;   ///< the disk that each was last told to be on
    std::shared_ptr<transport_callbacks> callbacks_;
    std::shared_ptr<int> session_;  ///< of start() to stop()
    transport_counters counters_;
    time_point told_at_{};          ///< all that was to be told by now is told by then
};

static_assert(transport<sim_transport>);

}  // namespace lockstep::sim

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <sim/network/impl/sim_transport.ipp>
#endif
