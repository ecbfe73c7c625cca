// The network between simulated machines: connections with delay, resets, partitions and half-open ends, and the
// `byte_streams` of one incarnation over it. Inside a connection nothing is lost, repeated or reordered, as with TCP;
// what a program sees of loss and reordering comes from connections that break and are made anew.
#pragma once

#include <sim/network/links.hpp>

#include <lockstep/concepts/byte_streams.hpp>
#include <lockstep/transport/options.hpp>

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>

namespace lockstep::sim {

class message_network;

namespace detail {

/// One direction of a connection: what was written and has not arrived, what arrived and was not read.
struct pipe {
    std::deque<shared_bytes> sending;
    std::size_t sending_bytes = 0;
    std::deque<shared_bytes> received;
    std::size_t received_bytes = 0;
    bool end_written = false;
    bool end_received = false;
    bool moving = false;  ///< an event is under way that delivers
    std::size_t moving_bytes = 0;    ///< at most so many
    time_point stalled_until{};
    bool cut_in_frame = false;       ///< some of the next bytes arrive, and then the connection breaks
};

/// One end of a connection, of one incarnation.
struct endpoint {
    life who;
    bool open = false;     ///< the program holds it
    error_code broken;     ///< once set, every call fails with it
    pipe out;              ///< towards the other end
    std::span<std::byte> read_into;
    std::shared_ptr<unique_function<void(result<std::size_t>)>> read_done;
    std::shared_ptr<unique_function<void(error_code)>> written;
};

struct connection {
    std::uint64_t number = 0;
    std::array<endpoint, 2> ends;
};

}  // namespace detail

struct network_options {
    std::size_t buffer_max = 256 * 1024;      ///< bytes under way or unread, a direction; then writes wait
    std::uint64_t split_one_in = 4;           ///< deliveries that bring only some of the bytes
    duration refused_after = std::chrono::seconds(3);  ///< a connect that nobody answers
    std::uint64_t corrupted_one_in = 0;       ///< deliveries of which a bit is turned and TCP does not see it; 0: none
};

struct network_counts {
    std::uint64_t resets = 0;
    std::uint64_t cut_in_frame = 0;
    std::uint64_t stalls = 0;
    std::uint64_t corrupted = 0;
};

/// Lifetime: outlives all streams and machines.
class sim_stream;
class sim_network {
public:
    sim_network(world& w, links& l, network_options options = {})
        : world_(w), links_(l), options_(options), random_(w.fork("network")), faults_(w.fork("network faults")) {}
    sim_network(const sim_network&) = delete;
    sim_network& operator=(const sim_network&) = delete;

    /// The process ended. Its kernel, if that goes on, tells the others; after a power failure nobody does.
    /// Returns what the dead one left registered, to be destroyed when nothing of it is on the stack any more.
    LOCKSTEP_DECL std::vector<std::shared_ptr<void>> node_died(const life& who, crash_kind how);
    /// Breaks one established connection that involves the node (any node where none is given), in both directions.
    LOCKSTEP_DECL bool reset_one(node_id node);
    /// The same at the next bytes that come through one direction of it: some of them still arrive and are read.
    LOCKSTEP_DECL bool cut_one_in_frame(node_id node);
    /// Nothing comes through one direction of a connection for a time, though both ends live and the link is open.
    LOCKSTEP_DECL bool stall_one(node_id node, duration time);
    /// The faults are over.
    void calm() { options_.corrupted_one_in = 0; }
    network_options& options() noexcept { return options_; }
    const network_counts& counts() const noexcept { return counts_; }
    std::size_t connections() const noexcept { return connections_.size(); }

private:
    friend class sim_streams;
    friend class sim_stream;
    using accept_function = unique_function<void(std::shared_ptr<class sim_stream>)>;
    struct listener {
        life who;
        std::shared_ptr<accept_function> accepted;
    };
    using connection_ptr = std::shared_ptr<detail::connection>;

    LOCKSTEP_DECL void shake_hands(const connection_ptr& c, const std::string& address, time_point give_up,
                                   std::function<void(error_code)> answer);
    LOCKSTEP_DECL void move(const connection_ptr& c, std::size_t from);
    LOCKSTEP_DECL void deliver(const connection_ptr& c, std::size_t from);
    LOCKSTEP_DECL void deliver_later(const connection_ptr& c, std::size_t from, duration delay);
    LOCKSTEP_DECL std::uint64_t transfer(detail::pipe& out, std::size_t bytes);
    LOCKSTEP_DECL void corrupt(shared_bytes& bytes);
    LOCKSTEP_DECL connection_ptr one_of(node_id node, random_generator& random) const;
    LOCKSTEP_DECL void reset(const connection_ptr& c);
    LOCKSTEP_DECL void finish_read(const connection_ptr& c, std::size_t end);
    LOCKSTEP_DECL void finish_write(const connection_ptr& c, std::size_t end);
    LOCKSTEP_DECL static bool can_read(const detail::connection& c, std::size_t end);
    LOCKSTEP_DECL bool can_end_write(const detail::connection& c, std::size_t end) const;
    LOCKSTEP_DECL static bool is_over(const detail::connection& c);
    LOCKSTEP_DECL void break_end(const connection_ptr& c, std::size_t end, error_code why);
    LOCKSTEP_DECL void close_end(const connection_ptr& c, std::size_t end);
    void call(const life& who, std::uint64_t digest, task f) {
        world_.after(draw(random_, duration(200), duration(20'000)), trace_kind::network, who, digest, std::move(f));
    }

    world& world_;
    links& links_;
    network_options options_;
    random_generator random_;
    random_generator faults_;
    network_counts counts_;
    std::uint64_t last_number_ = 0;
    std::map<std::string, listener> listeners_;
    std::map<std::string, node_id> addresses_;             ///< who listened there last
    std::map<std::uint64_t, connection_ptr> connections_;  ///< some end may still say something
};

/// One end of a connection as a program holds it. Destroying it closes it.
class sim_stream {
public:
    sim_stream(sim_network& n, std::shared_ptr<detail::connection> c, std::size_t end)
        : network_(n), connection_(std::move(c)), end_(end) {}
    ~sim_stream() { close(); }
    sim_stream(const sim_stream&) = delete;
    sim_stream& operator=(const sim_stream&) = delete;

    LOCKSTEP_DECL void read(std::span<std::byte> into, unique_function<void(result<std::size_t>)> done);
    LOCKSTEP_DECL void write(std::vector<shared_bytes> buffers, unique_function<void(error_code)> done);
    LOCKSTEP_DECL void close();

private:
    detail::endpoint& self() { return connection_->ends[end_]; }
    sim_network& network_;
    std::shared_ptr<detail::connection> connection_;
    std::size_t end_;
};

class sim_streams {
public:
    using stream = sim_stream;

    /// `messages` is the other model of the network, for transports that use that one.
    sim_streams(sim_network& n, life who, message_network* messages = nullptr)
        : network_(n), who_(std::move(who)), messages_(messages) {}
    ~sim_streams() { stop_listening(); }
    sim_streams(const sim_streams&) = delete;
    sim_streams& operator=(const sim_streams&) = delete;

    LOCKSTEP_DECL result<> listen(const std::string& address, unique_function<void(std::shared_ptr<stream>)> accepted);
    LOCKSTEP_DECL void stop_listening();
    LOCKSTEP_DECL void connect(const std::string& address, unique_function<void(result<std::shared_ptr<stream>>)> connected);

    message_network* messages() const noexcept { return messages_; }
    /// Of a transport over these connections.
    void set_transport_options(const stream_transport_options& options) { transport_options_ = options; }
    const stream_transport_options& transport_options() const noexcept { return transport_options_; }
    /// Shown each frame that a transport over this network accepts for sending.
    using frame_tap = std::function<void(node_id from, node_id to, const shared_bytes& frame)>;
    void set_tap(const frame_tap* tap) noexcept { tap_ = tap; }
    const frame_tap* tap() const noexcept { return tap_; }
    /// Shown each frame that a transport over this network gives to its node, before that has it.
    void set_heard_tap(const frame_tap* tap) noexcept { heard_tap_ = tap; }
    const frame_tap* heard_tap() const noexcept { return heard_tap_; }
    const life& who() const noexcept { return who_; }
    world& in_world() const noexcept { return network_.world_; }

private:
    sim_network& network_;
    life who_;
    message_network* messages_;
    const frame_tap* tap_ = nullptr;
    const frame_tap* heard_tap_ = nullptr;
    stream_transport_options transport_options_;
    std::string address_;
};

static_assert(byte_streams<sim_streams>);

}  // namespace lockstep::sim

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <sim/network/impl/sim_network.ipp>
#endif
