// Nothing outside the root: whatever names and links come and whatever is swapped under it, a node changes nothing on its
// machine but below its directory (and the state in it).
// Source: traps, "the watched directory" 19.
#pragma once

#include <sim/checkers/node_changes.hpp>

#include <set>
#include <string>
#include <utility>

namespace lockstep::sim {

class confinement final : public node_changes {
public:
    /// `root`: the absolute path of the node's directory, which is there.
    confinement(world& w, sim_disk& disk, node_id node, std::string root)
        : node_changes(disk), world_(w), node_(node), root_(std::move(root)), top_(disk.find(root_)) {}

private:
    void node_changed(const disk_inode& directory, event_kind kind, bool, std::string_view name) override {
        if (kind == event_kind::closed_write || directory.serial == last_inside_) return;
        // Its root may be moved away under it: what hangs below that is still its own.
        for (const disk_inode* at = &directory; at; at = at->parent.lock().get())
            if (at == top_.get()) {
                last_inside_ = directory.serial;
                return;
            }
        // The root's own place: a change of its attributes.
        if (const inode_ptr root = directory.entries.contains(std::string(name)) ? directory.entries.find(name)->second : nullptr; root == top_) return;
        if (directory.links == 0) return;   // hangs nowhere: nobody sees it
        world_.fail(exit_class::correctness, "node " + std::to_string(node_.value) + " changed " + path_on(disk_, directory).value_or("?") + "/" +
                                                 std::string(name) + ", outside of its directory " + root_);
    }

    world& world_;
    node_id node_;
    std::string root_;
    inode_ptr top_;
    std::uint64_t last_inside_ = 0;   ///< directories are asked about again and again
};

}  // namespace lockstep::sim
