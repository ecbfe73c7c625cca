// The least that models `transport`: what the library may use of one, compiled. It drops every frame.
#pragma once

#include <lockstep/concepts/transport.hpp>

namespace lockstep::testing {

struct transport_archetype {
    transport_archetype() = default;
    transport_archetype(const transport_archetype&) = delete;
    transport_archetype& operator=(const transport_archetype&) = delete;

    result<> start(const hello&, const std::string&, std::vector<peer_address>, transport_callbacks) { return {}; }
    void set_cluster(cluster_id) {}
    bool send(node_id, channel, shared_bytes) { return false; }
    std::size_t queued_bytes(node_id, channel) const { return 0; }
    bool is_connected(node_id, channel) const { return false; }
    transport_counters counters() const { return {}; }
    void stop() {}
};

static_assert(transport<transport_archetype>);

}  // namespace lockstep::testing
