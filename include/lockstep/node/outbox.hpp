// The undecided commands of this run: what leaves with the next turn of the loop, and what is said again, in order, when
// nothing was heard of it for a while or a new leader came. Each time the while is longer, until all is decided: what is said
// twice goes into the log twice, and would keep a cluster that is slow from what it is slow with. A value with no clock of its own.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/time.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace lockstep {

class outbox {
public:
    using piece = std::vector<shared_bytes>;
    static constexpr std::size_t piece_bytes = 8 << 20;   ///< of commands in one message to the leader, about

    /// The longest that is waited, where `resend_after` is not longer: who drops a command counts on hearing it again.
    static constexpr duration patience_max = std::chrono::seconds(5);

    explicit outbox(duration resend_after) : resend_after_(resend_after), patience_(resend_after) {}

    /// True: the first of this turn of the loop, at whose end take_leaving() is wanted.
    bool add(std::uint64_t sequence, shared_bytes bytes, time_point now) {
        undecided_[sequence] = bytes;
        if (resend_at_ == never) wait(now);
        leaving_.push_back(std::move(bytes));
        return leaving_.size() == 1;
    }

    void decided(std::uint64_t sequence, time_point now) {
        undecided_.erase(sequence);
        heard(now);
    }

    /// All up to that one.
    void decided_up_to(std::uint64_t last, time_point now) {
        undecided_.erase(undecided_.begin(), undecided_.upper_bound(last));
        heard(now);
    }

    /// Something may have been lost: say all again by then.
    void resend_by(time_point at) {
        if (!undecided_.empty()) resend_at_ = std::min(resend_at_, at);
    }

    bool resend_due(time_point now) const noexcept { return resend_at_ <= now; }

    std::vector<piece> take_leaving() { return cut(std::exchange(leaving_, {})); }

    /// All undecided ones, in order: what arrives twice is dropped by its number.
    std::vector<piece> take_all(time_point now) {
        patience_ = std::min(2 * patience_, std::max(resend_after_, patience_max));
        heard(now);
        piece all;
        for (const auto& [sequence, bytes] : undecided_) all.push_back(bytes);
        return cut(std::move(all));
    }

private:
    void wait(time_point now) { resend_at_ = now + patience_; }
    void heard(time_point now) {
        if (!undecided_.empty()) return wait(now);
        patience_ = resend_after_;
        resend_at_ = never;
    }

    static std::vector<piece> cut(piece commands) {
        std::vector<piece> pieces;
        std::size_t bytes = piece_bytes;
        for (auto& command : commands) {
            if (bytes >= piece_bytes) {
                pieces.emplace_back();
                bytes = 0;
            }
            bytes += command.size();
            pieces.back().push_back(std::move(command));
        }
        return pieces;
    }

    duration resend_after_;
    duration patience_;   ///< now
    std::map<std::uint64_t, shared_bytes> undecided_;   // by sequence
    piece leaving_;
    time_point resend_at_ = never;
};

}  // namespace lockstep
