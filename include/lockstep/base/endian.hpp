// Little-endian integers in byte buffers: the order of every format of this library.
#pragma once

#include <lockstep/base/bytes.hpp>

#include <concepts>
#include <cstdint>

namespace lockstep {

template <std::unsigned_integral T>
void store_le(std::byte* to, T value) noexcept {
    for (std::size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<std::byte>(value >> (8 * i));
}

template <std::unsigned_integral T>
T load_le(const std::byte* from) noexcept {
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value | (static_cast<T>(from[i]) << (8 * i)));
    return value;
}

template <std::unsigned_integral T>
void append_le(byte_buffer& to, T value) {
    std::byte bytes[sizeof(T)];
    store_le(bytes, value);
    to.insert(to.end(), bytes, bytes + sizeof(T));
}

}  // namespace lockstep
