// A leader that is heard is left alone: after a heartbeat of the elected leader of its term, which it answered, a node does not
// stand for the shortest election time-out, by its own clock, whatever its disk does meanwhile.
// Source: Ongaro 3.4, 4.2.3; traps 9 (redpanda #30817).
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <lockstep/raft/options.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace lockstep::sim {

class election_timer final : public witness {
public:
    /// `clock`: what a node's monotonic clock shows.
    election_timer(world& w, const raft_record& record, const raft::options& options, std::function<time_point(node_id)> clock)
        : witness(w), record_(record), options_(options), clock_(std::move(clock)) {}

    void started(node_id node, log_position) override { nodes_[node] = {}; }

    void heard(const seen_message& m) override {
        seen& node = nodes_[m.what.to];
        const auto* reply = m.get<raft::vote_reply>();
        // With a grant it may be a candidate of that term already, for all that can be seen.
        const bool pre = m.get<raft::vote_request>() || (reply && reply->pre && !reply->granted);
        if (!pre) node.term = std::max(node.term, m.what.term);
        const lockstep::term own = std::max(node.term, record_.log(m.what.to).term());
        if (m.get<raft::heartbeat>() && m.what.term == own && record_.won(m.what.from, own)) node.heard = clock_(m.what.to);
    }
    void said(const seen_message& m) override {
        seen& node = nodes_[m.what.from];
        // What it decided before it took the heartbeat in leaves before the answer. That to a former leader names no round.
        if (const auto* reply = m.get<raft::heartbeat_reply>(); reply && reply->round != 0) node.answered = node.heard;
        const auto* request = m.get<raft::vote_request>();
        if (!request || !request->pre || !node.answered) return;
        const duration since = clock_(m.what.from) - *node.answered;
        if (since < options_.election_timeout_min)
            wrong(m.what.from, "stands for term " + std::to_string(m.what.term.value) + ", " + std::to_string(since.count() / 1'000'000) +
                                   " ms after it heard the leader of its own");
    }

private:
    struct seen {
        lockstep::term term;
        std::optional<time_point> heard;      ///< the last heartbeat
        std::optional<time_point> answered;   ///< the last of those that were answered
    };
    const raft_record& record_;
    raft::options options_;
    std::function<time_point(node_id)> clock_;
    std::map<node_id, seen> nodes_;
};

}  // namespace lockstep::sim
