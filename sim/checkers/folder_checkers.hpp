// The checkers of a replicated directory that need more than the disks: what they watch on each machine, and what they are told of
// what nodes apply.
#pragma once

#include <sim/checkers/bounds.hpp>
#include <sim/checkers/confinement.hpp>
#include <sim/checkers/exactly_once.hpp>
#include <sim/checkers/visible_files.hpp>
#include <sim/machine/machine.hpp>
#include <sim/tunables.hpp>

#include <lockstep/codec/command.hpp>
#include <lockstep/codec/state.hpp>
#include <lockstep/folder/apply.hpp>
#include <lockstep/folder/tree.hpp>
#include <lockstep/node/options.hpp>
#include <lockstep/raft/core.hpp>
#include <lockstep/storage/durable_file.hpp>
#include <lockstep/sync/local_tree.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace lockstep::sim {

/// `Node` is a folder_node. Lifetime: until the last event of the world; it and the machines may go in any order.
template <class Node>
class folder_checkers {
public:
    /// Null where none runs on that machine.
    using find_node = std::function<const Node*(node_id)>;

    folder_checkers(world& w, std::string root, const edit_history& history, const tunables& tuned, find_node node)
        : world_(w), root_(std::move(root)), history_(history), tuned_(tuned), node_(std::move(node)), sessions_(w),
          bounds_([this](std::vector<bounded_size>& sizes) { measure(sizes); }) {
        w.add_checker(bounds_);
    }

    /// `changed` is told each path that users see and the node changes.
    void watch(machine& m, std::function<void(const std::string& path)> changed) {
        const node_id id = m.id();
        watched& w = machines_[id];
        w.box = &m;
        w.inside = std::make_unique<confinement>(world_, m.disk(), id, root_);
        w.visible = std::make_unique<visible_files>(world_, m.disk(), id, root_, history_, decisions_of(id));
        w.visible->on_change = std::move(changed);
    }

    void applied(node_id id, const raft::entry& e, const folder::tree& tree) {
        std::uint64_t& digest = machines_.at(id).state;
        const std::uint64_t before = digest == 0 ? tree.digest() : digest;
        digest = tree.digest();
        if (e.kind != raft::entry_kind::command) return;
        const auto command = decode_command(e.data);
        if (!command || !folder::well_formed(*command)) return;
        if (!command->hash.empty()) committed_.insert(edit_history::key(command->hash));
        const bool opens = command->what == folder::operation::open_session;
        const auto kept = tree.session(command->session.node).value_or(folder::session_state{});
        sessions_.applied(id, {e.index, command->session, command->sequence, opens}, {kept.number, kept.last}, before, digest);
        if (!opens || command->session.node != id) return;
        if (wiped_.contains(id)) return;   // it applies anew what it opened on the disk that it had
        if (const auto durable = durable_session(machines_.at(id).box->disk())) sessions_.opened(id, command->session.number, *durable);
    }
    /// All that a node keeps is gone.
    void wiped(node_id id) { wiped_.insert(id); }
    void installed(node_id id, const folder::tree& tree) {
        machines_.at(id).state = tree.digest();
        tree.for_each([this](const folder::entry& e) { committed_.insert(edit_history::key(e.hash)); });
    }
    /// A new process of a node begins with what its log and its snapshot say. `damaged`: its records of the files may be wrong,
    /// and it may have begun them anew.
    void started(node_id id, bool damaged) {
        machines_.at(id).state = 0;
        if (damaged) machines_.at(id).visible->forgotten();
        else machines_.at(id).visible->restarted();
    }

    std::uint64_t looks() const {
        std::uint64_t sum = bounds_.looks();
        for (const auto& [id, w] : machines_) sum += w.visible->looks();
        return sum;
    }

private:
    struct watched {
        machine* box = nullptr;
        std::unique_ptr<confinement> inside;
        std::unique_ptr<visible_files> visible;
        std::uint64_t state = 0;   ///< a digest of it, after what was applied last; 0: not known
    };

    visible_files::decisions decisions_of(node_id id) {
        visible_files::decisions d;
        d.placed = [this, id](const std::string& path) {
            const Node* node = node_(id);
            const auto found = node ? node->committed().resolve(path) : std::nullopt;
            const folder::entry* e = found ? node->committed().find(*found) : nullptr;
            if (!e || e->type != folder::entry_type::file) return log_index{};
            // Where a batch of before shows an older entry at the same path with the same content, that one goes first.
            const sync::local_tree* local = node->sync() ? &node->sync()->tracker().local() : nullptr;
            if (const auto known = local ? local->resolve(path) : std::nullopt; known && *known != e->id) return log_index{};
            // It came to stand there with the last of the directories above it that did.
            log_index placed = e->placement_version;
            while ((e = node->committed().find(e->where.parent))) placed = std::max(placed, e->placement_version);
            return placed;
        };
        d.applied = [this, id] {
            const Node* node = node_(id);
            return node && node->core() ? node->core()->applied_index() : log_index{};
        };
        d.stands = [this, id](const std::string& path, std::uint64_t key) {
            const Node* node = node_(id);
            const auto found = node ? node->committed().resolve(path) : std::nullopt;
            const folder::entry* e = found ? node->committed().find(*found) : nullptr;
            return e && e->type == folder::entry_type::file && edit_history::key(e->hash) == key;
        };
        d.whole = [this](std::uint64_t key) { return committed_.contains(key); };
        return d;
    }

    /// What the node's record of itself says durably; nothing while it is being replaced.
    std::optional<std::uint64_t> durable_session(sim_disk& disk) const {
        const inode_ptr state = disk.find(root_ + "/.lockstep");
        const inode_ptr file = disk.find(root_ + "/.lockstep/identity");
        if (!file || !disk.is_durable_name(*state, "identity")) return std::nullopt;
        const byte_view bytes = file->synced_bytes();
        const auto identity = decode_identity(shared_bytes::copy_of(bytes.subspan(std::min(bytes.size(), storage::durable_file_format::header_size))));
        return identity ? std::optional(identity->session) : std::nullopt;
    }

    void measure(std::vector<bounded_size>& sizes) const {
        for (const auto& [id, w] : machines_) {
            const Node* node = node_(id);
            if (!node || !node->core()) continue;
            const raft::options& o = tuned_.node.raft;
            sizes.push_back({id, "uncommitted_bytes_max", node->core()->uncommitted_bytes(), o.uncommitted_bytes_max + entry_bytes_max});
            sizes.push_back({id, "waiting_bytes_max", node->gate().waiting_bytes(), gate_bytes_max + o.append_bytes_max + entry_bytes_max});
            if (node->sync()) sizes.push_back({id, "proposals_max", contents_proposed(*node), tuned_.node.proposals_max + beyond_room_max});
            for (const auto& [peer, other] : machines_) {
                if (peer == id) continue;
                sizes.push_back({id, "queue_bytes_max", node->transport().queued_bytes(peer, channel::control), control_queue_max()});
                sizes.push_back({id, "bulk_queue_bytes_max", node->transport().queued_bytes(peer, channel::bulk), bulk_queue_max()});
            }
            if (node->core()->state_role() != raft::role::leader) continue;
            for (const raft::progress& p : node->core()->peers()) {
                sizes.push_back({id, "inflight_messages_max", p.inflight.count(), o.inflight_messages_max});
                sizes.push_back({id, "inflight_bytes_max", p.inflight.bytes(), o.inflight_bytes_max + o.append_bytes_max + entry_bytes_max});
            }
        }
    }
    /// One frame finds room in an empty queue, whatever its size.
    std::uint64_t control_queue_max() const {
        const std::uint64_t bound = tuned_.messages ? tuned_.frames.queue_bytes_max : tuned_.transport.queue_bytes_max;
        return std::max<std::uint64_t>(bound, tuned_.node.raft.append_bytes_max + entry_bytes_max);
    }
    std::uint64_t bulk_queue_max() const {
        const std::uint64_t bound = tuned_.messages ? tuned_.frames.bulk_queue_bytes_max : tuned_.transport.bulk_queue_bytes_max;
        return std::max<std::uint64_t>(bound, tuned_.node.piece_bytes + entry_bytes_max);
    }
    /// A directory that is gone is proposed with all that was in it, at once: that is small, and bounded by what was there.
    static std::size_t contents_proposed(const Node& node) {
        std::size_t n = 0;
        for (const auto& [sequence, proposal] : node.sync()->tracker().proposals()) n += proposal.command.what != folder::operation::remove;
        return n;
    }
    /// Large files that were being read when the room ended, and the second proposal of what was moved to a taken place.
    static constexpr std::uint64_t beyond_room_max = 5;
    /// What one command may take: a content that rides in it, or a manifest, and what is said of it.
    static constexpr std::uint64_t entry_bytes_max = 1 << 20;
    static constexpr std::uint64_t gate_bytes_max = std::remove_cvref_t<decltype(std::declval<const Node&>().gate())>::waiting_bytes_max;

    world& world_;
    std::string root_;
    const edit_history& history_;
    tunables tuned_;
    find_node node_;
    exactly_once sessions_;
    std::set<node_id> wiped_;
    bounds bounds_;
    std::map<node_id, watched> machines_;
    std::set<std::uint64_t> committed_;   ///< keys of contents that stand in the log, or in a state that was installed
};

}  // namespace lockstep::sim
