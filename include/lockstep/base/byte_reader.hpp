// Reading and writing plain fields, little-endian, without ever looking past the end.
#pragma once

#include <lockstep/base/endian.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep {

/// After the first field that is not there, failed() is true and everything reads as zero or empty.
class byte_reader {
public:
    explicit byte_reader(byte_view bytes) noexcept : rest_(bytes) {}

    template <std::unsigned_integral T>
    T number() noexcept {
        if (failed_ || rest_.size() < sizeof(T)) return fail(), T{};
        const T value = load_le<T>(rest_.data());
        rest_ = rest_.subspan(sizeof(T));
        return value;
    }
    std::int64_t signed_number() noexcept { return static_cast<std::int64_t>(number<std::uint64_t>()); }

    byte_view bytes(std::size_t count) noexcept {
        if (failed_ || rest_.size() < count) return fail(), byte_view{};
        const byte_view out = rest_.first(count);
        rest_ = rest_.subspan(count);
        return out;
    }
    /// A length (32 bits) and so many bytes.
    std::string text() {
        const auto count = number<std::uint32_t>();
        return std::string(as_text(bytes(count)));
    }

    void fail() noexcept { failed_ = true; rest_ = {}; }
    bool failed() const noexcept { return failed_; }
    /// All was read, and all that was read was there.
    bool finished() const noexcept { return !failed_ && rest_.empty(); }

private:
    byte_view rest_;
    bool failed_ = false;
};

inline void append_bytes(byte_buffer& to, byte_view bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

inline void append_text(byte_buffer& to, std::string_view text) {
    append_le(to, static_cast<std::uint32_t>(text.size()));
    append_bytes(to, as_bytes(text));
}

}  // namespace lockstep
