// The `transport` concept: frames between the members of a cluster, each identified when it connects.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/ids.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/base/unique_function.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

struct peer_address {
    node_id node;
    std::string address;  ///< "host:port"
};

/// Who is on a connection; exchanged before any frame. Ids are compared, not addresses.
struct hello {
    node_id node;
    disk_id disk;
    cluster_id cluster;  ///< empty: not founded yet
    friend bool operator==(const hello&, const hello&) = default;
};

/// The ways to a peer, each with a queue of its own: what waits on one delays nothing on the other.
enum class channel : std::uint8_t {
    control = 0,  ///< what consensus needs in time
    bulk = 1,     ///< contents
};

struct transport_counters {
    std::uint64_t bytes_sent = 0;            ///< on both channels
    std::uint64_t bytes_received = 0;
    std::uint64_t bulk_bytes_sent = 0;       ///< of these, on bulk
    std::uint64_t bulk_bytes_received = 0;
    std::uint64_t frames_sent = 0;
    std::uint64_t frames_received = 0;
    std::uint64_t frames_dropped = 0;   ///< not sent: no connection, or a full queue
    std::uint64_t connects = 0;
    std::uint64_t rejected = 0;         ///< handshakes refused
    std::uint64_t malformed = 0;        ///< connections closed because of what arrived
};

struct transport_callbacks {
    unique_function<void(node_id from, channel on, shared_bytes frame)> frame;
    /// A connection for control, to or from the peer, passed its handshake; `hello` is what the peer said. May come
    /// again.
    unique_function<void(const hello&)> connected;
    /// The way to the peer broke, that of control: frames in flight may be lost.
    unique_function<void(node_id)> disconnected;
    /// After a send() on bulk that said false for want of a connection or of room: bulk to the peer is connected now,
    /// and at most half of its queue is full. Once; the next refused send() asks for it again.
    unique_function<void(node_id)> drained;
    /// Something a person should read: an address that answers with another id, another cluster, ….
    unique_function<void(std::string)> problem;
    /// Whoever has this id belongs to another cluster, and was refused. Told again at each attempt.
    unique_function<void(node_id)> another_cluster;
};

/// A `transport` carries frames between nodes, on two channels. It may drop, repeat and reorder frames between two
/// connections, never within one, and a connection carries one channel; it never corrupts or splits a frame, and never
/// delivers to a node that did not identify itself. A peer of another (non-empty) cluster is refused. All on the loop;
/// callbacks never come from inside a call. Queues are bounded: send() says false where a frame was dropped. Whatever
/// happens to bulk, control goes on.
template <class T>
concept transport = requires(T& t, const T& ct, const hello& self, const std::string& listen,
                             std::vector<peer_address> peers, transport_callbacks callbacks, node_id to, channel on,
                             shared_bytes frame, cluster_id cluster) {
    { t.start(self, listen, std::move(peers), std::move(callbacks)) } -> std::same_as<result<>>;  // address_in_use, …
    { t.set_cluster(cluster) };                                   // from now on, in new handshakes
    { t.send(to, on, std::move(frame)) } -> std::same_as<bool>;
    { ct.queued_bytes(to, on) } -> std::same_as<std::size_t>;
    { ct.is_connected(to, on) } -> std::same_as<bool>;
    { ct.counters() } -> std::same_as<transport_counters>;
    { t.stop() };
};

}  // namespace lockstep
