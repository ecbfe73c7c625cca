// Nodes, messages and steps for a person to read.
#pragma once

#include <sim/explore/action.hpp>
#include <sim/explore/interned.hpp>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace lockstep::sim::explore {

inline const char* text_of(raft::role r) {
    switch (r) {
        case raft::role::follower: return "follower";
        case raft::role::pre_candidate: return "pre-candidate";
        case raft::role::candidate: return "candidate";
        case raft::role::leader: return "leader";
    }
    return "?";
}

inline std::string text_of(const std::vector<raft::entry>& entries) {
    packed_log log;
    for (const raft::entry& e : entries) log.append(e.term.value, command_of(e));
    return "[" + text_of(log) + "]";
}

/// "leader of term 2, vote 1, commit 3, log [1 1:a 2]; disk: term 2, vote 1, [1 1:a]; writes [2]"
template <class Driver>
std::string describe(const member<Driver>& m, const member_facts& f) {
    const raft::core& core = m.core();
    std::string text = text_of(f.role);
    text += " in term " + std::to_string(f.term);
    if (core.voted_for() != no_node) text += ", vote for " + std::to_string(core.voted_for().value);
    if (f.role != raft::role::leader && f.leader != 0) text += ", leader " + std::to_string(f.leader);
    text += ", commit " + std::to_string(f.commit) + ", log of terms [" + text_of(f.log) + "]; disk: term " + std::to_string(f.disk_term);
    if (m.disk().hard.voted_for != no_node) text += ", vote for " + std::to_string(m.disk().hard.voted_for.value);
    text += ", [" + text_of(f.disk) + "]";
    if (m.write()) text += "; writes term " + std::to_string(m.write()->hard.term.value) + ", " + text_of(m.write()->entries);
    return text;
}

namespace detail {
inline std::string at(const char* what, log_index i, lockstep::term t) {
    return std::string(what) + " " + std::to_string(i.value) + " of term " + std::to_string(t.value);
}
inline std::string body_of(const raft::vote_request& v) {
    return std::string(v.pre ? "asks for a pre-vote" : "asks for a vote") + at(", log ends at", v.last_index, v.last_term);
}
inline std::string body_of(const raft::vote_reply& v) {
    return std::string(v.granted ? "grants" : "refuses") + (v.pre ? " a pre-vote" : " a vote");
}
inline std::string body_of(const raft::append_request& a) {
    return at("appends behind", a.prev_index, a.prev_term) + " " + text_of(a.entries) + ", commit " + std::to_string(a.commit.value);
}
inline std::string body_of(const raft::append_reply& a) {
    if (!a.rejected) return "has " + std::to_string(a.index.value);
    return "refuses to append behind " + std::to_string(a.rejected_prev.value) + at(", try", a.index, a.hint_term);
}
inline std::string body_of(const raft::heartbeat& h) {
    return "heartbeat, round " + std::to_string(h.round) + ", commit " + std::to_string(h.commit.value);
}
inline std::string body_of(const raft::heartbeat_reply& h) { return "heard round " + std::to_string(h.round); }
inline std::string body_of(const raft::forwarded_proposal&) { return "forwards commands"; }
inline std::string body_of(const raft::read_request& r) { return "asks for read " + std::to_string(r.id); }
inline std::string body_of(const raft::read_reply& r) {
    return "read " + std::to_string(r.id) + (r.ok ? " is served from " + std::to_string(r.index.value) : std::string(" failed"));
}
inline std::string body_of(const raft::snapshot_offer& s) { return at("offers its snapshot at", s.at.index, s.at.term); }
}  // namespace detail

/// "1 to 2, term 1: asks for a vote, log ends at 3 of term 1"
inline std::string describe(const raft::message& m) {
    return std::to_string(m.from.value) + " to " + std::to_string(m.to.value) + ", term " + std::to_string(m.term.value) + ": " +
           std::visit([](const auto& body) { return detail::body_of(body); }, m.body);
}

}  // namespace lockstep::sim::explore
