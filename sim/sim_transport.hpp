// A model of `transport` for messages: each frame on its own may be lost, repeated, delayed past others or cut off by a
// partition. Harsher than what connections can do, and cheaper. Runs choose by seed between this and stream_transport.
#pragma once

#include <sim/sim_network.hpp>
#include <sim/sim_runtime.hpp>

#include <lockstep/concepts/transport.hpp>

namespace lockstep::sim {

struct message_options {
    std::uint64_t lost_one_in = 50;      ///< 0: never
    std::uint64_t repeated_one_in = 50;
    std::uint64_t broken_one_in = 2000;  ///< frames at which the way to the peer breaks
    std::size_t queue_bytes_max = std::size_t{96} << 20;
    duration dial_every = std::chrono::milliseconds(25);
};

class sim_transport;

/// All transports of a world, by the address on which they listen. Lifetime: outlives them.
class message_network {
public:
    message_network(world& w, links& l, message_options options = {})
        : world_(w), links_(l), options_(options), random_(w.fork("messages")) {}

    void calm() { options_.lost_one_in = options_.repeated_one_in = options_.broken_one_in = 0; }

private:
    friend class sim_transport;
    world& world_;
    links& links_;
    message_options options_;
    random_generator random_;
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
    LOCKSTEP_DECL bool send(node_id to, shared_bytes frame);
    std::size_t queued_bytes(node_id to) const {
        const auto p = peers_.find(to);
        return p == peers_.end() ? 0 : p->second.under_way;
    }
    bool is_connected(node_id to) const {
        const auto p = peers_.find(to);
        return p != peers_.end() && p->second.there;
    }
    transport_counters counters() const { return counters_; }
    LOCKSTEP_DECL void stop();

private:
    struct peer {
        std::string address;
        life there;  ///< the incarnation at the other end; none: not connected
        std::size_t under_way = 0;
    };

    LOCKSTEP_DECL void dial();
    LOCKSTEP_DECL void connect(node_id to, peer& p);
    LOCKSTEP_DECL void disconnect(node_id to, peer& p);
    LOCKSTEP_DECL void carry(node_id to, const life& there, const std::string& address, shared_bytes frame);
    LOCKSTEP_DECL void receive(node_id from, const shared_bytes& frame);
    /// Runs on this node's loop, unless the transport was stopped.
    template <class F>
    void call(F f) {
        network_.world_.after(network_.links_.delay(), trace_kind::message, who_, 0,
                              [session = std::weak_ptr(session_), f = std::move(f)] {
                                  if (session.lock()) f();
                              });
    }

    message_network& network_;
    life who_;
    hello self_;
    std::string address_;
    std::map<node_id, peer> peers_;
    std::shared_ptr<transport_callbacks> callbacks_;
    std::shared_ptr<int> session_;  ///< of start() to stop()
    transport_counters counters_;
};

static_assert(transport<sim_transport>);

}  // namespace lockstep::sim

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <sim/impl/sim_transport.ipp>
#endif
