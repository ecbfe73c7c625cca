// Cores in a small seeded world in memory: a network that loses, repeats, delays and partitions, disks that take their
// time, crashes, logs compacted behind snapshots and states fetched from others. After each event it checks what Raft
// promises, by naive means. A broken promise throws.
#pragma once

#include <lockstep/base/random.hpp>
#include <lockstep/raft/core.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::raft::test {

using namespace std::chrono_literals;

/// A state machine whose state is a digest of everything that was applied, in order.
struct machine_state {
    log_position at;
    std::uint64_t digest = 0;

    void apply(const entry& e) {
        at = {e.index, e.term};
        for (const std::byte b : e.data.view()) digest = mix64(digest ^ std::to_integer<std::uint64_t>(b));
        digest = mix64(digest ^ e.index.value) + e.term.value;
    }
    friend bool operator==(const machine_state&, const machine_state&) = default;
};

/// What a disk holds: the log, and the newest snapshot beside it.
struct durable_image {
    hard_state hard;
    log_position base;
    std::vector<entry> entries;  // behind the base
    machine_state snapshot;

    log_index last() const { return base.index + entries.size(); }
    void write(const persist_request& r, std::size_t count) {
        hard = r.hard;
        if (r.begin_anew) {
            // A newer state may have come since this write began.
            if (r.begin_anew->index > snapshot.at.index) throw std::runtime_error("a log begun anew behind nothing");
            base = *r.begin_anew;
            entries.clear();
        }
        if (count == 0) return;
        const log_index first = r.entries.front().index;
        if (first > last() + 1 || first <= base.index) throw std::runtime_error("a write leaves a gap");
        entries.resize(static_cast<std::size_t>(first - base.index - 1));
        entries.insert(entries.end(), r.entries.begin(), r.entries.begin() + static_cast<std::ptrdiff_t>(count));
    }
    void drop(const log_position& to) {
        if (to.index <= base.index) return;
        if (to.index > last() || at(to.index).term != to.term) throw std::runtime_error("dropped what is not there");
        if (to.index > snapshot.at.index) throw std::runtime_error("dropped what is in no snapshot");
        entries.erase(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(to.index - base.index));
        base = to;
    }
    std::vector<term_run> runs() const {
        std::vector<term_run> result;
        for (const auto& e : entries)
            if (result.empty() || result.back().term != e.term) result.push_back({e.index, e.term});
        return result;
    }
    bool stores(log_index i) const { return i > base.index && i <= last(); }
    const entry& at(log_index i) const { return entries[static_cast<std::size_t>(i - base.index - 1)]; }
    /// What is in the snapshot was committed, and is held whatever stands in the log.
    bool has(log_index i, term t) const { return i <= snapshot.at.index || (stores(i) && at(i).term == t); }
};

struct faults {
    std::uint64_t lose_one_in = 0;
    std::uint64_t repeat_one_in = 0;
    duration delay_min = 100us;
    duration delay_max = 2ms;
    duration write_min = 100us;
    duration write_max = 3ms;
    std::uint64_t stall_one_in = 0;      // of writes, up to 3 s
    std::uint64_t crash_every_ms = 0;    // on average
    std::uint64_t partition_every_ms = 0;
    std::uint64_t fetch_fails_one_in = 0;
    std::uint64_t compact_one_in = 0;    // of applications
    std::uint64_t keep_max = 0;          // entries kept behind a snapshot, at most
    std::uint64_t install_fails_one_in = 0;
    std::uint64_t crash_at_install_one_in = 0;
    duration install_max = 20ms;
};

class cluster {
public:
    struct node {
        node_id id;
        durable_image disk;
        std::unique_ptr<core> raft;  // empty: crashed
        std::uint64_t life = 0;
        std::uint64_t wake_at = 0;   // sequence of the newest wake event
        time_point wake_time = never;
        std::optional<persist_request> writing;
        machine_state applied;
        bool saving = false;         // a snapshot
        std::optional<install_request> installing;
        std::size_t installs = 0;
        std::map<std::uint64_t, std::uint64_t> reads;  // id → the index that it must reach
        std::size_t reads_ok = 0;
        std::size_t reads_failed = 0;
        std::map<node_id, std::pair<term, log_index>> match_seen;
        log_index commit_seen;
        log_index handed_seen;
        time_point queue_free{};
        hard_state hard_seen;
    };

    explicit cluster(std::uint64_t seed, std::size_t size, options o = {}, faults f = {})
        : options_(o), faults_(f), random_(seed) {
        for (std::size_t i = 1; i <= size; ++i) voters_.insert(node_id(i));
        for (const node_id id : voters_) {
            auto& n = nodes_[id];
            n.id = id;
            start(n);
        }
    }

    faults& world() { return faults_; }
    time_point now() const { return now_; }
    std::map<node_id, node>& nodes() { return nodes_; }
    node& at(std::uint64_t id) { return nodes_.at(node_id(id)); }
    std::size_t committed() const { return committed_.size(); }
    std::size_t messages_sent() const { return messages_sent_; }
    std::size_t crashes() const { return crashes_; }
    std::size_t entries_sent() const { return entries_sent_; }
    std::size_t installs() const { return installs_; }
    std::size_t drops() const { return drops_; }
    std::size_t restarts_at_install() const { return restarts_at_install_; }

    node* leader() {
        node* found = nullptr;
        for (auto& [id, n] : nodes_)
            if (n.raft && n.raft->state_role() == role::leader &&
                (found == nullptr || n.raft->current_term() > found->raft->current_term()))
                found = &n;
        return found;
    }

    void input(node& n, input_value in) {
        if (!n.raft) return;
        n.raft->step(std::move(in), now_);
        settle(n);
    }
    void propose(node& n, const std::string& text) {
        input(n, input::propose{{shared_bytes::copy_of(text)}});
    }
    void read(node& n) {
        if (!n.raft) return;
        const std::uint64_t id = ++next_read_;
        n.reads[id] = committed_.size();
        input(n, input::read_barrier{id});
    }

    void run(duration d) {
        const time_point end = now_ + d;
        while (!events_.empty() && events_.begin()->first.first <= end) {
            auto handle = events_.extract(events_.begin());
            now_ = handle.key().first;
            handle.mapped()();
            if (++ran_ % 64 == 0) check_logs();
        }
        now_ = end;
    }
    /// Runs until `done` or at most `d`. Returns whether it is done.
    template <class Done>
    bool run_until(Done done, duration d) {
        for (const time_point end = now_ + d; now_ < end;) {
            if (done()) return true;
            run(5ms);
        }
        return done();
    }

    void crash(node& n) {
        if (!n.raft) return;
        ++crashes_;
        // What was under way may have reached the disk in part.
        if (n.writing && random_.one_in(2)) write(n, *n.writing, random_.below(n.writing->entries.size() + 1));
        n.writing.reset();
        n.saving = false;
        n.installing.reset();
        n.raft.reset();
        ++n.life;
    }
    void start(node& n) {
        if (n.raft) return;
        initial_state s;
        s.self = n.id;
        s.voters = voters_;
        s.votes = !mute_.contains(n.id);
        s.hard = n.disk.hard;
        s.base = n.disk.base;
        s.runs = n.disk.runs();
        s.last_index = n.disk.last();
        s.snapshot = n.disk.snapshot.at;
        s.seed = random_();
        check(n.disk.entries.empty() || n.disk.entries.back().term <= n.disk.hard.term, "durable log is ahead of term");
        check(n.disk.base.index <= n.disk.snapshot.at.index, "the log begins behind the snapshot");
        n.raft = std::make_unique<core>(options_, s, now_);
        n.applied = n.disk.snapshot;
        n.reads.clear();
        n.match_seen.clear();
        n.commit_seen = {};
        n.handed_seen = n.disk.snapshot.at.index;
        n.queue_free = now_;
        n.hard_seen = n.disk.hard;
        n.wake_time = never;
        settle(n);
    }
    /// The disk is gone; the node only follows from now on.
    void wipe(node& n) {
        crash(n);
        n.disk = {};
        mute_.insert(n.id);
        for (auto& [id, other] : nodes_) input(other, input::peer_standing{n.id, false, true});
    }
    void cut(std::uint64_t a, std::uint64_t b) {
        cut_.insert({node_id(a), node_id(b)});
        cut_.insert({node_id(b), node_id(a)});
    }
    void isolate(std::uint64_t a) {
        for (const node_id id : voters_)
            if (id != node_id(a)) cut(a, id.value);
    }
    void heal() {
        cut_.clear();
        for (auto& [id, n] : nodes_) start(n);
    }

    /// Random crashes, partitions, proposals and reads for a while.
    void torment(duration d) {
        const time_point end = now_ + d;
        while (now_ < end) {
            run(duration(random_.between(1, 20) * 1'000'000));
            auto& n = nodes_.at(node_id(random_.between(1, voters_.size())));
            if (faults_.crash_every_ms != 0 && random_.one_in(faults_.crash_every_ms / 10 + 1)) {
                if (n.raft) crash(n);
                else start(n);
            }
            if (!n.raft && random_.one_in(30)) start(n);
            if (faults_.partition_every_ms != 0 && random_.one_in(faults_.partition_every_ms / 10 + 1)) {
                if (!cut_.empty() && random_.one_in(2)) cut_.clear();
                else if (random_.one_in(2)) isolate(n.id.value);
                else cut(n.id.value, random_.between(1, voters_.size()));
            }
            auto& m = nodes_.at(node_id(random_.between(1, voters_.size())));
            if (random_.one_in(8)) input(m, input::peer_unreachable{n.id});
            if (random_.one_in(5)) read(m);
            for (std::uint64_t i = random_.below(4); i != 0; --i)
                propose(m, std::to_string(++next_command_) + std::string(random_.below(60), 'x'));
        }
    }
    /// Faults stop; then everything must come to rest, equal on all nodes, in bounded time.
    void converge() {
        faults_ = faults{};
        heal();
        run(1s);  // what is still on its way arrives
        const bool rest = run_until([this] { return equal_everywhere(); }, 30s);
        check(rest, "the cluster does not come to rest");
        const std::size_t before = committed_.size();
        run(2s);
        check(committed_.size() == before, "an idle cluster makes entries");
        node* const l = leader();
        check(l != nullptr, "no leader at rest");
        propose(*l, "last");
        read(nodes_.begin()->second);
        const bool moved = run_until([&] { return committed_.size() == before + 1 && equal_everywhere(); }, 2s);
        check(moved, "no progress at rest");
        run(options_.election_timeout_max);
        for (auto& [id, n] : nodes_) check(n.reads.empty(), "a read was never answered");
    }
    bool equal_everywhere() {
        node* const l = leader();
        if (l == nullptr) return false;
        for (auto& [id, n] : nodes_) {
            if (!n.raft || n.raft->leader() != l->id || n.raft->last_index() != l->raft->last_index()) return false;
            if (n.raft->commit_index() != l->raft->last_index()) return false;
            if (n.applied.at.index != l->raft->last_index()) return false;
        }
        return true;
    }

    void check(bool good, const std::string& what) const {
        const auto us = now_.time_since_epoch() / 1us;
        if (!good) throw std::runtime_error(what + " at " + std::to_string(us) + " us");
    }

private:
    template <class F>
    void after(duration d, F f) {
        events_.emplace(std::pair(now_ + d, ++sequence_), std::move(f));
    }
    /// Runs `f` unless the node crashes before.
    template <class F>
    void later(node& n, duration d, F f) {
        after(d, [&n, life = n.life, f = std::move(f)] {
            if (n.life == life && n.raft) f();
        });
    }
    duration between(duration low, duration high) {
        return duration(static_cast<duration::rep>(
            random_.between(static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count()))));
    }

    void settle(node& n) {
        output out = n.raft->take_output();
        check_state(n);
        for (const auto& m : out.send) transmit(n, m);
        if (out.persist) begin_write(n, std::move(*out.persist));
        if (out.drop) begin_drop(n, *out.drop);
        for (const auto& e : out.commit) hand_out(n, e);
        if (out.install) begin_install(n, *out.install);
        for (const auto& r : out.reads) finish_read(n, r);
        if (out.fetch) begin_fetch(n, *out.fetch);
        const time_point wake = n.raft->deadline();
        if (wake != n.wake_time && wake != never) {
            n.wake_time = wake;
            const std::uint64_t mine = ++n.wake_at;
            later(n, std::max(wake - now_, duration(1)), [this, &n, mine] {
                if (n.wake_at != mine) return;
                n.wake_time = never;
                input(n, input::wake{});
            });
        }
    }

    /// Across restarts it is the durable vote that may not change: one that was never durable was never told.
    void write(node& n, const persist_request& r, std::size_t count) {
        check(r.hard.term >= n.disk.hard.term, "the durable term fell");
        n.disk.write(r, count);
        if (r.hard.voted_for == no_node) return;
        const auto [vote, first] = votes_.emplace(std::pair(n.id, r.hard.term), r.hard.voted_for);
        check(vote->second == r.hard.voted_for, "a durable vote changed within a term");
    }
    void begin_write(node& n, persist_request r) {
        check(!n.writing, "two writes are outstanding");
        n.writing = std::move(r);
        duration d = between(faults_.write_min, faults_.write_max);
        if (random_.one_in(faults_.stall_one_in)) d = between(100ms, 3s);
        later(n, d, [this, &n] {
            const persist_request done = std::move(*n.writing);
            n.writing.reset();
            write(n, done, done.entries.size());
            for (const auto& m : done.send_durable) transmit(n, m);
            input(n, input::persisted{done.ticket});
        });
    }
    void begin_fetch(node& n, const fetch_request& f) {
        later(n, between(50us, 2ms), [this, &n, f] {
            input::fetched answer;
            std::size_t bytes = 0;
            const bool fails = random_.one_in(faults_.fetch_fails_one_in);
            for (log_index i = f.from; !fails && i <= f.to && n.disk.stores(i); ++i) {
                bytes += weight(n.disk.at(i));
                if (!answer.entries.empty() && bytes > f.bytes_max) break;
                answer.entries.push_back(n.disk.at(i));
            }
            input(n, std::move(answer));
        });
    }
    /// Files are removed at leisure, or not any more.
    void begin_drop(node& n, const log_position& to) {
        ++drops_;
        later(n, between(0us, 3ms), [&n, to] { n.disk.drop(to); });
    }

    /// Entries are handed to a state machine that takes its time, in order.
    void hand_out(node& n, const entry& e) {
        check(n.disk.has(e.index, e.term), "handed out what is not durable here");
        check(e.index == n.handed_seen + 1, "application skips or repeats");
        n.handed_seen = e.index;
        n.queue_free = std::max(n.queue_free, now_) + between(1us, 500us);
        later(n, n.queue_free - now_, [this, &n, e] {
            if (e.index <= n.applied.at.index) return;  // an installed state has it
            check(e.index == n.applied.at.index + 1, "application skips or repeats");
            n.applied.apply(e);
            check_applied(n);
            input(n, input::applied{e.index});
            if (faults_.compact_one_in != 0 && random_.one_in(faults_.compact_one_in)) begin_save(n);
        });
    }
    void begin_save(node& n) {
        if (!n.raft || n.saving) return;
        n.saving = true;
        later(n, between(100us, 10ms), [this, &n, state = n.applied] {
            n.saving = false;
            if (state.at.index <= n.disk.snapshot.at.index) return;
            n.disk.snapshot = state;
            if (random_.one_in(faults_.crash_at_install_one_in)) return crash(n);
            const std::uint64_t kept = std::min(random_.below(faults_.keep_max + 1), state.at.index.value);
            input(n, input::snapshot_saved{state.at.index, state.at.index - kept});
        });
    }
    /// Whoever has that very state gives it, as long as it has it.
    void begin_install(node& n, const install_request& wanted) {
        check(wanted.at.index > n.raft->commit_index(), "a state is wanted that is here");
        n.installing = wanted;
        later(n, between(500us, faults_.install_max), [this, &n, wanted] {
            if (n.installing != wanted) return;  // a better one is being fetched
            n.installing.reset();
            if (wanted.at.index <= n.applied.at.index) return;
            const auto has = [&](const auto& item) { return item.second.disk.snapshot.at == wanted.at; };
            const auto source = std::find_if(nodes_.begin(), nodes_.end(), has);
            if (source == nodes_.end() || random_.one_in(faults_.install_fails_one_in))
                return input(n, input::install_failed{wanted});
            ++installs_;
            ++n.installs;
            n.disk.snapshot = n.applied = source->second.disk.snapshot;
            n.handed_seen = std::max(n.handed_seen, wanted.at.index);
            check_applied(n);
            if (random_.one_in(faults_.crash_at_install_one_in)) {
                ++restarts_at_install_;
                return crash(n);
            }
            input(n, input::snapshot_installed{wanted.at});
        });
    }
    void transmit(node& from, const message& m) {
        ++messages_sent_;
        if (const auto* a = std::get_if<append_request>(&m.body)) entries_sent_ += a->entries.size();
        check_promise(from, m);
        for (int copies = random_.one_in(faults_.repeat_one_in) ? 2 : 1; copies != 0; --copies) {
            if (cut_.contains({m.from, m.to}) || random_.one_in(faults_.lose_one_in)) continue;
            after(between(faults_.delay_min, faults_.delay_max), [this, m] { input(nodes_.at(m.to), m); });
        }
    }

    // ---- checkers

    /// What is promised to others is in the durable image when it leaves.
    void check_promise(const node& n, const message& m) {
        if (const auto* v = std::get_if<vote_reply>(&m.body); v != nullptr && v->granted && !v->pre)
            check((n.disk.hard == hard_state{m.term, m.to}), "a vote left before it was durable");
        if (const auto* v = std::get_if<vote_request>(&m.body); v != nullptr && !v->pre)
            check(n.disk.hard.term >= m.term, "a vote request left before the own vote was durable");
        const auto* const a = std::get_if<append_reply>(&m.body);
        if (a == nullptr || a->rejected) return;
        check(n.disk.hard.term == m.term, "an acknowledgement left before its term was durable");
        check(a->index <= std::max(n.disk.last(), n.disk.snapshot.at.index),
              "an acknowledgement left before its entries were durable");
        const node& l = nodes_.at(m.to);
        if (!l.raft || l.raft->state_role() != role::leader || l.raft->current_term() != m.term) return;
        for (log_index i = a->index; i > l.raft->base().index && a->index - i < 20; --i)
            check(n.disk.has(i, *l.raft->term_at(i)), "an acknowledgement names an entry that is not the leader's");
    }

    void check_state(node& n) {
        const core& c = *n.raft;
        const hard_state hard{c.current_term(), c.voted_for()};
        check(hard.term >= n.hard_seen.term, "the term fell");
        if (hard.term == n.hard_seen.term && n.hard_seen.voted_for != no_node)
            check(hard == n.hard_seen, "a vote changed within a term");
        n.hard_seen = hard;
        if (c.state_role() == role::leader) {
            check(!mute_.contains(n.id), "a node without a vote leads");
            const auto [leads, first] = leaders_.emplace(c.current_term(), n.id);
            check(leads->second == n.id, "two leaders in a term");
            if (first) {
                check(c.last_index().value >= committed_.size(), "a leader lacks a committed entry");
                for (auto i = static_cast<std::size_t>(c.base().index.value); i < committed_.size(); ++i)
                    check(c.term_at(log_index(i + 1)) == committed_[i].term, "a leader lacks a committed entry");
            }
            for (const auto& p : c.peers()) {
                auto& [t, seen] = n.match_seen[p.id];
                check(p.match < p.next, "match is not below next");
                if (p.counts) check(t != c.current_term() || p.match >= seen, "match fell within a term");
                t = c.current_term();
                seen = p.match;
            }
        }
        check(c.base().index <= c.snapshot().index, "the base is above the snapshot");
        check(c.snapshot().index <= c.applied_index(), "the snapshot is above what is applied");
        check(c.applied_index() <= c.commit_index() && c.commit_index() <= c.last_index(), "applied, committed, last");
        check(c.snapshot().index <= n.disk.snapshot.at.index, "a snapshot is believed that is not durable");
        if (const auto& b = c.base(); b.index.value != 0)
            check(committed_.at(b.index.value - 1).term == b.term, "the base has another term");
        check(c.commit_index() >= n.commit_seen, "the commit index fell");
        n.commit_seen = c.commit_index();
        for (log_index i(committed_.size() + 1); i <= c.commit_index(); ++i) {
            const term t = *c.term_at(i);
            const auto holders = std::count_if(nodes_.begin(), nodes_.end(), [&](const auto& item) {
                return item.second.disk.has(i, t) && !mute_.contains(item.first);
            });
            check(static_cast<std::size_t>(holders) > voters_.size() / 2, "committed without a durable majority");
            const auto holder = std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& item) {
                return item.second.disk.stores(i) && item.second.disk.has(i, t);
            });
            check(holder != nodes_.end(), "committed what stands in no log");
            committed_.push_back(holder->second.disk.at(i));
            machine_state next = states_.back();
            next.apply(committed_.back());
            states_.push_back(next);
        }
        const log_index commit = c.commit_index();
        const bool same = commit.value == 0 || c.term_at(commit) == committed_.at(commit.value - 1).term;
        check(same, "two entries are committed at one index");
    }
    /// Whether applied entry by entry or installed: after the same index, the state is the same.
    void check_applied(const node& n) const {
        const log_index i = n.applied.at.index;
        check(i.value < states_.size() && n.applied == states_[i.value], "applied what was not committed");
    }
    void finish_read(node& n, const read_result& r) {
        const auto it = n.reads.find(r.id);
        check(it != n.reads.end(), "a read was answered twice");
        ++(r.ok ? n.reads_ok : n.reads_failed);
        if (r.ok) check(r.index.value >= it->second, "a stale read");
        n.reads.erase(it);
    }
    /// Log matching: where two logs have the same term at an index, they are the same up to there.
    void check_logs() {
        for (auto a = nodes_.begin(); a != nodes_.end(); ++a)
            for (auto b = std::next(a); b != nodes_.end(); ++b) {
                if (!a->second.raft || !b->second.raft) continue;
                const core &x = *a->second.raft, &y = *b->second.raft;
                bool same = false;
                const log_index known = std::max(x.base().index, y.base().index);
                for (log_index i = std::min(x.last_index(), y.last_index()); i.value != 0 && i >= known; --i) {
                    const bool here = x.term_at(i) == y.term_at(i);
                    check(here || !same, "logs differ below a point where they agree");
                    same = same || here;
                }
            }
    }

    options options_;
    faults faults_;
    random_generator random_;
    time_point now_{};
    std::set<node_id> voters_;
    std::map<node_id, node> nodes_;
    std::map<std::pair<time_point, std::uint64_t>, std::function<void()>> events_;
    std::uint64_t sequence_ = 0;
    std::uint64_t ran_ = 0;
    std::size_t messages_sent_ = 0;
    std::size_t entries_sent_ = 0;
    std::size_t crashes_ = 0;
    std::size_t installs_ = 0;
    std::size_t drops_ = 0;
    std::size_t restarts_at_install_ = 0;
    std::uint64_t next_read_ = 0;
    std::uint64_t next_command_ = 0;
    std::set<std::pair<node_id, node_id>> cut_;
    std::set<node_id> mute_;
    std::vector<entry> committed_;
    std::vector<machine_state> states_{machine_state{}};  // after each committed entry
    std::map<std::pair<node_id, term>, node_id> votes_;
    std::map<term, node_id> leaders_;
};

}  // namespace lockstep::raft::test
