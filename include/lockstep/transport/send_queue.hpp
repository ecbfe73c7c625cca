// The frames that wait to be written to one peer on one channel, within bounds, and when a producer that was refused
// may go on. No I/O.
#pragma once

#include <lockstep/base/assert.hpp>
#include <lockstep/base/bytes.hpp>

#include <cstddef>
#include <deque>
#include <utility>

namespace lockstep::framing {

class send_queue {
public:
    send_queue(std::size_t bytes_max, std::size_t frames_max) : bytes_max_(bytes_max), frames_max_(frames_max) {}

    /// False: no room, and the producer is owed a word. Where nothing is queued a frame of any size finds room, so that
    /// bytes() is at most the bound or one frame.
    bool push(shared_bytes frame) {
        const bool fits = bytes_ == 0 || (bytes_ <= bytes_max_ && frame.size() <= bytes_max_ - bytes_);
        if (!fits || frames_.size() >= frames_max_) {
            refuse();
            return false;
        }
        bytes_ += frame.size();
        frames_.push_back(std::move(frame));
        return true;
    }
    /// As a push() that found no room.
    void refuse() noexcept { refused_ = true; }

    bool empty() const noexcept { return frames_.empty(); }
    /// Of the frames that wait and of those that are being written.
    std::size_t bytes() const noexcept { return bytes_; }

    /// The next to be written; it counts until written(). Precondition: not empty().
    shared_bytes pop() {
        LOCKSTEP_ASSERT(!frames_.empty());
        shared_bytes next = std::move(frames_.front());
        frames_.pop_front();
        writing_ += next.size();
        return next;
    }
    /// All that was popped has left.
    void written() { bytes_ -= std::exchange(writing_, 0); }

    /// Forgets all frames, not what the producer is owed. How many were not popped.
    std::size_t clear() {
        bytes_ = writing_ = 0;
        return std::exchange(frames_, {}).size();
    }

    /// Whether to tell a producer that was refused: now at most half is full. True once for each time it was refused.
    bool take_drained() {
        if (!refused_ || bytes_ > bytes_max_ / 2 || frames_.size() > frames_max_ / 2) return false;
        refused_ = false;
        return true;
    }

private:
    std::size_t bytes_max_;
    std::size_t frames_max_;
    std::deque<shared_bytes> frames_;
    std::size_t bytes_ = 0;
    std::size_t writing_ = 0;  ///< of these, popped and not written
    bool refused_ = false;
};

}  // namespace lockstep::framing
