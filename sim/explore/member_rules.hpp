// What each node must keep to by itself, checked as it steps: against its own disk, and against what it was before. One
// function a rule. The rules that need to see the whole cluster are in properties.hpp.
#pragma once

#include <lockstep/raft/core.hpp>

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace lockstep::sim::explore {

/// What survives a crash.
struct disk_image {
    raft::hard_state hard;
    std::vector<raft::entry> entries;  ///< from index 1 on
};

/// Votes are durable before they are spoken; asking for one is a vote for oneself (Ongaro 3.8; etcd's raw node).
inline bool vote_is_durable(const disk_image& disk, const raft::message& m) {
    const auto* reply = std::get_if<raft::vote_reply>(&m.body);
    const auto* request = std::get_if<raft::vote_request>(&m.body);
    node_id given_to = no_node;
    if (reply && reply->granted && !reply->pre) given_to = m.to;
    if (request && !request->pre) given_to = m.from;
    return given_to == no_node || disk.hard.term > m.term || disk.hard == raft::hard_state{m.term, given_to};
}

/// Entries are durable before they are acknowledged, and so is the term that the acknowledgement is given in (Ongaro
/// 3.8).
inline bool acknowledgement_is_durable(const disk_image& disk, const raft::message& m) {
    const auto* reply = std::get_if<raft::append_reply>(&m.body);
    if (!reply || reply->rejected) return true;
    return disk.entries.size() >= reply->index.value && disk.hard.term >= m.term;
}

inline std::string check_said(const disk_image& disk, const raft::message& m) {
    if (!vote_is_durable(disk, m)) return "a vote is spoken before it is durable";
    if (!acknowledgement_is_durable(disk, m)) return "what is acknowledged is not durable";
    return {};
}

/// What is handed out for application is on the own disk, so that a start finds all that was applied.
inline std::string check_applied(const disk_image& disk, const raft::entry& e) {
    const bool there = e.index.value <= disk.entries.size() && disk.entries[static_cast<std::size_t>(e.index.value - 1)] == e;
    return there ? std::string() : "an entry is applied that is not on the own disk";
}

struct before_step {
    lockstep::term term;
    node_id voted_for;
    log_index commit;
    static before_step of(const raft::core& core) { return {core.current_term(), core.voted_for(), core.commit_index()}; }
};

/// Within a run of the process, neither term nor commit go back (Raft, figure 2).
inline bool is_monotone(const before_step& before, const raft::core& after) {
    return after.current_term() >= before.term && after.commit_index() >= before.commit;
}

/// A vote goes from nobody to one, at most once in a term, whatever roles come and go (Raft, figure 2; CCF #8094).
inline bool keeps_its_vote(const before_step& before, const raft::core& after) {
    return after.current_term() != before.term || before.voted_for == no_node || after.voted_for() == before.voted_for;
}

/// A request for a pre-vote and a grant change neither term nor vote of who gets it; only a refusal teaches a term
/// (Ongaro 9.6).
inline bool pre_vote_changes_nothing(const before_step& before, const raft::core& after, const raft::message* received) {
    if (received == nullptr) return true;
    const auto* request = std::get_if<raft::vote_request>(&received->body);
    if (request == nullptr || !request->pre) return true;
    return after.current_term() == before.term && after.voted_for() == before.voted_for;
}

/// The terms of a durable log ascend, up to the one that the disk is in, whatever crash comes (openraft, order of its
/// writes).
inline bool is_in_order(const disk_image& disk) {
    lockstep::term last;
    for (const raft::entry& e : disk.entries) {
        if (e.term < last) return false;
        last = e.term;
    }
    return last <= disk.hard.term;
}

inline std::string check_step(const before_step& before, const raft::core& after, const disk_image& disk,
                              const raft::message* received, bool restarted) {
    if (!is_in_order(disk)) return "the terms of a durable log are not in order";
    if (restarted) return {};
    if (!is_monotone(before, after)) return "a term or a commit index went back";
    if (!keeps_its_vote(before, after)) return "a vote was changed within its term";
    if (!pre_vote_changes_nothing(before, after, received)) return "a pre-vote changed a term or a vote";
    return {};
}

}  // namespace lockstep::sim::explore
