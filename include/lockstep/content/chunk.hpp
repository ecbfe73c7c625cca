// The name of a piece of content, and how large such pieces are.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/sha256.hpp>

#include <cstdint>

namespace lockstep::content {

/// A chunk by its name: the hash and the number of its bytes.
struct chunk_ref {
    content_hash hash;
    std::uint32_t bytes = 0;
    friend constexpr auto operator<=>(const chunk_ref&, const chunk_ref&) = default;
};

/// A chunk itself. Precondition of all that takes one: `hash` is that of `bytes`. Who got them from elsewhere has checked.
struct named_chunk {
    content_hash hash;
    shared_bytes bytes;
};

/// No chunk of any cluster is larger.
inline constexpr std::uint32_t chunk_bytes_max = 256 << 10;

/// The sizes that content is cut into. Nodes of a cluster share chunks only where they cut alike: other sizes than
/// these are for tests and simulations.
struct chunking {
    std::uint32_t min = 16 << 10;
    std::uint32_t average = 64 << 10;
    std::uint32_t max = chunk_bytes_max;
    friend constexpr bool operator==(const chunking&, const chunking&) = default;
};

inline constexpr std::uint32_t chunk_average_min = 16;

/// Whether content can be cut so.
constexpr bool well_formed(const chunking& sizes) noexcept {
    return sizes.min > 0 && sizes.min <= sizes.average && sizes.average >= chunk_average_min &&
           sizes.average <= sizes.max && sizes.max <= chunk_bytes_max;
}

}  // namespace lockstep::content
