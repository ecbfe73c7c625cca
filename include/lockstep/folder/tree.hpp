// The replicated directory as a value: entries by id and by place, the sessions that made them, and a digest of it all.
// It knows the shape that a tree must have, not the rules by which commands change it (see apply.hpp).
#pragma once

#include <lockstep/base/assert.hpp>
#include <lockstep/base/config.hpp>
#include <lockstep/base/persistent_map.hpp>
#include <lockstep/folder/entry.hpp>

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::folder {

/// The current session of a node, and the last sequence of it that was taken.
struct session_state {
    std::uint64_t number = 0;
    std::uint64_t last = 0;
    friend bool operator==(const session_state&, const session_state&) = default;
};

/// A placement whose name is not owned: for looking up.
struct placement_view {
    entry_id parent;
    std::string_view name;
    friend auto operator<=>(const placement_view&, const placement_view&) = default;
    friend bool operator==(const placement_view&, const placement_view&) = default;
};
inline placement_view view_of(const placement& where) noexcept { return {where.parent, where.name}; }

/// Orders by parent, then by name; takes both kinds.
struct placement_less {
    static placement_view as_view(const placement& p) noexcept { return view_of(p); }
    static placement_view as_view(const placement_view& p) noexcept { return p; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const noexcept { return as_view(a) < as_view(b); }
};

/// A copy is O(1). Thread safety: a value; copies share structure and may be used on other threads.
/// Lifetimes: pointers are good until this tree is changed or destroyed.
class tree {
public:
    /// An entry; nothing where it is not known, and of the root, which has no entry.
    const entry* find(entry_id id) const noexcept {
        const auto* found = by_id_.find(id);
        return found ? found->get() : nullptr;
    }
    bool is_directory(entry_id id) const noexcept {
        const entry* e = find(id);
        return id == root_entry || (e && e->type == entry_type::directory);
    }

    std::optional<entry_id> child(entry_id parent, std::string_view name) const {
        const entry_id* id = by_place_.find(placement_view{parent, name});
        return id ? std::optional<entry_id>(*id) : std::nullopt;
    }
    /// Calls f(const entry&) for what is in a directory, in order of name.
    template <class F>
    void for_each_child(entry_id parent, F f) const {
        for (auto it = by_place_.lower_bound(placement_view{parent, {}}); it != by_place_.end(); ++it) {
            if (it->first.parent != parent) break;
            f(*find(it->second));
        }
    }
    std::vector<entry_id> children(entry_id parent) const {
        std::vector<entry_id> ids;
        for_each_child(parent, [&](const entry& e) { ids.push_back(e.id); });
        return ids;
    }
    bool has_children(entry_id parent) const {
        auto it = by_place_.lower_bound(placement_view{parent, {}});
        return it != by_place_.end() && it->first.parent == parent;
    }

    /// What stands at a path; "" is the root.
    LOCKSTEP_DECL std::optional<entry_id> resolve(std::string_view path) const;
    /// The path of an entry; nothing where it is not known.
    LOCKSTEP_DECL std::optional<std::string> path_of(entry_id id) const;
    /// Whether `id` lies below `above`, at any depth. Nothing lies below itself.
    LOCKSTEP_DECL bool is_ancestor(entry_id above, entry_id id) const;

    /// Calls f(const entry&) for all entries, in order of id.
    template <class F>
    void for_each(F f) const {
        for (const auto& item : by_id_) f(*item.second);
    }

    /// The same for those behind `after` (root_entry: from the first one), while f says true.
    template <class F>
    void for_each_after(entry_id after, F f) const {
        auto it = by_id_.lower_bound(after);
        if (it != by_id_.end() && it->first == after) ++it;
        while (it != by_id_.end() && f(*it->second)) ++it;
    }

    std::size_t size() const noexcept { return by_id_.size(); }
    std::uint64_t files() const noexcept { return files_; }
    std::uint64_t directories() const noexcept { return by_id_.size() - files_ - links_; }
    std::uint64_t links() const noexcept { return links_; }
    /// Of all files together.
    std::uint64_t bytes() const noexcept { return bytes_; }

    /// Of all entries and sessions, whatever the order in which they came.
    LOCKSTEP_DECL std::uint64_t digest() const noexcept;

    std::optional<session_state> session(node_id node) const {
        const session_state* s = sessions_.find(node);
        return s ? std::optional<session_state>(*s) : std::nullopt;
    }
    template <class F>
    void for_each_session(F f) const {
        for (const auto& item : sessions_) f(item.first, item.second);
    }

    /// Sets an entry, new or not. Precondition: its place is free, or its own.
    /// That the parent is a directory and that there is no cycle is the caller's care, once it is done with its changes.
    LOCKSTEP_DECL void put(const entry& e);
    /// Removes an entry that is there.
    LOCKSTEP_DECL void erase(entry_id id);
    LOCKSTEP_DECL void set_session(node_id node, session_state state);

    /// Calls f(id, before or nullptr, after or nullptr) for each entry that differs, in order of id.
    template <class F>
    friend void diff(const tree& before, const tree& after, F f) {
        diff(before.by_id_, after.by_id_, [&](entry_id id, const auto* a, const auto* b) {
            if (a && b && **a == **b) return;
            f(id, a ? a->get() : nullptr, b ? b->get() : nullptr);
        });
    }

    friend bool operator==(const tree& a, const tree& b) {
        bool same = a.size() == b.size() && a.sessions_ == b.sessions_;
        if (same) diff(a, b, [&](entry_id, const entry*, const entry*) { same = false; });
        return same;
    }

private:
    friend class tree_builder;
    LOCKSTEP_DECL void account(const entry& e, bool in);

    persistent_map<entry_id, std::shared_ptr<const entry>> by_id_;
    persistent_map<placement, entry_id, placement_less> by_place_;
    persistent_map<node_id, session_state> sessions_;
    std::uint64_t files_ = 0;
    std::uint64_t links_ = 0;
    std::uint64_t bytes_ = 0;
    /// Sums of two independent hashes of each entry and session: they do not depend on order, and removal subtracts.
    std::uint64_t sum_[2] = {0, 0};
};

/// Names what is wrong with an entry, whatever tree it is in, or gives nothing: a name that none has, a field that its type
/// has not.
LOCKSTEP_DECL std::string_view find_fault(const entry& e) noexcept;

/// Names the first thing that is wrong with the shape of a tree (orphan, cycle, twin names, wrong counts), or nothing.
/// Complexity: O(n * depth): for tests and for the simulator. What comes from outside goes through a tree_builder.
LOCKSTEP_DECL std::optional<std::string> find_fault(const tree& t);

}  // namespace lockstep::folder

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/folder/impl/tree.ipp>
#endif
