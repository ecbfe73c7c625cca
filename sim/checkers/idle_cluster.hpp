// An idle cluster stays idle: where nobody edits and all is settled, no command is proposed, nothing is appended, no name or
// content changes on a disk, and there is little more to do than to send heartbeats.
// Source: traps 39, and "the watched directory" 13.
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <lockstep/raft/options.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace lockstep::sim {

class idle_cluster final : public witness {
public:
    /// `pings`: how often connections are proven. `split_one_in`: so many deliveries bring only some of what is under way on a stream; 0: none.
    idle_cluster(world& w, const raft_record& record, const raft::options& options, duration pings,
                 std::uint64_t split_one_in = 4)
        : witness(w), nodes_(record.size()), options_(options), pings_(pings), pieces_(split_one_in == 0 ? 0 : 60.0 / static_cast<double>(split_one_in)) {}

    void begin() {
        idle_ = true;
        since_ = world_.now();
        events_ = world_.events_executed();
    }
    /// A node ended itself, over damage that it came upon: there is much to do, and no more to see here.
    void disturbed() { idle_ = false; }
    /// Looks at how much there was to do, and does not look any more.
    void end() {
        if (!std::exchange(idle_, false)) return;
        const auto seconds = static_cast<double>((world_.now() - since_).count()) / 1e9;
        const auto beats = seconds / (static_cast<double>(options_.heartbeat_interval.count()) / 1e9);
        const auto events = world_.events_executed() - events_;
        const auto nodes = static_cast<double>(nodes_);
        // A leader's to each other; and each to each other, on two connections.
        const double messages = beats * (nodes - 1) + seconds * 1e9 / static_cast<double>(pings_.count()) * 2 * nodes * (nodes - 1);
        const double allowed = messages * std::max(events_a_message, whole_message + pieces_) + seconds * events_a_second * nodes;
        if (static_cast<double>(events) > allowed)
            world_.fail(exit_class::liveness, "idle, and " + std::to_string(events) + " events in " + std::to_string(seconds) + " s, of " +
                                                  std::to_string(static_cast<std::uint64_t>(allowed)) + " that keeping in touch may take");
    }

    void said(const seen_message& m) override {
        if (!idle_) return;
        const auto* append = m.get<raft::append_request>();
        if (append && !append->entries.empty()) wrong(m.what.from, "appends while the cluster is idle,", append->entries.front().index);
        if (m.get<raft::forwarded_proposal>()) wrong(m.what.from, "proposes while the cluster is idle");
        // Where a lost heartbeat or two are enough for it, an election is no surprise.
        const bool patient = options_.election_timeout_min >= 3 * options_.heartbeat_interval;
        if (patient && m.get<raft::vote_request>()) wrong(m.what.from, "stands for election while the cluster is idle");
    }
    void persisted(const seen_write& w) override {
        if (idle_ && !w.what.base) wrong(w.node, "writes to its log while the cluster is idle,", w.log.last());
    }
    /// A node changed a name or a content that users see.
    void disk_changed(node_id node, const std::string& path) {
        if (idle_) wrong(node, "changes " + path + " while the cluster is idle");
    }

private:
    /// A heartbeat or ping to one other and its answer, on a stream: some ten events each, and more where it comes in many pieces.
    /// What a node does by the clock besides: ticks, polls.
    static constexpr double events_a_message = 60;
    static constexpr double whole_message = 45;
    static constexpr double events_a_second = 200;

    std::size_t nodes_;
    raft::options options_;
    duration pings_;
    double pieces_;
    bool idle_ = false;
    time_point since_{};
    std::uint64_t events_ = 0;
};

}  // namespace lockstep::sim
