// How long things take on a simulated network: distributions of delays, drawn in integers alone, so that a seed gives the
// same delays with every compiler and library of mathematics.
#pragma once

#include <sim/world.hpp>

#include <algorithm>
#include <bit>

namespace lockstep::sim {

enum class delay_shape : std::uint8_t {
    uniform,       ///< between the shortest and the longest
    exponential,   ///< the shortest, and more by a mean of half the longest
    heavy_tailed,  ///< Pareto of shape 2: one in n² takes more than n times as long as usual
};

/// -ln(u) of a uniform u in (0, 1], in units of 2^-16: by repeated squaring, a bit of the logarithm each time.
constexpr std::uint64_t minus_log(std::uint64_t uniform) noexcept {
    __extension__ using wide = unsigned __int128;
    const std::uint64_t x = uniform | 1;
    const auto zeros = static_cast<unsigned>(std::countl_zero(x));
    std::uint64_t mantissa = x << zeros;  // in [1, 2), the point after the first bit
    std::uint64_t fraction = 0;
    for (int bit = 0; bit < 16; ++bit) {
        const auto square = static_cast<std::uint64_t>((static_cast<wide>(mantissa) * mantissa) >> 64);  // in [1, 4)
        const bool two = (square >> 63) != 0;
        fraction = fraction * 2 + (two ? 1 : 0);
        mantissa = two ? square : square << 1;
    }
    constexpr std::uint64_t ln_2 = 45'426;
    return ((((std::uint64_t{zeros} + 1) << 16) - fraction) * ln_2) >> 16;
}

inline duration draw_exponential(random_generator& random, duration mean) {
    __extension__ using wide = unsigned __int128;
    const auto ns = static_cast<wide>(mean.count()) * minus_log(random());
    return duration(static_cast<duration::rep>(ns >> 16));
}

/// At least `shortest`, at most `longest`. The greater one of two uniform numbers is distributed as the root of one.
inline duration draw_heavy_tailed(random_generator& random, duration shortest, duration longest) {
    __extension__ using wide = unsigned __int128;
    const std::uint64_t u = std::max({random(), random(), std::uint64_t{1}});
    const wide ns = (static_cast<wide>(shortest.count()) << 64) / u;
    if (ns >= static_cast<wide>(longest.count())) return longest;
    return duration(static_cast<duration::rep>(ns));
}

/// Of the uniform ones none is beyond `high`; of the others, none beyond `most`.
inline duration draw(random_generator& random, delay_shape shape, duration low, duration high, duration most) {
    switch (shape) {
        case delay_shape::uniform: return draw(random, low, high);
        case delay_shape::exponential: return std::min(low + draw_exponential(random, (high - low) / 2), most);
        case delay_shape::heavy_tailed: return draw_heavy_tailed(random, std::max(low, high / 4), most);
    }
    return low;
}

}  // namespace lockstep::sim
