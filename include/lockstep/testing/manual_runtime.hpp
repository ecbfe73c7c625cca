// A `runtime` in virtual time for tests: nothing happens until the test says so, and everything happens on its thread.
#pragma once

#include <lockstep/base/random.hpp>
#include <lockstep/concepts/runtime.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <map>

namespace lockstep::testing {

/// Posts run in order; then jobs, one at a time, each followed by its completion; timers only when time is moved. A job
/// runs on the same thread, when nothing is posted and its lane is not held. Not thread-safe.
class manual_runtime {
public:
    explicit manual_runtime(std::uint64_t seed = 1) : random_(seed) {}
    manual_runtime(const manual_runtime&) = delete;
    manual_runtime& operator=(const manual_runtime&) = delete;

    // --- the concept ---

    time_point now() const noexcept { return now_; }
    void post(task f) { posts_.push_back(std::move(f)); }
    timer_id schedule(time_point at, task f) {
        const timer_id id = ++last_timer_;
        timers_.emplace(std::pair(at, id), std::move(f));
        return id;
    }
    void cancel(timer_id id) {
        for (auto timer = timers_.begin(); timer != timers_.end(); ++timer) {
            if (timer->first.second != id) continue;
            timers_.erase(timer);
            return;
        }
    }
    void offload(lane l, task job, task done) { jobs_[at(l)].push_back({std::move(job), std::move(done)}); }
    std::uint64_t random() { return random_(); }

    // --- for tests ---

    /// Holds back the jobs of a lane, or lets them run again.
    void hold(lane l, bool held = true) noexcept { held_[at(l)] = held; }
    std::size_t jobs_waiting(lane l) const noexcept { return jobs_[at(l)].size(); }

    /// Runs one post or one job with its completion. False: there is nothing to do at this time.
    bool run_one() {
        if (!posts_.empty()) {
            const task next = std::move(posts_.front());
            posts_.pop_front();
            next();
            return true;
        }
        for (std::size_t i = 0; i < lane_count; ++i) {
            if (jobs_[i].empty() || held_[i]) continue;
            run_job(i);
            return true;
        }
        return false;
    }

    /// Runs one job of a lane, held or not. Precondition: one waits.
    void run_one_job(lane l) { run_job(at(l)); }

    /// Everything that can run without time passing.
    void run_until_idle() {
        run_due_timers();
        while (run_one()) run_due_timers();
    }

    /// Moves time on; what falls due runs at its time, in order.
    void advance(duration by) {
        const time_point until = now_ + by;
        run_until_idle();
        while (!timers_.empty() && timers_.begin()->first.first <= until) {
            now_ = std::max(now_, timers_.begin()->first.first);
            run_until_idle();
        }
        now_ = until;
    }

    /// When the next timer is due; `never` without one.
    time_point next_timer() const noexcept { return timers_.empty() ? never : timers_.begin()->first.first; }

    /// Runs until `done()`, moving time to the next timer whenever nothing else is left; false if nothing is left
    /// at all or after `most` of virtual time.
    template <class Predicate>
    bool run_until(Predicate done, duration most = std::chrono::minutes(10)) {
        const time_point end = now_ + most;
        while (!done()) {
            if (run_due_timers() || run_one()) continue;
            if (next_timer() > end || timers_.empty()) return false;
            now_ = std::max(now_, next_timer());
        }
        return true;
    }

private:
    struct work {
        task job;
        task done;
    };

    static constexpr std::size_t at(lane l) noexcept { return static_cast<std::size_t>(l); }

    void run_job(std::size_t i) {
        work next = std::move(jobs_[i].front());
        jobs_[i].pop_front();
        next.job();
        next.job = nullptr;  // its inputs go with it, before its completion runs
        next.done();
    }

    bool run_due_timers() {
        bool ran = false;
        while (!timers_.empty() && timers_.begin()->first.first <= now_) {
            const task next = std::move(timers_.begin()->second);
            timers_.erase(timers_.begin());
            next();
            ran = true;
        }
        return ran;
    }

    time_point now_{};
    timer_id last_timer_ = 0;
    std::map<std::pair<time_point, timer_id>, task> timers_;
    std::deque<task> posts_;
    std::array<std::deque<work>, lane_count> jobs_;
    std::array<bool, lane_count> held_{};
    random_generator random_;
};

static_assert(runtime<manual_runtime>);

}  // namespace lockstep::testing
