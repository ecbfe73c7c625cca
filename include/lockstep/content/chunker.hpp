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
    for (std::uint64_t i = 0; i < gear.size(); ++i) gear[i] = mix64(0x4c6f636b73746570u + i * 0x9e3779b97f4a7c15u);
    return gear;
}
inline constexpr auto gear = make_gear();

/// The highest bits, which have seen the most bytes. More of them before the average size than after it: that draws the
/// sizes towards it.
constexpr std::uint64_t highest_bits(int count) noexcept { return ~std::uint64_t{0} << (64 - count); }

}  // namespace detail

/// The size of the chunk at the front of `bytes`: between cuts.min and cuts.max, or all of it where that is less.
/// Precondition: `bytes` has cuts.max bytes, or all that is left of the content; it is not empty.
/// Complexity: linear in the result; the first cuts.min bytes are not read.
inline std::size_t next_cut(byte_view bytes, const chunking& cuts = {}) noexcept {
    const int bits = static_cast<int>(std::bit_width(cuts.average)) - 1;
    const std::uint64_t below_average = detail::highest_bits(bits + 2);
    const std::uint64_t above_average = detail::highest_bits(bits - 2);
    const std::size_t end = std::min<std::size_t>(bytes.size(), cuts.max);
    const std::size_t middle = std::min<std::size_t>(end, cuts.average);
    std::size_t at = std::min<std::size_t>(end, cuts.min);
    std::uint64_t hash = 0;
    const auto roll = [&] { hash = (hash << 1) + detail::gear[std::to_integer<std::uint8_t>(bytes[at++])]; };
    while (at < middle) {
        roll();
        if ((hash & below_average) == 0) return at;
    }
    while (at < end) {
        roll();
        if ((hash & above_average) == 0) return at;
    }
    return end;
}

}  // namespace lockstep::content
