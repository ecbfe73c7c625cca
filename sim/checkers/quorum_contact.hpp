// A leader that lost its quorum falls silent, so that those who hear it and each other can elect: it says no heartbeat that asks
// for an answer unless a majority, itself among it, was heard by it within the longest election time-out, or it won just now.
// Source: Ongaro 6.2 (check-quorum); traps 11 (openraft #2080).
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <lockstep/raft/options.hpp>

#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace lockstep::sim {

class quorum_contact final : public witness {
public:
    quorum_contact(world& w, const raft_record& record, const raft::options& options, std::function<time_point(node_id)> clock)
        : witness(w), record_(record), patience_(options.election_timeout_max + 2 * options.heartbeat_interval), grace_(2 * options.heartbeat_interval), clock_(std::move(clock)) {}

    void heard(const seen_message& m) override {
        if (!m.get<raft::heartbeat_reply>() && !m.get<raft::append_reply>()) return;
        if (record_.won(m.what.to, m.what.term)) leaders_[m.what.to].heard[m.what.from] = clock_(m.what.to);
    }
    void said(const seen_message& m) override {
        const auto* beat = m.get<raft::heartbeat>();
        if (!beat || beat->round == 0) return;
        const time_point now = clock_(m.what.from);
        leader& l = leaders_[m.what.from];
        if (l.term != m.what.term) l = {m.what.term, now, {}, {}};
        if (now - l.since <= patience_) return;
        std::size_t near = 1;
        for (const auto& [node, at] : l.heard) near += now - at <= patience_;
        if (record_.is_majority(near)) l.alone_since.reset();
        else if (!l.alone_since) l.alone_since = now;   // one that stood still may say something before it looks
        else if (now - *l.alone_since > grace_)
            wrong(m.what.from, "goes on as leader" + in_term(m.what.term) + ", and heard " + std::to_string(near - 1) + " of " +
                                   std::to_string(record_.size() - 1) + " others within an election time-out");
    }

private:
    struct leader {
        lockstep::term term;
        time_point since{};
        std::map<node_id, time_point> heard;
        std::optional<time_point> alone_since;   ///< when it spoke first without having heard a majority
    };
    const raft_record& record_;
    duration patience_;
    duration grace_;
    std::function<time_point(node_id)> clock_;
    std::map<node_id, leader> leaders_;
};

}  // namespace lockstep::sim
