#pragma once

#include <sim/workload/sim_user.hpp>

namespace lockstep::sim {

LOCKSTEP_DECL std::vector<planned_edit> draw_edits(const world& w, node_id node, const user_options& options, duration end) {
    random_generator random = w.fork("edits", node.value);
    std::vector<planned_edit> edits;
    for (duration at = draw(random, duration(1000), options.pause_max); at < end; at += draw(random, duration(1000), options.pause_max))
        edits.push_back({at, node, edits.size() + 1, 0, {}});
    return edits;
}

LOCKSTEP_DECL sim_user::sim_user(world& w, sim_disk& disk, node_id node, edit_history& history, user_options options)
    : world_(w), disk_(disk), node_(node), history_(history), options_(std::move(options)),
      random_(w.fork("user", node.value)), at_calls_(w.fork("user at calls", node.value)) {
    if (const inode_ptr root = disk.find(options_.root)) root_ = root->serial;
}

// --- the clockwork ------------------------------------------------------------------------------------------------------

LOCKSTEP_DECL void sim_user::start(const std::vector<planned_edit>& edits) {
    for (const planned_edit& e : edits) {
        if (e.node != node_) continue;
        world_.after(e.at, trace_kind::user, nullptr, e.number, [this, e] {
            if (e.call != 0) return at_calls_due_.push_back(e);
            due_.push_back(e);
            if (!awake_) wake();
        });
    }
}

/// Makes one call of the edit under way, or begins the next one, and comes again as long as there is something to do.
LOCKSTEP_DECL void sim_user::wake() {
    if (steps_.empty() && !due_.empty()) {
        const planned_edit next = std::move(due_.front());
        due_.pop_front();
        begin(next);
    }
    run_step();
    awake_ = !idle();
    if (awake_) come_again();
}

LOCKSTEP_DECL void sim_user::come_again() {
    const duration pause = draw(random_, duration(1000), options_.step_max);
    world_.schedule(std::max(world_.now() + pause, held_until_), trace_kind::user, nullptr, node_.value, [this] { wake(); });
}

LOCKSTEP_DECL void sim_user::begin(const planned_edit& edit) {
    random_ = world_.fork("edit", node_.value * 1'000'000'007 + edit.number);
    hold_ = edit.what.held;
    if (edit.what.verb == edit_verb::any) choose();
    else obey(edit);
}

LOCKSTEP_DECL void sim_user::before_call() {
    if (at_calls_due_.empty()) return;
    std::vector<planned_edit> now;
    for (planned_edit& e : at_calls_due_)
        if (--e.call == 0) now.push_back(e);
    std::erase_if(at_calls_due_, [](const planned_edit& e) { return e.call == 0; });
    for (const planned_edit& e : now) {
        while (!steps_.empty()) run_step();   // one program at a time
        begin(e);
        while (!steps_.empty()) run_step();
    }
}

LOCKSTEP_DECL void sim_user::act() {
    if (world_.now() >= held_until_ || at_calls_.one_in(16)) run_step();
}

LOCKSTEP_DECL void sim_user::race(const std::string& path) {
    if (!idle()) return;
    random_ = world_.fork("race", node_.value * 1'000'000'007 + edits_);
    hold_ = {};
    choose_race(path);
    run_step();
    if (!awake_ && !idle()) {
        awake_ = true;
        come_again();
    }
}

LOCKSTEP_DECL void sim_user::run_step() {
    if (steps_.empty()) return;
    // Whatever event it runs in: it goes on from what was done of this edit.
    const cause_scope own(world_, told_);
    const step s = std::move(steps_.front());
    steps_.pop_front();
    world_.trace(trace_kind::user, node_, edits_ * 64 + steps_.size());
    if (s()) {
        if (steps_.empty()) tell_end(true);
        return;
    }
    tell_end(false);
    steps_.clear();
    held_until_ = {};
    close_file();
}

/// In a trace: the edit under way is made of this.
LOCKSTEP_DECL void sim_user::tell(std::string what) {
    trace_recorder* r = world_.recorder();
    if (!r) return;
    if (told_ != 0) what = "and " + what;
    told_ = r->record(trace_lane::user_at(node_), traced::call, std::move(what), trace_values().add("edit", edits_));
}

LOCKSTEP_DECL void sim_user::tell_end(bool done) {
    if (trace_recorder* r = world_.recorder())
        r->record(trace_lane::user_at(node_), traced::done, done ? "done" : "given up: a call failed", trace_values().add("edit", edits_));
    told_ = 0;
}

LOCKSTEP_DECL void sim_user::power_lost() {
    if (!steps_.empty()) tell_end(false);
    steps_.clear();
    held_until_ = {};
    file_ = 0;
    std::map<std::string, std::uint64_t> standing;
    const std::function<void(const disk_inode&, const std::string&)> walk = [&](const disk_inode& at, const std::string& above) {
        for (const auto& [name, inode] : at.entries) {
            if (inode->type == file_type::regular) standing[above + name] = edit_history::key(inode->content);
            else if (inode->is_directory() && (!above.empty() || name != ".lockstep")) walk(*inode, above + name + "/");
        }
    };
    if (const inode_ptr root = disk_.find(options_.root)) walk(*root, {});
    history_.power_lost(node_, standing);
}

template <class F>
bool sim_user::in_directory(const std::string& path, F f) {
    const inode_ptr root = disk_.find(options_.root);
    if (!root || (root_ != 0 && root->serial != root_)) return false;
    const auto slash = path.rfind('/');
    const std::string above = options_.root + (slash == path.npos ? "" : "/" + path.substr(0, slash));
    auto dir = disk_.open_directory(sim_disk::user, above);
    if (!dir) return false;
    const bool ok = f(*dir, slash == path.npos ? path : path.substr(slash + 1));
    disk_.close(*dir);
    return ok;
}

// --- parts of edits -----------------------------------------------------------------------------------------------------

/// Whoever changes a file, or does away with it, had seen what it holds, or what the power took of it.
LOCKSTEP_DECL void sim_user::give_up(const disk_inode& inode, byte_view held) {
    history_.given_up(held);
    if (inode.before_loss) history_.given_up(*inode.before_loss);
}
LOCKSTEP_DECL void sim_user::give_up(const std::string& path) {
    in_directory(path, [&](fd dir, const std::string& name) {
        const inode_ptr inode = standing_in(dir, name);
        if (inode && inode->type == file_type::regular) give_up(*inode, inode->content);
        return true;
    });
}
/// The way to a directory may lead through symbolic links: a path alone does not tell what stands at its end.
LOCKSTEP_DECL inode_ptr sim_user::standing_in(fd dir, const std::string& name) const {
    const inode_ptr directory = disk_.inode_of(dir);
    const auto found = directory->entries.find(name);
    return found == directory->entries.end() ? nullptr : found->second;
}

LOCKSTEP_DECL void sim_user::sync_above(const std::string& path) {
    for (std::string at = options_.root + "/" + path; !at.empty();) {
        at.resize(at.rfind('/'));
        auto dir = disk_.open_directory(sim_disk::user, at);
        if (!dir) return;
        (void)disk_.sync_directory(*dir);
        disk_.close(*dir);
    }
}

LOCKSTEP_DECL void sim_user::queue_open(const std::string& path, open_mode om, bool truncate) {
    queue([=, this] {
        return in_directory(path, [&](fd dir, const std::string& name) {
            auto file = disk_.open_file(sim_disk::user, dir, name, om, 0644);
            if (!file) return false;
            file_ = *file;
            const inode_ptr inode = disk_.inode_of(file_);
            if (truncate && !inode->content.empty()) {
                give_up(*inode, inode->content);
                (void)disk_.resize(file_, 0);
            }
            return true;
        });
    });
    queue_hold();
}

/// Whoever is slow leaves his file open for a while: what the node does to it meanwhile, it does under his hands.
LOCKSTEP_DECL void sim_user::queue_hold() {
    if (!slow_ && hold_ == duration::zero()) return;
    queue([this] {
        held_until_ = world_.now() + (slow_ ? draw(random_, duration(1000), options_.hold_max) : hold_);
        return true;
    });
}

LOCKSTEP_DECL void sim_user::queue_writes(const shared_bytes& content, std::uint64_t at) {
    const std::size_t pieces = static_cast<std::size_t>(random_.between(1, 3));
    for (std::size_t i = 0; i < pieces; ++i) {
        if (i > 0) queue_hold();
        const std::size_t from = content.size() * i / pieces;
        const std::size_t to = content.size() * (i + 1) / pieces;
        queue([=, this] {
            // In place he writes over what he read when he opened it, and what others appended since.
            const inode_ptr inode = disk_.inode_of(file_);
            const shared_bytes before = shared_bytes::copy_of(inode->content);
            const std::uint64_t base = at == append_at ? before.size() : at + from;
            const auto written = disk_.write_at(file_, base, content.slice(from, to - from).view());
            history_.stood(inode->content);
            if (!equal(before.view(), inode->content)) give_up(*inode, before.view());
            return !written.has_error();
        });
    }
}

LOCKSTEP_DECL void sim_user::queue_close(const std::string& path, bool synced) {
    if (synced)
        queue([this] {
            (void)disk_.sync(file_, true);
            return true;
        });
    queue([=, this] {
        const inode_ptr inode = disk_.inode_of(file_);
        const shared_bytes content = shared_bytes::copy_of(inode->content);
        close_file();
        if (inode->links == 0 && history_.is_unlinked(node_, inode->serial)) return true;
        history_.closed(node_, path, content.view(), world_.now(), false);
        if (!synced) return true;
        // Synced means that the name is durable too, whatever became of the file under it meanwhile.
        sync_above(path);
        if (disk_.find(options_.root + "/" + path) == inode && inode->unsynced.empty()) history_.synced(content.view());
        return true;
    });
}

LOCKSTEP_DECL void sim_user::close_file() {
    if (file_ != 0) disk_.close(file_);
    file_ = 0;
}

// --- edits --------------------------------------------------------------------------------------------------------------

LOCKSTEP_DECL void sim_user::write_file(const std::string& path, shared_bytes content, bool truncate, bool synced) {
    tell("write " + path + ", " + std::to_string(content.size()) + " bytes" + (truncate ? "" : " over what is there") + (synced ? ", synced" : ""));
    queue_open(path, open_mode::create_or_open, truncate);
    queue_writes(content, 0);
    queue_close(path, synced);
}

LOCKSTEP_DECL void sim_user::save_by_rename(const std::string& path, shared_bytes content, bool synced) {
    tell("save " + path + ", " + std::to_string(content.size()) + " bytes, by a rename" + (synced ? ", synced" : ""));
    const std::string temporary = path + ".tmp" + std::to_string(edits_);
    queue_open(temporary, open_mode::create_new, false);
    queue_writes(content, 0);
    queue_close(temporary, synced);
    rename(temporary, path);
    if (synced)
        queue([=, this] {
            sync_above(path);
            return true;
        });
}

LOCKSTEP_DECL void sim_user::append(const std::string& path, shared_bytes content) {
    tell("append " + std::to_string(content.size()) + " bytes to " + path);
    queue_open(path, open_mode::read_write, false);
    queue_writes(content, append_at);
    queue_close(path, false);
}

LOCKSTEP_DECL void sim_user::truncate(const std::string& path, std::uint64_t size) {
    tell("truncate " + path + " to " + std::to_string(size) + " bytes");
    queue_open(path, open_mode::read_write, false);
    queue([=, this] {
        const inode_ptr inode = disk_.inode_of(file_);
        if (inode->content.size() != size) give_up(*inode, inode->content);
        const bool done = !disk_.resize(file_, size).has_error();
        history_.stood(inode->content);
        return done;
    });
    queue_close(path, false);
}

LOCKSTEP_DECL void sim_user::rewrite(const std::string& path) {
    tell("rewrite " + path);
    for (int time = 1; time <= rewrites; ++time) {
        const std::string line = signature() + " time " + std::to_string(time) + "\n";
        queue([=, this] {
            return in_directory(path, [&](fd dir, const std::string& name) {
                const auto file = disk_.open_file(sim_disk::user, dir, name, open_mode::read_write, 0644);
                if (!file) return false;
                const inode_ptr inode = disk_.inode_of(*file);
                std::string text = line;
                while (text.size() < inode->content.size()) text += line;
                text.resize(std::max(line.size(), inode->content.size()));
                give_up(*inode, inode->content);
                const bool written = !disk_.write_at(*file, 0, as_bytes(text)).has_error();
                disk_.close(*file);
                history_.stood(inode->content);
                if (written) history_.closed(node_, path, as_bytes(text), world_.now(), false);
                return written;
            });
        });
    }
}

LOCKSTEP_DECL void sim_user::remove(const std::string& path) {
    tell("remove " + path);
    queue([=, this] {
        give_up(path);
        inode_ptr gone;
        in_directory(path, [&](fd dir, const std::string& name) { return bool(gone = standing_in(dir, name)); });
        const bool done = in_directory(path, [&](fd dir, const std::string& name) { return !disk_.remove_file(dir, name).has_error(); });
        if (done && gone->links == 0) history_.unlinked(node_, gone->serial);
        return done;
    });
}

/// rm -r: what is there when it looks, the innermost first.
LOCKSTEP_DECL void sim_user::remove_tree(const std::string& path) {
    tell("remove " + path + " and all below it");
    queue([=, this] {
        const inode_ptr top = disk_.find(options_.root + "/" + path);
        if (!top || !top->is_directory()) return false;
        std::vector<std::pair<std::string, bool>> inside;
        const std::function<void(const inode_ptr&, const std::string&)> walk = [&](const inode_ptr& d, const std::string& at) {
            for (const auto& [name, inode] : d->entries) {
                if (inode->is_directory()) walk(inode, at + "/" + name);
                else inside.emplace_back(at + "/" + name, false);
            }
            inside.emplace_back(at, true);
        };
        walk(top, path);
        for (const auto& [inner, directory] : inside) {
            if (!directory) remove(inner);
            else queue([at = inner, this] {
                return in_directory(at, [&](fd dir, const std::string& n) { return !disk_.remove_directory(dir, n).has_error(); });
            });
        }
        return true;
    });
}

LOCKSTEP_DECL void sim_user::make_directory(const std::string& path) {
    tell("make directory " + path);
    queue([=, this] {
        return in_directory(path, [&](fd dir, const std::string& n) { return !disk_.make_directory(dir, n, 0755).has_error(); });
    });
}

LOCKSTEP_DECL void sim_user::make_tree(const std::string& path) {
    const std::uint64_t files = random_.between(1, 3);
    std::vector<std::pair<std::string, shared_bytes>> inside;
    for (std::uint64_t i = 0; i < files; ++i) {
        const std::string name(1, static_cast<char>('a' + i));
        const std::string line = signature() + " file " + name + "\n";
        inside.emplace_back(random_.one_in(2) ? path + "/" + name : path + "/d/" + name, shared_bytes::copy_of(line));
    }
    queue([=, this] {
        const auto make = [&](fd dir, const std::string& n) { return !disk_.make_directory(dir, n, 0755).has_error(); };
        if (!in_directory(path, make) || !in_directory(path + "/d", make)) return false;
        for (const auto& [at, content] : inside) {
            const bool written = in_directory(at, [&](fd dir, const std::string& name) {
                const auto file = disk_.open_file(sim_disk::user, dir, name, open_mode::create_new, 0644);
                const bool ok = file && !disk_.write_at(*file, 0, content.view()).has_error();
                if (file) disk_.close(*file);
                return ok;
            });
            if (!written) return false;
            history_.stood(content.view());
            history_.closed(node_, at, content.view(), world_.now(), false);
        }
        return true;
    });
}

LOCKSTEP_DECL void sim_user::rename(const std::string& path, const std::string& to) {
    tell("rename " + path + " to " + to);
    queue([=, this] {
        return in_directory(path, [&](fd from, const std::string& name) {
            return in_directory(to, [&](fd dir, const std::string& new_name) {
                const inode_ptr over = standing_in(dir, new_name);
                const auto done = disk_.rename(from, name, dir, new_name, rename_mode::replace);
                if (done && over && over->type == file_type::regular && over->links == 0) {
                    give_up(*over, over->content);
                    history_.unlinked(node_, over->serial);
                }
                // Its other names may not be durable.
                if (done && over && over->type == file_type::regular && over->links > 0) history_.moved(node_, over->content, to);
                if (done) tell_moved(standing_in(dir, new_name), path);
                return !done.has_error();
            });
        });
    });
}

LOCKSTEP_DECL void sim_user::tell_moved(const inode_ptr& what, const std::string& from) {
    if (!what) return;
    if (what->type == file_type::regular) history_.moved(node_, what->content, from);
    for (const auto& [name, below] : what->entries) tell_moved(below, from + "/" + name);
}

LOCKSTEP_DECL void sim_user::make_symlink(const std::string& path, const std::string& target) {
    tell("make link " + path + " to " + target);
    queue([=, this] {
        history_.stood(as_bytes(target));
        return in_directory(path, [&](fd dir, const std::string& n) { return !disk_.make_symlink(dir, n, target).has_error(); });
    });
}

LOCKSTEP_DECL void sim_user::make_hard_link(const std::string& path, const std::string& to) {
    tell("make hard link " + to + " to " + path);
    queue([=, this] {
        return in_directory(path, [&](fd from, const std::string& name) {
            return in_directory(to, [&](fd dir, const std::string& n) { return !disk_.make_hard_link(from, name, dir, n).has_error(); });
        });
    });
}

LOCKSTEP_DECL void sim_user::set_mode(const std::string& path, std::uint32_t mode) {
    tell("change the mode of " + path);
    queue_open(path, open_mode::read, false);
    queue([=, this] {
        (void)disk_.set_mode(file_, mode);
        close_file();
        return true;
    });
}

/// On the directory itself, wherever it is by then: as a program that has it open.
LOCKSTEP_DECL void sim_user::set_directory_mode(const std::string& path, std::uint32_t mode) {
    tell("change the mode of directory " + path);
    queue([=, this] {
        const auto opened = disk_.open_directory(sim_disk::user, options_.root + "/" + path);
        if (!opened) return false;
        file_ = *opened;
        return true;
    });
    queue_hold();
    queue([=, this] {
        (void)disk_.set_mode(file_, mode);
        close_file();
        return true;
    });
}

LOCKSTEP_DECL void sim_user::touch(const std::string& path) {
    tell("touch " + path);
    queue_open(path, open_mode::read, false);
    queue([this] {
        (void)disk_.set_mtime(file_, disk_.clock_ns(), true);
        close_file();
        return true;
    });
}

}  // namespace lockstep::sim
