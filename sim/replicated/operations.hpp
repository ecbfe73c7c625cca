// What clients of a replicated state machine do in a run, as values: drawn from a seed, or read from a scenario.
#pragma once

#include <sim/world.hpp>

#include <lockstep/base/ids.hpp>
#include <lockstep/base/time.hpp>

#include <chrono>
#include <cstdint>
#include <vector>

namespace lockstep::sim {

struct client_options {
    std::uint64_t clients = 4;                             ///< each asks for one thing at a time
    duration pause_max = std::chrono::milliseconds(1500);  ///< between the beginnings of what one of them asks for
    duration timeout = std::chrono::seconds(2);            ///< then it gives up and goes on; what comes later still counts
};

/// What is asked for: whatever the number says, or the first of its kind that follows from it.
enum class operation_kind : std::uint8_t { any, propose, read };

/// An operation of a client, and the node that it is asked of (the next one that runs, where that one is down). What it is,
/// its own generator says: leaving others out changes nothing of it. Its client is the number modulo that of clients; one
/// that still waits for an answer then begins it later.
struct planned_operation {
    duration at{};
    node_id node;
    std::uint64_t number = 0;
    operation_kind kind = operation_kind::any;
    friend bool operator==(const planned_operation&, const planned_operation&) = default;
};

/// Those of one client, by time, all of them before `end`.
inline std::vector<planned_operation> draw_operations(const world& w, std::uint64_t client, const client_options& options,
                                                      std::uint64_t nodes, duration end) {
    std::vector<planned_operation> operations;
    random_generator random = w.fork("operations", client);
    for (duration at = draw(random, duration(1), options.pause_max); at < end; at += draw(random, duration(1), options.pause_max))
        operations.push_back({at, node_id(1 + random.below(nodes)), operations.size() * options.clients + client});
    return operations;
}

}  // namespace lockstep::sim
