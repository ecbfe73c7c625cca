#pragma once

#include <lockstep/sync/edit_tracker.hpp>
#include <lockstep/base/probe.hpp>

#include <algorithm>

namespace lockstep::sync {

using folder::operation;

LOCKSTEP_DECL void edit_tracker::find(const finding& found, std::uint64_t generation) {
    using kind = finding::kind;
    const bool knows = found.what == kind::changed || found.what == kind::refreshed || found.what == kind::moved ||
                       found.what == kind::vanished;
    if (knows) {
        blocked_.erase(found.entry);
        if (found.what == kind::changed && found.content_changed && look_where_it_went(found, generation)) return;
        if (found.what != kind::vanished && found.what != kind::moved) missing_.erase(found.entry);
        if (!local_.find(found.entry)) return look_again({found.path, false, false, found.settled}, {}, generation);
        if (sometimes(probe::edit_waited_for_decision, by_entry_.contains(found.entry)))
            return look_when_decided(found.entry, found.path, generation);
    }
    switch (found.what) {
        case kind::appeared: return find_new(found, generation);
        case kind::changed: return find_changed(found, generation);
        case kind::refreshed: return refresh(found, generation);
        case kind::moved: return find_moved(found, generation);
        case kind::vanished: return find_vanished(found, generation);
        case kind::unsettled: return look_between_writes(found, generation);
        case kind::large: return;   // read first: it comes again as what it is
        case kind::unreadable:
            skipped_[found.path] = "cannot be read";
            // Not every reason gives an event when it goes: too many open files, a failing disk, rights by other means.
            look_again({found.path, found.path.empty(), found.disk.type == file_type::directory, false},
                       options_.unreadable, generation + 1);
            break;
        case kind::special: skipped_[found.path] = "not a file, directory or symbolic link"; break;
        case kind::invalid_name: skipped_[found.path] = "its name cannot be replicated"; break;
    }
    // What stands there must not be overwritten by the cluster's state: it is a user's, and is not safe anywhere.
    if (found.entry != root_entry) blocked_[found.entry] = found.path;
}

/// What stood there was just seen elsewhere, and something else is in its place by now, which is an edit of it. What it held is
/// told first: else that is nowhere in the cluster between the two.
LOCKSTEP_DECL bool edit_tracker::look_where_it_went(const finding& found, std::uint64_t generation) {
    const auto gone = missing_.find(found.entry);
    if (gone == missing_.end() || gone->second.seen_at.empty() || std::exchange(gone->second.asked_there, true)) return false;
    look_again({gone->second.seen_at, false, false, true}, {}, generation);
    look_again({found.path, false, false, found.settled}, {}, generation);
    return true;
}

/// One that is written again and again without a pause is read as it is in the end: peers see it late, but not for ever.
LOCKSTEP_DECL void edit_tracker::look_between_writes(const finding& found, std::uint64_t generation) {
    const auto id = local_.resolve(found.path);
    const auto* const known = id ? local_.find(*id) : nullptr;
    scan_target target{found.path, false, false, false, open_file::between_writes, 1, known ? known->hash : content_hash{}};
    // One that was read since is saved often, not written without end.
    if (target.unsettled_since == found.unsettled_since) target.unsettled += found.unsettled;
    if (sometimes(probe::open_file_taken_as_it_is, target.unsettled >= options_.unsettled_looks_max))
        target.written = open_file::take;
    look_again(std::move(target), options_.open_file_interval, generation);
}

LOCKSTEP_DECL void edit_tracker::find_new(const finding& found, std::uint64_t generation) {
    const auto where = placement_of(found.path);
    if (!where) {
        const split_path at(found.path);
        return look_again({at.parent, false, true, false}, {}, generation);
    }
    if (auto there = local_.child(where->parent, where->name)) {
        // It came to be known meanwhile (a proposal of ours was decided): compare again.
        return look_again({found.path, false, found.disk.type == file_type::directory, found.settled}, {}, generation);
    }
    folder::command command = describe(found, operation::create);
    command.entry = next_id();
    command.where = *where;
    put(record_of(found, command.entry, *where));
    look_when_certain(found, generation);
    propose(std::move(command), generation);
}

LOCKSTEP_DECL void edit_tracker::find_changed(const finding& found, std::uint64_t generation) {
    const local_record old = *local_.find(found.entry);
    if (old.type != entry_type_of(found.disk.type)) return find_replaced(found, old, generation);
    folder::command command = describe(found, found.content_changed ? operation::write : operation::set_attributes);
    command.entry = old.id;
    command.where = old.where;
    // Nobody's edit, maybe, but what a loss of power left: it is kept beside what the cluster has. An edit since the record would
    // have left a later ctime, which only the kernel sets; size and mtime may be older ones that the power brought back.
    const bool since = !same_inode(old.disk, found.disk) || found.disk.ctime_ns > old.disk.ctime_ns;
    const bool maybe_damage = old.doubted && found.content_changed && !since;
    command.content_base = maybe_damage ? log_index{} : old.content_version;
    command.placement_base = found.content_changed ? old.placement_version : log_index{};
    local_record record = old;
    record.disk = found.disk;
    record.certain = found.certain;
    record.doubted = false;
    record.mode = command.mode;
    record.mtime_ns = command.mtime_ns;
    if (found.content_changed) {
        record.hash = found.hash;
        record.size = found.size;
    }
    put(record);
    look_when_certain(found, generation);
    propose(std::move(command), generation);
}

LOCKSTEP_DECL void edit_tracker::find_replaced(const finding& found, const local_record& old, std::uint64_t generation) {
    if (old.type == folder::entry_type::directory && local_.has_children(old.id)) {
        if (!found.settled) return look_again({found.path, false, false, true}, options_.settle, generation);
        if (!remove_below(old.id, generation)) return;
    }
    folder::command command = describe(found, operation::replace);
    command.entry = old.id;
    command.where = old.where;
    command.content_base = old.content_version;
    command.placement_base = old.placement_version;
    const entry_id fresh = next_id();
    drop(old.id);
    put(record_of(found, fresh, old.where));
    look_when_certain(found, generation);
    propose(std::move(command), generation);
}

/// Believed when it was missed before and had its time, and nothing goes on where it was: a look that was settled for
/// another reason may come in the middle of a rename, and while an editor saves again and again two looks in a row may.
LOCKSTEP_DECL bool edit_tracker::believed(const finding& found, const absence& gone) {
    constexpr unsigned times_in_a_row_max = 5;
    return found.settled && gone.times >= 2 && (found.still || gone.times >= times_in_a_row_max);
}

LOCKSTEP_DECL void edit_tracker::find_moved(const finding& found, std::uint64_t generation) {
    const local_record old = *local_.find(found.entry);
    if (old.type != folder::entry_type::directory) {
        absence& gone = missing_[old.id];
        gone.elsewhere = true;
        gone.seen_at = found.path;
        ++gone.times;
        if (!believed(found, gone)) return look_again({found.path, false, false, true}, options_.settle, generation);
    }
    const auto where = placement_of(found.path);
    if (!where) {
        const split_path at(found.path);
        return look_again({at.parent, false, true, false}, {}, generation);
    }
    // Only stale knowledge can say that something was moved into itself: what stands above is found out first.
    for (entry_id above = where->parent; above != root_entry; above = local_.find(above)->where.parent)
        if (above == old.id) return look_again({"", true, true, false}, options_.settle, generation);
    if (!clear_the_place(found, *where, old.id, generation)) return;
    folder::command command;
    command.what = operation::move;
    command.entry = old.id;
    command.where = *where;
    command.placement_base = old.placement_version;
    command.type = old.type;
    local_record record = old;
    record.where = *where;
    record.parked = false;
    const bool is_directory = old.type == folder::entry_type::directory;
    // Something else may stand where it was, and have been taken for it.
    if (const auto before = local_.path_of(old.id); before && is_directory) look_again({*before, false, true, false}, {}, generation);
    missing_.erase(old.id);
    if (is_directory || same_state(old.disk, found.disk, false)) record.disk = found.disk;
    else look_when_decided(old.id, found.path, generation);   // edited as well: the old identity shows it
    if (is_directory && old.disk.mode != found.disk.mode) {
        record.disk.mode = old.disk.mode;   // the same for its mode
        look_when_decided(old.id, found.path, generation);
    }
    put(record);
    propose(std::move(command), generation);
}

/// Another entry is still believed to stand where one was moved to: it has gone somewhere (two directories swapped names),
/// which a later look will find out. Until then it is moved out of the way under a name of its own.
LOCKSTEP_DECL bool edit_tracker::clear_the_place(const finding& found, const folder::placement& where, entry_id mover,
                                                 std::uint64_t generation) {
    const auto there = local_.child(where.parent, where.name);
    if (!there || *there == mover) return true;
    if (by_entry_.contains(*there)) return look_when_decided(*there, found.path, generation), false;
    sometimes(probe::place_cleared_for_swap);
    local_record other = *local_.find(*there);
    folder::command command;
    command.what = operation::move;
    command.entry = other.id;
    command.type = other.type;
    command.placement_base = other.placement_version;
    other.where.name = "." + other.where.name.substr(0, 200) + ".lockstep-" + std::to_string(session_.node.value) + "-" +
                       std::to_string(session_.number) + "-" + std::to_string(next_sequence_);
    command.where = other.where;
    put(other);
    waiting_[other.id].push_back({scan_target{"", true, true, false}, {}, generation});
    propose(std::move(command), generation);
    return true;
}

LOCKSTEP_DECL void edit_tracker::find_vanished(const finding& found, std::uint64_t generation) {
    // Not where it was seen elsewhere: what was moved there is told first.
    absence& gone = missing_[found.entry];
    ++gone.times;
    const bool elsewhere = gone.elsewhere;
    if (found.settled) gone.elsewhere = false;   // one that is not is believed by nobody, and says nothing of what was seen
    if (sometimes(probe::moved_file_seen_before_gone, elsewhere) || !believed(found, gone))
        return look_again({found.path, false, false, true}, options_.settle, generation);
    // What it held may have been moved or copied over something whose edit waits its turn: that one is proposed first,
    // else the content is nowhere in the cluster between the two.
    if (!waiting_.empty()) return look_when_decided(waiting_.begin()->first, found.path, generation);
    const local_record old = *local_.find(found.entry);
    if (old.type == folder::entry_type::directory && !remove_below(old.id, generation)) return;
    folder::command command;
    command.what = operation::remove;
    command.entry = old.id;
    command.where = old.where;
    command.path = found.path;
    command.type = old.type;
    command.content_base = old.content_version;
    command.placement_base = old.placement_version;
    missing_.erase(old.id);
    drop(old.id);
    propose(std::move(command), generation);
}

/// Removals of everything known below a directory, deepest first. False (and it will be looked at again) where something
/// below is undecided.
LOCKSTEP_DECL bool edit_tracker::remove_below(entry_id directory, std::uint64_t generation) {
    if (wait_for_busy_below(directory, directory, generation)) return false;
    const auto base = local_.path_of(directory);
    for (entry_id child : local_.children(directory)) {
        const local_record old = *local_.find(child);
        if (old.type == folder::entry_type::directory) remove_below(child, generation);
        folder::command command;
        command.what = operation::remove;
        command.entry = old.id;
        command.where = old.where;
        command.type = old.type;
        command.content_base = old.content_version;
        command.placement_base = old.placement_version;
        if (base) command.path = *base + "/" + old.where.name;
        drop(child);
        propose(std::move(command), generation);
    }
    return true;
}

/// Whether something below is undecided; if so, the directory is looked at again once that is decided.
LOCKSTEP_DECL bool edit_tracker::wait_for_busy_below(entry_id directory, entry_id top, std::uint64_t generation) {
    for (entry_id child : local_.children(directory)) {
        if (by_entry_.contains(child)) {
            look_when_decided(child, local_.path_of(top).value_or(""), generation);
            return true;
        }
        if (local_.find(child)->type == folder::entry_type::directory && wait_for_busy_below(child, top, generation)) return true;
    }
    return false;
}

LOCKSTEP_DECL void edit_tracker::refresh(const finding& found, std::uint64_t generation) {
    local_record record = *local_.find(found.entry);
    const bool was_certain = record.certain;
    const bool same = same_state(record.disk, found.disk);
    record.disk = found.disk;
    record.certain = found.certain;
    record.doubted = false;
    put(record);
    // Another state than the recorded one was never synced: it is not said to be in step without that.
    if (!same) drifted_.insert(record.id);
    else if (!was_certain && record.certain && !drifted_.contains(record.id)) settled_.push_back(record.id);
    look_when_certain(found, generation);
}

LOCKSTEP_DECL bool edit_tracker::find_displaced(const displaced_item& item, finding found, std::uint64_t generation) {
    if (by_entry_.contains(item.expected.id)) return false;
    sometimes(probe::displaced_edit_proposed);
    found.path = item.path;
    folder::command command = describe(found, operation::write);
    command.entry = item.expected.id;
    command.where = item.expected.where;
    command.content_base = item.expected.content_version;
    command.placement_base = item.expected.placement_version;
    propose(std::move(command), generation, item.staged);
    return true;
}

LOCKSTEP_DECL void edit_tracker::decided(log_index index, const folder::command& command, const folder::outcome& outcome,
                                         const folder::tree& committed) {
    using kind = folder::outcome_kind;
    if (outcome.kind == kind::duplicate || outcome.kind == kind::gap) return;
    const auto at = undecided_.find(command.sequence);
    if (at == undecided_.end()) return;
    const undecided proposal = std::move(at->second);
    undecided_.erase(at);
    proposal_bytes_ -= proposal.bytes;
    const bool makes_new = command.what == operation::create || command.what == operation::replace;
    const entry_id fresh{command.session, command.sequence};
    const entry_id subject = command.what == operation::create ? fresh : command.entry;
    for (entry_id id : {subject, fresh}) {
        if (auto owner = by_entry_.find(id); owner != by_entry_.end() && owner->second == command.sequence) by_entry_.erase(owner);
        stale_.insert(id);
        if (auto waits = waiting_.find(id); waits != waiting_.end()) {
            for (auto& again : waits->second) looks_.push_back(std::move(again));
            waiting_.erase(waits);
        }
    }
    stale_.insert(outcome.entry);
    if (!proposal.staged.empty()) {
        const bool taken = outcome.kind != kind::invalid && outcome.kind != kind::refused && outcome.kind != kind::fenced;
        (taken ? released_ : refused_).push_back(proposal.staged);
        return;
    }
    if (command.what == operation::replace && !local_.find(command.entry) && !committed.find(command.entry))
        unconfirmed_.insert(command.entry);
    if (makes_new) return decided_create(index, command, outcome, committed);
    // It was gone, and what it would have come back as is another's already.
    if (command.what == operation::write && outcome.kind == kind::merged && outcome.entry != command.entry &&
        become(command.entry, outcome.entry, committed))
        return;
    const local_record* record = local_.find(command.entry);
    if (!record && !committed.find(command.entry)) unconfirmed_.insert(command.entry);
    if (!record) return;
    local_record updated = *record;
    // Only what the command was about: a later edit of the user's may already stand on this disk.
    const bool accepted = outcome.kind == kind::applied || outcome.kind == kind::no_op;
    const folder::entry* now = committed.find(command.entry);
    if (command.what == operation::write && accepted && now && now->hash == command.hash)
        updated.content_version = now->content_version;
    if (command.what == operation::move && accepted && now && now->where == command.where)
        updated.placement_version = now->placement_version;
    if (updated != *record) put(updated);
    unconfirmed_.insert(command.entry);
}

namespace detail {

/// As what happened to a command passes, given what stands there later. Whatever it brought was taken into the order of all
/// commands, so what the tree says instead came behind it.
inline folder::outcome outcome_after(const folder::command& c, const folder::tree& committed) {
    using kind = folder::outcome_kind;
    const entry_id fresh{c.session, c.sequence};
    folder::outcome out;
    out.kind = kind::applied;
    out.entry = c.what == operation::create || c.what == operation::replace ? fresh : c.entry;
    if (committed.find(out.entry)) return out;
    if (c.what == operation::write && committed.find(fresh)) {
        out.kind = kind::conflict_copy;
        out.entry = fresh;
    } else if (c.what == operation::create || c.what == operation::write || c.what == operation::replace) {
        const auto there = committed.child(c.where.parent, c.where.name);
        const folder::entry* e = there ? committed.find(*there) : nullptr;
        if (!e || e->type != c.type || e->hash != c.hash) return out;
        out.kind = kind::merged;
        out.entry = e->id;
    }
    return out;
}

}  // namespace detail

LOCKSTEP_DECL void edit_tracker::decided_unseen(log_index index, std::uint64_t last, const folder::tree& committed) {
    while (!undecided_.empty() && undecided_.begin()->first <= last) {
        const folder::command command = undecided_.begin()->second.command;
        decided(index, command, detail::outcome_after(command, committed), committed);
    }
}

LOCKSTEP_DECL void edit_tracker::decided_create(log_index, const folder::command& command, const folder::outcome& outcome,
                                                const folder::tree& committed) {
    using kind = folder::outcome_kind;
    const entry_id fresh{command.session, command.sequence};
    const local_record* record = local_.find(fresh);
    if (!record) return;
    if (outcome.kind == kind::invalid || outcome.kind == kind::refused) {
        if (auto path = local_.path_of(fresh)) skipped_[*path] = "refused by the cluster";
        forget(fresh);
        return;
    }
    // The same thing was made elsewhere first: what stands here is that one.
    if (outcome.kind == kind::merged && outcome.entry != fresh && become(fresh, outcome.entry, committed)) return;
    take_versions(fresh, committed);
    unconfirmed_.insert(fresh);
}

/// What is known as `id` goes on under `other`, with what is in it. False where that one is known to be something else here.
LOCKSTEP_DECL bool edit_tracker::become(entry_id id, entry_id other, const folder::tree& committed) {
    const local_record* record = local_.find(id);
    const local_record* known = local_.find(other);
    if (!record || (known && !same_inode(known->disk, record->disk))) return false;
    local_record same = *record;
    drop(id);
    if (known) drop(other);
    missing_.erase(other);
    same.id = other;
    put(same);
    for (entry_id child : local_.children(id)) {
        local_record moved = *local_.find(child);
        moved.where.parent = other;
        put(moved);
    }
    take_versions(other, committed);
    unconfirmed_.insert(other);
    stale_.insert(other);
    return true;
}

LOCKSTEP_DECL bool edit_tracker::go_on_as(entry_id anew, const folder::tree& committed) {
    const folder::entry* const wanted = committed.find(anew);
    if (!wanted || wanted->type != folder::entry_type::directory || local_.find(anew)) return false;
    const auto there = local_.child(wanted->where.parent, wanted->where.name);
    if (!there || committed.find(*there) || is_busy(*there)) return false;
    if (local_.find(*there)->type != folder::entry_type::directory || !become(*there, anew, committed)) return false;
    for (entry_id id : local_.children(anew)) unconfirmed_.insert(id);
    unconfirmed_.insert(*there);
    return true;
}

/// What stands here was made from the committed state, where that is the same content.
LOCKSTEP_DECL void edit_tracker::take_versions(entry_id entry, const folder::tree& committed) {
    const local_record* record = local_.find(entry);
    const folder::entry* now = committed.find(entry);
    if (!record || !now) return;
    local_record updated = *record;
    updated.placement_version = now->placement_version;
    if (updated.hash == now->hash && updated.size == now->size) updated.content_version = now->content_version;
    put(updated);
}

LOCKSTEP_DECL void edit_tracker::placed(const local_record& record) {
    drifted_.erase(record.id);
    put(record);
}

/// Whatever was believed to stand in a directory that is gone had left it already.
LOCKSTEP_DECL void edit_tracker::removed(entry_id entry) { forget(entry); }

LOCKSTEP_DECL void edit_tracker::forget_skipped(const scan_target& target) {
    skipped_.erase(target.path);
    const auto here = local_.resolve(target.path);
    if (!target.inside) {
        if (here) free(*here);
        return;
    }
    const std::string prefix = target.path.empty() ? "" : target.path + "/";
    if (target.deep) {
        for (const auto& [id, path] : std::map(blocked_))
            if (path.starts_with(prefix)) free(id);
    } else if (here) {
        for (entry_id child : local_.children(*here)) free(child);
    }
    for (auto at = skipped_.lower_bound(prefix); at != skipped_.end() && at->first.compare(0, prefix.size(), prefix) == 0;) {
        if (target.deep || at->first.find('/', prefix.size()) == std::string::npos) at = skipped_.erase(at);
        else ++at;
    }
}

LOCKSTEP_DECL void edit_tracker::free(entry_id entry) {
    if (blocked_.erase(entry) != 0) freed_.insert(entry);
}

LOCKSTEP_DECL void edit_tracker::looked() {
    for (entry_id entry : std::exchange(freed_, {}))
        if (!blocked_.contains(entry)) stale_.insert(entry);
}

LOCKSTEP_DECL std::optional<std::uint64_t> edit_tracker::oldest_generation() const {
    std::optional<std::uint64_t> oldest;
    const auto take = [&](std::uint64_t generation) { oldest = std::min(oldest.value_or(generation), generation); };
    for (const auto& [sequence, proposal] : undecided_) take(proposal.generation);
    for (const auto& [entry, looks] : waiting_)
        for (const auto& waits : looks) take(waits.generation);
    return oldest;
}

LOCKSTEP_DECL void edit_tracker::propose(folder::command command, std::uint64_t generation, std::string staged) {
    command.session = session_;
    command.sequence = next_sequence_++;
    if (command.path.empty()) command.path = local_.path_of(command.where).value_or(command.where.name);
    undecided proposal;
    proposal.command = command;
    if (command.chunked) proposal.manifest = sha256(command.content.view());
    proposal.command.content = {};
    proposal.generation = generation;
    proposal.staged = std::move(staged);
    const entry_id subject = command.what == operation::create ? entry_id{session_, command.sequence} : command.entry;
    by_entry_[subject] = command.sequence;
    if (command.what == operation::replace) by_entry_[entry_id{session_, command.sequence}] = command.sequence;
    proposal.bytes = command.content.size();
    proposal_bytes_ += proposal.bytes;
    undecided_.emplace(command.sequence, std::move(proposal));
    commands_.push_back(std::move(command));
}

LOCKSTEP_DECL folder::command edit_tracker::describe(const finding& found, operation what) {
    folder::command command;
    command.what = what;
    command.path = found.path;
    command.type = entry_type_of(found.disk.type);
    const bool link = command.type == folder::entry_type::symlink;
    command.mode = link ? 0 : found.disk.mode & 0777;
    command.mtime_ns = command.type == folder::entry_type::file ? found.disk.mtime_ns : 0;
    if (what != operation::set_attributes) {
        command.hash = found.hash;
        command.size = found.size;
        command.chunked = found.chunked;
        command.content = found.content;
    }
    return command;
}

LOCKSTEP_DECL std::optional<folder::placement> edit_tracker::placement_of(const std::string& path) const {
    const split_path at(path);
    const auto parent = local_.resolve(at.parent);
    if (!parent) return std::nullopt;
    if (*parent != root_entry && local_.find(*parent)->type != folder::entry_type::directory) return std::nullopt;
    return folder::placement{*parent, at.name};
}

LOCKSTEP_DECL local_record edit_tracker::record_of(const finding& found, entry_id id, const folder::placement& where) const {
    local_record record;
    record.id = id;
    record.where = where;
    record.type = entry_type_of(found.disk.type);
    const bool link = record.type == folder::entry_type::symlink;
    record.mode = link ? 0 : found.disk.mode & 0777;
    record.mtime_ns = record.type == folder::entry_type::file ? found.disk.mtime_ns : 0;
    record.hash = found.hash;
    record.size = found.size;
    record.disk = found.disk;
    record.certain = found.certain;
    return record;
}

/// Sets a record. Where another was believed to stand at its place, that one is gone, with what was known below it.
LOCKSTEP_DECL void edit_tracker::put(const local_record& record) {
    if (!record.parked) {
        if (auto there = local_.child(record.where.parent, record.where.name); there && *there != record.id) forget(*there);
    }
    local_.put(record);
}

/// No longer known to stand anywhere. What does stand there is found anew by a look.
LOCKSTEP_DECL void edit_tracker::forget(entry_id entry) {
    for (entry_id child : local_.children(entry)) forget(child);
    drop(entry);
    stale_.insert(entry);
}

/// Nothing on this disk is it any more, so nothing is in its way either.
LOCKSTEP_DECL void edit_tracker::drop(entry_id entry) {
    local_.erase(entry);
    drifted_.erase(entry);
    blocked_.erase(entry);
}

}  // namespace lockstep::sync
