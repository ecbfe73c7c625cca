// Frames over one stream of any `byte_streams`: reads and finds them, writes batches. It knows no peers and no time.
#pragma once

#include <lockstep/base/unique_function.hpp>
#include <lockstep/transport/frame.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

namespace lockstep::framing {

/// Whether a stream broke because what arrived was no frame.
inline bool is_malformed(const error_code& error) {
    return error == errc::corrupt || error == errc::too_large || error == errc::newer_format;
}

/// Held by shared_ptr; its owner may drop it at any time, also from within a callback. None comes after close().
/// `Stream` is the `stream` of a byte_streams. All on the loop.
template <class Stream>
class framed_stream : public std::enable_shared_from_this<framed_stream<Stream>> {
public:
    struct callbacks {
        unique_function<void(std::size_t bytes)> received;  ///< before the frames in them
        unique_function<void(frame)> arrived;
        /// A part of what is being written has left; all of it once writing() is false.
        unique_function<void(std::size_t bytes)> written;
        /// A read or write failed, or what arrived is no frame; closed already.
        unique_function<void(error_code)> broken;
    };

    framed_stream(std::shared_ptr<Stream> stream, std::size_t payload_max)
        : stream_(std::move(stream)), reader_(payload_max) {}
    ~framed_stream() { close(); }
    framed_stream(const framed_stream&) = delete;
    framed_stream& operator=(const framed_stream&) = delete;

    void start(callbacks c) {
        callbacks_ = std::move(c);
        read();
    }

    void set_payload_max(std::size_t bytes) noexcept { reader_.set_payload_max(bytes); }
    bool writing() const noexcept { return writing_; }
    bool closed() const noexcept { return stream_ == nullptr; }

    /// Precondition: not writing(), and the batch is not empty.
    void write(batch b) {
        LOCKSTEP_ASSERT(!writing_ && !b.empty());
        if (closed()) return;
        for (auto& part : b.take()) outgoing_.push_back(std::move(part));
        writing_ = true;
        write_some();
    }

    void close() {
        if (const auto stream = std::exchange(stream_, nullptr)) stream->close();
    }

private:
    /// Long frames leave in pieces, so that progress shows on a slow link.
    static constexpr std::size_t piece_bytes = 256 * 1024;

    void write_some() {
        std::vector<shared_bytes> piece;
        std::size_t bytes = 0;
        while (!outgoing_.empty() && bytes < piece_bytes) {
            shared_bytes& next = outgoing_.front();
            const std::size_t part = std::min(next.size(), piece_bytes - bytes);
            piece.push_back(next.slice(0, part));
            bytes += part;
            if (part < next.size()) next = next.slice(part, next.size() - part);
            else outgoing_.pop_front();
        }
        stream_->write(std::move(piece), [weak = this->weak_from_this(), bytes](error_code error) {
            const auto self = weak.lock();
            if (!self || self->closed()) return;
            if (error) return self->fail(error);
            self->writing_ = !self->outgoing_.empty();
            if (self->writing_) self->write_some();
            self->callbacks_.written(bytes);
        });
    }

    void read() {
        stream_->read(reader_.space(), [weak = this->weak_from_this()](result<std::size_t> count) {
            const auto self = weak.lock();
            if (!self || self->closed()) return;
            if (!count) self->fail(count.error());
            else self->take(*count);
        });
    }

    void take(std::size_t count) {
        reader_.filled(count);
        callbacks_.received(count);
        while (!closed()) {
            auto next = reader_.next();
            if (!next) return fail(next.error());
            if (!*next) return read();
            callbacks_.arrived(std::move(**next));
        }
    }

    void fail(error_code error) {
        close();
        callbacks_.broken(error);
    }

    std::shared_ptr<Stream> stream_;
    frame_reader reader_;
    callbacks callbacks_;
    std::deque<shared_bytes> outgoing_;  ///< of the batch that is being written, behind the piece under way
    bool writing_ = false;
};

}  // namespace lockstep::framing
