// Committed entries are for ever: no disk on which one stands lets go of it, by truncation or otherwise, but for a log that
// begins behind it.
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
            if (committed && *committed == gone && !stays) return wrong(w.node, "truncated a committed entry", at);
            ++at;
        }
    }

private:
    const raft_record& record_;
};

}  // namespace lockstep::sim
