// Checks, at the end of a run, that all disks show the same tree and that no content that a user closed is lost.
#pragma once

#include <sim/workload/edit_history.hpp>
#include <sim/disk/sim_disk.hpp>

#include <functional>
#include <set>

namespace lockstep::sim {

/// A directory as text, a line a name, for comparing and for people. Modes, contents and modification times of files.
inline std::map<std::string, std::string> tree_of(const sim_disk& disk, const std::string& root, std::set<std::uint64_t>* contents) {
    std::map<std::string, std::string> lines;
    const std::function<void(const disk_inode&, const std::string&)> walk = [&](const disk_inode& d, const std::string& path) {
        for (const auto& [name, inode] : d.entries) {
            if (path.empty() && name == ".lockstep") continue;
            const std::string at = path + "/" + name;
            std::string line = std::to_string(static_cast<int>(inode->type));
            if (inode->type != file_type::symlink) line += " mode " + std::to_string(inode->mode & 0777);
            if (!inode->is_directory())
                line += " size " + std::to_string(inode->content.size()) + " hash " + std::to_string(checksum(inode->content));
            if (inode->type == file_type::regular) line += " mtime " + std::to_string(inode->mtime_ns);
            if (contents && inode->type == file_type::regular) contents->insert(edit_history::key(inode->content));
            lines[at] = std::move(line);
            if (inode->is_directory()) walk(*inode, at);
        }
    };
    if (const inode_ptr top = disk.find(root)) walk(*top, {});
    return lines;
}

class tree_checker final : public checker {
public:
    tree_checker(std::map<node_id, const sim_disk*> disks, std::string root, const edit_history& history)
        : disks_(std::move(disks)), root_(std::move(root)), history_(history) {}

    /// Whether all disks show the same.
    bool equal() const { return difference().empty(); }

    /// The first path that is not alike everywhere.
    std::string difference() const {
        const auto first = tree_of(*disks_.begin()->second, root_, nullptr);
        for (const auto& [node, disk] : disks_) {
            const auto other = tree_of(*disk, root_, nullptr);
            if (other == first) continue;
            const auto say = [&](const auto& lines, const std::string& path) {
                const auto line = lines.find(path);
                return line == lines.end() ? std::string("nothing") : line->second;
            };
            std::set<std::string> paths;
            for (const auto& [path, line] : first) paths.insert(path);
            for (const auto& [path, line] : other) paths.insert(path);
            for (const auto& path : paths) {
                if (say(first, path) == say(other, path)) continue;
                return "trees differ at " + path + ": node " + std::to_string(disks_.begin()->first.value) + " has " + say(first, path) +
                       ", node " + std::to_string(node.value) + " has " + say(other, path);
            }
        }
        return {};
    }

    void at_end(world& w) override {
        if (const std::string what = difference(); !what.empty()) return w.fail(exit_class::liveness, what);
        std::set<std::uint64_t> there;
        (void)tree_of(*disks_.begin()->second, root_, &there);
        for (const auto& [key, content] : history_.contents()) {
            if (content.given_up || (content.maybe_lost && !content.committed) || there.contains(key)) continue;
            w.fail(exit_class::correctness,
                   "lost: the content that node " + std::to_string(content.node.value) + " closed as " + content.path + " (" +
                       std::to_string(content.bytes) + " bytes, at " + std::to_string(content.at.time_since_epoch().count()) + " ns)");
        }
    }

private:
    std::map<node_id, const sim_disk*> disks_;
    std::string root_;
    const edit_history& history_;
};

}  // namespace lockstep::sim
