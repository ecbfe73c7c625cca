// Views of bytes, and immutable bytes that many owners share without copying.
#pragma once

#include <lockstep/base/assert.hpp>

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep {

using byte_view = std::span<const std::byte>;
using byte_buffer = std::vector<std::byte>;

inline byte_view as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(byte_view bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline bool equal(byte_view a, byte_view b) noexcept {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

/// Immutable bytes with shared ownership; copying or slicing costs a reference count.
/// Thread safety: distinct objects may be used from distinct threads, even when they share bytes.
class shared_bytes {
public:
    shared_bytes() = default;
    /// Takes the buffer over; nothing is copied.
    explicit shared_bytes(byte_buffer buffer) {
        auto owner = std::make_shared<const byte_buffer>(std::move(buffer));
        view_ = byte_view(*owner);
        owner_ = std::move(owner);
    }
    static shared_bytes copy_of(byte_view bytes) { return shared_bytes(byte_buffer(bytes.begin(), bytes.end())); }
    static shared_bytes copy_of(std::string_view text) { return copy_of(as_bytes(text)); }

    byte_view view() const noexcept { return view_; }
    const std::byte* data() const noexcept { return view_.data(); }
    std::size_t size() const noexcept { return view_.size(); }
    bool empty() const noexcept { return view_.empty(); }

    /// The bytes [offset, offset + count) with the same owner. Precondition: within size().
    shared_bytes slice(std::size_t offset, std::size_t count) const {
        LOCKSTEP_ASSERT(offset <= size() && count <= size() - offset);
        shared_bytes part;
        part.owner_ = owner_;
        part.view_ = view_.subspan(offset, count);
        return part;
    }

    friend bool operator==(const shared_bytes& a, const shared_bytes& b) noexcept { return equal(a.view_, b.view_); }

private:
    std::shared_ptr<const void> owner_;
    byte_view view_;
};

}  // namespace lockstep
