// Other names for the nodes of a cluster. Nodes are alike: a state and the same state with its nodes renamed have the
// same future, so that one of them is enough.
#pragma once

#include <sim/explore/bounds.hpp>

#include <lockstep/base/ids.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace lockstep::sim::explore {

/// The new name of each node, by its old one. Nobody stays nobody.
struct renaming {
    std::array<std::uint8_t, nodes_max + 1> names{};
    node_id operator()(node_id id) const noexcept { return node_id(names[static_cast<std::size_t>(id.value)]); }
};

/// All n! of them, the one that changes nothing first; or only that one.
inline std::vector<renaming> renamings(std::size_t nodes, bool all) {
    renaming r;
    for (std::size_t i = 0; i <= nodes_max; ++i) r.names[i] = static_cast<std::uint8_t>(i);
    std::vector<renaming> found;
    do found.push_back(r);
    while (all && std::next_permutation(r.names.begin() + 1, r.names.begin() + 1 + static_cast<std::ptrdiff_t>(nodes)));
    return found;
}

}  // namespace lockstep::sim::explore
