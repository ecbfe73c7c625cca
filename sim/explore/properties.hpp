// What must hold of the whole cluster in every state, computed from what nodes durably hold and said, and from what was
// ever committed; not from what a core believes. One function a property; its source stands above it.
#pragma once

#include <sim/explore/cluster_state.hpp>
#include <sim/explore/interned.hpp>
#include <sim/explore/packed_log.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace lockstep::sim::explore {

/// The nodes of one state.
struct cluster_view {
    std::size_t nodes = 0;
    std::array<const member_facts*, nodes_max> of{};
    const memory* known = nullptr;
};

/// Log matching (Raft, figure 3): where two logs have an entry of the same index and term, they are the same up to
/// there.
inline bool logs_match(const packed_log& a, const packed_log& b) {
    for (std::uint64_t i = std::min(a.size, b.size); i != 0; --i)
        if (a.term_at(i) == b.term_at(i)) return same_entries(a, b, i);
    return true;
}
inline bool log_matching(const cluster_view& v) {
    for (std::size_t i = 0; i < v.nodes; ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (!logs_match(v.of[i]->disk, v.of[j]->disk)) return false;
    return true;
}

/// Leader completeness (Raft, figure 3): whoever leads has everything that was committed in the terms before. A former
/// leader that has not heard of it yet lacks what later ones committed.
inline bool leader_completeness(const cluster_view& v) {
    for (std::size_t i = 0; i < v.nodes; ++i) {
        const member_facts& f = *v.of[i];
        if (f.role != raft::role::leader || f.term < v.known->committed_in) continue;
        if (!same_terms(f.log, v.known->committed, v.known->committed.size)) return false;
    }
    return true;
}

/// What is committed is durable on a majority, and stays so: counted naively from the disks (openraft #1802).
inline bool committed_on_majority(const cluster_view& v) {
    std::size_t holders = 0;
    for (std::size_t i = 0; i < v.nodes; ++i) holders += same_entries(v.of[i]->disk, v.known->committed, v.known->committed.size);
    return holders * 2 > v.nodes;
}

/// What a node counts as committed is what was committed, and never changes (Raft, figure 3: state-machine safety, one
/// step before the machine).
inline bool commits_agree(const cluster_view& v) {
    for (std::size_t i = 0; i < v.nodes; ++i)
        if (!same_terms(v.of[i]->log, v.known->committed, v.of[i]->commit)) return false;
    return true;
}

/// The name of the first property that does not hold, or nothing.
inline const char* broken_property(const cluster_view& v) {
    if (!log_matching(v)) return "log matching: two disks have an entry in common, and differ before it";
    if (!committed_on_majority(v)) return "what is committed is not on a majority of the disks";
    if (!commits_agree(v)) return "a node counts as committed what was not committed there";
    if (!leader_completeness(v)) return "leader completeness: a leader lacks what was committed before";
    return nullptr;
}

}  // namespace lockstep::sim::explore
