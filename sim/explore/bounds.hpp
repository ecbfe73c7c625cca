// What an exploration covers: every behaviour with at most so much of each. Every number is a bound of its own, and all
// of them are part of what a verdict says.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lockstep::sim::explore {

struct bounds {
    std::size_t nodes = 3;
    std::uint64_t terms = 2;       ///< no node comes to a term above it
    std::uint64_t entries = 2;     ///< commands proposed; every new leader adds an empty entry beside them
    std::uint64_t crashes = 1;     ///< each followed by a start; what is being written is there afterwards, or not
    std::uint64_t drops = 1;       ///< messages lost
    std::uint64_t repeats = 0;     ///< messages delivered a second time
    std::uint64_t overtakes = 0;   ///< messages delivered before an older one of the same link
    std::uint64_t reads = 0;       ///< read barriers, at any node
    std::uint64_t heartbeats = 0;  ///< of leaders, beside those that elections, reads and commits send
    std::uint64_t lapses = 0;      ///< a follower stops believing in its leader without standing itself
    std::uint64_t stalls = 1;      ///< times that a node does something else while it writes
    std::uint64_t timeouts = 2;    ///< of elections, and of leaders that hear no quorum
    std::size_t inflight = 2;      ///< of a link: no timer fires, and nothing is proposed, at a node with a link that holds as many
    bool unordered = false;        ///< any message may overtake any other, free of charge; equal ones on their way are one
    bool forget_dead = true;       ///< messages of which nothing can come any more are off the network
    bool symmetry = true;          ///< states that differ in the names of nodes alone are one
    bool compare_twins = false;    ///< two ways to the same state of a node: the two nodes are compared in what they do next
    bool memory_of_steps = true;   ///< a core in the same state that is given the same is not stepped again
};

inline constexpr std::size_t nodes_max = 5;
inline constexpr std::uint64_t terms_max = 6;
inline constexpr std::uint64_t entries_max = 8;
inline constexpr std::uint64_t reads_max = 3;
/// Of drops, crashes, repeats and the like.
inline constexpr std::uint64_t each_max = 100;
/// Of stalls: as many as there are.
inline constexpr std::uint64_t unlimited = 100;

}  // namespace lockstep::sim::explore
