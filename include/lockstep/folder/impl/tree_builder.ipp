#pragma once

#include <lockstep/folder/path.hpp>
#include <lockstep/folder/tree_builder.hpp>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <utility>

namespace lockstep::folder {
namespace detail {

/// Whether no walk to the root is longer than depth_max. `parents`: by position, `parents.size()` for the root.
/// Complexity: linear, since no walk goes on from where an earlier one was.
inline bool all_end_at_the_root(const std::vector<std::size_t>& parents) {
    std::vector<std::uint8_t> depths(parents.size(), 0);   // 0: not known yet
    static_assert(depth_max < 256);
    for (std::size_t from = 0; from < parents.size(); ++from) {
        std::size_t steps = 0, at = from;
        for (; at != parents.size() && depths[at] == 0; at = parents[at])
            if (++steps > depth_max) return false;
        std::size_t depth = steps + (at == parents.size() ? 0 : depths[at]);
        if (depth > depth_max) return false;
        for (at = from; steps > 0; --steps, at = parents[at]) depths[at] = static_cast<std::uint8_t>(depth--);
    }
    return true;
}

}  // namespace detail

LOCKSTEP_DECL bool tree_builder::add(entry e) {
    if (!find_fault(e).empty() || (!entries_.empty() && !(entries_.back()->id < e.id))) return false;
    built_.account(e, true);
    entries_.push_back(std::make_shared<const entry>(std::move(e)));
    return true;
}

LOCKSTEP_DECL bool tree_builder::add_session(node_id node, session_state state) {
    if (!(last_node_ < node) || state.number == 0) return false;   // below every node is no_node
    last_node_ = node;
    built_.set_session(node, state);
    return true;
}

LOCKSTEP_DECL std::vector<std::size_t> tree_builder::by_place() const {
    std::vector<std::size_t> order(entries_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
        return placement_less{}(entries_[a]->where, entries_[b]->where);
    });
    return order;
}

LOCKSTEP_DECL std::optional<std::size_t> tree_builder::find(entry_id id) const {
    const auto at = std::lower_bound(entries_.begin(), entries_.end(), id,
                                     [](const pointer& e, entry_id wanted) { return e->id < wanted; });
    if (at == entries_.end() || (*at)->id != id) return std::nullopt;
    return static_cast<std::size_t>(at - entries_.begin());
}

LOCKSTEP_DECL bool tree_builder::shaped(const std::vector<std::size_t>& by_place) const {
    std::vector<std::size_t> parents(entries_.size(), entries_.size());
    const entry* before = nullptr;
    std::size_t parent = entries_.size();
    for (const std::size_t at : by_place) {
        const entry& e = *entries_[at];
        if (before && before->where == e.where) return false;
        if (e.where.parent != (before ? before->where.parent : root_entry)) {
            const auto found = find(e.where.parent);
            if (!found || entries_[*found]->type != entry_type::directory) return false;
            parent = *found;
        }
        parents[at] = parent;
        before = &e;
    }
    return detail::all_end_at_the_root(parents);
}

LOCKSTEP_DECL result<tree> tree_builder::finish() {
    const auto whole = take();
    entries_.clear();
    built_ = {};
    last_node_ = no_node;
    return whole;
}

LOCKSTEP_DECL result<tree> tree_builder::take() const {
    const std::vector<std::size_t> order = by_place();
    if (!shaped(order)) return make_error_code(errc::corrupt);
    tree t = built_;
    t.by_id_ = decltype(t.by_id_)::from_sorted(
        entries_.size(), [&](std::size_t i) { return std::pair(entries_[i]->id, entries_[i]); });
    t.by_place_ = decltype(t.by_place_)::from_sorted(order.size(), [&](std::size_t i) {
        const entry& e = *entries_[order[i]];
        return std::pair(e.where, e.id);
    });
    return t;
}

}  // namespace lockstep::folder
