// No node applies a command that names chunks before it has all of them, its manifest too: what is acknowledged is there to be
// built from, and to be given to others.
// Source: the design, §6 (the gate of payloads); "no entry is in a log without the chunks that it names".
#pragma once

#include <sim/world.hpp>

#include <lockstep/codec/command.hpp>
#include <lockstep/content/manifest.hpp>
#include <lockstep/raft/entry.hpp>

#include <functional>
#include <string>
#include <utility>

namespace lockstep::sim {

class chunks_before_apply {
public:
    /// `holds`: whether a node's store has it. `damaged`: what that node keeps may be gone.
    chunks_before_apply(world& w, std::function<bool(node_id, const content_hash&)> holds, std::function<bool(node_id)> damaged)
        : world_(w), holds_(std::move(holds)), damaged_(std::move(damaged)) {}
    chunks_before_apply(const chunks_before_apply&) = delete;
    chunks_before_apply& operator=(const chunks_before_apply&) = delete;

    void applied(node_id node, const raft::entry& e) {
        if (e.kind != raft::entry_kind::command || !is_chunked_command(e.data.view()) || damaged_(node)) return;
        const auto command = decode_command(e.data);
        const auto list = command ? content::decode_manifest(command->content.view()) : make_error_code(errc::corrupt);
        if (!list) return;
        ++looks_;
        bool all = holds_(node, sha256(command->content.view()));
        for (const auto& ref : list->refs) all = all && holds_(node, ref.hash);
        if (all) return;
        world_.fail(exit_class::correctness, "node " + std::to_string(node.value) + " applies " + std::to_string(e.index.value) +
                                                 " without the chunks of " + command->path);
    }

    /// Contents in chunks that were applied.
    std::uint64_t looks() const noexcept { return looks_; }

private:
    world& world_;
    std::function<bool(node_id, const content_hash&)> holds_;
    std::function<bool(node_id)> damaged_;
    std::uint64_t looks_ = 0;
};

}  // namespace lockstep::sim
