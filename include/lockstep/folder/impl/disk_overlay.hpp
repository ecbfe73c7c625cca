// The disk as it will be after the steps planned so far: changes laid over a view of what it holds now.
#pragma once

#include <lockstep/folder/local_entry.hpp>
#include <lockstep/folder/tree.hpp>

#include <concepts>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::folder {

/// What is known of a disk: entries by id, and, of those that are not parked, by place.
/// children(): ids of what stands in a directory, in any order that is the same each time.
template <class V>
concept disk_view = requires(const V& view, entry_id id, std::string_view name) {
    { view.find(id) } -> std::convertible_to<const local_entry*>;
    { view.child(id, name) } -> std::same_as<std::optional<entry_id>>;
    { view.children(id) } -> std::same_as<std::vector<entry_id>>;
};

namespace detail {

template <disk_view View>
class disk_overlay {
public:
    explicit disk_overlay(const View& under) : under_(under) {}

    const local_entry* find(entry_id id) const {
        if (const auto changed = entries_.find(id); changed != entries_.end())
            return changed->second ? &*changed->second : nullptr;
        return under_.find(id);
    }

    std::optional<entry_id> child(const placement& where) const {
        if (const auto changed = names_.find(where); changed != names_.end()) return changed->second;
        return under_.child(where.parent, where.name);
    }

    std::vector<entry_id> children(entry_id parent) const {
        std::vector<entry_id> ids;
        for (const entry_id id : under_.children(parent)) {
            if (entries_.find(id) == entries_.end()) ids.push_back(id);
        }
        for (auto name = names_.lower_bound({parent, {}}); name != names_.end(); ++name) {
            if (name->first.parent != parent) break;
            if (name->second) ids.push_back(*name->second);
        }
        return ids;
    }

    /// Nothing where it is not known, parked, or in something parked.
    std::optional<std::string> path_of(entry_id id) const {
        std::string path;
        while (id != root_entry) {
            const local_entry* e = find(id);
            if (!e || e->parked) return std::nullopt;
            path = path.empty() ? e->where.name : e->where.name + "/" + path;
            id = e->where.parent;
        }
        return path;
    }
    std::optional<std::string> path_of(const placement& where) const {
        auto path = path_of(where.parent);
        if (path) *path += path->empty() ? where.name : "/" + where.name;
        return path;
    }

    /// Whether `id` stands somewhere below `above`. What is parked stands below nothing.
    bool is_below(entry_id above, entry_id id) const {
        while (id != root_entry) {
            const local_entry* e = find(id);
            if (!e || e->parked) return false;
            id = e->where.parent;
            if (id == above) return true;
        }
        return false;
    }

    std::size_t depth(entry_id id) const {
        std::size_t names = 0;
        while (id != root_entry) {
            const local_entry* e = find(id);
            if (!e || e->parked) break;
            ++names;
            id = e->where.parent;
        }
        return names;
    }

    void put(const local_entry& e) {
        leave(e.id);
        if (!e.parked) names_[e.where] = e.id;
        entries_[e.id] = e;
    }
    void erase(entry_id id) {
        leave(id);
        entries_[id] = std::nullopt;
    }

private:
    void leave(entry_id id) {
        const local_entry* old = find(id);
        if (old && !old->parked) names_[old->where] = std::nullopt;
    }

    const View& under_;
    std::map<entry_id, std::optional<local_entry>> entries_;
    std::map<placement, std::optional<entry_id>> names_;
};

}  // namespace detail
}  // namespace lockstep::folder
