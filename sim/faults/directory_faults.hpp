// What befalls the replicated directory of a machine: something in it is kept from programs for a while; the whole of it is
// taken away, as by an unmount or a person, and put back. While it is away, users find nothing to edit.
#pragma once

#include <sim/machine/machine.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::sim {

/// What stands where a directory was taken away.
enum class stand_in : std::uint8_t {
    nothing,           ///< it was moved; a node that is started finds no directory, and refuses
    empty_directory,   ///< it was unmounted; nodes are started again when it is back, as their unit says
};

/// Lifetime: outlives the events of the world.
class directory_faults {
public:
    /// `root`: an absolute path.
    directory_faults(world& w, std::string_view root)
        : world_(w), above_(root.substr(0, root.rfind('/') + 1)), name_(root.substr(root.rfind('/') + 1)),
          away_name_(name_ + ".away") {}
    directory_faults(const directory_faults&) = delete;
    directory_faults& operator=(const directory_faults&) = delete;

    /// Told before a thing may be used again, with the path that it had, and before a directory is put back: whoever wants to
    /// know what the node made of it looks now.
    std::function<void(node_id, const std::string&)> on_allow;
    std::function<void(node_id)> on_return;

    /// Programs may not use the n-th thing in the directory, counted round. False where there is none that they may.
    bool deny(machine& m, std::uint64_t n, duration lasts) {
        std::vector<std::string> paths;
        if (const inode_ptr root = m.disk().find(above_ + name_)) collect(*root, {}, paths);
        if (paths.empty()) return false;
        const std::string& path = paths[n % paths.size()];
        const std::string full = above_ + name_ + "/" + path;
        const std::uint64_t serial = m.disk().find(full)->serial;
        if (!m.disk().deny(full)) return false;
        denied_[{m.id(), serial}] = path;
        world_.after(lasts, trace_kind::fault, nullptr, m.id().value, [this, &m, serial] { allow(m, serial); });
        return true;
    }

    /// False where it is away already, or would be unmounted under a node that is starting, and has not found it yet: that one
    /// would take what stands there for its own, as anybody's first start does.
    bool take_root(machine& m, stand_in what, duration lasts) {
        if (what == stand_in::empty_directory && m.running() && !is_held(m)) return false;
        if (away_.contains(m.id()) || !rename(m, name_, away_name_)) return false;
        away_[m.id()] = {what, world_.now() + lasts};
        if (what == stand_in::empty_directory) {
            m.hold_starts(true);
            const auto above = m.disk().open_directory(sim_disk::user, above_);
            (void)m.disk().make_directory(*above, name_, 0755);
            (void)m.disk().sync_directory(*above);
            m.disk().close(*above);
        }
        world_.after(lasts, trace_kind::fault, nullptr, m.id().value, [this, &m] {
            const auto away = away_.find(m.id());
            if (away != away_.end() && away->second.until <= world_.now()) put_back(m);
        });
        return true;
    }

    /// All is allowed, and in its place.
    void heal(machine& m) {
        for (auto it = denied_.lower_bound({m.id(), 0}); it != denied_.end() && it->first.first == m.id();)
            allow(m, (it++)->first.second);
        if (away_.contains(m.id())) put_back(m);
    }

    /// Whether it is away, or was at some moment since then: what was begun then may fail for want of it.
    bool lacked_root(node_id id, time_point since) const {
        const auto back = back_at_.find(id);
        return away_.contains(id) || (back != back_at_.end() && since <= back->second);
    }

private:
    struct absence {
        stand_in what;
        time_point until;
    };

    /// By the node that runs: it locks what it keeps there.
    bool is_held(machine& m) const {
        const inode_ptr control = m.disk().find(above_ + name_ + "/" + std::string(control_name));
        if (!control) return false;
        const auto locked = [](const auto& item) { return item.second->locked; };
        return std::any_of(control->entries.begin(), control->entries.end(), locked);
    }

    /// In an order that is the same each time.
    static void collect(const disk_inode& directory, const std::string& path, std::vector<std::string>& into) {
        for (const auto& [name, inode] : directory.entries) {
            if (path.empty() && name == control_name) continue;
            const std::string at = path.empty() ? name : path + "/" + name;
            if (inode->type != file_type::symlink) into.push_back(at);
            if (inode->is_directory()) collect(*inode, at, into);
        }
    }

    void allow(machine& m, std::uint64_t serial) {
        const auto denied = denied_.find({m.id(), serial});
        if (denied == denied_.end()) return;
        if (on_allow) on_allow(m.id(), denied->second);
        m.disk().allow(serial);
        denied_.erase(denied);
    }

    void put_back(machine& m) {
        if (on_return) on_return(m.id());
        const absence was = away_.extract(m.id()).mapped();
        back_at_[m.id()] = world_.now();
        if (was.what == stand_in::empty_directory) remove_stand_in(m);
        if (!rename(m, away_name_, name_)) world_.fail(exit_class::crash, "a directory that was taken away is not there any more");
        m.hold_starts(false);
        if (was.what == stand_in::empty_directory && !m.running()) m.start();
    }

    /// No node takes it for its own: at most one that was started there made its control directory before it knew better.
    void remove_stand_in(machine& m) {
        const inode_ptr there = m.disk().find(above_ + name_);
        for (const auto& [name, inode] : there->entries) {
            if (name == control_name) continue;
            world_.fail(exit_class::correctness, "node " + std::to_string(m.id().value) + " made " + name +
                                                     " in a directory that stands where its own was taken away");
        }
        const auto above = m.disk().open_directory(sim_disk::user, above_);
        const auto inside = m.disk().open_directory_at(sim_disk::user, *above, name_);
        empty_directory(m.disk(), *inside);
        m.disk().close(*inside);
        (void)m.disk().remove_directory(*above, name_);
        m.disk().close(*above);
    }

    /// For good, whatever becomes of the power.
    bool rename(machine& m, const std::string& from, const std::string& to) {
        const auto above = m.disk().open_directory(sim_disk::user, above_);
        if (!above) return false;
        const auto done = m.disk().rename(*above, from, *above, to, rename_mode::no_replace);
        (void)m.disk().sync_directory(*above);
        m.disk().close(*above);
        return !done.has_error();
    }

    static constexpr std::string_view control_name = ".lockstep";

    world& world_;
    std::string above_, name_, away_name_;
    std::map<std::pair<node_id, std::uint64_t>, std::string> denied_;   ///< by machine and serial: the path that it had
    std::map<node_id, absence> away_;
    std::map<node_id, time_point> back_at_;
};

}  // namespace lockstep::sim
