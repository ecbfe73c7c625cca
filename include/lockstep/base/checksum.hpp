// The checksum of frames and records: XXH3, 64 bits. It finds accidents, not attackers.
#pragma once

#include <lockstep/base/bytes.hpp>

#include <cstdint>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace lockstep {

inline std::uint64_t checksum(byte_view bytes, std::uint64_t seed = 0) noexcept {
    return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

}  // namespace lockstep
