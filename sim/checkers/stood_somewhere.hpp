// Checks that each content that the cluster takes stood in some file as a whole: that a user had written it by some moment, closed or
// not, or that a loss of power left it. What a node read while it changed, half old and half new, never stood anywhere.
// Source: the design, §5; traps, "the watched directory" 11.
#pragma once

#include <sim/disk/sim_disk.hpp>
#include <sim/workload/edit_history.hpp>

#include <lockstep/codec/command.hpp>
#include <lockstep/raft/entry.hpp>

#include <functional>
#include <string>
#include <utility>

namespace lockstep::sim {

/// What is in the files of a disk now, also in those that a node has put aside, or in a directory that is away.
inline void note_all(const sim_disk& disk, edit_history& history) {
    const std::function<void(const disk_inode&)> walk = [&](const disk_inode& inode) {
        if (inode.type == file_type::regular) history.stood(inode.content);
        for (const auto& [name, below] : inode.entries) walk(*below);
    };
    walk(*disk.root());
}

class stood_somewhere {
public:
    /// `damaged`: reads of that node's disk may give what does not stand there.
    stood_somewhere(world& w, const edit_history& history, std::function<bool(node_id)> damaged)
        : world_(w), history_(history), damaged_(std::move(damaged)) {}
    stood_somewhere(const stood_somewhere&) = delete;
    stood_somewhere& operator=(const stood_somewhere&) = delete;

    /// Each entry is looked at once, when the first node gets to it.
    void applied(const raft::entry& e) {
        if (e.index <= looked_at_) return;
        looked_at_ = e.index;
        if (e.kind != raft::entry_kind::command) return;
        const auto command = decode_command(e.data);
        if (!command || command->content.empty() || damaged_(command->session.node)) return;
        ++looks_;
        if (history_.has_stood(command->hash)) return;
        world_.fail(exit_class::correctness, "node " + std::to_string(command->session.node.value) + " proposed as " + command->path +
                                                 ", at index " + std::to_string(e.index.value) + ", what never stood in a file");
    }

    std::uint64_t looks() const noexcept { return looks_; }

private:
    world& world_;
    const edit_history& history_;
    std::function<bool(node_id)> damaged_;
    log_index looked_at_;
    std::uint64_t looks_ = 0;
};

}  // namespace lockstep::sim
