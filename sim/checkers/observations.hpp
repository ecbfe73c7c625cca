// The one place that what is seen of a cluster's consensus goes through: it keeps the record of the disks, and tells each
// witness. Whoever runs a cluster calls it, by hand or through consensus_checkers.hpp.
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <lockstep/codec/envelope.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::sim {

class observations {
public:
    observations(world& w, const std::vector<node_id>& voters) : world_(w), record_(voters) {}
    observations(const observations&) = delete;
    observations& operator=(const observations&) = delete;

    /// Told in order of addition. Outlives this.
    void add(witness& w) { witnesses_.push_back(&w); }
    const raft_record& record() const noexcept { return record_; }

    /// What is seen to be wrong by who observes.
    void wrong(node_id node, const std::string& what) {
        world_.fail(exit_class::correctness, "node " + std::to_string(node.value) + " " + what);
    }
    void started(node_id node, log_position snapshot) {
        for (witness* w : witnesses_) w->started(node, snapshot);
    }
    void ended(node_id node) {
        for (witness* w : witnesses_) w->ended(node);
    }
    void said(const raft::message& m) { tell(m, &witness::said); }
    void heard(const raft::message& m) { tell(m, &witness::heard); }
    /// Frames that hold something else than a message of the consensus are passed over.
    void said(const shared_bytes& frame) {
        ++frames_;
        tell(frame, &witness::said);
    }
    void heard(const shared_bytes& frame) { tell(frame, &witness::heard); }

    /// That nodes sent, whatever was in them.
    std::uint64_t frames() const noexcept { return frames_; }

    void persisted(node_id node, const durable_write& what) {
        const auto gone = record_.persisted(node, what);
        const seen_write seen{node, record_.log(node), what, gone};
        for (witness* w : witnesses_) w->persisted(seen);
    }
    void wiped(node_id node) {
        record_.wiped(node);
        for (witness* w : witnesses_) w->wiped(node);
    }
    void snapshot_kept(node_id node, log_position at) { record_.snapshot_kept(node, at); }
    void applied(node_id node, const raft::entry& e, std::uint64_t state) {
        const seen_apply seen{node, e, mark_of(e), state};
        for (witness* w : witnesses_) w->applied(seen);
    }
    void installed(node_id node, log_position at, std::uint64_t state) {
        for (witness* w : witnesses_) w->installed(node, at, state);
    }

private:
    using tell_message = void (witness::*)(const seen_message&);

    void tell(const shared_bytes& frame, tell_message how) {
        const auto envelope = decode_envelope(frame);
        if (!envelope) return;
        if (const auto* m = std::get_if<raft::message>(&envelope->body)) tell(*m, how);
    }
    void tell(const raft::message& m, tell_message how) {
        marks_.clear();
        if (const auto* append = std::get_if<raft::append_request>(&m.body))
            for (const raft::entry& e : append->entries) marks_.push_back(mark_of(e));
        const seen_message seen{m, marks_};
        for (witness* w : witnesses_) (w->*how)(seen);
    }

    world& world_;
    raft_record record_;
    std::vector<witness*> witnesses_;
    std::vector<entry_mark> marks_;   ///< scratch
    std::uint64_t frames_ = 0;
};

}  // namespace lockstep::sim
