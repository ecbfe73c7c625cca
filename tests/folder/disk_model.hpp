// A disk for planner tests: inodes in directories, with the rules of POSIX for each step, and a planner's view.
#pragma once

#include <lockstep/folder/planner.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lockstep::folder::test {

class disk_model {
public:
    // The view.
    const local_entry* find(entry_id id) const {
        const auto at = known_.find(id);
        return at == known_.end() ? nullptr : &at->second;
    }
    std::optional<entry_id> child(entry_id parent, std::string_view name) const {
        const auto at = names_.find(placement{parent, std::string(name)});
        return at == names_.end() ? std::nullopt : std::optional<entry_id>(at->second);
    }
    std::vector<entry_id> children(entry_id parent) const {
        std::vector<entry_id> ids;
        for (auto at = names_.lower_bound({parent, {}}); at != names_.end() && at->first.parent == parent; ++at)
            ids.push_back(at->second);
        return ids;
    }
    const std::map<entry_id, local_entry>& all() const { return known_; }

    /// Puts what a user has there. Parents first.
    void place(const local_entry& e) {
        auto fresh = std::make_shared<inode>(inode{e, {}});
        inode& parent = e.where.parent == root_entry ? root_ : *inodes_.at(e.where.parent);
        parent.inside[e.where.name] = fresh;
        inodes_[e.id] = fresh;
        record(e);
    }

    /// Does one step as a disk would; nothing if it was possible, else why not.
    std::optional<std::string> execute(const action& a) {
        using kind = action::kind;
        ++steps;
        switch (a.what) {
            case kind::make_directory:
            case kind::write_content: return put(a);
            case kind::move:
            case kind::park: return rename(a);
            case kind::set_attributes: return touch(a);
            case kind::adopt: return adopt(a);
            case kind::remove_file:
            case kind::remove_directory: return remove(a);
        }
        return "unknown step";
    }

    /// Each thing by path, as it really is.
    std::map<std::string, local_entry> listing() const {
        std::map<std::string, local_entry> paths;
        list(root_, "", paths);
        return paths;
    }
    bool staging_empty() const { return staging_.empty(); }

    std::size_t steps = 0;

private:
    struct inode {
        local_entry is;
        std::map<std::string, std::shared_ptr<inode>> inside;
    };

    static void list(const inode& directory, const std::string& path, std::map<std::string, local_entry>& paths) {
        for (const auto& [name, below] : directory.inside) {
            paths[join(path, name)] = below->is;
            list(*below, join(path, name), paths);
        }
    }

    /// The directory that holds the last name of a path; every one on the way must let us through.
    inode* parent_of(const std::string& path, std::string& why) {
        inode* at = &root_;
        std::string_view rest = split_last(path).first;
        while (!rest.empty()) {
            const auto [name, after] = split_first(rest);
            const auto next = at->inside.find(std::string(name));
            if (next == at->inside.end()) return why = "ENOENT " + path, nullptr;
            at = next->second.get();
            if (at->is.type != entry_type::directory) return why = "ENOTDIR " + path, nullptr;
            if ((at->is.mode & 0100u) == 0) return why = "EACCES through " + path, nullptr;
            rest = after;
        }
        return at;
    }
    static bool writable(const inode& directory) {
        return directory.is.id == root_entry || (directory.is.mode & 0300u) == 0300u;
    }

    std::optional<std::string> put(const action& a) {
        std::string why;
        inode* parent = parent_of(a.path, why);
        if (!parent) return why;
        if (!writable(*parent)) return "EACCES " + a.path;
        const bool directory = a.what == action::kind::make_directory;
        if (directory != (a.result.type == entry_type::directory)) return "wrong step for the type " + a.path;
        const std::string name(split_last(a.path).second);
        if (parent->is.id != a.result.where.parent || name != a.result.where.name) return "wrong place " + a.path;
        const auto there = parent->inside.find(name);
        if (there != parent->inside.end()) {
            if (directory) return "EEXIST " + a.path;
            if (there->second->is.id != a.entry) return "would overwrite another " + a.path;
            if (there->second->is.type == entry_type::directory) return "EISDIR " + a.path;
        } else if (known_.count(a.entry) != 0) {
            return "made twice " + a.path;
        }
        auto fresh = std::make_shared<inode>(inode{a.result, {}});
        parent->inside[name] = fresh;
        inodes_[a.entry] = fresh;
        record(a.result);
        return std::nullopt;
    }

    std::optional<std::string> take(const action& a, std::shared_ptr<inode>& taken, inode*& from) {
        if (a.path.empty()) {
            const auto there = staging_.find(a.entry);
            if (there == staging_.end()) return "not in staging";
            taken = there->second;
            staging_.erase(there);
            return std::nullopt;
        }
        std::string why;
        from = parent_of(a.path, why);
        if (!from) return why;
        if (!writable(*from)) return "EACCES " + a.path;
        const auto there = from->inside.find(std::string(split_last(a.path).second));
        if (there == from->inside.end()) return "ENOENT " + a.path;
        if (there->second->is.id != a.entry) return "another is at " + a.path;
        taken = there->second;
        return std::nullopt;
    }

    std::optional<std::string> rename(const action& a) {
        std::string why;
        const bool parks = a.what == action::kind::park;
        inode* to = parks ? nullptr : parent_of(a.to_path, why);
        if (!parks && !to) return why;
        if (to && !writable(*to)) return "EACCES " + a.to_path;
        if (parks && a.path.empty()) return "parked twice";
        if (!parks && !a.path.empty() && (a.to_path + "/").rfind(a.path + "/", 0) == 0) return "EINVAL " + a.to_path;
        const std::string name(split_last(a.to_path).second);
        if (to && to->inside.count(name) != 0) return "EEXIST " + a.to_path;
        if (to && (to->is.id != a.result.where.parent || name != a.result.where.name))
            return "wrong place " + a.to_path;
        std::shared_ptr<inode> taken;
        inode* from = nullptr;
        if (auto error = take(a, taken, from)) return error;
        if (taken->is.type == entry_type::directory && from && from != to && !writable(*taken))
            return "EACCES of the directory itself " + a.path;
        if (from) from->inside.erase(std::string(split_last(a.path).second));
        if (parks) staging_[a.entry] = taken;
        else to->inside[name] = taken;
        taken->is.where = a.result.where;
        if (taken->is.mode != a.result.mode || taken->is.hash != a.result.hash) return "a move changed more";
        record(a.result);
        return std::nullopt;
    }

    std::optional<std::string> touch(const action& a) {
        std::string why;
        inode* parent = parent_of(a.path, why);
        if (!parent) return why;
        const auto there = parent->inside.find(std::string(split_last(a.path).second));
        if (there == parent->inside.end() || there->second->is.id != a.entry) return "ENOENT " + a.path;
        local_entry& is = there->second->is;
        if (is.hash != a.result.hash || is.size != a.result.size || is.where != a.result.where) return "changed more";
        if (is.mode == a.result.mode && is.mtime_ns == a.result.mtime_ns) return "nothing to set " + a.path;
        is.mode = a.result.mode;
        is.mtime_ns = a.result.mtime_ns;
        record(a.result);
        return std::nullopt;
    }

    /// A matter of records: whether the directories above let us through does not count.
    std::optional<std::string> adopt(const action& a) {
        const auto listed = listing();
        const auto there = listed.find(a.path);
        if (there == listed.end() || there->second.id != a.entry) return "ENOENT " + a.path;
        const local_entry& is = there->second;
        if (is.hash != a.result.hash || is.size != a.result.size || is.where != a.result.where ||
            is.mode != a.result.mode || is.mtime_ns != a.result.mtime_ns)
            return "adopted what is not so " + a.path;
        record(a.result);
        return std::nullopt;
    }

    std::optional<std::string> remove(const action& a) {
        std::shared_ptr<inode> taken;
        inode* from = nullptr;
        if (auto error = take(a, taken, from)) return error;
        if ((taken->is.type == entry_type::directory) != (a.what == action::kind::remove_directory)) return "EISDIR";
        if (!taken->inside.empty()) return "ENOTEMPTY " + a.path;
        if (from) from->inside.erase(std::string(split_last(a.path).second));
        forget(a.entry);
        known_.erase(a.entry);
        inodes_.erase(a.entry);
        return std::nullopt;
    }

    void forget(entry_id id) {
        const auto old = known_.find(id);
        if (old != known_.end() && !old->second.parked) names_.erase(old->second.where);
    }
    void record(const local_entry& e) {
        forget(e.id);
        known_[e.id] = e;
        if (!e.parked) names_[e.where] = e.id;
    }

    inode root_;
    std::map<entry_id, std::shared_ptr<inode>> inodes_, staging_;
    std::map<entry_id, local_entry> known_;
    std::map<placement, entry_id> names_;
};

}  // namespace lockstep::folder::test
