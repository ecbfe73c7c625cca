// What of the log and the hard state is durable, what is being written, and what was not handed out yet.
// One write is outstanding at a time; what arrives meanwhile becomes the next one.
#pragma once

#include <lockstep/base/assert.hpp>
#include <lockstep/base/time.hpp>
#include <lockstep/raft/entry.hpp>
#include <lockstep/raft/fingerprint.hpp>

#include <algorithm>
#include <cstdint>

namespace lockstep::raft {

class write_tracker {
public:
    write_tracker(const hard_state& hard, log_index last) noexcept : hard_(hard), durable_(last), handed_(last) {}

    bool outstanding() const noexcept { return outstanding_; }
    time_point started() const noexcept { return started_; }
    const hard_state& durable_hard() const noexcept { return hard_; }
    log_index durable() const noexcept { return durable_; }
    /// Entries above it are in no write yet.
    log_index handed() const noexcept { return handed_; }

    /// A write of `hard` and of the entries above handed() up to `last` leaves. Returns its ticket.
    std::uint64_t begin(const hard_state& hard, log_index last, time_point now) {
        LOCKSTEP_ASSERT(!outstanding_ && last >= handed_);
        outstanding_ = true;
        writing_hard_ = hard;
        writing_last_ = handed_ = last;
        started_ = now;
        return ++ticket_;
    }

    /// The log lost `from` and everything behind. The completion of a write that held some of it must not count for
    /// what is written in its place: 1. entry 5 of term 2 is being written; 2. it is truncated, and another entry 5 of
    /// term 3 comes; 3. the first write completes: 5 is not durable yet.
    void truncate(log_index from) noexcept {
        durable_ = std::min(durable_, from - 1);
        handed_ = std::min(handed_, from - 1);
        if (outstanding_) writing_last_ = std::min(writing_last_, from - 1);
    }

    /// The log begins anew behind `base`, and what it stands for is durable already, elsewhere. What is being written
    /// is of the log before.
    void restart(log_index base) noexcept {
        durable_ = handed_ = base;
        writing_last_ = {};
    }

    /// Returns whether `ticket` named the outstanding write.
    bool complete(std::uint64_t ticket) noexcept {
        if (!outstanding_ || ticket != ticket_) return false;
        outstanding_ = false;
        hard_ = writing_hard_;
        durable_ = std::max(durable_, writing_last_);
        return true;
    }

    /// But for the ticket, which is a name that only the write under way has.
    template <class Sink>
    void fingerprint_into(Sink& sink) const {
        raft::fingerprint_into(sink, hard_);
        sink.number(durable_.value);
        sink.number(handed_.value);
        sink.number(outstanding_);
        if (!outstanding_) return;
        raft::fingerprint_into(sink, writing_hard_);
        sink.number(writing_last_.value);
    }

private:
    hard_state hard_;
    log_index durable_;
    log_index handed_;
    bool outstanding_ = false;
    std::uint64_t ticket_ = 0;
    hard_state writing_hard_;
    log_index writing_last_;
    time_point started_;
};

}  // namespace lockstep::raft
