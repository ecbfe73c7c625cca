// The name of a piece of content.
#pragma once

#include <lockstep/base/sha256.hpp>

#include <cstdint>

namespace lockstep::content {

/// A chunk by its name: the hash and the number of its bytes.
struct chunk_ref {
    content_hash hash;
    std::uint32_t bytes = 0;
    friend constexpr auto operator<=>(const chunk_ref&, const chunk_ref&) = default;
};

/// How content is cut: sizes in bytes. The average is a power of two. Precondition: 0 < min <= average <= max, and max at
/// most chunk_bytes_max.
struct chunking {
    std::uint32_t min = 16 << 10;
    std::uint32_t average = 64 << 10;
    std::uint32_t max = 256 << 10;
    friend constexpr bool operator==(const chunking&, const chunking&) = default;
};

/// No chunk is larger, however content is cut.
inline constexpr std::uint32_t chunk_bytes_max = 256 << 10;

}  // namespace lockstep::content
