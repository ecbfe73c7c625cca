// Who would lead next: for faults that are aimed at that machine before it does.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/raft/core.hpp>

#include <utility>
#include <vector>

namespace lockstep::sim {

struct running_core {
    node_id node;
    const raft::core* core;   ///< not null
};

/// Of the running nodes but the leader, those have the newest log that all others may vote for; and of these, the one whose
/// time-out ends first. no_node: none runs.
inline node_id next_leader(const std::vector<running_core>& running, node_id leader) {
    const auto standing = [](const running_core& r) {
        const log_index last = r.core->durable_index();
        return std::pair(r.core->term_at(last).value_or(term{}), last);
    };
    const running_core* best = nullptr;
    for (const running_core& r : running) {
        if (r.node == leader) continue;
        const bool first = !best || standing(r) > standing(*best) ||
                           (standing(r) == standing(*best) && r.core->deadline() < best->core->deadline());
        if (first) best = &r;
    }
    return best ? best->node : no_node;
}

}  // namespace lockstep::sim
