// What this node's disk is known to hold: a persistent value, cheap to copy into offloaded work.
// It is the `local` tree; what of it is decided and durable is the `synced` tree (see journal_records.hpp).
#pragma once

#include <lockstep/base/persistent_map.hpp>
#include <lockstep/concepts/file_system.hpp>
#include <lockstep/folder/local_entry.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::sync {

/// A local entry with the identity of what stands on the disk. `certain` says that nothing can have changed without
/// `disk` telling so; otherwise the next look hashes again (racily clean: written within the clock's grain of our look).
/// `doubted` says that the power went since, and that what is there now under the same stamps is maybe nobody's edit.
struct local_record : folder::local_entry {
    file_status disk;
    bool certain = true;
    bool doubted = false;
    friend bool operator==(const local_record&, const local_record&) = default;
};

/// The same inode in the same life of it.
inline bool same_inode(const file_status& a, const file_status& b) noexcept {
    return a.inode == b.inode && a.birth_ns == b.birth_ns && a.type == b.type;
}

/// Nothing that a write or chmod changes differs. (A rename of the inode changes only ctime: pass with_ctime = false.)
inline bool same_state(const file_status& a, const file_status& b, bool with_ctime = true) noexcept {
    return same_inode(a, b) && a.size == b.size && a.mode == b.mode && a.mtime_ns == b.mtime_ns &&
           (!with_ctime || a.ctime_ns == b.ctime_ns);
}

/// What left this time did not happen within the last `span_ns`. Times in the future, which users give files and clocks that
/// were set back leave, are not of just now either.
inline bool is_past(std::int64_t time_ns, std::int64_t now_ns, std::int64_t span_ns) noexcept {
    return time_ns < now_ns - span_ns || time_ns > now_ns + span_ns;
}

/// A write made now would leave other times than these: the clock's grain has passed.
inline bool times_tell(const file_status& disk, std::int64_t now_ns, std::int64_t grain_ns) noexcept {
    return is_past(disk.ctime_ns, now_ns, grain_ns) && is_past(disk.mtime_ns, now_ns, grain_ns);
}

/// The thing is as it was recorded. What stands inside a directory does not count: its times and size are not compared.
inline bool same_thing(const file_status& a, const file_status& b, bool with_ctime = true) noexcept {
    return a.type == file_type::directory ? same_inode(a, b) : same_state(a, b, with_ctime);
}

inline folder::entry_type entry_type_of(file_type type) noexcept {
    return type == file_type::directory ? folder::entry_type::directory
           : type == file_type::symlink ? folder::entry_type::symlink
                                        : folder::entry_type::file;
}

/// Thread safety: a value; copies share structure and may be read on other threads.
class local_tree {
public:
    const local_record* find(entry_id id) const {
        const auto* record = by_id_.find(id);
        return record ? record->get() : nullptr;
    }

    std::optional<entry_id> child(entry_id parent, std::string_view name) const {
        const auto* id = children_.find(folder::placement{parent, std::string(name)});
        return id ? std::optional<entry_id>(*id) : std::nullopt;
    }

    /// Ids of what stands in a directory, in order of name. Parked entries are not there.
    std::vector<entry_id> children(entry_id parent) const {
        std::vector<entry_id> ids;
        for (auto it = children_.lower_bound(folder::placement{parent, {}}); it != children_.end(); ++it) {
            if (it->first.parent != parent) break;
            ids.push_back(it->second);
        }
        return ids;
    }
    bool has_children(entry_id parent) const {
        auto it = children_.lower_bound(folder::placement{parent, {}});
        return it != children_.end() && it->first.parent == parent;
    }

    /// An entry whose inode this is, if one is known. Where several are believed to be it, one that it is as it was recorded.
    const local_record* find_inode(const file_status& status) const {
        const local_record* as_recorded = claimant(status, [&](const local_record& r) { return same_state(r.disk, status, false); });
        return as_recorded ? as_recorded : claimant(status, [](const local_record&) { return true; });
    }

    /// Another entry that is believed to be the same inode. Unless it is a hard link, one of the two has moved or gone,
    /// which a look will tell.
    const local_record* rival(const local_record& record) const {
        if (record.disk.links > 1) return nullptr;
        return claimant(record.disk, [&](const local_record& r) { return r.id != record.id; });
    }

    /// The id at a path ("" is the root), nothing where a component is unknown.
    std::optional<entry_id> resolve(std::string_view path) const {
        entry_id at = root_entry;
        while (!path.empty()) {
            const auto slash = path.find('/');
            const auto next = child(at, path.substr(0, slash));
            if (!next) return std::nullopt;
            at = *next;
            path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
        }
        return at;
    }

    /// The path of a known entry ("" of the root); nothing where an ancestor is not known, parked, or, as damaged records may say,
    /// below itself.
    std::optional<std::string> path_of(entry_id id) const {
        std::string path;
        for (std::size_t steps = 0; id != root_entry; ++steps) {
            const local_record* record = find(id);
            if (!record || record->parked || steps > size()) return std::nullopt;
            path = path.empty() ? record->where.name : record->where.name + "/" + path;
            id = record->where.parent;
        }
        return path;
    }

    std::optional<std::string> path_of(const folder::placement& where) const {
        auto parent = path_of(where.parent);
        if (!parent) return std::nullopt;
        return parent->empty() ? where.name : *parent + "/" + where.name;
    }

    /// Sets the record of record.id. Precondition: no other entry stands at its placement.
    /// Most change neither place nor inode: what is known of those is left alone.
    void put(const local_record& record) {
        const local_record* old = find(record.id);
        const bool stays = old && !old->parked && !record.parked && old->where == record.where;
        if (old && !old->parked && !stays) children_.erase(old->where);
        if (!record.parked && !stays) {
            LOCKSTEP_ASSERT(!children_.find(record.where));
            children_.assign(record.where, record.id);
        }
        const bool same_number = old && old->disk.inode == record.disk.inode;
        if (old && !same_number) by_inode_.erase({old->disk.inode, record.id});
        if (!same_number) by_inode_.assign({record.disk.inode, record.id}, true);
        by_id_.assign(record.id, std::make_shared<const local_record>(record));
    }

    void erase(entry_id id) {
        const local_record* record = find(id);
        if (!record) return;
        if (!record->parked) children_.erase(record->where);
        by_inode_.erase({record->disk.inode, id});
        by_id_.erase(id);
    }

    /// Whether the way up from an entry is known, to the root or to something parked.
    bool is_rooted(entry_id id) const {
        for (std::size_t steps = 0; id != root_entry; ++steps) {
            const local_record* record = find(id);
            if (!record || steps > size()) return false;
            if (record->parked) return true;
            id = record->where.parent;
        }
        return true;
    }

    std::size_t size() const { return by_id_.size(); }

    template <class F>
    void for_each(F f) const {
        for (auto it = by_id_.begin(); it != by_id_.end(); ++it) f(*it->second);
    }

private:
    template <class F>
    const local_record* claimant(const file_status& status, F wanted) const {
        if (status.inode == 0) return nullptr;   // it is not known which one it is
        for (auto it = by_inode_.lower_bound(std::pair(status.inode, entry_id{})); it != by_inode_.end(); ++it) {
            if (it->first.first != status.inode) break;
            const local_record* record = find(it->first.second);
            if (same_inode(record->disk, status) && wanted(*record)) return record;
        }
        return nullptr;
    }

    persistent_map<entry_id, std::shared_ptr<const local_record>> by_id_;
    persistent_map<folder::placement, entry_id> children_;
    persistent_map<std::pair<std::uint64_t, entry_id>, bool> by_inode_;   // a set
};

}  // namespace lockstep::sync
