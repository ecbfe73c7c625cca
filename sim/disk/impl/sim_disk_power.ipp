#pragma once

#include <sim/disk/sim_disk.hpp>

#include <algorithm>

namespace lockstep::sim {

LOCKSTEP_DECL result<> sim_disk::sync(fd f, bool attributes) {
    const inode_ptr inode = inode_of(f);
    if (!inode) return make_error_code(errc::invalid_argument);
    inode->sync(attributes);
    for (disk_observer* o : observers_) o->synced(*inode);
    return {};
}

LOCKSTEP_DECL result<> sim_disk::sync_failing(fd f) {
    const inode_ptr inode = inode_of(f);
    if (!inode) return make_error_code(errc::invalid_argument);
    inode->sync_failed(random_, unsynced_);
    return make_error_code(errc::io_error);
}

/// What becomes durable with a directory: its own changes, and whatever those cannot be without. A change needs all
/// earlier ones of each directory that it touches; a removed directory needs to have been emptied; a directory that was
/// moved could stand anywhere, so its journal entry carries everything before it.
LOCKSTEP_DECL result<> sim_disk::sync_directory(fd dir) {
    auto directory = directory_of(dir);
    if (!directory) return directory.error();
    const std::uint64_t wanted = ++last_mark_;
    (*directory)->mark = wanted;
    (*directory)->sync(true);
    bool everything = false;
    for (auto it = unsynced_names_.rbegin(); it != unsynced_names_.rend(); ++it) {
        const auto touches = [&](const name_edit& e) { return e.directory->mark == wanted; };
        if (!everything && std::none_of(it->edits.begin(), it->edits.end(), touches)) continue;
        for (const auto& e : it->edits) {
            e.directory->mark = wanted;
            if (e.before && e.before->is_directory()) e.before->mark = wanted;
            if (it->moves && e.after && e.after->is_directory()) everything = true;
            if (it->moves)
                for (auto above = e.directory->parent.lock(); above; above = above->parent.lock()) above->mark = wanted;
        }
        it->edits.clear();
    }
    std::erase_if(unsynced_names_, [](const name_change& c) { return c.edits.empty(); });
    for (disk_observer* o : observers_) o->synced(**directory);
    return {};
}

LOCKSTEP_DECL bool sim_disk::is_durable_name(const disk_inode& directory, std::string_view name) const {
    return std::none_of(unsynced_names_.begin(), unsynced_names_.end(), [&](const name_change& c) {
        return std::any_of(c.edits.begin(), c.edits.end(),
                           [&](const name_edit& e) { return e.directory.get() == &directory && e.name == name; });
    });
}

/// Whether a change can come to the disk in the state in which its forerunners left it: no file system loses what was
/// moved into a directory that is not there, nor what is still in one that was removed, nor ties a tree into a ring.
LOCKSTEP_DECL bool sim_disk::may_follow(const name_change& change) const {
    for (const auto& e : change.edits) {
        if (change.moves && !is_reachable(e.directory)) return false;
        if (change.moves && e.after && e.after->is_directory() && is_within(e.directory, e.after)) return false;
        const bool stays = std::any_of(change.edits.begin(), change.edits.end(),
                                       [&](const name_edit& other) { return other.after == e.before; });
        if (e.before && e.before->is_directory() && !stays && !e.before->entries.empty()) return false;
    }
    return true;
}

LOCKSTEP_DECL void sim_disk::lose_names() {
    for (auto change = unsynced_names_.rbegin(); change != unsynced_names_.rend(); ++change)
        for (auto e = change->edits.rbegin(); e != change->edits.rend(); ++e) apply(e->directory, e->name, e->before);
    const std::uint64_t cut = ++last_mark_;
    const std::uint64_t mood = random_.below(3);  // all lost, all kept, or a mixture
    for (const auto& change : unsynced_names_) {
        bool kept = mood == 1 || (mood == 2 && !random_.one_in(4));
        for (const auto& e : change.edits) kept = kept && e.directory->mark != cut;
        if (kept && may_follow(change)) {
            ++unsynced_.names_kept;
            for (const auto& e : change.edits) apply(e.directory, e.name, e.after);
        } else {
            ++unsynced_.names_lost;
            for (const auto& e : change.edits) e.directory->mark = cut;
        }
    }
    unsynced_names_.clear();
}

LOCKSTEP_DECL void sim_disk::lose_contents(const inode_ptr& inode) {
    if (inode->mark == last_mark_) return;
    inode->mark = last_mark_;
    inode->lose_power(random_, unsynced_);
    for (const auto& [name, child] : inode->entries) lose_contents(child);
}

LOCKSTEP_DECL void sim_disk::lose_power() {
    ++power_losses_;
    for (auto& [f, d] : descriptors_) {
        --d.inode->open;
        if (d.writable) --d.inode->writers;
        if (d.lock) d.inode->locked = false;
    }
    descriptors_.clear();
    lose_names();
    ++last_mark_;
    lose_contents(root_);
}

}  // namespace lockstep::sim
