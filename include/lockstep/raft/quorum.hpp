// Majorities, single and joint: what a set of voters has reached, and how a vote among them stands.
// Pure functions of a set and an answer per voter.
#pragma once

#include <lockstep/base/ids.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <vector>

namespace lockstep::raft {

enum class vote_result : std::uint8_t { pending, lost, won };

/// What an empty set of voters has reached: everything, so that it never holds a joint one back.
inline constexpr std::uint64_t reached_all = std::numeric_limits<std::uint64_t>::max();

/// Two majorities that must agree. Outside a change of membership `outgoing` is empty.
struct joint_voters {
    std::set<node_id> incoming;
    std::set<node_id> outgoing;
};

/// The largest number that a majority of `voters` has reached. `reached(id)` is 0 where nothing is known.
template <class Reached>
    requires std::invocable<Reached&, node_id>
std::uint64_t majority_reached(const std::set<node_id>& voters, Reached reached) {
    if (voters.empty()) return reached_all;
    std::vector<std::uint64_t> numbers;
    numbers.reserve(voters.size());
    for (const node_id id : voters) numbers.push_back(reached(id));
    const auto at = numbers.begin() + static_cast<std::ptrdiff_t>(numbers.size() / 2);
    std::nth_element(numbers.begin(), at, numbers.end(), std::greater<>());
    return *at;
}

/// How a vote stands. `ballot(id)` is an optional<bool>: empty where there is no answer yet.
template <class Ballot>
    requires std::invocable<Ballot&, node_id>
vote_result majority_vote(const std::set<node_id>& voters, Ballot ballot) {
    if (voters.empty()) return vote_result::won;
    std::size_t yes = 0;
    std::size_t open = 0;
    for (const node_id id : voters) {
        const std::optional<bool> answer = ballot(id);
        if (!answer) ++open;
        else if (*answer) ++yes;
    }
    const std::size_t needed = voters.size() / 2 + 1;
    if (yes >= needed) return vote_result::won;
    return yes + open >= needed ? vote_result::pending : vote_result::lost;
}

template <class Reached>
std::uint64_t joint_reached(const joint_voters& voters, Reached reached) {
    return std::min(majority_reached(voters.incoming, reached), majority_reached(voters.outgoing, reached));
}

template <class Ballot>
vote_result joint_vote(const joint_voters& voters, Ballot ballot) {
    const vote_result a = majority_vote(voters.incoming, ballot);
    const vote_result b = majority_vote(voters.outgoing, ballot);
    if (a == b) return a;
    return a == vote_result::lost || b == vote_result::lost ? vote_result::lost : vote_result::pending;
}

}  // namespace lockstep::raft
