#pragma once

#include <lockstep/transport/frame.hpp>

#include <lockstep/base/checksum.hpp>
#include <lockstep/base/endian.hpp>
#include <lockstep/base/probe.hpp>

#include <algorithm>
#include <limits>

namespace lockstep::framing {

namespace detail {

/// Of the header's first six bytes. It finds a damaged length at once instead of waiting for bytes that never come.
inline std::uint16_t header_check(const header& h) noexcept {
    return static_cast<std::uint16_t>(checksum({h.data(), 6}));
}

/// Of the payload, seeded by the header's first eight bytes, so that both belong together.
inline std::uint64_t frame_checksum(const header& h, byte_view payload) noexcept {
    return checksum(payload, load_le<std::uint64_t>(h.data()));
}

}  // namespace detail

LOCKSTEP_DECL header make_header(frame_type type, byte_view payload) {
    LOCKSTEP_ASSERT(payload.size() <= std::numeric_limits<std::uint32_t>::max());
    header h{};
    store_le(h.data(), static_cast<std::uint32_t>(payload.size()));
    h[4] = std::byte{format_version};
    h[5] = static_cast<std::byte>(type);
    store_le(h.data() + 6, detail::header_check(h));
    store_le(h.data() + 8, detail::frame_checksum(h, payload));
    return h;
}

LOCKSTEP_DECL void batch::add(frame_type type, const shared_bytes& payload) {
    const header h = make_header(type, payload.view());
    small_.insert(small_.end(), h.begin(), h.end());
    bytes_ += h.size() + payload.size();
    if (payload.size() <= copied_max) {
        const byte_view bytes = payload.view();
        small_.insert(small_.end(), bytes.begin(), bytes.end());
    } else {
        flush();
        buffers_.push_back(payload);
    }
}

LOCKSTEP_DECL void batch::flush() {
    if (!small_.empty()) buffers_.emplace_back(std::exchange(small_, {}));
}

LOCKSTEP_DECL std::vector<shared_bytes> batch::take() {
    flush();
    bytes_ = 0;
    return std::exchange(buffers_, {});
}

LOCKSTEP_DECL std::span<std::byte> frame_reader::space() {
    if (in_frame_ && length_ > copied_max) {
        // Memory is reserved in one piece but touched only as bytes arrive.
        body_.resize(std::min(length_, body_filled_ + growth_bytes));
        return std::span(body_).subspan(body_filled_);
    }
    if (buffer_.empty()) buffer_.resize(buffer_bytes);
    if (begin_ > 0) {
        std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), waiting(), buffer_.begin());
        end_ -= begin_;
        begin_ = 0;
    }
    return std::span(buffer_).subspan(end_);
}

LOCKSTEP_DECL void frame_reader::filled(std::size_t count) {
    if (in_frame_ && length_ > copied_max) {
        LOCKSTEP_ASSERT(count <= body_.size() - body_filled_);
        body_filled_ += count;
    } else {
        LOCKSTEP_ASSERT(count <= buffer_.size() - end_);
        end_ += count;
    }
}

LOCKSTEP_DECL result<> frame_reader::parse_header() {
    std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_), header_bytes, header_.begin());
    begin_ += header_bytes;
    if (load_le<std::uint16_t>(header_.data() + 6) != detail::header_check(header_)) return error_code(errc::corrupt);
    if (std::to_integer<std::uint8_t>(header_[4]) != format_version) return error_code(errc::newer_format);
    const auto type = std::to_integer<std::uint8_t>(header_[5]);
    if (type < static_cast<std::uint8_t>(frame_type::hello) || type > static_cast<std::uint8_t>(frame_type::pong))
        return error_code(errc::corrupt);
    length_ = load_le<std::uint32_t>(header_.data());
    if (length_ > payload_max_) return error_code(errc::too_large);
    in_frame_ = true;
    return {};
}

LOCKSTEP_DECL result<std::optional<frame>> frame_reader::next() {
    if (!in_frame_) {
        if (waiting() < header_bytes) return std::optional<frame>();
        LOCKSTEP_TRY(parse_header());
        if (length_ > copied_max) {
            body_.reserve(length_);
            body_filled_ = std::min(length_, waiting());
            const auto from = buffer_.begin() + static_cast<std::ptrdiff_t>(begin_);
            body_.assign(from, from + static_cast<std::ptrdiff_t>(body_filled_));
            begin_ += body_filled_;
        }
    }
    if (length_ > copied_max) {
        if (body_filled_ < length_) return std::optional<frame>();
        body_filled_ = 0;
        return finish(std::exchange(body_, {}));
    }
    if (waiting() < length_) return std::optional<frame>();
    const auto from = buffer_.begin() + static_cast<std::ptrdiff_t>(begin_);
    begin_ += length_;
    return finish(byte_buffer(from, from + static_cast<std::ptrdiff_t>(length_)));
}

LOCKSTEP_DECL result<std::optional<frame>> frame_reader::finish(byte_buffer payload) {
    in_frame_ = false;
    const bool intact = load_le<std::uint64_t>(header_.data() + 8) == detail::frame_checksum(header_, payload);
    if (sometimes(probe::damaged_frame_refused, !intact)) return error_code(errc::corrupt);
    const auto type = static_cast<frame_type>(std::to_integer<std::uint8_t>(header_[5]));
    return std::optional<frame>(frame{type, shared_bytes(std::move(payload))});
}

}  // namespace lockstep::framing
