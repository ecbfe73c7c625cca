// Checks that at the end of a run, and whenever it is asked, all disks show the same tree: names, types, modes, contents, and
// modification times of files.
// Source: the design, §1.3 and §5.
#pragma once

#include <sim/disk/sim_disk.hpp>

#include <lockstep/base/checksum.hpp>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace lockstep::sim {

/// A directory as text, a line a name, for comparing and for people. What a node keeps for itself is left out.
inline std::map<std::string, std::string> tree_of(const sim_disk& disk, const std::string& root) {
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
            lines[at] = std::move(line);
            if (inode->is_directory()) walk(*inode, at);
        }
    };
    if (const inode_ptr top = disk.find(root)) walk(*top, {});
    return lines;
}

class trees_equal final : public checker {
public:
    trees_equal(std::map<node_id, const sim_disk*> disks, std::string root) : disks_(std::move(disks)), root_(std::move(root)) {}

    /// The first path that is not alike on all disks, or on those of `among`; empty: there is none.
    std::string difference(const std::set<node_id>& among = {}) const {
        std::map<std::string, std::string> first;
        node_id first_node;
        for (const auto& [node, disk] : disks_) {
            if (!among.empty() && !among.contains(node)) continue;
            auto lines = tree_of(*disk, root_);
            if (first_node == no_node) {
                first = std::move(lines);
                first_node = node;
            } else if (lines != first) {
                return difference(first_node, first, node, lines);
            }
        }
        return {};
    }

    void at_end(world& w) override {
        if (const std::string what = difference(); !what.empty()) w.fail(exit_class::liveness, what);
    }

private:
    using tree_lines = std::map<std::string, std::string>;

    static std::string difference(node_id a, const tree_lines& of_a, node_id b, const tree_lines& of_b) {
        const auto say = [](const tree_lines& all, const std::string& path) {
            const auto line = all.find(path);
            return line == all.end() ? std::string("nothing") : line->second;
        };
        std::set<std::string> paths;
        for (const auto& [path, line] : of_a) paths.insert(path);
        for (const auto& [path, line] : of_b) paths.insert(path);
        for (const auto& path : paths)
            if (say(of_a, path) != say(of_b, path))
                return "trees differ at " + path + ": node " + std::to_string(a.value) + " has " + say(of_a, path) + ", node " +
                       std::to_string(b.value) + " has " + say(of_b, path);
        return {};
    }

    std::map<node_id, const sim_disk*> disks_;
    std::string root_;
};

}  // namespace lockstep::sim
