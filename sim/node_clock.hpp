// The clocks of one machine: a monotonic one that drifts and stands still but never goes back, and a wall clock over it that
// is set forward and back besides. All in integers: what a timer waits for is exact to the nanosecond.
#pragma once

#include <sim/world.hpp>

#include <algorithm>

namespace lockstep::sim {

struct clock_options {
    std::int64_t offset_ns = 0;  ///< of the wall clock
    std::int32_t drift_ppm = 0;  ///< how much faster than the world, in millionths; above -1,000,000
};

struct clock_counts {
    std::uint64_t drifts = 0;
    std::uint64_t steps = 0;
    std::uint64_t stalls = 0;
};

class node_clock {
public:
    explicit node_clock(world& w, clock_options options = {}) : world_(w), options_(options) { check_drift(); }
    node_clock(const node_clock&) = delete;
    node_clock& operator=(const node_clock&) = delete;

    /// The monotonic clock.
    time_point now() const noexcept { return shows(world_.now()); }
    std::int64_t wall_ns() const noexcept {
        return world::epoch_ns + now().time_since_epoch().count() + options_.offset_ns;
    }
    /// The world's time at which the monotonic clock first shows at least `local`, if nothing changes its rate before.
    time_point when(time_point local) const noexcept {
        __extension__ using wide = __int128;
        if (local == never) return never;
        if (local <= now()) return world_.now();
        const wide ahead = static_cast<wide>((local - shown_).count()) * million;
        const wide ns = (ahead + rate() - 1) / rate();
        if (ns > (never - since_).count()) return never;
        return since_ + duration(static_cast<duration::rep>(ns));
    }

    // Who waits for this clock has to wait anew after these two; see sim_runtime::clock_changed.
    void set_drift(std::int32_t ppm) {
        settle();
        options_.drift_ppm = ppm;
        check_drift();
        ++counts_.drifts;
    }
    /// It stands still for so long, and goes on from what it showed: a machine that was suspended.
    void stall(duration time) {
        settle();
        since_ = std::max(since_, world_.now() + time);
        ++counts_.stalls;
    }
    /// It shows at once what it would have shown so much later.
    void leap(duration time) {
        settle();
        shown_ += std::max(time, duration::zero());
    }
    /// The wall clock alone is set.
    void step(std::int64_t ns) {
        options_.offset_ns += ns;
        ++counts_.steps;
    }
    const clock_options& options() const noexcept { return options_; }
    const clock_counts& counts() const noexcept { return counts_; }

private:
    static constexpr std::int64_t million = 1'000'000;
    std::int64_t rate() const noexcept { return million + options_.drift_ppm; }
    void check_drift() const { LOCKSTEP_ASSERT(rate() > 0); }

    time_point shows(time_point at) const noexcept {
        __extension__ using wide = __int128;
        if (at <= since_) return shown_;
        return shown_ + duration(static_cast<duration::rep>(static_cast<wide>((at - since_).count()) * rate() / million));
    }
    /// What it shows from here on does not depend on the rate that it had.
    void settle() {
        shown_ = now();
        since_ = std::max(since_, world_.now());
    }

    world& world_;
    clock_options options_;
    time_point since_{};  ///< the world's time from which it goes at this rate; until then it stands still
    time_point shown_{};  ///< and what it showed there
    clock_counts counts_;
};

}  // namespace lockstep::sim
