#pragma once

#include <lockstep/os/asio_runtime.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>

namespace lockstep {
namespace detail {

LOCKSTEP_DECL lane_worker::lane_worker(boost::asio::io_context& loop) : loop_(loop), thread_([this] { run(); }) {}

LOCKSTEP_DECL lane_worker::~lane_worker() {
    halt();
    join();
}

LOCKSTEP_DECL void lane_worker::add(task job, task done) {
    {
        const std::lock_guard<std::mutex> hold(mutex_);
        if (halted_) return;
        queue_.push_back({std::move(job), std::move(done)});
    }
    wake_.notify_one();
}

LOCKSTEP_DECL void lane_worker::halt() {
    {
        const std::lock_guard<std::mutex> hold(mutex_);
        halted_ = true;
    }
    wake_.notify_one();
}

LOCKSTEP_DECL void lane_worker::join() {
    if (thread_.joinable()) thread_.join();
    // Destroying a job may add another one; that is dropped, but not while the queue is being cleared.
    const std::deque<work> dropped = std::move(queue_);
    queue_.clear();
}

LOCKSTEP_DECL void lane_worker::run() {
    std::unique_lock<std::mutex> hold(mutex_);
    for (;;) {
        wake_.wait(hold, [this] { return halted_ || !queue_.empty(); });
        if (halted_) return;
        work next = std::move(queue_.front());
        queue_.pop_front();
        hold.unlock();
        next.job();
        // The job's inputs go before `done` can run, and `done` only ever dies on the loop.
        next.job = task();
        boost::asio::post(loop_, std::move(next.done));
        hold.lock();
    }
}

}  // namespace detail

LOCKSTEP_DECL asio_runtime::asio_runtime() : context_(1), guard_(context_.get_executor()), timer_(context_) {
    for (auto& l : lanes_) l = std::make_unique<detail::lane_worker>(context_);
}

LOCKSTEP_DECL asio_runtime::~asio_runtime() { stop(); }

LOCKSTEP_DECL void asio_runtime::run() { context_.run(); }

LOCKSTEP_DECL void asio_runtime::stop() {
    if (stopped_) return;
    stopped_ = true;
    for (auto& l : lanes_) l->halt();
    for (auto& l : lanes_) l->join();
    timer_.cancel();
    // What a task owns may cancel timers of its own while it is destroyed.
    due_.clear();
    const std::map<timer_key, task> dropped = std::move(timers_);
    timers_.clear();
    context_.stop();
}

LOCKSTEP_DECL time_point asio_runtime::now() const {
    return time_point(std::chrono::steady_clock::now().time_since_epoch());
}

LOCKSTEP_DECL void asio_runtime::post(task f) {
    if (!stopped_) boost::asio::post(context_, std::move(f));
}

LOCKSTEP_DECL timer_id asio_runtime::schedule(time_point at, task f) {
    if (stopped_) return 0;
    const timer_id id = ++last_timer_;
    timers_.emplace(timer_key(at, id), std::move(f));
    due_.emplace(id, at);
    arm();
    return id;
}

LOCKSTEP_DECL void asio_runtime::cancel(timer_id id) {
    const auto found = due_.find(id);
    if (found == due_.end()) return;
    const auto dropped = timers_.extract(timer_key(found->second, id));
    due_.erase(found);
}

LOCKSTEP_DECL void asio_runtime::arm() {
    if (stopped_ || timers_.empty()) return;
    // Far times are reached in steps, so that no sum in the timer's arithmetic can overflow.
    const time_point at = std::min(timers_.begin()->first.first, now() + std::chrono::hours(1));
    if (armed_for_ <= at) return;
    armed_for_ = at;
    timer_.expires_at(std::chrono::steady_clock::time_point(at.time_since_epoch()));
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) fire();
    });
}

LOCKSTEP_DECL void asio_runtime::fire() {
    armed_for_ = never;
    const time_point until = now();
    const timer_id newest = last_timer_;
    // A timer that a callback here schedules waits for the next round, even if due at once: others come in between.
    const auto due = [&](const timer_key& key) { return key.first <= until && key.second <= newest; };
    for (auto next = timers_.begin(); next != timers_.end() && due(next->first); next = timers_.begin()) {
        auto timer = timers_.extract(next);
        due_.erase(timer.key().second);
        timer.mapped()();
        if (stopped_) return;
    }
    arm();
}

LOCKSTEP_DECL void asio_runtime::offload(lane l, task job, task done) {
    lanes_[static_cast<std::size_t>(l)]->add(std::move(job), std::move(done));
}

LOCKSTEP_DECL std::uint64_t asio_runtime::random() {
    const std::uint64_t high = random_();
    return high << 32 | random_();
}

}  // namespace lockstep
