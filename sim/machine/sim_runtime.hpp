// The `runtime` of one incarnation of a simulated node: timers and posts are events of the world, and an offloaded job
// runs in one go at a later event of that node. Nothing of a dead incarnation runs.
#pragma once

#include <sim/node_clock.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <map>

namespace lockstep::sim {

struct runtime_options {
    duration job_start_max = std::chrono::microseconds(100);
    duration job_time_max = std::chrono::microseconds(800);
    std::uint64_t stall_one_in = 500;  ///< jobs that take much longer, as disks do; 0: none
    duration stall_max = std::chrono::milliseconds(600);
    std::uint64_t slowness = 1;        ///< how many times as long as that each job takes
    std::uint64_t disk_slowness = 1;   ///< and how many times that, as the disk is slow
    time_point disk_stalled_until{};   ///< no job ends before
};

struct job_counts {
    std::uint64_t stalled = 0;
};

class log_ledger;

/// Lifetime: outlives everything of its incarnation that may call it. `counts`, where given, goes on over incarnations.
class sim_runtime {
public:
    sim_runtime(world& w, const node_clock& clock, life who, runtime_options options = {}, job_counts* counts = nullptr)
        : world_(w), clock_(clock), who_(std::move(who)), options_(options), counts_(counts),
          random_(w.fork("runtime", who_->node.value * 1'000'003 + who_->number)),
          delays_(random_.fork()) {}
    sim_runtime(const sim_runtime&) = delete;
    sim_runtime& operator=(const sim_runtime&) = delete;

    time_point now() const noexcept { return clock_.now(); }
    std::uint64_t random() { return random_(); }
    /// The faults are over: nothing stalls any more.
    void stop_stalls() noexcept { options_.stall_one_in = 0; }
    /// Where a log that checkers cannot read tells what is durable (checkers/observed_log.hpp); null: nowhere.
    void set_ledger(log_ledger* ledger) noexcept { ledger_ = ledger; }
    log_ledger* ledger() const noexcept { return ledger_; }
    void set_slowness(std::uint64_t times) noexcept { options_.slowness = times; }
    void set_disk_slowness(std::uint64_t times) noexcept { options_.disk_slowness = times; }
    /// Nothing that was given to the disk comes back before.
    void stall_disk(time_point until) noexcept { options_.disk_stalled_until = std::max(options_.disk_stalled_until, until); }
    /// What was held back comes as soon as it would have without that.
    void end_disk_stall() {
        options_.disk_stalled_until = {};
        for (std::size_t l = 0; l < lane_count; ++l) {
            auto& at = lanes_[l];
            if (!at.held) continue;
            world_.cancel(at.end);
            wait_for_end(static_cast<lane>(l));
        }
    }
    /// The clock goes at another rate: all timers wait anew.
    void clock_changed() {
        for (auto& [id, t] : timers_) {
            world_.cancel(t.event);
            wait(id, t);
        }
    }

    void post(task f) {
        if (!who_->alive) return;
        world_.schedule(world_.now(), trace_kind::post, who_, 0, std::move(f));
    }

    timer_id schedule(time_point at, task f) {
        if (!who_->alive) return 0;
        const timer_id id = ++last_timer_;
        wait(id, timers_[id] = {at, std::move(f), {}});
        return id;
    }

    void cancel(timer_id id) {
        const auto t = timers_.find(id);
        if (t == timers_.end()) return;
        world_.cancel(t->second.event);
        timers_.erase(t);
    }

    void offload(lane l, task job, task done) {
        if (!who_->alive) return;
        auto& queue = lanes_[static_cast<std::size_t>(l)].queue;
        queue.push_back({std::move(job), std::move(done)});
        if (queue.size() == 1) start(l);
    }

private:
    struct work {
        task job;
        task done;
    };
    struct lane_state {
        std::deque<work> queue;   ///< the first is under way
        time_point ends{};        ///< of that, when its job is done: not before, and
        bool held = false;        ///< not as long as the disk stalls
        event_key end;
        std::uint64_t awaited = 0;  ///< ends that were put off may still come, once a paused node goes on
    };
    struct timer {
        time_point at;
        task f;
        event_key event;
    };

    void wait(timer_id id, timer& t) {
        t.event = world_.schedule(clock_.when(t.at), trace_kind::timer, who_, id, [this, id] { fire(id); });
    }

    /// A timer that was cancelled or waits anew may still come once, where the node was paused.
    void fire(timer_id id) {
        const auto t = timers_.find(id);
        if (t == timers_.end() || t->second.at > now()) return;
        const task f = std::move(t->second.f);
        world_.cancel(t->second.event);
        timers_.erase(t);
        f();
    }

    duration slowed(duration time) const { return time * static_cast<duration::rep>(options_.slowness); }

    void start(lane l) {
        world_.after(slowed(draw(delays_, duration(1000), options_.job_start_max)), trace_kind::job, who_,
                     static_cast<std::uint64_t>(l), [this, l] { run(l); });
    }

    void run(lane l) {
        auto& here = lanes_[static_cast<std::size_t>(l)];
        {
            // The job may end this incarnation; it may not outlive the work either.
            const task job = std::move(here.queue.front().job);
            job();
        }
        if (!who_->alive) return;
        // A stall is as long as it is: on a slow machine too.
        duration time = slowed(draw(delays_, duration(1000), options_.job_time_max)) * static_cast<duration::rep>(options_.disk_slowness);
        if (delays_.one_in(options_.stall_one_in)) {
            time = std::max(time, draw(delays_, options_.job_time_max, options_.stall_max));
            if (counts_) ++counts_->stalled;
        }
        here.ends = world_.now() + time;
        wait_for_end(l);
    }

    void wait_for_end(lane l) {
        auto& here = lanes_[static_cast<std::size_t>(l)];
        const time_point at = std::max({here.ends, options_.disk_stalled_until, world_.now()});
        here.held = at > here.ends;
        here.end = world_.schedule(at, trace_kind::job_done, who_, static_cast<std::uint64_t>(l),
                                   [this, l, awaited = ++here.awaited] { finish(l, awaited); });
    }

    void finish(lane l, std::uint64_t awaited) {
        auto& here = lanes_[static_cast<std::size_t>(l)];
        if (awaited != here.awaited) return;
        here.held = false;
        const task done = std::move(here.queue.front().done);
        here.queue.pop_front();
        if (!here.queue.empty()) start(l);
        done();
    }

    world& world_;
    const node_clock& clock_;
    log_ledger* ledger_ = nullptr;
    life who_;
    runtime_options options_;
    job_counts* counts_;
    random_generator random_;
    random_generator delays_;
    timer_id last_timer_ = 0;
    std::map<timer_id, timer> timers_;
    std::array<lane_state, lane_count> lanes_;
};

static_assert(runtime<sim_runtime>);

}  // namespace lockstep::sim
