// The simulated world: one queue of events, virtual time, one seed, a hash of everything that happened.
// It knows no nodes, disks or networks; those schedule their events here. A run is a pure function of its seed.
#pragma once

#include <sim/checker.hpp>
#include <sim/event_queue.hpp>

#include <lockstep/base/checksum.hpp>
#include <lockstep/base/ids.hpp>
#include <lockstep/base/random.hpp>
#include <lockstep/base/time.hpp>
#include <lockstep/concepts/runtime.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::sim {

class trace_recorder;

/// One run of a node's process. Everything that acts for it holds this token and does nothing once it is not alive.
struct incarnation {
    node_id node;
    std::uint64_t number = 0;
    bool alive = true;
    time_point runs_from{};  ///< its events wait until then: it is paused, or busy with an earlier one
    duration event_time{};   ///< how long each event keeps it busy
};
using life = std::shared_ptr<incarnation>;

/// What an executed event was; a part of the trace.
enum class trace_kind : std::uint8_t { world, post, timer, job, job_done, fs_call, user, kernel, network, message, fault };
inline std::string_view to_string(trace_kind k) noexcept {
    static constexpr std::string_view names[] = {"world", "post", "timer", "job", "job_done", "fs_call", "user", "kernel", "network", "message", "fault"};
    return names[static_cast<std::size_t>(k)];
}

/// An event that ran, and the trace's hash after it.
struct ran_event {
    std::uint64_t number = 0;   ///< 1, 2, …
    time_point at{};
    trace_kind kind = trace_kind::world;
    node_id node;
    std::uint64_t digest = 0;
    std::uint64_t hash = 0;
    friend bool operator==(const ran_event&, const ran_event&) = default;
};

class world {
public:
    explicit world(std::uint64_t seed) : seed_(seed), trace_(mix64(seed)) {}
    world(const world&) = delete;
    world& operator=(const world&) = delete;

    std::uint64_t seed() const noexcept { return seed_; }
    time_point now() const noexcept { return now_; }
    /// What a wall clock shows: nanoseconds since the Unix epoch.
    std::int64_t wall_ns() const noexcept { return epoch_ns + now_.time_since_epoch().count(); }

    /// A generator for one purpose. What one purpose draws never shifts what another one draws.
    random_generator fork(std::string_view purpose, std::uint64_t number = 0) const noexcept {
        return random_generator(mix64(seed_ ^ mix64(number)) ^ checksum(as_bytes(purpose)));
    }

    /// Runs `f` at `at` (now, where that has passed), unless `who` is given and dead by then.
    event_key schedule(time_point at, trace_kind kind, life who, std::uint64_t digest, task f) {
        return events_.add(std::max(at, now_), event{kind, std::move(who), digest, cause_, std::move(f)});
    }
    event_key after(duration delay, trace_kind kind, life who, std::uint64_t digest, task f) {
        return schedule(now_ + delay, kind, std::move(who), digest, std::move(f));
    }
    /// An event that has run is ignored; one that waits for its node to go on runs nevertheless.
    void cancel(const event_key& key) { events_.remove(key); }

    /// Takes out what waits for a dead incarnation, for the caller to destroy when nothing refers to it any more.
    std::vector<task> take_events_of(const life& who) {
        std::vector<task> taken;
        for (event& e : events_.take_if([&](const event& waiting) { return waiting.who == who; })) taken.push_back(std::move(e.run));
        return taken;
    }

    /// Runs the next event. False where there is none, or the run has failed.
    bool step() {
        const event_key* first = failure_ ? nullptr : next();
        if (!first) return false;
        now_ = first->at;
        const event e = events_.take_first();
        cause_ = e.cause;
        if (e.who) e.who->runs_from = std::max(e.who->runs_from, now_ + e.who->event_time);
        count_event();
        trace(e.kind, e.who ? e.who->node : no_node, e.digest);
        e.run();
        for (checker* c : checkers_) c->after_event(*this);
        if (after_event_) after_event_({executed_, now_, e.kind, e.who ? e.who->node : no_node, e.digest, trace_});
        return true;
    }

    /// Runs all events up to and at `at`; then it is `at`.
    void run_until(time_point at) {
        for (const event_key* first = nullptr; !failure_ && (first = next()) && first->at <= at;) step();
        if (!failure_ && now_ < at) now_ = at;
    }

    /// Runs until the predicate holds (looked at after each event); false where it did not by `deadline`.
    template <class Predicate>
    bool run_until(Predicate predicate, time_point deadline) {
        while (!predicate()) {
            const event_key* first = failure_ ? nullptr : next();
            if (!first || first->at > deadline) {
                if (!failure_ && now_ < deadline) now_ = deadline;
                return false;
            }
            step();
        }
        return true;
    }

    /// Mixes something that happened into the hash.
    void trace(trace_kind kind, node_id node, std::uint64_t digest) noexcept {
        const auto time = static_cast<std::uint64_t>(now_.time_since_epoch().count());
        const std::uint64_t what = (static_cast<std::uint64_t>(kind) << 56) ^ (node.value << 48);
        trace_ = mix64(trace_ ^ mix64(time ^ mix64(what ^ mix64(digest))));
    }
    std::uint64_t trace_hash() const noexcept { return trace_; }
    std::uint64_t events_executed() const noexcept { return executed_; }

    /// Told of each event once it has run and was checked.
    void set_after_event(std::function<void(const ran_event&)> f) { after_event_ = std::move(f); }
    /// Who makes a trace of this run (sim/trace/recorder.hpp); null: nobody does.
    void set_recorder(trace_recorder* r) noexcept { recorder_ = r; }
    trace_recorder* recorder() const noexcept { return recorder_; }
    /// Of a trace: the last thing that the running event, or what had it scheduled, did. 0: none.
    std::uint64_t cause() const noexcept { return cause_; }
    void set_cause(std::uint64_t id) noexcept { cause_ = id; }

    /// Checkers are looked at in order of addition and must outlive the world's last step.
    void add_checker(checker& c) { checkers_.push_back(&c); }
    void check_end() {
        for (checker* c : checkers_)
            if (!failure_) c->at_end(*this);
    }
    /// Ends the run. The first failure stays.
    /// What is said by default of who found it holds as long as each checker has a file of its own.
    void fail(exit_class what, std::string text, const std::source_location& by = std::source_location::current()) {
        if (failure_) return;
        std::string_view file = by.file_name();
        file.remove_prefix(file.rfind('/') + 1);
        failure_ = failure{what, std::move(text), std::string(file.substr(0, file.find('.')))};
    }
    const std::optional<failure>& failed() const noexcept { return failure_; }

    /// Within a second of virtual time: where there are more, something goes round, and the run would never end.
    static constexpr std::uint64_t events_per_second_max = 5'000'000;

    /// 2026-01-01 00:00:00 UTC.
    static constexpr std::int64_t epoch_ns = 1'767'225'600'000'000'000;

private:
    void count_event() {
        ++executed_;
        if (now_ >= second_end_) {
            second_end_ = now_ + std::chrono::seconds(1);
            executed_before_ = executed_;
        }
        if (executed_ - executed_before_ > events_per_second_max)
            fail(exit_class::liveness, "more than " + std::to_string(events_per_second_max) + " events in one second: something goes round");
    }

    struct event {
        trace_kind kind = trace_kind::world;
        life who;
        std::uint64_t digest = 0;
        std::uint64_t cause = 0;
        task run;
    };

    /// Of the event that runs next; null: there is none. Those of the dead go, and those of a node that is paused or busy
    /// are put off, in the order in which they were due.
    const event_key* next() {
        while (const event_key* first = events_.first()) {
            const life& who = events_.front().who;
            if (!who || (who->alive && who->runs_from <= first->at)) return first;
            if (who->alive) events_.put_off_first(who->runs_from);
            else (void)events_.take_first();
        }
        return nullptr;
    }

    std::uint64_t seed_;
    time_point now_{};
    std::uint64_t executed_ = 0;
    time_point second_end_{};
    std::uint64_t executed_before_ = 0;   ///< that second
    std::uint64_t trace_;
    std::uint64_t cause_ = 0;
    trace_recorder* recorder_ = nullptr;
    std::function<void(const ran_event&)> after_event_;
    event_queue<event> events_;
    std::vector<checker*> checkers_;
    std::optional<failure> failure_;
};

/// For the time of its life things happen on account of something else.
class cause_scope {
public:
    cause_scope(world& w, std::uint64_t cause) : world_(w), before_(w.cause()) { w.set_cause(cause); }
    ~cause_scope() { world_.set_cause(before_); }
    cause_scope(const cause_scope&) = delete;
    cause_scope& operator=(const cause_scope&) = delete;

private:
    world& world_;
    std::uint64_t before_;
};

/// A random delay in [low, high].
inline duration draw(random_generator& random, duration low, duration high) {
    return duration(static_cast<duration::rep>(
        random.between(static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count()))));
}

}  // namespace lockstep::sim
