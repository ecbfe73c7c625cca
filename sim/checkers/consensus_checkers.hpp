// All checkers of the consensus, and the observations that feed them: what a simulated cluster has one of. watch() ties it to
// a machine; what is applied, its owner tells.
#pragma once

#include <sim/checkers/ack_durability.hpp>
#include <sim/checkers/append_shape.hpp>
#include <sim/checkers/apply_order.hpp>
#include <sim/checkers/commit_on_majority.hpp>
#include <sim/checkers/commit_order.hpp>
#include <sim/checkers/committed_stays.hpp>
#include <sim/checkers/election_safety.hpp>
#include <sim/checkers/election_timer.hpp>
#include <sim/checkers/entry_provenance.hpp>
#include <sim/checkers/follower_commit.hpp>
#include <sim/checkers/leader_completeness.hpp>
#include <sim/checkers/log_matching.hpp>
#include <sim/checkers/match_progress.hpp>
#include <sim/checkers/observations.hpp>
#include <sim/checkers/observed_log.hpp>
#include <sim/checkers/pre_vote.hpp>
#include <sim/checkers/probe_economy.hpp>
#include <sim/checkers/quorum_contact.hpp>
#include <sim/checkers/read_freshness.hpp>
#include <sim/checkers/snapshot_image.hpp>
#include <sim/checkers/state_machine_safety.hpp>
#include <sim/checkers/term_order.hpp>
#include <sim/checkers/vote_durability.hpp>
#include <sim/checkers/wal_image.hpp>
#include <sim/machine/machine.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lockstep::sim {

/// Lifetime: until the last event of the world; it and the machines may go in any order.
class consensus_checkers {
public:
    /// All members of the cluster vote; `options` are those that its nodes run with.
    consensus_checkers(world& w, const std::vector<node_id>& members, const raft::options& options)
        : seen_(w, members),
          election_safety_(w, seen_.record()), vote_durability_(w, seen_.record()), term_order_(w, seen_.record()),
          pre_vote_(w, seen_.record()), election_timer_(w, seen_.record(), options, clock()),
          quorum_contact_(w, seen_.record(), options, clock()), leader_completeness_(w, seen_.record()), log_matching_(w),
          entry_provenance_(w, seen_.record()), append_shape_(w, seen_.record()), match_progress_(w, seen_.record()),
          probe_economy_(w, seen_.record()), ack_durability_(w, seen_.record()), committed_stays_(w, seen_.record()),
          commit_on_majority_(w, seen_.record()), follower_commit_(w, seen_.record()), commit_order_(w, seen_.record()),
          apply_order_(w, seen_.record()), state_machine_safety_(w), read_freshness_(w) {
        witness* const all[] = {&election_safety_, &vote_durability_, &term_order_, &pre_vote_, &election_timer_, &quorum_contact_,
                                &leader_completeness_, &log_matching_, &entry_provenance_, &append_shape_, &match_progress_,
                                &probe_economy_, &ack_durability_, &committed_stays_, &commit_on_majority_, &follower_commit_,
                                &commit_order_, &apply_order_, &state_machine_safety_, &read_freshness_};
        for (witness* one : all) seen_.add(*one);
    }

    observations& seen() noexcept { return seen_; }
    const raft_record& record() const noexcept { return seen_.record(); }

    /// Before its first start. `state`: the directory in which its node keeps its log and, if it has such, its snapshot.
    void watch(machine& m, const std::string& state) {
        const node_id id = m.id();
        watched& w = machines_[id];
        w.box = &m;
        w.log = std::make_unique<wal_image>(m.disk(), state + "/wal", [this, id](const durable_write& what) { seen_.persisted(id, what); });
        w.snapshot = std::make_unique<snapshot_image>(m.disk(), state, [this, id](log_position at) { seen_.snapshot_kept(id, at); });
        w.ledger = std::make_unique<log_ledger>([this, id](const durable_write& what) { seen_.persisted(id, what); },
                                                [this, id](const std::string& what) { seen_.wrong(id, what); });
        m.set_ledger(w.ledger.get());
        m.set_tap([this](node_id, node_id, const shared_bytes& frame) { seen_.said(frame); });
        m.set_heard_tap([this](node_id, node_id, const shared_bytes& frame) { seen_.heard(frame); });
        m.set_watch([this, id](machine_event e) { befell(id, e); });
    }

private:
    struct watched {
        machine* box = nullptr;
        std::unique_ptr<wal_image> log;
        std::unique_ptr<log_ledger> ledger;   ///< of a log that is not ours, and cannot be read
        std::unique_ptr<snapshot_image> snapshot;
    };

    std::function<time_point(node_id)> clock() {
        return [this](node_id id) { return machines_.at(id).box->clock().now(); };
    }

    void befell(node_id id, machine_event e) {
        watched& w = machines_.at(id);
        switch (e) {
            case machine_event::starts: return seen_.started(id, w.snapshot->found());
            case machine_event::ended: return seen_.ended(id);
            case machine_event::power_lost:
                w.log->power_lost();
                return w.snapshot->power_lost();
            case machine_event::wiped:
                w.log->wiped();
                w.ledger->wiped();
                return seen_.wiped(id);
        }
    }

    observations seen_;
    std::map<node_id, watched> machines_;
    election_safety election_safety_;
    vote_durability vote_durability_;
    term_order term_order_;
    pre_vote pre_vote_;
    election_timer election_timer_;
    quorum_contact quorum_contact_;
    leader_completeness leader_completeness_;
    log_matching log_matching_;
    entry_provenance entry_provenance_;
    append_shape append_shape_;
    match_progress match_progress_;
    probe_economy probe_economy_;
    ack_durability ack_durability_;
    committed_stays committed_stays_;
    commit_on_majority commit_on_majority_;
    follower_commit follower_commit_;
    commit_order commit_order_;
    apply_order apply_order_;
    state_machine_safety state_machine_safety_;
    read_freshness read_freshness_;
};

}  // namespace lockstep::sim
