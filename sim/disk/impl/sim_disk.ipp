#pragma once

#include <sim/disk/sim_disk.hpp>

#include <algorithm>

namespace lockstep::sim {

LOCKSTEP_DECL sim_disk::sim_disk(world& w, std::uint64_t number, disk_options options)
    : world_(w), device_(100 + number), options_(options), random_(w.fork("disk", number)) {
    root_ = make_inode(file_type::directory, 0755);
    root_->links = 1;
}

// --- descriptors --------------------------------------------------------------------------------------------------------

LOCKSTEP_DECL sim_disk::fd sim_disk::add_descriptor(descriptor d) {
    ++d.inode->open;
    if (d.writable) ++d.inode->writers;
    descriptors_.emplace(++last_fd_, std::move(d));
    return last_fd_;
}

LOCKSTEP_DECL void sim_disk::close(fd f) {
    const auto found = descriptors_.find(f);
    if (found == descriptors_.end()) return;
    const descriptor d = std::move(found->second);
    descriptors_.erase(found);
    --d.inode->open;
    if (d.lock) d.inode->locked = false;
    if (d.writable) {
        --d.inode->writers;
        tell_of(d, event_kind::closed_write);
    }
    forget(d.inode->is_directory() ? d.inode : d.directory);
}

LOCKSTEP_DECL void sim_disk::release(std::uint64_t owner) {
    std::vector<fd> held;
    for (const auto& [f, d] : descriptors_)
        if (d.owner == owner) held.push_back(f);
    for (fd f : held) close(f);
}

LOCKSTEP_DECL inode_ptr sim_disk::inode_of(fd f) const {
    const auto found = descriptors_.find(f);
    return found == descriptors_.end() ? nullptr : found->second.inode;
}

LOCKSTEP_DECL result<inode_ptr> sim_disk::directory_of(fd dir) const {
    inode_ptr inode = inode_of(dir);
    if (!inode) return make_error_code(errc::invalid_argument);
    if (!inode->is_directory()) return make_error_code(errc::not_a_directory);
    return inode;
}

LOCKSTEP_DECL result<inode_ptr> sim_disk::lookup(fd dir, std::string_view name) const {
    if (const error_code bad = check_name(name)) return bad;
    auto directory = directory_of(dir);
    if (!directory) return directory.error();
    const auto entry = (*directory)->entries.find(name);
    if (entry == (*directory)->entries.end()) return make_error_code(errc::not_found);
    return entry->second;
}

LOCKSTEP_DECL inode_ptr sim_disk::find(std::string_view path) const {
    inode_ptr at = root_;
    while (!path.empty() && at) {
        const auto slash = std::min(path.find('/'), path.size());
        const auto name = path.substr(0, slash);
        path.remove_prefix(std::min(slash + 1, path.size()));
        if (name.empty()) continue;
        const auto entry = at->entries.find(name);
        at = entry == at->entries.end() ? nullptr : entry->second;
    }
    return at;
}

LOCKSTEP_DECL result<sim_disk::fd> sim_disk::open_directory(std::uint64_t owner, std::string_view native_path) {
    if (owner != user && is_denied(root_, native_path)) return make_error_code(errc::permission_denied);
    std::string rest(native_path);
    inode_ptr at = root_;
    for (std::size_t followed = 0; !rest.empty();) {
        const auto slash = std::min(rest.find('/'), rest.size());
        const std::string name = rest.substr(0, slash);
        rest.erase(0, std::min(slash + 1, rest.size()));
        if (name.empty() || name == ".") continue;
        if (!at->is_directory()) return make_error_code(errc::not_a_directory);
        const auto entry = at->entries.find(name);
        if (entry == at->entries.end()) return make_error_code(errc::not_found);
        if (entry->second->type != file_type::symlink) { at = entry->second; continue; }
        if (++followed > 40) return make_error_code(errc::symlink_in_path);
        const std::string target(as_text(entry->second->content));
        if (target.starts_with('/')) at = root_;
        rest = target + "/" + rest;
    }
    if (!at->is_directory()) return make_error_code(errc::not_a_directory);
    return add_descriptor({at, owner, false, false, nullptr, {}});
}

LOCKSTEP_DECL result<sim_disk::fd> sim_disk::open_directory_at(std::uint64_t owner, fd dir, std::string_view path) {
    auto directory = directory_of(dir);
    if (!directory) return directory.error();
    if (owner != user && is_denied(*directory, path)) return make_error_code(errc::permission_denied);
    for (std::size_t from = 0; !path.empty() && from <= path.size();) {
        const auto slash = std::min(path.find('/', from), path.size());
        const error_code bad = check_name(path.substr(from, slash - from));
        if (bad == errc::invalid_argument) return bad;
        from = slash + 1;
    }
    inode_ptr at = *directory;
    for (bool more = !path.empty(); more;) {
        const auto slash = path.find('/');
        const auto name = path.substr(0, slash);
        more = slash != path.npos;
        if (more) path.remove_prefix(slash + 1);
        if (const error_code bad = check_name(name)) return bad;
        const auto entry = at->entries.find(name);
        if (entry == at->entries.end()) return make_error_code(errc::not_found);
        if (entry->second->type == file_type::symlink) return make_error_code(errc::symlink_in_path);
        if (!entry->second->is_directory()) return make_error_code(errc::not_a_directory);
        at = entry->second;
    }
    return add_descriptor({at, owner, false, false, nullptr, {}});
}

LOCKSTEP_DECL result<sim_disk::fd> sim_disk::open_file(std::uint64_t owner, fd dir, std::string_view name, open_mode om,
                                                       std::uint32_t mode) {
    auto found = lookup(dir, name);
    if (owner != user && is_denied(inode_of(dir), name)) return make_error_code(errc::permission_denied);
    const bool create = om == open_mode::create_new || om == open_mode::create_or_open;
    if (!found && (found.error() != errc::not_found || !create)) return found.error();
    const inode_ptr directory = inode_of(dir);
    inode_ptr inode;
    if (found) {
        inode = *found;
        if (om == open_mode::create_new) return make_error_code(errc::already_exists);
        if (inode->type == file_type::symlink) return make_error_code(errc::symlink_in_path);
        if (inode->is_directory()) return make_error_code(errc::is_a_directory);
    } else {
        if (directory->links == 0) return make_error_code(errc::not_found);
        inode = make_inode(file_type::regular, mode);
        commit({{{directory, std::string(name), nullptr, inode}}, false});
        tell(directory, event_kind::created, false, 0, name);
        tell(directory, event_kind::attributes, false, 0, name);  // exactly the mode given: a chmod follows
    }
    return add_descriptor({inode, owner, om != open_mode::read, false, directory, std::string(name)});
}

LOCKSTEP_DECL result<sim_disk::fd> sim_disk::lock_file(std::uint64_t owner, fd dir, std::string_view name) {
    auto file = open_file(owner, dir, name, open_mode::create_or_open, 0600);
    if (!file) return file.error();
    descriptor& d = descriptors_.at(*file);
    if (d.inode->locked) {
        close(*file);
        return make_error_code(errc::busy);
    }
    d.inode->locked = d.lock = true;
    return *file;
}

// --- names --------------------------------------------------------------------------------------------------------------

LOCKSTEP_DECL inode_ptr sim_disk::make_inode(file_type type, std::uint32_t mode) {
    return std::make_shared<disk_inode>(numbers_, ++last_serial_, type, mode & 07777, clock_ns());
}

LOCKSTEP_DECL void sim_disk::apply(const inode_ptr& directory, const std::string& name, const inode_ptr& after) {
    const auto entry = directory->entries.find(name);
    if (entry != directory->entries.end()) {
        --entry->second->links;
        if (!after) directory->entries.erase(entry);
    }
    if (!after) return;
    ++after->links;
    if (after->is_directory()) after->parent = directory, after->name = name;
    directory->entries.insert_or_assign(name, after);
}

LOCKSTEP_DECL void sim_disk::commit(name_change change) {
    const std::int64_t now = clock_ns();
    for (const auto& edit : change.edits) {
        apply(edit.directory, edit.name, edit.after);
        edit.directory->mtime_ns = edit.directory->ctime_ns = now;
        if (edit.before) edit.before->ctime_ns = now;
        if (edit.after) edit.after->ctime_ns = now;
    }
    unsynced_names_.push_back(std::move(change));
    if (unsynced_names_.size() > unsynced_names_max) unsynced_names_.pop_front();
}

/// Whether a descriptor of the directory itself, or of something that was opened below it, is still open.
LOCKSTEP_DECL bool sim_disk::is_held(const inode_ptr& directory) const {
    if (directory->open != 0) return true;
    return std::any_of(descriptors_.begin(), descriptors_.end(), [&](const auto& item) {
        const descriptor& d = item.second;
        return is_within(d.inode->is_directory() ? d.inode->parent.lock() : d.directory, directory);
    });
}

/// Called where a directory may have lost its last name, or the last descriptor that kept it.
LOCKSTEP_DECL void sim_disk::forget(inode_ptr inode) {
    for (; inode && inode->is_directory() && inode->links == 0; inode = inode->parent.lock()) {
        if (inode->told_gone) continue;
        if (is_held(inode)) return;
        inode->told_gone = true;
        tell(inode, event_kind::self_removed, true, 0, {});
        tell(inode, event_kind::ignored, true, 0, {});
    }
}

LOCKSTEP_DECL result<> sim_disk::make_directory(fd dir, std::string_view name, std::uint32_t mode) {
    auto found = lookup(dir, name);
    if (found) return make_error_code(errc::already_exists);
    if (found.error() != errc::not_found) return found.error();
    const inode_ptr directory = inode_of(dir);
    if (directory->links == 0) return make_error_code(errc::not_found);
    commit({{{directory, std::string(name), nullptr, make_inode(file_type::directory, mode)}}, false});
    tell(directory, event_kind::created, true, 0, name);
    tell(directory, event_kind::attributes, true, 0, name);
    return {};
}

LOCKSTEP_DECL result<> sim_disk::remove_directory(fd dir, std::string_view name) {
    auto found = lookup(dir, name);
    if (!found) return found.error();
    if (!(*found)->is_directory()) return make_error_code(errc::not_a_directory);
    if (!(*found)->entries.empty()) return make_error_code(errc::not_empty);
    const inode_ptr directory = inode_of(dir);
    commit({{{directory, std::string(name), *found, nullptr}}, false});
    forget(*found);
    tell(directory, event_kind::removed, true, 0, name);
    return {};
}

LOCKSTEP_DECL result<> sim_disk::remove_file(fd dir, std::string_view name) {
    auto found = lookup(dir, name);
    if (!found) return found.error();
    if ((*found)->is_directory()) return make_error_code(errc::is_a_directory);
    const inode_ptr directory = inode_of(dir);
    commit({{{directory, std::string(name), *found, nullptr}}, false});
    tell(directory, event_kind::removed, false, 0, name);
    return {};
}

LOCKSTEP_DECL result<> sim_disk::make_symlink(fd dir, std::string_view name, std::string_view target) {
    if (const error_code bad = check_name(name)) return bad;
    if (target.empty() || target.find('\0') != target.npos) return make_error_code(errc::invalid_argument);
    if (target.size() > link_bytes_max) return make_error_code(errc::name_too_long);
    auto found = lookup(dir, name);
    if (found) return make_error_code(errc::already_exists);
    if (found.error() != errc::not_found) return found.error();
    const inode_ptr directory = inode_of(dir);
    if (directory->links == 0) return make_error_code(errc::not_found);
    inode_ptr link = make_inode(file_type::symlink, 0777);
    link->write(0, as_bytes(target));
    link->sync(true);  // it is one with its name
    commit({{{directory, std::string(name), nullptr, link}}, false});
    tell(directory, event_kind::created, false, 0, name);
    return {};
}

LOCKSTEP_DECL result<> sim_disk::make_hard_link(fd from, std::string_view name, fd to, std::string_view new_name) {
    auto source = lookup(from, name);
    if (!source) return source.error();
    auto found = lookup(to, new_name);
    if (found) return make_error_code(errc::already_exists);
    if (found.error() != errc::not_found) return found.error();
    if ((*source)->is_directory()) return make_error_code(errc::permission_denied);
    const inode_ptr directory = inode_of(to);
    if (directory->links == 0) return make_error_code(errc::not_found);
    commit({{{directory, std::string(new_name), nullptr, *source}}, false});
    tell(directory, event_kind::created, false, 0, new_name);
    return {};
}

LOCKSTEP_DECL bool sim_disk::is_reachable(inode_ptr inode) const {
    for (; inode && inode->links != 0; inode = inode->parent.lock())
        if (inode == root_) return true;
    return false;
}

LOCKSTEP_DECL bool sim_disk::is_within(inode_ptr inner, const inode_ptr& outer) const {
    for (; inner; inner = inner->parent.lock())
        if (inner == outer) return true;
    return false;
}

/// In the order in which Linux looks (do_renameat2, vfs_rename).
LOCKSTEP_DECL result<> sim_disk::check_rename(const inode_ptr& from, const inode_ptr& source, const inode_ptr& to,
                                              const inode_ptr& target, rename_mode how) const {
    const bool exchange = how == rename_mode::exchange;
    if (target && how == rename_mode::no_replace) return make_error_code(errc::already_exists);
    if (!target && exchange) return make_error_code(errc::not_found);
    if (source->is_directory() && is_within(to, source)) return make_error_code(errc::invalid_argument);
    if (target && target->is_directory() && is_within(from, target))
        return make_error_code(exchange ? errc::invalid_argument : errc::not_empty);
    if (to->links == 0) return make_error_code(errc::not_found);
    if (!target || exchange || target == source) return {};
    if (source->is_directory() && !target->is_directory()) return make_error_code(errc::not_a_directory);
    if (!source->is_directory() && target->is_directory()) return make_error_code(errc::is_a_directory);
    if (target->is_directory() && !target->entries.empty()) return make_error_code(errc::not_empty);
    return {};
}

LOCKSTEP_DECL result<> sim_disk::rename(fd from, std::string_view name, fd to, std::string_view new_name, rename_mode how) {
    auto source_found = lookup(from, name);
    if (!source_found && source_found.error() != errc::not_found) return source_found.error();
    auto target_found = lookup(to, new_name);
    if (!target_found && target_found.error() != errc::not_found) return target_found.error();
    if (!source_found) return source_found.error();
    const inode_ptr source = *source_found;
    const inode_ptr target = target_found ? *target_found : nullptr;
    const inode_ptr from_dir = inode_of(from);
    const inode_ptr to_dir = inode_of(to);
    LOCKSTEP_TRY(check_rename(from_dir, source, to_dir, target, how));
    if (source == target) return {};

    const bool exchange = how == rename_mode::exchange;
    name_change change;
    change.moves = from_dir != to_dir;
    change.edits.push_back({from_dir, std::string(name), source, exchange ? target : nullptr});
    change.edits.push_back({to_dir, std::string(new_name), target, source});
    commit(std::move(change));
    tell_renamed(from_dir, name, to_dir, new_name, source, exchange ? nullptr : target);
    if (exchange) tell_renamed(to_dir, new_name, from_dir, name, target, nullptr);
    for (auto& [f, d] : descriptors_) {
        if (d.inode == source && d.directory == from_dir && d.name == name) d.directory = to_dir, d.name = new_name;
        else if (exchange && d.inode == target && d.directory == to_dir && d.name == new_name)
            d.directory = from_dir, d.name = name;
    }
    if (!exchange) forget(target);
    return {};
}

LOCKSTEP_DECL void sim_disk::tell_renamed(const inode_ptr& from, std::string_view name, const inode_ptr& to,
                                          std::string_view new_name, const inode_ptr& moved,
                                          const inode_ptr& replaced) {
    const std::uint32_t cookie = ++last_cookie_;
    tell(from, event_kind::moved_from, moved->is_directory(), cookie, name);
    tell(to, event_kind::moved_to, moved->is_directory(), cookie, new_name);
    if (replaced && replaced->is_directory()) tell(replaced, event_kind::attributes, true, 0, {});  // its links changed
    if (moved->is_directory()) tell(moved, event_kind::self_moved, true, 0, {});
}

// --- permissions --------------------------------------------------------------------------------------------------------

/// What stands at the end of a way, or something on it.
LOCKSTEP_DECL bool sim_disk::is_denied(inode_ptr at, std::string_view path) const {
    if (denied_.empty()) return false;
    while (at && !denied_.contains(at->serial) && !path.empty()) {
        const std::string_view name = path.substr(0, path.find('/'));
        path.remove_prefix(std::min(path.size(), name.size() + 1));
        if (name.empty()) continue;
        const auto next = at->entries.find(std::string(name));
        at = next == at->entries.end() ? nullptr : next->second;
    }
    return at && denied_.contains(at->serial);
}

// --- contents and attributes ------------------------------------------------------------------------------------------

LOCKSTEP_DECL file_status sim_disk::status_of(const disk_inode& inode) const {
    file_status s;
    s.type = inode.type;
    s.mode = inode.mode;
    s.size = inode.is_directory() ? 4096 : inode.content.size();
    s.device = device_;
    s.inode = inode.number;
    s.links = inode.is_directory() ? 2 * std::min<std::uint64_t>(inode.links, 1) : inode.links;
    s.mtime_ns = inode.mtime_ns;
    s.ctime_ns = inode.ctime_ns;
    s.birth_ns = inode.birth_ns;
    return s;
}

LOCKSTEP_DECL result<file_status> sim_disk::status(fd f) const {
    const inode_ptr inode = inode_of(f);
    if (!inode) return make_error_code(errc::invalid_argument);
    return status_of(*inode);
}

LOCKSTEP_DECL result<file_status> sim_disk::status_at(fd dir, std::string_view name) const {
    auto found = lookup(dir, name);
    if (!found) return found.error();
    return status_of(**found);
}

LOCKSTEP_DECL result<std::vector<directory_item>> sim_disk::list(fd dir) const {
    auto directory = directory_of(dir);
    if (!directory) return directory.error();
    std::vector<directory_item> items;
    items.reserve((*directory)->entries.size());
    for (const auto& [name, inode] : (*directory)->entries) items.push_back({name, inode->type, inode->number});
    return items;
}

LOCKSTEP_DECL result<std::string> sim_disk::read_symlink(fd dir, std::string_view name) const {
    auto found = lookup(dir, name);
    if (!found) return found.error();
    if ((*found)->type != file_type::symlink) return make_error_code(errc::invalid_argument);
    return std::string(as_text((*found)->content));
}

LOCKSTEP_DECL result<> sim_disk::set_mode(fd f, std::uint32_t mode) {
    const auto found = descriptors_.find(f);
    if (found == descriptors_.end()) return make_error_code(errc::invalid_argument);
    found->second.inode->mode = mode & 07777;
    found->second.inode->ctime_ns = clock_ns();
    tell_of(found->second, event_kind::attributes);
    return {};
}

LOCKSTEP_DECL result<> sim_disk::set_mtime(fd f, std::int64_t ns, bool touch) {
    const auto found = descriptors_.find(f);
    if (found == descriptors_.end()) return make_error_code(errc::invalid_argument);
    found->second.inode->mtime_ns = ns;
    found->second.inode->ctime_ns = clock_ns();
    tell_of(found->second, touch ? event_kind::attributes : event_kind::modified);
    return {};
}

LOCKSTEP_DECL result<> sim_disk::set_mtime_at(fd dir, std::string_view name, std::int64_t ns) {
    auto found = lookup(dir, name);
    if (!found) return found.error();
    (*found)->mtime_ns = ns;
    (*found)->ctime_ns = clock_ns();
    tell(inode_of(dir), event_kind::modified, (*found)->is_directory(), 0, name);
    return {};
}

LOCKSTEP_DECL result<std::size_t> sim_disk::read_at(fd f, std::uint64_t at, std::span<std::byte> out) const {
    const inode_ptr inode = inode_of(f);
    if (!inode) return make_error_code(errc::invalid_argument);
    if (inode->is_directory()) return make_error_code(errc::is_a_directory);
    if (at >= inode->content.size()) return std::size_t{0};
    const std::size_t count = std::min(out.size(), inode->content.size() - static_cast<std::size_t>(at));
    const auto spoiled = inode->unreadable.lower_bound(at / sector_bytes);
    if (spoiled != inode->unreadable.end() && *spoiled * sector_bytes < at + count) return make_error_code(errc::io_error);
    std::copy_n(inode->content.begin() + static_cast<std::ptrdiff_t>(at), count, out.begin());
    for (auto wrong = inode->altered.lower_bound(at); wrong != inode->altered.end() && wrong->first < at + count; ++wrong)
        out[static_cast<std::size_t>(wrong->first - at)] ^= wrong->second;
    return count;
}

LOCKSTEP_DECL result<> sim_disk::make_room(const descriptor& d, std::uint64_t size) {
    if (size <= d.inode->content.size() || size - d.inode->content.size() <= available_bytes()) return {};
    if (d.owner != user) ++refused_for_room_;
    return make_error_code(errc::no_space);
}

LOCKSTEP_DECL result<> sim_disk::write_at(fd f, std::uint64_t at, byte_view in) {
    const auto found = descriptors_.find(f);
    if (found == descriptors_.end()) return make_error_code(errc::invalid_argument);
    descriptor& d = found->second;
    if (!d.writable) return make_error_code(errc::permission_denied);
    if (in.empty()) return {};
    const std::uint64_t end = at + in.size();
    LOCKSTEP_TRY(make_room(d, end));
    d.inode->write(at, in);
    d.inode->mtime_ns = d.inode->ctime_ns = clock_ns();
    tell_of(d, event_kind::modified);
    return {};
}

LOCKSTEP_DECL result<> sim_disk::resize(fd f, std::uint64_t size) {
    const auto found = descriptors_.find(f);
    if (found == descriptors_.end()) return make_error_code(errc::invalid_argument);
    descriptor& d = found->second;
    if (!d.writable) return make_error_code(errc::permission_denied);
    LOCKSTEP_TRY(make_room(d, size));
    d.inode->resize(size);
    d.inode->mtime_ns = d.inode->ctime_ns = clock_ns();
    tell_of(d, event_kind::modified);
    return {};
}

LOCKSTEP_DECL result<bool> sim_disk::has_writers(fd f) const {
    const auto found = descriptors_.find(f);
    if (found == descriptors_.end()) return {boost::system::in_place_error, make_error_code(errc::invalid_argument)};
    const descriptor& d = found->second;
    // As a lease would: a descriptor open for writing cannot ask.
    if (d.writable) return {boost::system::in_place_error, make_error_code(errc::unsupported)};
    return d.inode->writers != 0;
}

// --- kernel events --------------------------------------------------------------------------------------------------

LOCKSTEP_DECL void sim_disk::tell(const inode_ptr& directory, event_kind kind, bool is_directory, std::uint32_t cookie,
                                  std::string_view name) {
    if (!directory) return;
    for (disk_observer* o : observers_) o->changed(*directory, kind, is_directory, cookie, name);
}

/// Of something done through a descriptor: told where it was opened; of a directory to its parent and to itself.
LOCKSTEP_DECL void sim_disk::tell_of(const descriptor& d, event_kind kind) {
    if (!d.inode->is_directory()) return tell(d.directory, kind, false, 0, d.name);
    tell(d.inode->parent.lock(), kind, true, 0, d.inode->name);
    tell(d.inode, kind, true, 0, {});
}

}  // namespace lockstep::sim
