// The `runtime` of a real node: one Boost.Asio loop, timers over one steady_timer, one worker thread per lane.
// It handles no signals and makes no sockets: those use its context().
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/concepts/runtime.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

namespace lockstep {
namespace detail {

/// One thread that runs the jobs of a lane in order and posts each `done` to the loop.
class lane_worker {
public:
    LOCKSTEP_DECL explicit lane_worker(boost::asio::io_context& loop);
    LOCKSTEP_DECL ~lane_worker();
    lane_worker(const lane_worker&) = delete;
    lane_worker& operator=(const lane_worker&) = delete;

    LOCKSTEP_DECL void add(task job, task done);
    /// No job starts any more. Does not wait.
    LOCKSTEP_DECL void halt();
    /// Waits for the job that runs, then destroys what was queued. Precondition: halt() was called.
    LOCKSTEP_DECL void join();

private:
    struct work {
        task job;
        task done;
    };
    LOCKSTEP_DECL void run();

    boost::asio::io_context& loop_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<work> queue_;  ///< guarded by mutex_
    bool halted_ = false;     ///< guarded by mutex_
    std::thread thread_;
};

}  // namespace detail

/// Models `runtime` (docs/concepts/runtime.md). The loop is the thread that calls run(); construct, use and destroy it
/// there. No exception of a callback is caught: it leaves run().
class asio_runtime {
public:
    /// Starts the lanes' threads. Throws std::system_error where the system gives none.
    LOCKSTEP_DECL asio_runtime();
    LOCKSTEP_DECL ~asio_runtime();
    asio_runtime(const asio_runtime&) = delete;
    asio_runtime& operator=(const asio_runtime&) = delete;

    boost::asio::io_context& context() noexcept { return context_; }

    /// Runs callbacks on the calling thread until stop().
    LOCKSTEP_DECL void run();
    /// Ends run() after the callback that calls this, drops timers and queued jobs, and waits for the jobs that run
    /// now; their `done`s are destroyed with this object at the latest, never run. Again: no effect.
    LOCKSTEP_DECL void stop();

    LOCKSTEP_DECL time_point now() const;
    LOCKSTEP_DECL void post(task f);
    LOCKSTEP_DECL timer_id schedule(time_point at, task f);
    LOCKSTEP_DECL void cancel(timer_id id);
    LOCKSTEP_DECL void offload(lane l, task job, task done);
    LOCKSTEP_DECL std::uint64_t random();

private:
    using timer_key = std::pair<time_point, timer_id>;
    LOCKSTEP_DECL void arm();
    LOCKSTEP_DECL void fire();

    boost::asio::io_context context_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
    boost::asio::steady_timer timer_;
    time_point armed_for_ = never;
    timer_id last_timer_ = 0;
    std::map<timer_key, task> timers_;
    std::map<timer_id, time_point> due_;  ///< where a pending timer stands in timers_
    bool stopped_ = false;
    std::random_device random_;
    std::array<std::unique_ptr<detail::lane_worker>, lane_count> lanes_;
};

static_assert(runtime<asio_runtime>, "see docs/concepts/runtime.md");

}  // namespace lockstep

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/os/impl/asio_runtime.ipp>
#endif
