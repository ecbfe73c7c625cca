// Cores in a small seeded world in memory: a network that loses, repeats, delays and partitions, disks that take their
// time, crashes. After each event it checks what Raft promises, by naive means. A broken promise throws.
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

/// What a disk holds.
struct durable_image {
    hard_state hard;
    std::vector<entry> entries;

    void write(const persist_request& r, std::size_t count) {
        hard = r.hard;
        if (count == 0) return;
        if (r.entries.front().index.value > entries.size() + 1) throw std::runtime_error("a write leaves a gap");
        entries.resize(static_cast<std::size_t>(r.entries.front().index.value - 1));
        entries.insert(entries.end(), r.entries.begin(), r.entries.begin() + static_cast<std::ptrdiff_t>(count));
    }
    std::vector<term_run> runs() const {
        std::vector<term_run> result;
        for (const auto& e : entries)
            if (result.empty() || result.back().term != e.term) result.push_back({e.index, e.term});
        return result;
    }
    bool has(log_index i, term t) const { return i.value <= entries.size() && entries[i.value - 1].term == t; }
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
        std::vector<entry> applied;  // in this life
        std::map<std::uint64_t, std::uint64_t> reads;  // id → the index that it must reach
        std::size_t reads_ok = 0;
        std::size_t reads_failed = 0;
        std::map<node_id, std::pair<term, log_index>> match_seen;
        log_index commit_seen;
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
        s.runs = n.disk.runs();
        s.last_index = log_index(n.disk.entries.size());
        s.seed = random_();
        check(n.disk.entries.empty() || n.disk.entries.back().term <= n.disk.hard.term, "durable log is ahead of term");
        n.raft = std::make_unique<core>(options_, s, now_);
        n.applied.clear();
        n.reads.clear();
        n.match_seen.clear();
        n.commit_seen = {};
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
            if (n.applied.size() != l->raft->last_index().value) return false;
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
        for (auto& e : out.commit) apply(n, std::move(e));
        if (!out.commit.empty())
            later(n, between(10us, 5ms), [this, &n, i = n.applied.back().index] { input(n, input::applied{i}); });
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
            for (log_index i = f.from; !fails && i <= f.to && i.value <= n.disk.entries.size(); ++i) {
                bytes += weight(n.disk.entries[i.value - 1]);
                if (!answer.entries.empty() && bytes > f.bytes_max) break;
                answer.entries.push_back(n.disk.entries[i.value - 1]);
            }
            input(n, std::move(answer));
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
        check(a->index.value <= n.disk.entries.size(), "an acknowledgement left before its entries were durable");
        const node& l = nodes_.at(m.to);
        if (!l.raft || l.raft->state_role() != role::leader || l.raft->current_term() != m.term) return;
        for (log_index i = a->index; i.value != 0 && a->index - i < 20; --i)
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
            if (first)
                for (std::size_t i = 0; i < committed_.size(); ++i)
                    check(c.term_at(log_index(i + 1)) == committed_[i].term, "a leader lacks a committed entry");
            for (const auto& p : c.peers()) {
                auto& [t, seen] = n.match_seen[p.id];
                check(p.match < p.next, "match is not below next");
                if (p.counts) check(t != c.current_term() || p.match >= seen, "match fell within a term");
                t = c.current_term();
                seen = p.match;
            }
        }
        check(c.commit_index() >= n.commit_seen, "the commit index fell");
        n.commit_seen = c.commit_index();
        for (log_index i(committed_.size() + 1); i <= c.commit_index(); ++i) {
            const term t = *c.term_at(i);
            const auto holders = std::count_if(nodes_.begin(), nodes_.end(), [&](const auto& item) {
                return item.second.disk.has(i, t) && !mute_.contains(item.first);
            });
            check(static_cast<std::size_t>(holders) > voters_.size() / 2, "committed without a durable majority");
            const auto holder = std::find_if(nodes_.begin(), nodes_.end(),
                                             [&](const auto& item) { return item.second.disk.has(i, t); });
            committed_.push_back(holder->second.disk.entries[i.value - 1]);
        }
        const log_index commit = c.commit_index();
        const bool same = commit.value == 0 || c.term_at(commit) == committed_[commit.value - 1].term;
        check(same, "two entries are committed at one index");
    }
    void apply(node& n, entry e) {
        check(e.index.value == n.applied.size() + 1, "application skips or repeats");
        const bool known = e.index.value <= committed_.size() && e == committed_[e.index.value - 1];
        check(known, "applied what was not committed");
        check(n.disk.has(e.index, e.term), "applied what is not durable here");
        n.applied.push_back(std::move(e));
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
                for (log_index i = std::min(x.last_index(), y.last_index()); i.value != 0; --i) {
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
    std::uint64_t next_read_ = 0;
    std::uint64_t next_command_ = 0;
    std::set<std::pair<node_id, node_id>> cut_;
    std::set<node_id> mute_;
    std::vector<entry> committed_;
    std::map<std::pair<node_id, term>, node_id> votes_;
    std::map<term, node_id> leaders_;
};

}  // namespace lockstep::raft::test
