// A node's part in its cluster: the cluster is formed or found, the disk of each peer is known, and who counts is told.
// What that means is formation's to decide; here it is asked, answered and made durable.
#pragma once

#include <lockstep/base/assert.hpp>
#include <lockstep/codec/node_messages.hpp>
#include <lockstep/concepts/log_storage.hpp>
#include <lockstep/concepts/transport.hpp>
#include <lockstep/node/formation.hpp>
#include <lockstep/raft/io.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

/// "node 1", "nodes 1 2".
template <class Nodes>
std::string nodes_text(const Nodes& nodes) {
    std::string text = nodes.size() == 1 ? "node" : "nodes";
    for (node_id node : nodes) text += " " + std::to_string(node.value);
    return text;
}

/// `Host` has, all on one loop:
///     void send(node_id, const Message&)                                   founding_query, founding_state
///     void keep(founding_record, unique_function<void()> done)             durably, in this node's identity
///     void begin()                                                         the cluster is known: founded() from now on
///     void tell(raft::input::peer_standing)                                ignored before the replica runs
///     void fatal(std::string)
///     cluster_id fresh_cluster()
template <class Host>
class membership {
public:
    /// `state`: where this node's state is, for a person.
    membership(Host& host, node_id self, const std::vector<peer_address>& peers, std::string state)
        : host_(host), self_(self), state_(std::move(state)) {
        for (const auto& peer : peers) peers_.insert(peer.node);
    }
    membership(const membership&) = delete;
    membership& operator=(const membership&) = delete;

    /// State and log are open. Empty, or why this start is refused: the members that it names must be those of the cluster
    /// that the state belongs to.
    std::string open(const node_identity& identity, const recovered_log& log) {
        const bool empty = log.last_index == log_index{} && log.term == term{} && !identity.founding;
        formation_.emplace(self_, identity.disk, peers_, empty, identity.founding);
        return wrong_members();
    }
    bool is_open() const noexcept { return formation_.has_value(); }

    /// Not before it is open.
    bool founded() const { return formation_ && formation_->record().has_value(); }

    // Once open:
    std::string waiting_for() const { return "an answer of " + nodes_text(opened().missing()); }

    // Once founded:
    cluster_id cluster() const { return record().cluster; }
    std::set<node_id> voters() const {
        std::set<node_id> nodes;
        for (const auto& member : record().members) nodes.insert(member.first);
        return nodes;
    }
    std::size_t voter_count() const { return record().members.size(); }
    /// It only follows: its disk is not the one that the cluster was founded with.
    bool follows_only() const { return opened().standing() == membership_standing::follower; }

    /// Whether a peer's disk is the one that the cluster was founded with. True while that is not known.
    bool counts(node_id peer) const {
        const auto disk = disks_.find(peer);
        return disk == disks_.end() || !formation_ || formation_->lists(peer, disk->second);
    }

    /// Whether a node, this one too, is known to be on the disk that the cluster was founded with.
    bool proven(node_id node) const {
        if (!formation_) return false;
        if (node == self_) return formation_->standing() == membership_standing::voter;
        const auto disk = disks_.find(node);
        return disk != disks_.end() && formation_->lists(node, disk->second);
    }

    /// What the core of this node starts from. Precondition: founded. `snapshot`: of the state that it begins with.
    raft::initial_state initial(const recovered_log& log, log_position snapshot, std::uint64_t seed) const {
        raft::initial_state initial;
        initial.self = self_;
        initial.voters = voters();
        initial.votes = !follows_only();
        initial.hard = {log.term, log.voted_for};
        for (const auto& run : log.runs) initial.runs.push_back({run.first, run.term});
        initial.base = log.base;
        initial.last_index = log.last_index;
        initial.snapshot = snapshot;
        initial.seed = seed;
        return initial;
    }

    /// The replica runs.
    void tell_all() {
        for (const auto& [peer, disk] : disks_) host_.tell({peer, opened().lists(peer, disk), false});
    }
    /// It has worked with its cluster: from now on it waits for whoever is away.
    void worked() noexcept { worked_ = true; }

    void connected(const hello& peer) {
        const auto before = disks_.find(peer.node);
        const bool another_disk = before != disks_.end() && before->second != peer.disk;
        disks_[peer.node] = peer.disk;
        foreign_.erase(peer.node);
        host_.tell({peer.node, opened().lists(peer.node, peer.disk), another_disk});
        if (!founded()) host_.send(peer.node, founding_query{});
    }
    /// A start on the state of another cluster ends once so many of the members turn out not to be of this one that there
    /// can be no majority: that is no outage to wait out.
    void met_another_cluster(node_id peer) {
        foreign_.insert(peer);
        if (!founded() || worked_) return;
        const std::size_t members = record().members.size();
        if (members - foreign_.size() > members / 2) return;
        host_.fatal("the state in " + state_ + " belongs to another cluster than " + nodes_text(foreign_));
    }

    void handle(node_id from, const founding_query&) { host_.send(from, opened().answer()); }
    void handle(node_id from, const founding_state& said) {
        const auto disk = disks_.find(from);
        if (disk == disks_.end() || adopting_) return;
        if (opened().hear(from, disk->second, said)) return adopt(*said.record);
        found_if_possible();
    }

    /// Time went by: whoever belongs to no cluster asks again.
    void turn() {
        if (!formation_ || founded() || adopting_) return;
        for (const node_id peer : peers_) host_.send(peer, founding_query{});
        found_if_possible();
    }

private:
    formation& opened() {
        LOCKSTEP_ASSERT(formation_.has_value());
        return *formation_;
    }
    const formation& opened() const {
        LOCKSTEP_ASSERT(formation_.has_value());
        return *formation_;
    }
    const founding_record& record() const {
        LOCKSTEP_ASSERT(founded());
        return *formation_->record();
    }

    void found_if_possible() {
        if (adopting_) return;
        if (auto record = opened().found(host_.fresh_cluster())) adopt(std::move(*record));
    }

    void adopt(founding_record record) {
        adopting_ = true;
        host_.keep(record, [this, record] {
            opened().adopt(record);
            if (auto wrong = wrong_members(); !wrong.empty()) return host_.fatal(std::move(wrong));
            for (const node_id peer : peers_) host_.send(peer, opened().answer());
            host_.begin();
        });
    }

    std::string wrong_members() const {
        if (!founded()) return {};
        std::set<node_id> listed = peers_;
        listed.insert(self_);
        const auto members = voters();
        if (members == listed) return {};
        return "this start names a cluster of " + nodes_text(listed) + ", and the state in " + state_ +
               " belongs to a cluster of " + nodes_text(members);
    }

    Host& host_;
    const node_id self_;
    const std::string state_;
    std::set<node_id> peers_;
    std::optional<formation> formation_;   ///< once open
    std::map<node_id, disk_id> disks_;
    std::set<node_id> foreign_;            ///< of another cluster
    bool adopting_ = false;
    bool worked_ = false;
};

}  // namespace lockstep
