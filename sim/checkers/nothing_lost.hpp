// Checks, at the end of a run, that no content is lost that a user closed, unless a user who had it before him did away with it,
// or the power went before anybody synced it and the cluster did not have it yet; or took a move of it that was not synced: what
// became of its old place may be in the cluster already, and no file system promises that order.
// Source: the design, §1.5.
#pragma once

#include <sim/disk/sim_disk.hpp>
#include <sim/workload/edit_history.hpp>

#include <functional>
#include <set>
#include <string>
#include <utility>

namespace lockstep::sim {

class nothing_lost final : public checker {
public:
    /// `disk` is any of those that are alike at the end.
    nothing_lost(const sim_disk& disk, std::string root, const edit_history& history)
        : disk_(disk), root_(std::move(root)), history_(history) {}

    void at_end(world& w) override {
        const std::set<std::uint64_t> there = contents();
        for (const auto& [key, content] : history_.contents()) {
            if (content.given_up || content.move_lost || (content.maybe_lost && !content.committed) || there.contains(key)) continue;
            w.fail(exit_class::correctness,
                   "lost: the content that node " + std::to_string(content.node.value) + " closed as " + content.path + " (" +
                       std::to_string(content.bytes) + " bytes, at " + std::to_string(content.at.time_since_epoch().count()) + " ns)");
        }
    }

private:
    std::set<std::uint64_t> contents() const {
        std::set<std::uint64_t> found;
        const std::function<void(const disk_inode&, bool)> walk = [&](const disk_inode& d, bool top) {
            for (const auto& [name, inode] : d.entries) {
                if (top && name == ".lockstep") continue;
                if (inode->type == file_type::regular) found.insert(edit_history::key(inode->content));
                if (inode->is_directory()) walk(*inode, false);
            }
        };
        if (const inode_ptr top = disk_.find(root_)) walk(*top, true);
        return found;
    }

    const sim_disk& disk_;
    std::string root_;
    const edit_history& history_;
};

}  // namespace lockstep::sim
