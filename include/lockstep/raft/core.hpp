// The consensus core: one class that decides, and does nothing. Inputs are plain values that carry the time;
// outputs are polled. It is a cheaply copyable value.
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/base/random.hpp>
#include <lockstep/base/time.hpp>
#include <lockstep/raft/byte_ledger.hpp>
#include <lockstep/raft/entry.hpp>
#include <lockstep/raft/fingerprint.hpp>
#include <lockstep/raft/io.hpp>
#include <lockstep/raft/lease.hpp>
#include <lockstep/raft/log_view.hpp>
#include <lockstep/raft/message.hpp>
#include <lockstep/raft/options.hpp>
#include <lockstep/raft/progress.hpp>
#include <lockstep/raft/read_barrier.hpp>
#include <lockstep/raft/write_tracker.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

namespace lockstep::raft {

/// One member of one group. The driver loops: step what has come (several inputs before one take_output are a batch),
/// take the output, do all of it. What peers send may be hostile: what makes no sense is ignored. Its own broken
/// invariants are assertions. Not thread safe; no references are kept to what it was given.
/// Source: Ongaro, "Consensus: Bridging Theory and Practice", chapters 3, 6.4 (reads, leases), 9.6 (pre-vote), 10.2 (pipelining).
class core {
public:
    /// Precondition: `initial.self` is among 1 to 9 voters, none of them `no_node`; the snapshot is not below the base.
    LOCKSTEP_DECL core(const options& o, const initial_state& initial, time_point now);

    /// `now` does not run backwards; if it does, the latest one holds.
    LOCKSTEP_DECL void step(input_value in, time_point now);
    /// Everything to do before the next step. Appends, acknowledgements and writes are formed here, so that inputs
    /// stepped together share them.
    LOCKSTEP_DECL output take_output();
    /// When input::wake is wanted.
    LOCKSTEP_DECL time_point deadline() const;

    node_id self() const noexcept { return self_; }
    role state_role() const noexcept { return role_; }
    lockstep::term current_term() const noexcept { return hard_.term; }
    node_id voted_for() const noexcept { return hard_.voted_for; }
    node_id leader() const noexcept { return leader_; }
    log_index commit_index() const noexcept { return commit_; }
    log_index last_index() const noexcept { return log_.last_index(); }
    log_index durable_index() const noexcept { return writes_.durable(); }
    log_index applied_index() const noexcept { return applied_; }
    /// Entries up to it are gone from the log; not above snapshot().
    const log_position& base() const noexcept { return log_.base(); }
    /// Of the newest state that is durable by itself; not above applied_index().
    const log_position& snapshot() const noexcept { return snapshot_; }
    /// What is being fetched for it.
    const std::optional<install_request>& installing() const noexcept { return installing_; }
    std::optional<lockstep::term> term_at(log_index index) const { return log_.term_at(index); }
    const std::set<node_id>& voters() const noexcept { return voters_; }
    /// Of the other members, ascending by id. Meaningful at a leader only.
    const std::vector<progress>& peers() const noexcept { return peers_; }
    std::size_t uncommitted_bytes() const noexcept { return uncommitted_.bytes(); }
    /// Of everything that decides what it does, but for the generator and absolute times. Of time there is what it decides
    /// at once (whether a leader is heard, whether a read back may be tried again), not how long that will hold.
    template <fingerprint_sink Sink>
    void fingerprint_into(Sink& sink) const;
    LOCKSTEP_DECL std::uint64_t fingerprint() const;

private:
    template <fingerprint_sink Sink>
    void fingerprint_of_peers_into(Sink& sink) const;

    // core.ipp: dispatch
    LOCKSTEP_DECL void on(const message& m);
    LOCKSTEP_DECL void on(const input::propose& p);
    LOCKSTEP_DECL void on(const input::read_barrier& r);
    LOCKSTEP_DECL void on(const input::persisted& p);
    LOCKSTEP_DECL void on(const input::applied& a);
    LOCKSTEP_DECL void on(const input::fetched& f);
    LOCKSTEP_DECL void on(const input::peer_unreachable& p);
    LOCKSTEP_DECL void on(const input::peer_standing& p);
    LOCKSTEP_DECL void on(const input::yield_leadership&);
    LOCKSTEP_DECL void on(const input::wake&);
    LOCKSTEP_DECL void check_order() const;
    LOCKSTEP_DECL bool admit_term(const message& m);
    LOCKSTEP_DECL bool follow_sender(const message& m);
    LOCKSTEP_DECL progress* find_peer(node_id id);
    LOCKSTEP_DECL void reply(const message& to, message_body body);
    LOCKSTEP_DECL void send(node_id to, message_body body);

    // election.ipp
    LOCKSTEP_DECL void become_follower(lockstep::term t, node_id leader);
    LOCKSTEP_DECL void become_pre_candidate();
    LOCKSTEP_DECL void become_candidate();
    LOCKSTEP_DECL void become_leader();
    LOCKSTEP_DECL void set_role(role r);
    LOCKSTEP_DECL void set_leader(node_id leader);
    LOCKSTEP_DECL void start_vote(bool pre);
    LOCKSTEP_DECL void count_ballots();
    LOCKSTEP_DECL void handle(const message& m, const vote_request& v);
    LOCKSTEP_DECL void handle(const message& m, const vote_reply& v);
    LOCKSTEP_DECL bool leader_is_alive() const;
    LOCKSTEP_DECL bool has_promised() const;
    LOCKSTEP_DECL bool heard_by_quorum() const;
    LOCKSTEP_DECL void rearm_election();

    // replication.ipp
    LOCKSTEP_DECL void handle(const message& m, const append_request& a);
    LOCKSTEP_DECL void handle(const message& m, const append_reply& a);
    LOCKSTEP_DECL void handle(const message& m, const heartbeat& h);
    LOCKSTEP_DECL void handle(const message& m, const heartbeat_reply& h);
    LOCKSTEP_DECL void handle(const message& m, const forwarded_proposal& p);
    LOCKSTEP_DECL void take_proposals(const std::vector<shared_bytes>& commands);
    LOCKSTEP_DECL void drop_proposals(std::size_t commands, const char* why);
    LOCKSTEP_DECL bool accept_entries(const append_request& a);
    LOCKSTEP_DECL void advance_commit(log_index to);
    LOCKSTEP_DECL void count_replicas();
    LOCKSTEP_DECL void start_round();
    LOCKSTEP_DECL void replicate_to(progress& p);
    LOCKSTEP_DECL bool send_append(progress& p);

    // snapshots.ipp
    LOCKSTEP_DECL void on(const input::snapshot_saved& s);
    LOCKSTEP_DECL void on(const input::snapshot_installed& s);
    LOCKSTEP_DECL void on(const input::install_failed& f);
    LOCKSTEP_DECL void handle(const message& m, const snapshot_offer& s);
    LOCKSTEP_DECL void offer_snapshot(progress& p);
    LOCKSTEP_DECL void begin_log_anew();
    LOCKSTEP_DECL void acknowledge_position(log_index index);

    // reads.ipp
    LOCKSTEP_DECL void handle(const message& m, const read_request& r);
    LOCKSTEP_DECL void handle(const message& m, const read_reply& r);
    LOCKSTEP_DECL void register_read(node_id origin, std::uint64_t id);
    LOCKSTEP_DECL std::uint64_t proven_round();
    LOCKSTEP_DECL bool lease_holds();
    LOCKSTEP_DECL void release_reads();
    LOCKSTEP_DECL void answer(const pending_read& r, bool ok, log_index index);
    LOCKSTEP_DECL void fail_reads();

    // output.ipp
    LOCKSTEP_DECL void form_write();
    LOCKSTEP_DECL void acknowledge();
    LOCKSTEP_DECL void hand_out_committed();
    LOCKSTEP_DECL void form_fetch();
    LOCKSTEP_DECL void want(node_id who, log_index from);

    options options_;
    node_id self_;
    std::set<node_id> voters_;
    bool votes_ = true;
    random_generator random_;
    time_point now_;

    role role_ = role::follower;
    hard_state hard_;
    node_id leader_;
    time_point leader_heard_;
    time_point election_deadline_;
    bool own_ballot_ = false;             // counts once the vote is durable, or at once for a pre-vote

    log_view log_;
    write_tracker writes_;
    log_index commit_;
    log_position snapshot_;
    std::optional<log_position> begin_anew_;  // the next write begins the log anew behind this
    std::vector<message> held_;           // votes and vote requests: leave once the hard state is durable

    // follower
    log_index verified_;                  // agrees with the log of this term's leader up to here
    bool owes_ack_ = false;
    log_index acked_;                     // the last index acknowledged in this term
    std::optional<install_request> installing_;

    // leader
    std::vector<progress> peers_;         // everybody else; ballots of a candidate too
    std::uint64_t round_ = 0;
    round_times round_times_;             // with leases only
    time_point heartbeat_deadline_;
    log_index term_begin_;                // its first own entry
    byte_ledger uncommitted_;

    // application and reading back
    log_index handed_out_;
    log_index applied_;
    byte_ledger applying_;
    struct wish {
        node_id who;                      // no_node: application
        log_index from;
    };
    std::vector<wish> wishes_;
    std::optional<fetch_request> fetching_;
    node_id fetched_for_;
    time_point fetch_retry_;

    read_barrier reads_;                  // at a leader
    read_barrier asked_;                  // at a follower: sent on to the leader
    output out_;
};

}  // namespace lockstep::raft

#include <lockstep/raft/impl/core_fingerprint.hpp>

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/raft/impl/core.ipp>
#include <lockstep/raft/impl/election.ipp>
#include <lockstep/raft/impl/output.ipp>
#include <lockstep/raft/impl/reads.ipp>
#include <lockstep/raft/impl/replication.ipp>
#include <lockstep/raft/impl/snapshots.ipp>
#endif
