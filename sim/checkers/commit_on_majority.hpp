// Nothing is called committed, and nothing is applied, before the disks of a majority hold it together with an entry of the
// term that counts them; the leader's own disk is one of them, not more. What is applied is what those disks hold.
// Source: Ongaro 3.6.2, 10.2.1; traps 13, 14, 21 (openraft #1802).
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

namespace lockstep::sim {

class commit_on_majority final : public witness {
public:
    commit_on_majority(world& w, const raft_record& record) : witness(w), record_(record) {}

    void said(const seen_message& m) override {
        if (const auto* append = m.get<raft::append_request>()) said(m.what.from, append->commit);
        else if (const auto* beat = m.get<raft::heartbeat>()) said(m.what.from, beat->commit);
        else if (const auto* offer = m.get<raft::snapshot_offer>()) said(m.what.from, offer->at.index);
        else if (const auto* read = m.get<raft::read_reply>(); read && read->ok) said(m.what.from, read->index);
    }
    void applied(const seen_apply& a) override {
        const log_index at = a.entry.index;
        if (at > record_.committed().index) return wrong(a.node, "applied what no majority holds durably", at);
        const entry_mark* committed = record_.committed_at(at);
        if (committed && *committed != a.mark) wrong(a.node, "applied another entry than the one that was committed", at);
    }

private:
    void said(node_id node, log_index commit) {
        if (commit <= record_.committed().index) return;
        wrong(node, "says that index " + std::to_string(commit.value) + " is committed, and a majority holds durably what is committed up to " +
                        std::to_string(record_.committed().index.value) + " only");
    }

    const raft_record& record_;
};

}  // namespace lockstep::sim
