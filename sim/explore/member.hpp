// One node of an explored cluster: the shipped core, what its disk holds, the write under way; and what is done with
// each output of the core, as node/replica.hpp does it. A value: an exploration copies it and steps the copy.
#pragma once

#include <sim/explore/fingerprint.hpp>
#include <sim/explore/member_rules.hpp>

#include <lockstep/raft/core.hpp>
#include <lockstep/raft/fingerprint.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sim::explore {

/// Time in an exploration has two sizes. A heartbeat takes one nanosecond, an election time-out eighteen minutes:
/// however many heartbeats there are, they make nothing else older, and when time passes it has passed for everything.
/// See docs/decisions/0021-exploration.md.
inline raft::options explored_options() {
    raft::options o;
    o.heartbeat_interval = std::chrono::nanoseconds(1);
    o.election_timeout_min = o.election_timeout_max = std::chrono::nanoseconds(std::int64_t{1} << 40);
    return o;
}
inline constexpr duration long_time = 5 * std::chrono::nanoseconds(std::int64_t{1} << 40);

/// What can happen to one node. `what` is the number of a command or of a read barrier; `received` is set for
/// `receive`.
enum class happening : std::uint8_t { time_out, lapse, beat, receive, written, crash, crash_written, propose, read };

/// What a node did in one step, other than to change.
struct doings {
    std::vector<raft::message> sent;
    std::vector<raft::read_result> reads;
    std::vector<raft::entry> applied;
    std::string wrong;  ///< a rule of member_rules.hpp that it broke
};

/// The driver that is shipped. Others are for tests: what they do wrong has to be found.
struct faithful_driver {
    /// A write begins. What may only leave when it is durable is not sent.
    static void began(const raft::persist_request&, std::vector<raft::message>&) {}
    /// The node starts again: what is on its disk is what it reads.
    static void start(disk_image&) {}
    /// A write becomes durable.
    static void write(disk_image& disk, const raft::persist_request& r) {
        disk.hard = r.hard;
        if (r.entries.empty()) return;
        disk.entries.resize(static_cast<std::size_t>(r.entries.front().index.value - 1));
        disk.entries.insert(disk.entries.end(), r.entries.begin(), r.entries.end());
    }
};

inline shared_bytes command_bytes(std::uint64_t number) {
    return shared_bytes::copy_of(std::string(1, static_cast<char>('a' + number - 1)));
}
inline std::uint64_t command_of(const raft::entry& e) {
    return e.data.empty() ? 0 : static_cast<std::uint64_t>(std::to_integer<char>(e.data.view()[0]) - 'a' + 1);
}

template <class Driver = faithful_driver>
class member {
public:
    member(node_id self, std::size_t nodes) : nodes_(nodes), core_(explored_options(), initial(self), time_point{}) {
        doings nothing;
        pump(nothing);
    }

    const raft::core& core() const noexcept { return core_; }
    const disk_image& disk() const noexcept { return disk_; }
    const std::optional<raft::persist_request>& write() const noexcept { return writing_; }

    /// Precondition: it can happen (a write is under way, it leads, it has a leader).
    doings step(happening h, std::uint64_t what, const raft::message* received) {
        doings done;
        const before_step before = before_step::of(core_);
        switch (h) {
            case happening::time_out: pass(long_time), input(raft::input::wake{}); break;
            // Time passes, and for once the node does not look at its clock. An input that says nothing carries it.
            case happening::lapse: pass(long_time), input(raft::input::applied{}); break;
            case happening::beat: pass(explored_options().heartbeat_interval), input(raft::input::wake{}); break;
            case happening::receive: receive(*received); break;
            case happening::written: finish_write(done); break;
            case happening::crash: restart(); break;
            case happening::crash_written:
                Driver::write(disk_, *writing_);
                restart();
                break;
            case happening::propose: input(raft::input::propose{{command_bytes(what)}}); break;
            case happening::read: reading_ = what, input(raft::input::read_barrier{what}); break;
        }
        pump(done);
        const bool restarted = h == happening::crash || h == happening::crash_written;
        if (done.wrong.empty()) done.wrong = check_step(before, core_, disk_, received, restarted);
        return done;
    }

    /// All that decides what it does from now on.
    template <class Sink>
    void fingerprint_into(Sink& sink) const {
        core_.fingerprint_into(sink);
        raft::fingerprint_into(sink, disk_.hard);
        raft::fingerprint_into(sink, disk_.entries);
        sink.number(writing_.has_value());
        if (writing_) {
            raft::fingerprint_into(sink, writing_->hard);
            raft::fingerprint_into(sink, writing_->entries);
            raft::fingerprint_of_sent_into(sink, writing_->send_durable);
        }
        sink.number(asked_.size());
        for (const asked_read& a : asked_) sink.number(a.number);
    }

private:
    /// A follower's core draws a name for each read that it asks its leader for. On its way a read has its number
    /// instead, so that states which differ in drawn names alone are one. Numbers are never used twice: as unlike each
    /// other as the names.
    struct asked_read {
        std::uint64_t number;
        std::uint64_t name;
    };

    raft::initial_state initial(node_id self) const {
        raft::initial_state s;
        s.self = self;
        for (std::size_t i = 1; i <= nodes_; ++i) s.voters.insert(node_id(i));
        s.hard = disk_.hard;
        for (const raft::entry& e : disk_.entries)
            if (s.runs.empty() || s.runs.back().term != e.term) s.runs.push_back({e.index, e.term});
        s.last_index = log_index(disk_.entries.size());
        return s;
    }

    void pass(duration d) { now_ += d; }
    void input(raft::input_value in) { core_.step(std::move(in), now_); }

    void restart() {
        writing_.reset();
        asked_.clear();
        Driver::start(disk_);
        core_ = raft::core(explored_options(), initial(core_.self()), now_);
    }

    void receive(raft::message m) {
        if (auto* reply = std::get_if<raft::read_reply>(&m.body)) {
            const auto asked = std::find_if(asked_.begin(), asked_.end(),
                                            [&](const asked_read& a) { return a.number == reply->id; });
            // To another life of this node: its core knows no such name.
            if (asked == asked_.end()) return;
            reply->id = asked->name;
            asked_.erase(asked);
        }
        input(std::move(m));
    }

    void finish_write(doings& done) {
        const raft::persist_request finished = std::move(*writing_);
        writing_.reset();
        Driver::write(disk_, finished);
        for (const raft::message& m : finished.send_durable) send(m, done);
        input(raft::input::persisted{finished.ticket});
    }

    /// Until there is nothing left to do at once: entries are applied and older ones read back without delay.
    void pump(doings& done) {
        for (bool stepped = true; stepped;) {
            stepped = false;
            raft::output out = core_.take_output();
            for (raft::message& m : out.send) send(std::move(m), done);
            if (out.persist) {
                std::vector<raft::message> hasty;
                Driver::began(*out.persist, hasty);
                for (raft::message& m : hasty) send(std::move(m), done);
                writing_ = std::move(out.persist);
            }
            for (const raft::entry& e : out.commit) {
                if (done.wrong.empty()) done.wrong = check_applied(disk_, e);
                done.applied.push_back(e);
            }
            done.reads.insert(done.reads.end(), out.reads.begin(), out.reads.end());
            if (!out.commit.empty()) {
                input(raft::input::applied{out.commit.back().index});
                stepped = true;
            }
            if (out.fetch) {
                input(raft::input::fetched{read_back(*out.fetch)});
                stepped = true;
            }
        }
        // What was answered otherwise, or given up, is asked no more.
        for (const raft::read_result& r : done.reads) std::erase_if(asked_, [&](const asked_read& a) { return a.number == r.id; });
    }

    void send(raft::message m, doings& done) {
        if (done.wrong.empty()) done.wrong = check_said(disk_, m);
        if (auto* request = std::get_if<raft::read_request>(&m.body)) {
            const std::uint64_t number = reading_;
            asked_.push_back({number, request->id});
            request->id = number;
        }
        done.sent.push_back(std::move(m));
    }

    std::vector<raft::entry> read_back(const raft::fetch_request& f) const {
        const auto first = static_cast<std::ptrdiff_t>(f.from.value - 1);
        const auto last = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(f.to.value, disk_.entries.size()));
        if (first >= last) return {};
        return {disk_.entries.begin() + first, disk_.entries.begin() + last};
    }

    std::size_t nodes_;
    disk_image disk_;
    raft::core core_;
    std::optional<raft::persist_request> writing_;
    std::vector<asked_read> asked_;
    std::uint64_t reading_ = 0;  // the read being registered
    time_point now_{};
};

}  // namespace lockstep::sim::explore
