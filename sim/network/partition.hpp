// Partitions: for a set of nodes, the directed links that are cut. Pure functions; `links::cut` applies what they give.
// Shapes as Jepsen's nemeses know them (one node, halves, bridge, ring of majorities), and one-way cuts besides.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/base/random.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::sim {

/// From one node to another: what the first one sends the second one does not hear.
using directed_link = std::pair<node_id, node_id>;
using cut_links = std::set<directed_link>;

enum class partition_kind : std::uint8_t { total, one, one_hears_nothing, one_is_unheard, minority, bridge, ring };
inline constexpr std::size_t partition_kind_count = 7;

inline std::string_view name_of(partition_kind kind) noexcept {
    switch (kind) {
        case partition_kind::total: return "total";
        case partition_kind::one: return "one node";
        case partition_kind::one_hears_nothing: return "one hears nothing";
        case partition_kind::one_is_unheard: return "one is unheard";
        case partition_kind::minority: return "minority";
        case partition_kind::bridge: return "bridge";
        case partition_kind::ring: return "ring of majorities";
    }
    return "";
}

/// All links from one of `from` to one of `to`, in that direction only.
inline cut_links one_way(std::span<const node_id> from, std::span<const node_id> to) {
    cut_links cut;
    for (node_id a : from)
        for (node_id b : to)
            if (a != b) cut.emplace(a, b);
    return cut;
}

/// Both directions between two sides.
inline cut_links apart(std::span<const node_id> a, std::span<const node_id> b) {
    cut_links cut = one_way(a, b);
    cut.merge(one_way(b, a));
    return cut;
}

inline cut_links total(std::span<const node_id> nodes) { return one_way(nodes, nodes); }

/// Those of `nodes` that are not in `side`.
inline std::vector<node_id> others(std::span<const node_id> nodes, std::span<const node_id> side) {
    std::vector<node_id> rest;
    for (node_id n : nodes)
        if (std::find(side.begin(), side.end(), n) == side.end()) rest.push_back(n);
    return rest;
}

/// Two sides that do not hear each other and share one node that hears all, and is heard by all.
inline cut_links bridge(std::span<const node_id> nodes, node_id shared) {
    const std::vector<node_id> rest = others(nodes, {&shared, 1});
    const std::span<const node_id> all(rest);
    return apart(all.first(rest.size() / 2), all.subspan(rest.size() / 2));
}

/// Each node hears and is heard by a majority (itself counted), and no two by the same one: the nodes stand in a ring in
/// the order given and hear their nearest. Three nodes or fewer have no such ring; nothing is cut there.
inline cut_links ring(std::span<const node_id> nodes) {
    cut_links cut;
    const std::size_t n = nodes.size();
    const std::size_t reach = (n / 2 + 1) / 2;  // to either side: n / 2 others at least
    for (std::size_t a = 0; a < n; ++a) {
        for (std::size_t b = 0; b < n; ++b) {
            const std::size_t there = (b + n - a) % n;
            if (std::min(there, n - there) > reach) cut.emplace(nodes[a], nodes[b]);
        }
    }
    return cut;
}

/// A partition of a kind that is aimed at `target` (the leader, say): it is the one node, is in the minority, or is the
/// bridge. What is left open is drawn. Where the nodes are too few for the kind, the target alone is cut off.
inline cut_links partition(partition_kind kind, std::span<const node_id> nodes, node_id target, random_generator& random) {
    const std::span<const node_id> one(&target, 1);
    std::vector<node_id> rest = others(nodes, one);
    for (std::size_t i = rest.size(); i > 1; --i) std::swap(rest[i - 1], rest[random.below(i)]);
    switch (kind) {
        case partition_kind::total: return total(nodes);
        case partition_kind::one: break;
        case partition_kind::one_hears_nothing: return one_way(rest, one);
        case partition_kind::one_is_unheard: return one_way(one, rest);
        case partition_kind::minority: {
            std::vector<node_id> side{target};
            while ((side.size() + 1) * 2 < nodes.size()) side.push_back(rest[side.size() - 1]);
            return apart(side, others(nodes, side));
        }
        case partition_kind::bridge: {
            if (nodes.size() < 3) break;
            rest.push_back(target);
            return bridge(rest, target);
        }
        case partition_kind::ring: {
            if (nodes.size() < 4) break;
            rest.push_back(target);
            return ring(rest);
        }
    }
    return apart(one, rest);
}

/// Which of the shapes it is, if any; a minority of one is one node.
inline std::optional<partition_kind> shape_of(const cut_links& cut, std::span<const node_id> nodes) {
    const auto open = [&](node_id a, node_id b) { return !cut.contains({a, b}); };
    const auto reached_from = [&](node_id first, const std::vector<node_id>& among) {
        std::vector<node_id> side{first};
        for (std::size_t i = 0; i < side.size(); ++i)
            for (const node_id n : among)
                if (std::find(side.begin(), side.end(), n) == side.end() && (open(side[i], n) || open(n, side[i]))) side.push_back(n);
        return side;
    };
    /// The smaller of two sides that do not hear each other, and all of which hear one another; else nothing.
    const auto smaller_side = [&](const std::vector<node_id>& among) -> std::vector<node_id> {
        if (among.empty()) return {};
        std::vector<node_id> side = reached_from(among.front(), among);
        std::vector<node_id> rest = others(among, side);
        if (rest.empty() || cut != apart(side, rest)) return {};
        return side.size() < rest.size() ? side : rest;
    };
    const std::vector<node_id> all(nodes.begin(), nodes.end());
    if (cut.empty()) return std::nullopt;
    if (cut == total(nodes)) return partition_kind::total;
    if (const auto side = smaller_side(all); !side.empty() && 2 * side.size() < all.size())
        return side.size() == 1 ? partition_kind::one : partition_kind::minority;
    for (const node_id& n : all) {
        const std::span<const node_id> one(&n, 1);
        const std::vector<node_id> rest = others(nodes, one);
        if (cut == one_way(rest, one)) return partition_kind::one_hears_nothing;
        if (cut == one_way(one, rest)) return partition_kind::one_is_unheard;
        if (!smaller_side(rest).empty()) return partition_kind::bridge;
    }
    for (const node_id a : all) {
        std::size_t heard = 1;
        for (const node_id b : all) {
            if (open(a, b) != open(b, a)) return std::nullopt;
            heard += a != b && open(a, b) ? 1 : 0;
        }
        if (2 * heard <= all.size() || heard == all.size()) return std::nullopt;
    }
    return partition_kind::ring;
}

/// Of what shape the partitions of a run were. Some are of none: where faults overlap, or a scenario has one of its own.
struct partition_counts {
    std::array<std::uint64_t, partition_kind_count> of_shape{};
    std::uint64_t of_none = 0;
    std::uint64_t at_leader = 0;   ///< faults that were aimed at whoever led then
    std::uint64_t at_next = 0;     ///< and at who would lead next
};

}  // namespace lockstep::sim
