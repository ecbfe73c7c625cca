// The barriers of a node: those that were asked for here, and the node's part in those of others. Decisions and
// bookkeeping; the host flushes, reads the log's barrier, carries the messages and keeps the time.
//
//   flush: all that was closed here is decided ─► read barrier at N ─► the leader asks every reachable node ─► synced ≥ N
#pragma once

#include <lockstep/base/unique_function.hpp>
#include <lockstep/codec/node_messages.hpp>
#include <lockstep/node/barrier.hpp>
#include <lockstep/node/status.hpp>

#include <map>
#include <optional>
#include <string>
#include <utility>

namespace lockstep {

/// `Host` has, all on one loop:
///     void flush_edits(unique_function<void()> done)           every edit closed here before is decided
///     void confirm_committed(unique_function<void(bool ok, log_index)> done)
///     void send(node_id, const Message&)                       synced_query, synced_report, barrier_query, barrier_answer
///     void later(unique_function<void()>)                      from the loop, never inside this call
///     void tick_soon()                                         calls turn() when the loop comes round
///     node_id self(), leader() (no_node: none), bool is_leader(), bool can_sync(), log_index synced_index(),
///     std::string unwritable_at(log_index), waiting_for(), std::set<node_id> reachable(), peers(), time_point now()
template <class Host>
class barriers {
public:
    barriers(Host& host, duration retry) : host_(host), retry_(retry) {}

    /// `done` is called once, at the latest at the first turn() after `deadline`.
    void add(time_point deadline, unique_function<void(barrier_result)> done) {
        const std::uint64_t id = ++last_;
        open_barrier& open = open_[id];
        open.done = std::move(done);
        open.deadline = deadline;
        if (host_.can_sync()) begin(id);
        host_.tick_soon();
    }

    /// The directory is looked at from now on.
    void begin_all() {
        for (auto& [id, open] : open_) begin(id);
    }

    void handle(node_id from, const synced_query& q) {
        if (can_report(q.index)) report(from, q.id, q.index);
    }
    void handle(node_id from, const synced_report& r) {
        desk_.report(from, r.id, r.synced, r.unwritable);
        host_.tick_soon();
    }
    void handle(node_id from, const barrier_query& q) {
        if (host_.is_leader()) ask_all(from, q.id, q.index);
    }
    void handle(node_id, const barrier_answer& a) { answered(a.id, a.ok, a.missing); }

    /// Time went by, or something happened that a barrier may wait for.
    void turn() {
        const time_point now = host_.now();
        for (auto& [key, index] : std::map(waiting_reports_))
            if (host_.synced_index() >= index) report(key.first, key.second, index);
        for (auto at = open_.begin(); at != open_.end();) {
            auto next = std::next(at);
            turn(at, now);
            at = next;
        }
        if (!host_.is_leader()) return desk_.clear();
        for (const auto& verdict : desk_.verdicts(host_.reachable(), now)) {
            if (verdict.origin == host_.self()) answered(verdict.id, verdict.ok, verdict.missing);
            else host_.send(verdict.origin, barrier_answer{verdict.id, verdict.ok, verdict.missing});
        }
    }

    /// Before there is a replica: only the time can end them.
    void expire(const std::string& missing) {
        for (auto at = open_.begin(); at != open_.end();) {
            auto next = std::next(at);
            if (at->second.deadline <= host_.now()) finish(at, {false, missing});
            at = next;
        }
    }

private:
    struct open_barrier {
        unique_function<void(barrier_result)> done;
        time_point deadline;
        std::string missing;              ///< what it waits for, once it has begun
        bool begun = false;
        std::optional<log_index> index;   ///< what every disk must reach
        time_point ask_at{};
    };
    using open_map = std::map<std::uint64_t, open_barrier>;

    void begin(std::uint64_t id) {
        auto& open = open_.at(id);
        if (open.begun) return;
        open.begun = true;
        open.missing = "edits on this node are not decided yet";
        host_.flush_edits([this, id] { confirm(id); });
    }

    void confirm(std::uint64_t id) {
        auto at = open_.find(id);
        if (at == open_.end()) return;
        at->second.missing = "no leader confirms what is committed";
        host_.confirm_committed([this, id](bool ok, log_index index) {
            auto open = open_.find(id);
            if (open == open_.end()) return;
            if (ok) open->second.index = index;
            else open->second.ask_at = host_.now() + retry_;
            host_.tick_soon();
        });
    }

    void turn(typename open_map::iterator at, time_point now) {
        auto& open = at->second;
        if (open.deadline <= now) {
            const std::string waits = host_.waiting_for();   // its directory is gone, say
            return finish(at, {false, open.begun && waits.empty() ? open.missing : waits});
        }
        if (open.index && open.ask_at <= now) {
            open.ask_at = now + retry_;
            const node_id leader = host_.leader();
            if (host_.is_leader()) ask_all(host_.self(), at->first, *open.index);
            else if (leader != no_node) host_.send(leader, barrier_query{at->first, *open.index});
            else open.missing = "there is no leader";
        } else if (open.begun && !open.index && open.ask_at != time_point{} && open.ask_at <= now) {
            open.ask_at = {};
            confirm(at->first);
        }
    }

    /// An unwritable path ends it; what is only late is waited for.
    void answered(std::uint64_t id, bool ok, const std::string& missing) {
        auto at = open_.find(id);
        if (at == open_.end()) return;
        if (!ok && missing.find("cannot write") == std::string::npos) {
            at->second.missing = missing;
            return;
        }
        finish(at, {ok, missing});
    }

    void finish(typename open_map::iterator at, barrier_result result) {
        auto done = std::move(at->second.done);
        open_.erase(at);
        host_.later([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
    }

    void ask_all(node_id origin, std::uint64_t id, log_index index) {
        const std::uint64_t number = desk_.ask(origin, id, index, host_.now());
        const auto& open = desk_.open().at(number);
        for (node_id peer : host_.peers())
            if (!open.answered.contains(peer)) host_.send(peer, synced_query{number, index});
        if (can_report(index)) report(host_.self(), number, index);
        host_.tick_soon();
    }

    /// A node that cannot begin to look after its directory may still know why.
    bool can_report(log_index index) const { return host_.can_sync() || !host_.unwritable_at(index).empty(); }

    /// Says how far this disk is; again later if it is not there yet.
    void report(node_id to, std::uint64_t number, log_index index) {
        const log_index synced = host_.synced_index();
        const std::string unwritable = synced < index ? host_.unwritable_at(index) : std::string{};
        if (synced < index) waiting_reports_[{to, number}] = index;
        else waiting_reports_.erase({to, number});
        if (synced < index && unwritable.empty()) return;
        if (to == host_.self()) desk_.report(to, number, synced, unwritable);
        else host_.send(to, synced_report{number, synced, unwritable});
    }

    Host& host_;
    duration retry_;
    barrier_desk desk_;
    open_map open_;
    std::map<std::pair<node_id, std::uint64_t>, log_index> waiting_reports_;
    std::uint64_t last_ = 0;
};

}  // namespace lockstep
