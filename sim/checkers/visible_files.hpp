// A file that is replaced is never seen partial or missing: what a node puts under a name that users see is a whole version, one
// that some user closed or that the cluster committed, from the call on that shows it; and a node takes nothing away from
// where the cluster has it before another thing stands there.
// Source: the design, §5; traps, "the watched directory" 8, 11.
#pragma once

#include <sim/checkers/node_changes.hpp>
#include <sim/workload/edit_history.hpp>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace lockstep::sim {

class visible_files final : public node_changes {
public:
    /// What the node has of the cluster's decisions. `placed`: the log index at which the file that is to be at a path came to
    /// be there; 0: none is to be there. `whole`: some entry of the log has this content. `stands`: the file that is to be there
    /// has it.
    struct decisions {
        std::function<log_index(const std::string& path)> placed;
        std::function<log_index()> applied;
        std::function<bool(std::uint64_t content_key)> whole;
        std::function<bool(const std::string& path, std::uint64_t content_key)> stands = {};
    };

    visible_files(world& w, sim_disk& disk, node_id node, std::string root, const edit_history& history, decisions decided)
        : node_changes(disk), world_(w), node_(node), root_(std::move(root)), history_(history), decided_(std::move(decided)) {}

    std::uint64_t looks() const noexcept { return looks_; }
    /// What the node knew of the files here may be gone: they are as a user's own to it.
    void forgotten() { seen_.clear(); }
    /// A new process. Names that were not synced may have gone with the power: another file may come to stand at such a path.
    void restarted() {
        std::erase_if(seen_, [this](const auto& one) { return !stands(one.first, one.second.serial); });
    }
    /// Told each path that users see and the node changes, in name, content or attributes. May be empty.
    std::function<void(const std::string& path)> on_change;

private:
    void node_changed(const disk_inode& directory, event_kind kind, bool is_directory, std::string_view name) override {
        if (kind == event_kind::closed_write) return;
        const auto where = path_on(disk_, directory);
        if (!where || !is_below(*where, root_) || is_below(*where, root_ + "/.lockstep")) return;
        const std::string path = *where + "/" + std::string(name);
        if (path == root_ + "/.lockstep") return;
        if (on_change) on_change(path);
        if (is_directory) return directory_changed(path, kind);
        const auto found = directory.entries.find(name);
        if (found == directory.entries.end()) {
            if (kind == event_kind::moved_from || kind == event_kind::removed) taken_away(path);
            return;
        }
        const disk_inode& inode = *found->second;
        if (inode.type != file_type::regular || kind == event_kind::attributes) return;
        if (of_users_.contains(inode.serial)) {
            seen_.erase(path);
            return;
        }
        // A batch that was begun earlier may show what the cluster has replaced since: that goes before the other comes.
        if (is_current(path, inode)) seen_[path] = {decided_.applied(), inode.serial};
        else seen_.erase(path);
        shown(path, inode);
    }
    void user_changed(const disk_inode& directory, event_kind kind, std::string_view name) override {
        if (kind == event_kind::attributes || kind == event_kind::closed_write) return;
        const auto found = directory.entries.find(name);
        const bool writes = kind == event_kind::created || kind == event_kind::modified;
        if (writes && found != directory.entries.end()) of_users_.insert(found->second->serial);
        if (const auto where = path_on(disk_, directory)) forget(*where + "/" + std::string(name));
    }
    /// What stood there, and below it, is where its user put it.
    void forget(const std::string& path) {
        seen_.erase(path);
        (void)take_below(path);
    }
    /// What stands in a directory moves with it.
    void directory_changed(const std::string& path, event_kind kind) {
        if (kind == event_kind::moved_from || kind == event_kind::removed) carried_ = take_below(path);
        if (kind != event_kind::moved_to) return;
        for (const auto& [name, put] : std::exchange(carried_, {}))
            if (stands(path + name, put.serial) && is_current(path + name, *disk_.find(path + name))) seen_[path + name] = put;
    }
    /// The cluster has this there, as far as the node knows.
    bool is_current(const std::string& path, const disk_inode& file) const {
        return !decided_.stands || decided_.stands(path.substr(root_.size() + 1), edit_history::key(file.content));
    }

    struct put_there {
        log_index applied;         ///< when the node put it there
        std::uint64_t serial = 0;  ///< of the file
    };
    using files = std::map<std::string, put_there>;

    files take_below(const std::string& path) {
        files taken;
        for (auto at = seen_.lower_bound(path + "/"); at != seen_.end() && at->first.starts_with(path + "/"); at = seen_.erase(at))
            taken[at->first.substr(path.size())] = at->second;
        return taken;
    }
    bool stands(const std::string& path, std::uint64_t serial) const {
        const inode_ptr there = disk_.find(path);
        return there && there->serial == serial;
    }

    void shown(const std::string& path, const disk_inode& inode) {
        ++looks_;
        const byte_view content = inode.content;
        if (content.empty() || history_.find(content) || decided_.whole(edit_history::key(content))) return;
        world_.fail(exit_class::correctness, "node " + std::to_string(node_.value) + " shows " + path + " with " + std::to_string(content.size()) +
                                                 " bytes that nobody closed and nobody committed");
    }
    /// What this node put there itself, which no user touched and about which the cluster has decided nothing else since. A file
    /// of a user's own that is in the way of the cluster's may go to another name first.
    void taken_away(const std::string& path) {
        ++looks_;
        const auto seen = seen_.extract(path);
        const log_index placed = decided_.placed(path.substr(root_.size() + 1));
        if (seen.empty() || placed.value == 0 || placed > seen.mapped().applied) return;
        world_.fail(exit_class::correctness, "node " + std::to_string(node_.value) + " took away " + path + ", which the cluster has there since index " +
                                                 std::to_string(placed.value) + ", with nothing in its place");
    }

    world& world_;
    node_id node_;
    std::string root_;
    const edit_history& history_;
    decisions decided_;
    std::set<std::uint64_t> of_users_;          ///< serials of files that users made or wrote to
    files seen_;                                ///< by the paths under which the node put a file of its own
    files carried_;                             ///< by their paths below a directory that has just left its place
    std::uint64_t looks_ = 0;
};

}  // namespace lockstep::sim
