// For how long a leader may answer reads without asking anybody. It knows when its rounds left and which of them a quorum
// answered; whoever answered elects nobody else for the shortest election time-out, on its own clock. So the lease runs from
// when the round left, for that time less what two clocks may differ by. It keeps the times; the core decides.
// Source: Ongaro 6.4.1.
#pragma once

#include <lockstep/base/time.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>

namespace lockstep::raft {

/// What is left of a promise made on another clock, where each clock may be so many millionths too fast or too slow.
/// Precondition: drift_ppm < 1'000'000.
constexpr duration lease_length(duration promised, std::uint32_t drift_ppm) noexcept {
    constexpr std::int64_t whole = 1'000'000;
    return duration(promised.count() / (whole + drift_ppm) * (whole - drift_ppm));
}

class round_times {
public:
    /// Times that are kept: the oldest goes first, which only makes a lease shorter.
    static constexpr std::size_t kept_max = 64;

    void clear() noexcept { times_.clear(); }

    /// Rounds grow. One that left less than `apart` after the last that is kept counts from that one.
    void began(std::uint64_t round, time_point at, duration apart) {
        if (!times_.empty() && at - times_.back().at < apart) return;
        if (times_.size() == kept_max) times_.pop_front();
        times_.push_back({round, at});
    }

    /// When a lease ends that answers to `round` gave; the beginning of time where none is known.
    time_point lease_end(std::uint64_t round, duration length) const noexcept {
        for (auto it = times_.rbegin(); it != times_.rend(); ++it)
            if (it->round <= round) return it->at + length;
        return time_point::min();
    }

private:
    struct time_of {
        std::uint64_t round;
        time_point at;
    };
    std::deque<time_of> times_;
};

}  // namespace lockstep::raft
