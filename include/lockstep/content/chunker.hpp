// Where content is cut into chunks: by what stands there, so that an edit moves only the cuts beside it.
// Gear hash with normalised cutting (Xia et al., "FastCDC", USENIX ATC 2016, sections 3.2 to 3.4).
// The cuts are part of the format (docs/formats/contents.md): nodes that cut alike share chunks.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/random.hpp>
#include <lockstep/content/chunk.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace lockstep::content {
namespace detail {

/// One random number for each byte.
constexpr std::array<std::uint64_t, 256> make_gear() noexcept {
    std::array<std::uint64_t, 256> gear{};
    std::uint64_t seed = 0x4c6f636b73746570u;
    for (auto& number : gear) {
        number = mix64(seed);
        seed += 0x9e3779b97f4a7c15u;
    }
    return gear;
}
inline constexpr auto gear = make_gear();

/// The highest bits, which have seen the most bytes.
constexpr std::uint64_t highest_bits(int count) noexcept { return ~std::uint64_t{0} << (64 - count); }

}  // namespace detail

/// The size of the chunk at the front of `bytes`: between sizes.min and sizes.max, or all of it where that is less.
/// Preconditions: the sizes are well formed; `bytes` has sizes.max bytes, or all that is left of the content, and is
/// not empty. Complexity: linear in the result; the first sizes.min bytes are not read.
inline std::size_t next_cut(byte_view bytes, const chunking& sizes = {}) noexcept {
    // More bits before the average size than behind it: that draws the sizes towards it.
    const int bits = static_cast<int>(std::bit_width(sizes.average)) - 1;
    const std::uint64_t mask_below = detail::highest_bits(bits + 2);
    const std::uint64_t mask_above = detail::highest_bits(bits - 2);
    const std::size_t end = std::min<std::size_t>(bytes.size(), sizes.max);
    const std::size_t middle = std::min<std::size_t>(end, sizes.average);
    std::size_t at = std::min<std::size_t>(end, sizes.min);
    std::uint64_t hash = 0;
    const auto roll = [&] {
        hash = (hash << 1) + detail::gear[std::to_integer<std::uint8_t>(bytes[at++])];
    };
    while (at < middle) {
        roll();
        if ((hash & mask_below) == 0) return at;
    }
    while (at < end) {
        roll();
        if ((hash & mask_above) == 0) return at;
    }
    return end;
}

}  // namespace lockstep::content
