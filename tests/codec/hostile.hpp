// What every format must stand, whatever its fields: cut off, damaged and random bytes, newer versions.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/random.hpp>
#include <lockstep/base/result.hpp>

#include <tests/catch.hpp>
#include <tests/codec/allocations.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep::codec_test {

inline std::string hex(byte_view bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const std::byte b : bytes) {
        text += digits[std::to_integer<unsigned>(b) >> 4];
        text += digits[std::to_integer<unsigned>(b) & 15];
    }
    return text;
}

/// The bytes of "01 0a02": two digits each, spaces are for the reader.
inline shared_bytes from_hex(std::string_view text) {
    byte_buffer bytes;
    unsigned digit = 0;
    bool half = false;
    for (const char c : text) {
        if (c == ' ') continue;
        const auto value = static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
        if (half) bytes.push_back(static_cast<std::byte>(digit << 4 | value));
        digit = value;
        half = !half;
    }
    return shared_bytes(std::move(bytes));
}

inline bool shares(const shared_bytes& part, const shared_bytes& whole) {
    return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

/// Decodes a copy that ends where its memory ends, so that a sanitizer sees each step beyond it. What is allowed may be
/// refused; but what is taken must be what those very bytes mean, and must not cost more memory than a small multiple.
template <class Decode, class Encode>
void feed(const shared_bytes& bytes, Decode decode, Encode encode) {
    const auto before = bytes_allocated();
    const auto value = decode(bytes);
    const auto taken = bytes_allocated() - before;
    if (taken > 1024 + 16 * bytes.size()) FAIL(taken << " bytes allocated to decode " << hex(bytes.view()));
    if (value && encode(*value) != bytes) FAIL("not the only encoding: " << hex(bytes.view()));
    if (!value && value.error() != errc::corrupt && value.error() != errc::truncated &&
        value.error() != errc::too_large && value.error() != errc::newer_format)
        FAIL(value.error().message() << " of " << hex(bytes.view()));
}

/// All of the above for one good encoding of a format whose newest version is `newest`.
template <class Decode, class Encode>
void torture(const shared_bytes& good, Decode decode, Encode encode, unsigned newest = 1) {
    const byte_view all = good.view();
    for (std::size_t size = 0; size < all.size(); ++size) {
        const auto cut = decode(shared_bytes::copy_of(all.first(size)));
        if (cut) FAIL("taken at " << size << " of " << all.size() << " bytes: " << hex(all));
        if (cut.error() != errc::truncated) FAIL(cut.error().message() << " at " << size << " bytes of " << hex(all));
    }
    byte_buffer longer(all.begin(), all.end());
    longer.push_back(std::byte{0});
    CHECK(decode(shared_bytes(longer)).error() == errc::corrupt);

    for (std::size_t at = 0; at < all.size(); ++at) {
        for (unsigned change = 1; change < 256; ++change) {
            byte_buffer damaged(all.begin(), all.end());
            damaged[at] ^= static_cast<std::byte>(change);
            feed(shared_bytes(std::move(damaged)), decode, encode);
        }
    }
    byte_buffer versioned(all.begin(), all.end());
    versioned[0] = static_cast<std::byte>(newest + 1);
    CHECK(decode(shared_bytes(versioned)).error() == errc::newer_format);
    versioned[0] = std::byte{255};
    CHECK(decode(shared_bytes(versioned)).error() == errc::newer_format);
    versioned[0] = std::byte{0};
    CHECK(decode(shared_bytes(versioned)).error() == errc::corrupt);
}

/// Random bytes behind a right version, and good encodings with a few bytes changed, cut out or doubled.
template <class Decode, class Encode>
void fuzz(random_generator& random, const shared_bytes& good, int rounds, Decode decode, Encode encode,
          unsigned newest = 1) {
    for (int round = 0; round < rounds; ++round) {
        byte_buffer bytes;
        if (random.one_in(2)) {
            bytes.resize(1 + random.below(120));
            for (auto& b : bytes) b = static_cast<std::byte>(random.one_in(2) ? random.below(4) : random.below(256));
            bytes[0] = static_cast<std::byte>(1 + random.below(newest));
        } else {
            bytes.assign(good.view().begin(), good.view().end());
            for (auto n = random.between(1, 4); n > 0 && !bytes.empty(); --n) {
                const auto at = static_cast<std::ptrdiff_t>(random.below(bytes.size()));
                switch (random.below(3)) {
                    case 0: bytes[static_cast<std::size_t>(at)] = static_cast<std::byte>(random.below(256)); break;
                    case 1: bytes.erase(bytes.begin() + at); break;
                    default: bytes.insert(bytes.begin() + at, bytes[static_cast<std::size_t>(at)]); break;
                }
            }
        }
        feed(shared_bytes(std::move(bytes)), decode, encode);
    }
}

}  // namespace lockstep::codec_test
