// Frames on a byte stream, without any I/O: what they look like (docs/formats/frames.md), writing them in batches,
// finding them in bytes that arrive in pieces of any size.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/config.hpp>
#include <lockstep/base/result.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace lockstep::framing {

inline constexpr std::uint8_t format_version = 1;
inline constexpr std::size_t header_bytes = 16;

enum class frame_type : std::uint8_t { hello = 1, welcome = 2, refusal = 3, data = 4, ping = 5, pong = 6 };

struct frame {
    frame_type type = frame_type::data;
    shared_bytes payload;
};

using header = std::array<std::byte, header_bytes>;

/// Precondition: the payload is shorter than 4 GiB.
LOCKSTEP_DECL header make_header(frame_type type, byte_view payload);

/// Collects frames for one scatter-gather write: headers and small payloads share a buffer, large ones are not copied.
class batch {
public:
    LOCKSTEP_DECL void add(frame_type type, const shared_bytes& payload = {});
    /// Bytes on the wire so far.
    std::size_t bytes() const noexcept { return bytes_; }
    bool empty() const noexcept { return bytes_ == 0; }
    /// The buffers to write; the batch is empty again.
    LOCKSTEP_DECL std::vector<shared_bytes> take();

private:
    static constexpr std::size_t copied_max = 2048;
    LOCKSTEP_DECL void flush();

    std::vector<shared_bytes> buffers_;
    byte_buffer small_;
    std::size_t bytes_ = 0;
};

/// Finds frames in a stream: read into space(), say how much with filled(), take frames with next() until it gives
/// nothing. After an error the stream is lost: nothing tells where the next frame begins.
class frame_reader {
public:
    /// A longer payload is an error before anything is allocated for it.
    explicit frame_reader(std::size_t payload_max) : payload_max_(payload_max) {}
    void set_payload_max(std::size_t bytes) noexcept { payload_max_ = bytes; }

    /// Where to read to: not empty, valid until filled(). Precondition: next() said that there is no frame.
    LOCKSTEP_DECL std::span<std::byte> space();
    LOCKSTEP_DECL void filled(std::size_t count);
    /// The next whole frame, or nothing yet. Errors: corrupt, too_large, newer_format.
    LOCKSTEP_DECL result<std::optional<frame>> next();

private:
    /// Payloads up to here are copied out of the shared buffer, so that a small frame that somebody keeps does not keep
    /// 64 KiB; longer ones are read into a buffer of their own, which becomes the payload.
    static constexpr std::size_t copied_max = 16 * 1024;
    static constexpr std::size_t buffer_bytes = 64 * 1024;
    static constexpr std::size_t growth_bytes = 256 * 1024;

    std::size_t waiting() const noexcept { return end_ - begin_; }
    LOCKSTEP_DECL result<> parse_header();
    LOCKSTEP_DECL result<std::optional<frame>> finish(byte_buffer payload);

    std::size_t payload_max_;
    byte_buffer buffer_;      ///< bytes read ahead: [begin_, end_) are not used yet
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    bool in_frame_ = false;   ///< the header was read
    header header_{};
    std::size_t length_ = 0;  ///< of the payload of the frame that is being read
    byte_buffer body_;        ///< of a long payload: [0, body_filled_) has arrived
    std::size_t body_filled_ = 0;
};

}  // namespace lockstep::framing

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/transport/impl/frame.ipp>
#endif
