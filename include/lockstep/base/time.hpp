// Time as the library sees it: points on a monotonic clock that only a `runtime` can read.
#pragma once

#include <chrono>
#include <cstdint>

namespace lockstep {

using duration = std::chrono::nanoseconds;

/// Tags time points. It has no `now()` on purpose: decisions are given the time, they do not ask.
struct runtime_clock {
    using rep = std::chrono::nanoseconds::rep;
    using period = std::chrono::nanoseconds::period;
    using duration = std::chrono::nanoseconds;
    using time_point = std::chrono::time_point<runtime_clock, std::chrono::nanoseconds>;
    static constexpr bool is_steady = true;
};

using time_point = runtime_clock::time_point;

/// Never: later than any deadline.
inline constexpr time_point never = time_point::max();

}  // namespace lockstep
