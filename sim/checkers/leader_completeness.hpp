// Leader completeness: who wins a term has all that was committed in earlier ones. It claimed as much when it asked for votes,
// and once its first own entry is on its disk, so is all of that.
// Source: Ongaro and Ousterhout, figure 3; Ongaro 3.6.1.
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <map>
#include <tuple>

namespace lockstep::sim {

class leader_completeness final : public witness {
public:
    leader_completeness(world& w, const raft_record& record) : witness(w), record_(record) {}

    void said(const seen_message& m) override {
        const auto* request = m.get<raft::vote_request>();
        if (request && !request->pre) claims_[{m.what.term, m.what.from}] = {request->last_index, request->last_term};
    }

    void persisted(const seen_write& w) override {
        const lockstep::term t = w.what.term;
        if (t > term_) won(t);
        // Its log as it was when it won, with something of its own behind.
        if (w.node != leader_ || t != term_ || leads_ || w.log.last_term() != t) return;
        leads_ = true;
        if (!w.log.holds(had_to_have_))
            wrong(w.node, "leads term " + std::to_string(t.value) + " without a committed entry", had_to_have_.index);
    }

private:
    void won(lockstep::term t) {
        const node_id leader = record_.winner(t);
        if (leader == no_node) return;
        term_ = t;
        leader_ = leader;
        leads_ = false;
        had_to_have_ = record_.committed();
        const auto claim = claims_.find({t, leader});
        const auto order = [](const log_position& p) { return std::tuple(p.term, p.index); };
        if (claim != claims_.end() && order(claim->second) < order(had_to_have_))
            wrong(leader, "was elected" + in_term(t) + " with a log that ends at index " + std::to_string(claim->second.index.value) +
                              " of term " + std::to_string(claim->second.term.value) + ", before what is committed", had_to_have_.index);
        claims_.erase(claims_.begin(), claims_.upper_bound({t, node_id(~std::uint64_t{0})}));
    }

    const raft_record& record_;
    std::map<std::pair<lockstep::term, node_id>, log_position> claims_;
    lockstep::term term_;            ///< the last that was won
    node_id leader_;                 ///< in it
    bool leads_ = false;             ///< an entry of its own is on its disk
    log_position had_to_have_;       ///< when it was won
};

}  // namespace lockstep::sim
