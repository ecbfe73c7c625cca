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

struct transport_counters {
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t frames_sent = 0;
    std::uint64_t frames_received = 0;
    std::uint64_t frames_dropped = 0;   ///< not sent: no connection, or a full queue
    std::uint64_t connects = 0;
    std::uint64_t rejected = 0;         ///< handshakes refused
    std::uint64_t malformed = 0;        ///< connections closed because of what arrived
};

struct transport_callbacks {
    unique_function<void(node_id from, shared_bytes frame)> frame;
    /// A connection to or from the peer passed its handshake; `hello` is what the peer said. May come again.
    unique_function<void(const hello&)> connected;
    /// The way to the peer broke: frames in flight may be lost.
    unique_function<void(node_id)> disconnected;
    /// Something a person should read: an address that answers with another id, another cluster, ….
    unique_function<void(std::string)> problem;
    /// Whoever has this id belongs to another cluster, and was refused. Told again at each attempt.
    unique_function<void(node_id)> another_cluster;
};

/// A `transport` carries frames between nodes. It may drop, repeat and reorder frames between two connections, never
/// within one; it never corrupts or splits one, and never delivers to a node that did not identify itself. A peer of
/// another (non-empty) cluster is refused. All on the loop; callbacks never come from inside a call. Queues are bounded:
/// send() says false where a frame was dropped.
template <class T>
concept transport = requires(T& t, const T& ct, const hello& self, const std::string& listen, std::vector<peer_address> peers,
                             transport_callbacks callbacks, node_id to, shared_bytes frame, cluster_id cluster) {
    { t.start(self, listen, std::move(peers), std::move(callbacks)) } -> std::same_as<result<>>;  // address_in_use, …
    { t.set_cluster(cluster) };                                   // from now on, in new handshakes
    { t.send(to, std::move(frame)) } -> std::same_as<bool>;
    { ct.queued_bytes(to) } -> std::same_as<std::size_t>;
    { ct.is_connected(to) } -> std::same_as<bool>;
    { ct.counters() } -> std::same_as<transport_counters>;
    { t.stop() };
};

}  // namespace lockstep
