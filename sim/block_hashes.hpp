// Hashes of a run so far, after each block of events: enough to find the block in which two runs part, in bounded memory
// however long they are. A hash covers all events before it, so once two runs differ they differ from there on.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace lockstep::sim {

/// Events by number, the first of a run being 1: those after `after`, up to and with `upto`.
struct event_range {
    std::uint64_t after = 0;
    std::uint64_t upto = 0;
    bool has(std::uint64_t number) const noexcept { return number > after && number <= upto; }
    friend bool operator==(const event_range&, const event_range&) = default;
};

class block_hashes {
public:
    /// The hash after one more event.
    void add(std::uint64_t hash) {
        last_ = hash;
        if (++events_ % block_ != 0) return;
        hashes_.push_back(hash);
        if (hashes_.size() < blocks_max) return;
        // Blocks of twice the size: every second hash stays.
        for (std::size_t i = 0; i < hashes_.size() / 2; ++i) hashes_[i] = hashes_[2 * i + 1];
        hashes_.resize(hashes_.size() / 2);
        block_ *= 2;
    }

    std::uint64_t events() const noexcept { return events_; }

    /// The block in which two runs part; nothing where they are alike.
    static std::optional<event_range> first_difference(const block_hashes& a, const block_hashes& b) {
        if (a.events_ == b.events_ && a.last_ == b.last_) return std::nullopt;
        const std::uint64_t block = std::max(a.block_, b.block_);
        const std::uint64_t known = std::min(a.events_, b.events_) / block;
        // Bisected: the hashes are alike up to some block, and never again.
        std::uint64_t alike = 0, differ = known + 1;
        while (alike + 1 < differ) {
            const std::uint64_t middle = alike + (differ - alike) / 2;
            if (a.after(middle * block) == b.after(middle * block)) alike = middle;
            else differ = middle;
        }
        return event_range{alike * block, differ * block};
    }

    static constexpr std::size_t blocks_max = 4096;   ///< kept; even

private:
    std::uint64_t after(std::uint64_t events) const { return hashes_[static_cast<std::size_t>(events / block_) - 1]; }

    std::uint64_t block_ = 1;
    std::uint64_t events_ = 0;
    std::uint64_t last_ = 0;
    std::vector<std::uint64_t> hashes_;
};

}  // namespace lockstep::sim
