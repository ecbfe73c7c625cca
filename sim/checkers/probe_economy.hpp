// Logs that part are brought together in a number of probes that grows with their terms and not with their entries: the places
// where a follower says that the logs may agree go down once for each term that one of the two has, at most.
// Source: Ongaro and Ousterhout 5.3; traps 24.
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <map>
#include <set>

namespace lockstep::sim {

class probe_economy final : public witness {
public:
    probe_economy(world& w, const raft_record& record) : witness(w), record_(record) {}

    void started(node_id node, log_position) override { searches_.erase(node); }

    void said(const seen_message& m) override {
        const auto* reply = m.get<raft::append_reply>();
        if (!reply || !reply->rejected || !record_.won(m.what.to, m.what.term)) return;
        search& s = searches_[m.what.from];
        if (s.term != m.what.term) s = {m.what.term, reply->index, 0};
        if (reply->index >= s.lowest) return;
        s.lowest = reply->index;
        if (++s.steps <= free_steps) return;
        const std::size_t terms = terms_of(m.what.from) + terms_of(m.what.to);
        if (s.steps > terms + free_steps)
            wrong(m.what.from, "was probed " + std::to_string(s.steps) + " times further back" + in_term(m.what.term) + ", where the logs have " +
                                   std::to_string(terms) + " terms in all,", reply->index);
    }

private:
    /// What a log has in memory and not on its disk yet.
    static constexpr std::size_t free_steps = 4;

    struct search {
        lockstep::term term;   ///< of the leader
        log_index lowest;      ///< place where the follower said that they may agree
        std::size_t steps = 0;
    };

    std::size_t terms_of(node_id node) const {
        const durable_log& disk = record_.log(node);
        std::set<lockstep::term> terms{disk.base().term};
        for (log_index i = disk.first(); i <= disk.last(); ++i) terms.insert(disk.at(i)->term);
        return terms.size();
    }

    const raft_record& record_;
    std::map<node_id, search> searches_;
};

}  // namespace lockstep::sim
