// What can happen in a state of the cluster, and what comes of it.
#pragma once

#include <sim/explore/action.hpp>
#include <sim/explore/bounds.hpp>
#include <sim/explore/cluster_state.hpp>
#include <sim/explore/dead_messages.hpp>
#include <sim/explore/interned.hpp>
#include <sim/explore/properties.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

namespace lockstep::sim::explore {

enum class reached : std::uint8_t {
    state,      ///< another state
    same,       ///< nothing changed
    beyond,     ///< what is outside the bounds
    crowded,    ///< more messages on their way than a state has room for
    violation,  ///< a property does not hold: transitions::wrong() says which
    assertion,  ///< of the library failed, likewise
};

template <class Driver = faithful_driver>
class transitions {
public:
    explicit transitions(const bounds& b) : bounds_(b), nodes_(b) {}

    const interned<Driver>& nodes() const noexcept { return nodes_; }
    const std::string& wrong() const noexcept { return wrong_; }
    /// What the node of the last action did.
    const outcome& last() const noexcept { return last_; }

    cluster_state initial() const {
        cluster_state s;
        const auto small = [](std::uint64_t n) { return static_cast<std::uint8_t>(n); };
        for (std::size_t i = 1; i <= bounds_.nodes; ++i) s.members[i - 1] = nodes_.first(i);
        s.left = {small(bounds_.crashes),    small(bounds_.drops),  small(bounds_.repeats), small(bounds_.overtakes),
                  small(bounds_.heartbeats), small(bounds_.lapses), small(bounds_.stalls),  small(bounds_.timeouts)};
        return s;
    }

    /// Calls f(action) for all that can happen in `s`.
    template <class F>
    void each_action(const cluster_state& s, F f) const {
        for (std::size_t at = 0; at < s.count; ++at) each_action_of_message(s, at, f);
        for (std::size_t i = 1; i <= bounds_.nodes; ++i) each_action_of_node(s, static_cast<std::uint8_t>(i), f);
    }

    /// What `a`, which can happen in `from`, makes of it.
    reached apply(const cluster_state& from, const action& a, cluster_state& to) {
        to = from;
        const std::uint32_t node = from.members[a.node - 1];
        std::uint32_t what = 0;
        happening h = happening::receive;
        switch (a.kind) {
            case action_kind::time_out: h = happening::time_out, --to.left.timeouts; break;
            case action_kind::lapse: h = happening::lapse, --to.left.lapses; break;
            case action_kind::beat: h = happening::beat, --to.left.heartbeats; break;
            case action_kind::written: h = happening::written; break;
            case action_kind::crash: h = happening::crash, --to.left.crashes; break;
            case action_kind::crash_written: h = happening::crash_written, --to.left.crashes; break;
            case action_kind::propose:
                h = happening::propose;
                what = ++to.proposed;
                break;
            case action_kind::read:
                h = happening::read;
                what = ++to.reads;
                to.known.owed[what - 1] = static_cast<std::uint8_t>(1 + from.known.committed.size);
                break;
            case action_kind::deliver:
            case action_kind::repeat:
            case action_kind::drop: {
                const std::size_t at = from.begin_of(link_of(a.from, a.node)) + a.place;
                what = from.messages[at].message();
                if (a.kind == action_kind::repeat) --to.left.repeats;
                else to.remove(at);
                if (a.kind == action_kind::drop) {
                    --to.left.drops;
                    return reached::state;
                }
                if (a.place != 0 && !bounds_.unordered) --to.left.overtakes;
                break;
            }
        }
        const bool finishes = h == happening::written || h == happening::crash || h == happening::crash_written;
        if (nodes_.facts(node).writes && !finishes && bounds_.stalls != unlimited) --to.left.stalls;
        last_ = nodes_.step(node, h, what);
        return follow(a.node, last_, to);
    }

    /// Of the state as it is told apart from others: under the renaming that gives the smallest.
    fingerprint print(const cluster_state& s) const {
        const fingerprint common = print_of_rest(s);
        fingerprint least{};
        for (std::size_t r = 0; r < nodes_.names().size(); ++r) {
            const fingerprint one = print(s, r, common);
            if (r == 0 || one < least) least = one;
        }
        return least;
    }

    /// The property that `s` breaks, or nullptr.
    const char* broken(const cluster_state& s) const {
        cluster_view v;
        v.nodes = bounds_.nodes;
        for (std::size_t i = 0; i < bounds_.nodes; ++i) v.of[i] = &nodes_.facts(s.members[i]);
        v.known = &s.known;
        return broken_property(v);
    }

private:
    /// A message may be lost once it is its turn and another one waits behind it. Losing it earlier, or while it is the
    /// last, comes to the same as losing it then; and where any may overtake any, one that is lost is one that never
    /// arrives.
    template <class F>
    void each_action_of_message(const cluster_state& s, std::size_t at, F f) const {
        const std::uint32_t link = s.messages[at].link();
        const std::size_t place = at - s.begin_of(link);
        action a{action_kind::deliver, receiver_of(link), sender_of(link), static_cast<std::uint8_t>(place)};
        if (may_act(s, a.node) && (place == 0 || bounds_.unordered || s.left.overtakes != 0)) {
            f(a);
            a.kind = action_kind::repeat;
            if (s.left.repeats != 0) f(a);
        }
        const bool another_behind = at + 1 < s.count && s.messages[at + 1].link() == link;
        a.kind = action_kind::drop;
        if (s.left.drops != 0 && place == 0 && another_behind && !bounds_.unordered) f(a);
    }

    /// A node that writes does nothing else but to finish that, or to crash, unless the write stalls.
    bool may_act(const cluster_state& s, std::uint8_t node) const {
        return s.left.stalls != 0 || !nodes_.facts(s.members[node - 1]).writes;
    }

    template <class F>
    void each_action_of_node(const cluster_state& s, std::uint8_t node, F f) const {
        const member_facts m = nodes_.facts(s.members[node - 1]);  // a copy: f may add nodes, which moves them
        const auto can = [&](action_kind kind) { f(action{kind, node, 0, 0}); };
        if (m.writes) can(action_kind::written);
        if (s.left.crashes != 0) {
            can(action_kind::crash);
            if (m.writes) can(action_kind::crash_written);
        }
        const bool leads = m.role == raft::role::leader;
        if (s.left.lapses != 0 && !leads && m.leader != 0 && may_act(s, node)) can(action_kind::lapse);
        if (!may_act(s, node) || has_full_link(s, node)) return;
        if (s.left.timeouts != 0) can(action_kind::time_out);
        if (s.left.heartbeats != 0 && leads) can(action_kind::beat);
        if (s.proposed < bounds_.entries && leads) can(action_kind::propose);
        if (s.reads < bounds_.reads) can(action_kind::read);
    }

    bool has_full_link(const cluster_state& s, std::uint8_t node) const {
        for (std::size_t to = 1; to <= bounds_.nodes; ++to)
            if (to != node && s.count_of(link_of(node, to)) >= bounds_.inflight) return true;
        return false;
    }

    reached follow(std::uint8_t node, const outcome& done, cluster_state& to) {
        if (done.wrong != 0) {
            violation(nodes_.text(done.wrong), node);
            return done.assertion ? reached::assertion : reached::violation;
        }
        if (done.beyond) return reached::beyond;
        const bool same = to.members[node - 1] == done.member && done.sent == 0 && done.reads == 0;
        to.members[node - 1] = done.member;
        for (const std::uint32_t m : nodes_.sent(done))
            if (!send(to, m)) return reached::crowded;
        const member_facts& f = nodes_.facts(done.member);
        if (!know_leaders(node, f, done, to)) return violation("election safety: two nodes lead one term", node);
        if (!know_commits(f, to)) return violation("what is committed is not on a majority of the disks", node);
        if (!applies_committed(done, to)) return violation("state-machine safety: an entry is applied that was not committed there", node);
        if (!acknowledges_what_agrees(node, done, to)) return violation("an acknowledgement covers what the leader does not have", node);
        if (!answers_reads(done, to)) return violation("a read would not see what was committed before it", node);
        if (same) return reached::same;
        if (bounds_.forget_dead) forget_dead_messages(to);
        return reached::state;
    }

    void forget_dead_messages(cluster_state& s) const {
        std::size_t kept = 0;
        for (std::size_t at = 0; at < s.count; ++at) {
            const message_facts& m = nodes_.facts_of_message(s.messages[at].message());
            if (is_dead(m, nodes_.facts(s.members[m.to - 1u]), nodes_.facts(s.members[m.from - 1u]), bounds_)) continue;
            s.messages[kept++] = s.messages[at];
        }
        s.count = static_cast<std::uint8_t>(kept);
    }

    reached violation(const std::string& text, std::uint8_t node) {
        wrong_ = text + " (node " + std::to_string(node) + ")";
        return reached::violation;
    }

    /// Returns whether there is room for it.
    bool send(cluster_state& s, std::uint32_t message) const {
        if (s.count == cluster_state::flying_max) return false;
        const std::uint32_t link = nodes_.facts_of_message(message).link;
        const flying f{link << flying::link_shift | message};
        std::size_t at = s.begin_of(link);
        if (bounds_.unordered) {
            while (at < s.count && s.messages[at].value < f.value) ++at;
            if (at < s.count && s.messages[at] == f) return true;
        } else {
            while (at < s.count && s.messages[at].link() == link) ++at;
        }
        s.insert(at, f);
        return true;
    }

    /// Election safety (Raft, figure 3): one leader a term, as its role and its messages claim.
    bool know_leaders(std::uint8_t node, const member_facts& f, const outcome& done, cluster_state& to) const {
        const auto leads = [&](std::uint8_t term) {
            std::uint8_t& known = to.known.leader_of[term];
            if (known == 0) known = node;
            return known == node;
        };
        if (f.role == raft::role::leader && !leads(f.term)) return false;
        for (const std::uint32_t m : nodes_.sent(done))
            if (nodes_.facts_of_message(m).from_leader() && !leads(nodes_.facts_of_message(m).term)) return false;
        return true;
    }

    /// A node counts more as committed than any did before. Its entries are looked up on the disks: a majority must
    /// have them.
    bool know_commits(const member_facts& f, cluster_state& to) const {
        if (f.commit <= to.known.committed.size) return true;
        const packed_log* disk = nullptr;
        for (std::size_t i = 0; i < bounds_.nodes && !disk; ++i) {
            const packed_log& one = nodes_.facts(to.members[i]).disk;
            if (same_terms(one, f.log, f.commit)) disk = &one;
        }
        if (!disk) return false;
        to.known.committed.terms = disk->terms & mask_of(f.commit);
        to.known.committed.commands = disk->commands & mask_of(f.commit);
        to.known.committed.size = f.commit;
        to.known.committed_in = std::max(to.known.committed_in, f.term);
        return true;
    }

    /// State-machine safety (Raft, figure 3).
    bool applies_committed(const outcome& done, const cluster_state& to) const {
        for (const applied_entry& e : nodes_.applied(done))
            if (to.known.committed.term_at(e.index) != e.term || to.known.committed.command_at(e.index) != e.command) return false;
        return true;
    }

    /// An acknowledgement names what agrees with the leader that it goes to (rabbitmq/ra #637).
    bool acknowledges_what_agrees(std::uint8_t node, const outcome& done, const cluster_state& to) const {
        for (const std::uint32_t number : nodes_.sent(done)) {
            const message_facts& m = nodes_.facts_of_message(number);
            if (m.acknowledged == 0) continue;
            const member_facts& leader = nodes_.facts(to.members[receiver_of(m.link) - 1u]);
            if (leader.role != raft::role::leader || leader.term != m.term) continue;
            if (!same_terms(nodes_.facts(to.members[node - 1]).disk, leader.log, m.acknowledged - 1u)) return false;
        }
        return true;
    }

    /// Linearizable reads (Ongaro 6.4): what was committed anywhere when a read began is covered by the index that it
    /// gets.
    bool answers_reads(const outcome& done, cluster_state& to) const {
        for (const read_outcome& r : nodes_.reads(done)) {
            std::uint8_t& owed = to.known.owed[r.number - 1u];
            if (r.ok && owed != 0 && r.index + 1 < owed) return false;
            owed = 0;
        }
        return true;
    }

    fingerprint print(const cluster_state& s, std::size_t r, fingerprint sum) const {
        for (std::size_t i = 0; i < bounds_.nodes; ++i) sum += nodes_.member_print(s.members[i])[r];
        std::uint32_t link = 0;
        std::size_t place = 0;
        for (std::size_t at = 0; at < s.count; ++at) {
            place = s.messages[at].link() == link && !bounds_.unordered ? place + 1 : 1;
            link = s.messages[at].link();
            sum += nodes_.message_print(s.messages[at].message())[r].at_place(place);
        }
        const renaming& names = nodes_.names()[r];
        std::uint64_t leaders = 0;
        for (std::size_t t = 1; t <= bounds_.terms; ++t) leaders = leaders << 4 | names.names[s.known.leader_of[t]];
        sum += {mix64(leaders), mix64(leaders ^ 0x5851f42d4c957f2du)};
        return sum;
    }

    /// Of what has nothing to do with names. How much is left of each bound is not in it: see visited_states.
    static fingerprint print_of_rest(const cluster_state& s) {
        static const renaming nobody{};
        fingerprint_maker maker(nobody);
        maker.number(s.known.committed.terms);
        maker.number(s.known.committed.commands);
        maker.number(s.known.committed.size << 8 | s.known.committed_in);
        std::uint64_t owed = 0;
        for (const std::uint8_t o : s.known.owed) owed = owed << 8 | o;
        maker.number(owed);
        maker.number(std::uint64_t{s.proposed} << 8 | s.reads);
        return maker.value();
    }

    bounds bounds_;
    interned<Driver> nodes_;
    outcome last_;
    std::string wrong_;
};

}  // namespace lockstep::sim::explore
