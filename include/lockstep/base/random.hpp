// A small seeded generator (xoshiro256**, Blackman and Vigna; seeded by splitmix64). A cheap value:
// same seed, same numbers, on every platform. Not for secrets.
#pragma once

#include <cstdint>

namespace lockstep {

/// One step of splitmix64; also a good mixer of an integer into 64 bits.
constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

class random_generator {
public:
    constexpr explicit random_generator(std::uint64_t seed = 0) noexcept {
        for (auto& word : state_) { word = mix64(seed); seed += 0x9e3779b97f4a7c15u; }
    }

    constexpr std::uint64_t operator()() noexcept {
        const std::uint64_t r = rotl(state_[1] * 5, 7) * 9;
        const std::uint64_t t = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = rotl(state_[3], 45);
        return r;
    }

    /// Uniform in [0, bound); 0 if bound is 0. The bias is below bound / 2^64.
    constexpr std::uint64_t below(std::uint64_t bound) noexcept {
        __extension__ using wide = unsigned __int128;
        return static_cast<std::uint64_t>((static_cast<wide>((*this)()) * bound) >> 64);
    }
    /// Uniform in [low, high].
    constexpr std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept { return low + below(high - low + 1); }
    /// True once in `n` on average; never for 0.
    constexpr bool one_in(std::uint64_t n) noexcept { return n != 0 && below(n) == 0; }
    /// A generator of its own, independent of what this one draws later.
    constexpr random_generator fork() noexcept { return random_generator((*this)()); }

private:
    static constexpr std::uint64_t rotl(std::uint64_t x, int k) noexcept { return (x << k) | (x >> (64 - k)); }
    std::uint64_t state_[4] = {};
};

}  // namespace lockstep
