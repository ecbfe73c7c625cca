// Content names: SHA-256 of a file's bytes.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/config.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace lockstep {

/// The SHA-256 of some content. All zero: no content.
struct content_hash {
    std::array<std::uint8_t, 32> bytes{};
    friend constexpr auto operator<=>(const content_hash&, const content_hash&) = default;
    constexpr bool empty() const noexcept { return *this == content_hash{}; }
    std::string to_string() const {
        static constexpr char digits[] = "0123456789abcdef";
        std::string text;
        for (auto b : bytes) { text += digits[b >> 4]; text += digits[b & 15]; }
        return text;
    }
};

/// Hashes bytes given in pieces. Not copyable; one thread at a time.
class sha256_hasher {
public:
    LOCKSTEP_DECL sha256_hasher();
    LOCKSTEP_DECL ~sha256_hasher();
    sha256_hasher(const sha256_hasher&) = delete;
    sha256_hasher& operator=(const sha256_hasher&) = delete;

    LOCKSTEP_DECL void update(byte_view bytes);
    /// The hash of all updates since construction or the last finish(); starts anew.
    LOCKSTEP_DECL content_hash finish();

private:
    LOCKSTEP_DECL void start();

    void* context_;
    bool started_ = false;  ///< since the last finish()
};

LOCKSTEP_DECL content_hash sha256(byte_view bytes);

}  // namespace lockstep

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/base/impl/sha256.ipp>
#endif
