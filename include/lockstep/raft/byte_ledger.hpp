// What was given out up to an index and not yet settled: the count and the bytes. The same book bounds appends in
// flight, proposals not committed and entries not applied.
#pragma once

#include <lockstep/base/assert.hpp>
#include <lockstep/raft/entry.hpp>

#include <cstddef>
#include <deque>

namespace lockstep::raft {

/// What an entry weighs in every bound: its data and an allowance for the rest, so that tiny entries are bounded too.
inline constexpr std::size_t entry_overhead_bytes = 64;
inline std::size_t weight(const entry& e) noexcept { return e.data.size() + entry_overhead_bytes; }

class byte_ledger {
public:
    /// Precondition: `last` is above that of every item still there.
    void add(log_index last, std::size_t bytes) {
        LOCKSTEP_ASSERT(items_.empty() || items_.back().last < last);
        items_.push_back({last, bytes});
        bytes_ += bytes;
    }
    /// Settles every item that ends at or below `index`.
    void settle(log_index index) {
        while (!items_.empty() && items_.front().last <= index) {
            bytes_ -= items_.front().bytes;
            items_.pop_front();
        }
    }
    void clear() noexcept {
        items_.clear();
        bytes_ = 0;
    }
    bool empty() const noexcept { return items_.empty(); }
    std::size_t count() const noexcept { return items_.size(); }
    std::size_t bytes() const noexcept { return bytes_; }

    template <class Sink>
    void fingerprint_into(Sink& sink) const {
        sink.number(items_.size());
        for (const item& i : items_) {
            sink.number(i.last.value);
            sink.number(i.bytes);
        }
    }

private:
    struct item {
        log_index last;
        std::size_t bytes;
    };
    std::deque<item> items_;
    std::size_t bytes_ = 0;
};

}  // namespace lockstep::raft
