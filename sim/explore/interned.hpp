// Nodes and messages by number. An exploration meets the same few thousand states of a node, and the same few hundred
// messages, in millions of combinations: each is kept once, with its fingerprint under every renaming, and what a node
// in that state does when this or that happens is found out once, by stepping the core.
#pragma once

#include <sim/explore/assertions.hpp>
#include <sim/explore/bounds.hpp>
#include <sim/explore/cluster_state.hpp>
#include <sim/explore/fingerprint.hpp>
#include <sim/explore/fingerprint_table.hpp>
#include <sim/explore/member.hpp>
#include <sim/explore/packed_log.hpp>
#include <sim/explore/renaming.hpp>
#include <sim/explore/twins.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace lockstep::sim::explore {

/// What the properties, and whoever asks what can happen, want to know of a node.
struct member_facts {
    raft::role role = raft::role::follower;
    std::uint8_t term = 0;
    std::uint8_t leader = 0;
    std::uint8_t commit = 0;
    bool writes = false;
    packed_log log;   ///< as the core has it, terms only
    packed_log disk;
    std::uint8_t disk_term = 0;
    std::array<std::uint8_t, nodes_max> round_at_send{};  ///< of a leader's peers: the round under way when the last append left
};

enum class message_kind : std::uint8_t {
    vote_request, pre_vote_request, vote_reply, pre_vote_grant, pre_vote_refusal, append_request, append_reply, heartbeat,
    heartbeat_reply, other
};

struct message_facts {
    message_kind kind = message_kind::other;
    std::uint8_t from = 0, to = 0;
    std::uint8_t term = 0;
    std::uint8_t round = 0;         ///< of an answer to a heartbeat
    std::uint8_t acknowledged = 0;  ///< 1 + the index, of an acknowledgement
    std::uint32_t link = 0;

    /// Only a leader says this.
    bool from_leader() const noexcept { return kind == message_kind::append_request || kind == message_kind::heartbeat; }
};

inline message_kind kind_of(const raft::message_body& body) {
    if (const auto* v = std::get_if<raft::vote_request>(&body))
        return v->pre ? message_kind::pre_vote_request : message_kind::vote_request;
    if (const auto* v = std::get_if<raft::vote_reply>(&body)) {
        if (!v->pre) return message_kind::vote_reply;
        return v->granted ? message_kind::pre_vote_grant : message_kind::pre_vote_refusal;
    }
    if (std::holds_alternative<raft::append_request>(body)) return message_kind::append_request;
    if (std::holds_alternative<raft::append_reply>(body)) return message_kind::append_reply;
    if (std::holds_alternative<raft::heartbeat>(body)) return message_kind::heartbeat;
    return std::holds_alternative<raft::heartbeat_reply>(body) ? message_kind::heartbeat_reply : message_kind::other;
}

inline message_facts facts_of(const raft::message& m) {
    message_facts f;
    f.kind = kind_of(m.body);
    f.from = static_cast<std::uint8_t>(m.from.value);
    f.to = static_cast<std::uint8_t>(m.to.value);
    f.term = static_cast<std::uint8_t>(m.term.value);
    f.link = link_of(m.from.value, m.to.value);
    if (const auto* reply = std::get_if<raft::heartbeat_reply>(&m.body)) f.round = static_cast<std::uint8_t>(reply->round);
    const auto* reply = std::get_if<raft::append_reply>(&m.body);
    if (reply && !reply->rejected) f.acknowledged = static_cast<std::uint8_t>(1 + reply->index.value);
    return f;
}

struct applied_entry {
    std::uint8_t index, term, command;
};
struct read_outcome {
    std::uint8_t number;
    bool ok;
    std::uint8_t index;
};

/// What comes of a step. The rest is in the pools.
struct outcome {
    std::uint32_t member = 0;
    bool beyond = false;     ///< it came to a term above the bound
    bool assertion = false;  ///< one of the library failed: `wrong` says which
    std::uint8_t sent = 0, applied = 0, reads = 0;
    std::uint32_t first_sent = 0, first_applied = 0, first_read = 0;
    std::uint32_t wrong = 0;  ///< 1 + the number of a text
};

template <class Driver = faithful_driver>
class interned {
public:
    explicit interned(const bounds& b) : bounds_(b), renamings_(renamings(b.nodes, b.symmetry)) {
        for (std::size_t i = 1; i <= b.nodes; ++i) first_.push_back(intern(member<Driver>(node_id(i), b.nodes)));
    }

    const std::vector<renaming>& names() const noexcept { return renamings_; }
    /// A node that has just started with nothing.
    std::uint32_t first(std::size_t node) const { return first_[node - 1]; }

    const member<Driver>& node(std::uint32_t number) const { return members_[number]; }
    const member_facts& facts(std::uint32_t number) const { return facts_[number]; }
    const raft::message& message(std::uint32_t number) const { return messages_[number]; }
    const message_facts& facts_of_message(std::uint32_t number) const { return message_facts_[number]; }
    const std::string& text(std::uint32_t wrong) const { return texts_[wrong - 1]; }

    /// By renaming.
    const fingerprint* member_print(std::uint32_t number) const { return &member_prints_[number * renamings_.size()]; }
    const fingerprint* message_print(std::uint32_t number) const { return &message_prints_[number * renamings_.size()]; }

    std::span<const std::uint32_t> sent(const outcome& o) const { return {sent_.data() + o.first_sent, o.sent}; }
    std::span<const applied_entry> applied(const outcome& o) const { return {applied_.data() + o.first_applied, o.applied}; }
    std::span<const read_outcome> reads(const outcome& o) const { return {reads_.data() + o.first_read, o.reads}; }

    /// `what` is the number of the message, for receive.
    outcome step(std::uint32_t number, happening h, std::uint32_t what) {
        if (!bounds_.memory_of_steps) return compute(number, h, what);
        const fingerprint key{(std::uint64_t{number} << 8 | static_cast<std::uint64_t>(h)) + 1, what};
        std::uint32_t& known = steps_[key];
        if (known != fingerprint_map::none) return outcomes_[known];
        known = static_cast<std::uint32_t>(outcomes_.size());
        outcomes_.push_back(compute(number, h, what));
        return outcomes_.back();
    }

    std::size_t members() const noexcept { return members_.size(); }
    std::size_t messages() const noexcept { return messages_.size(); }
    std::uint64_t steps() const noexcept { return core_steps_; }
    std::uint64_t twins() const noexcept { return twins_; }

private:
    outcome compute(std::uint32_t number, happening h, std::uint32_t what) {
        member<Driver> next = members_[number];
        ++core_steps_;
        outcome o;
        doings done;
        try {
            done = next.step(h, what, h == happening::receive ? &messages_[what] : nullptr);
        } catch (const assertion_seen& seen) {
            o.assertion = true;
            done.wrong = "an assertion of the library failed: " + seen.text;
        }
        o.beyond = !o.assertion && next.core().current_term().value > bounds_.terms;
        if (!done.wrong.empty()) {
            texts_.push_back(done.wrong);
            o.wrong = static_cast<std::uint32_t>(texts_.size());
        }
        if (o.beyond || o.assertion) return o;
        keep(done, o);
        const std::size_t known = members_.size();
        o.member = bounds_.compare_twins ? intern(member<Driver>(next)) : intern(std::move(next));
        if (bounds_.compare_twins && o.member < known) compare(o, next);
        return o;
    }

    void compare(outcome& o, const member<Driver>& twin) {
        ++twins_;
        const auto difference = difference_of_twins(members_[o.member], twin, messages_, 40);
        if (!difference) return;
        texts_.push_back("two nodes with the same fingerprint differ in what they do: " + *difference);
        o.wrong = static_cast<std::uint32_t>(texts_.size());
    }

    void keep(const doings& done, outcome& o) {
        o.first_sent = static_cast<std::uint32_t>(sent_.size());
        for (const raft::message& m : done.sent)
            // What carries a term above the bound would come of nothing that is explored.
            if (m.term.value <= bounds_.terms) sent_.push_back(intern(m));
        o.sent = static_cast<std::uint8_t>(sent_.size() - o.first_sent);
        o.first_applied = static_cast<std::uint32_t>(applied_.size());
        for (const raft::entry& e : done.applied)
            applied_.push_back({static_cast<std::uint8_t>(e.index.value), static_cast<std::uint8_t>(e.term.value),
                                static_cast<std::uint8_t>(command_of(e))});
        o.applied = static_cast<std::uint8_t>(done.applied.size());
        o.first_read = static_cast<std::uint32_t>(reads_.size());
        for (const raft::read_result& r : done.reads)
            reads_.push_back({static_cast<std::uint8_t>(r.id), r.ok, static_cast<std::uint8_t>(r.index.value)});
        o.reads = static_cast<std::uint8_t>(done.reads.size());
    }

    std::uint32_t intern(member<Driver>&& m) {
        std::uint32_t& number = member_numbers_[print(m, renamings_.front())];
        if (number != fingerprint_map::none) return number;
        number = static_cast<std::uint32_t>(members_.size());
        for (const renaming& r : renamings_) member_prints_.push_back(print(m, r));
        facts_.push_back(facts_of(m));
        members_.push_back(std::move(m));
        return number;
    }

    std::uint32_t intern(const raft::message& m) {
        std::uint32_t& number = message_numbers_[print(m, renamings_.front())];
        if (number != fingerprint_map::none) return number;
        number = static_cast<std::uint32_t>(messages_.size());
        LOCKSTEP_ASSERT(number < flying::messages_max);
        for (const renaming& r : renamings_) message_prints_.push_back(print(m, r));
        message_facts_.push_back(explore::facts_of(m));
        messages_.push_back(m);
        return number;
    }

    template <class What>
    static fingerprint print(const What& what, const renaming& r) {
        fingerprint_maker maker(r);
        if constexpr (requires { what.fingerprint_into(maker); }) what.fingerprint_into(maker);
        else raft::fingerprint_into(maker, what);
        return maker.value();
    }

    static member_facts facts_of(const member<Driver>& m) {
        member_facts f;
        const raft::core& core = m.core();
        f.role = core.state_role();
        f.term = static_cast<std::uint8_t>(core.current_term().value);
        f.leader = static_cast<std::uint8_t>(core.leader().value);
        f.commit = static_cast<std::uint8_t>(core.commit_index().value);
        f.writes = m.write().has_value();
        for (log_index i(1); i <= core.last_index(); ++i) f.log.append(core.term_at(i)->value, 0);
        for (const raft::entry& e : m.disk().entries) f.disk.append(e.term.value, command_of(e));
        f.disk_term = static_cast<std::uint8_t>(m.disk().hard.term.value);
        for (const raft::progress& p : core.peers())
            f.round_at_send[static_cast<std::size_t>(p.id.value - 1)] = static_cast<std::uint8_t>(p.round_at_send);
        return f;
    }

    bounds bounds_;
    std::vector<renaming> renamings_;
    std::vector<std::uint32_t> first_;

    std::deque<member<Driver>> members_;
    std::vector<member_facts> facts_;
    std::vector<fingerprint> member_prints_;
    fingerprint_map member_numbers_;

    std::deque<raft::message> messages_;
    std::vector<message_facts> message_facts_;
    std::vector<fingerprint> message_prints_;
    fingerprint_map message_numbers_;

    fingerprint_map steps_;
    std::vector<outcome> outcomes_;
    std::vector<std::uint32_t> sent_;
    std::vector<applied_entry> applied_;
    std::vector<read_outcome> reads_;
    std::vector<std::string> texts_;
    std::uint64_t core_steps_ = 0;
    std::uint64_t twins_ = 0;
};

}  // namespace lockstep::sim::explore
