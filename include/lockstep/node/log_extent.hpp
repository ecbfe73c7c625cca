// How many bytes of entries the log holds, and where to cut it: marks at some entries, not a size for each.
#pragma once

#include <lockstep/base/ids.hpp>

#include <cstdint>
#include <deque>

namespace lockstep {

class log_extent {
public:
    /// `grain`: a cut is found up to so many bytes too early.
    explicit log_extent(std::uint64_t grain = 16 << 10) : grain_(grain) {}

    /// An entry was applied. Precondition: behind the one before.
    void add(log_index index, std::uint64_t bytes) {
        end_ += bytes;
        // The last mark moves along until it is far from the one before it.
        const std::size_t count = marks_.size();
        const std::uint64_t before = count > 1 ? marks_[count - 2].end : begin_;
        if (count > 0 && marks_.back().end - before < grain_) marks_.back() = {index, end_};
        else marks_.push_back({index, end_});
    }

    /// Of the entries behind the last cut.
    std::uint64_t bytes() const noexcept { return end_ - begin_; }

    /// The last entry before the tail of about that many bytes; the index 0 where all is tail.
    log_index before_tail(std::uint64_t tail_bytes) const noexcept {
        log_index at;
        for (const mark& m : marks_) {
            if (end_ - m.end < tail_bytes) break;
            at = m.index;
        }
        return at;
    }

    /// Entries up to there are gone.
    void cut(log_index index) {
        while (!marks_.empty() && marks_.front().index <= index) {
            begin_ = marks_.front().end;
            marks_.pop_front();
        }
    }

private:
    struct mark {
        log_index index;
        std::uint64_t end = 0;   ///< bytes up to and with this entry
    };

    std::uint64_t grain_;
    std::deque<mark> marks_;   ///< ascending
    std::uint64_t begin_ = 0;
    std::uint64_t end_ = 0;
};

}  // namespace lockstep
