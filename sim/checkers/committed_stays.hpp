// Committed entries are for ever: no disk on which one stands lets go of it, by truncation or otherwise, but for a log that
// begins behind it. A disk that was stalled may do late what a leader of an earlier term had its node do: as long as it has not come to the
// term that committed the entry, it is none of the majority that holds it.
// Source: Ongaro 3.6.1; traps 15 (redpanda #25018), "committed entries immutable".
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

namespace lockstep::sim {

class committed_stays final : public witness {
public:
    committed_stays(world& w, const raft_record& record) : witness(w), record_(record) {}

    void persisted(const seen_write& w) override {
        log_index at = w.gone.from;
        for (const entry_mark& gone : w.gone.marks) {
            const entry_mark* committed = record_.committed_at(at);
            const entry_mark* now = w.log.at(at);
            const bool stays = at <= w.log.base().index || (now && *now == gone);
            const bool late = committed && w.gone.before < record_.committed_in(at);
            if (committed && *committed == gone && !stays && !late) return wrong(w.node, "truncated a committed entry", at);
            ++at;
        }
    }

private:
    const raft_record& record_;
};

}  // namespace lockstep::sim
