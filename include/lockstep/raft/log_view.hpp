// What a core knows of its log: the base that it begins behind, the term of every position as runs of equal term, a
// bounded window of recent entries, and one block of older entries read back from storage. It does not know what is
// durable or committed.
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/raft/byte_ledger.hpp>
#include <lockstep/raft/fingerprint.hpp>
#include <lockstep/raft/io.hpp>

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

namespace lockstep::raft {

class log_view {
public:
    /// Nothing is in the window at first. Precondition: the runs ascend, and begin right behind the base unless the log
    /// is empty.
    LOCKSTEP_DECL log_view(log_position base, std::vector<term_run> runs, log_index last);

    /// Entries up to it are gone; its term is still known.
    const log_position& base() const noexcept { return base_; }
    log_index last_index() const noexcept { return last_; }
    lockstep::term last_term() const noexcept { return runs_.empty() ? base_.term : runs_.back().term; }
    const std::vector<term_run>& runs() const noexcept { return runs_; }
    /// The first entry in the window; last_index() + 1 if it is empty.
    log_index window_first() const noexcept { return last_ + 1 - window_.size(); }
    std::size_t window_bytes() const noexcept { return window_bytes_; }

    /// Nothing below the base and behind the last. O(log runs).
    LOCKSTEP_DECL std::optional<lockstep::term> term_at(log_index index) const;
    bool has(const log_position& at) const { return term_at(at.index) == at.term; }
    /// The largest index at or below `bound` whose term is at most `t`; nothing if that is below the base. A divergent
    /// tail is passed one term a probe with it, on either side.
    LOCKSTEP_DECL std::optional<log_index> last_at_most(log_index bound, lockstep::term t) const;

    /// Precondition: the next index, and a term not below the last.
    LOCKSTEP_DECL void append(entry e);
    /// Forgets `from` and everything behind. Precondition: it is behind the base.
    LOCKSTEP_DECL void truncate(log_index from);
    /// Forgets everything up to `to`, which becomes the base. Precondition: base <= to <= last.
    LOCKSTEP_DECL void drop(log_index to);
    /// Forgets everything and begins anew behind `base`.
    LOCKSTEP_DECL void restart(log_position base);
    /// Drops the oldest of the window until it holds at most `bytes_max`, but nothing above `keep_above`: what is not
    /// durable cannot be read back.
    LOCKSTEP_DECL void trim(std::size_t bytes_max, log_index keep_above);

    bool holds(log_index index) const noexcept { return find(index) != nullptr; }
    /// Entries from..to as far as they are in memory without a gap, at least one if the first is, else up to
    /// `bytes_max` and `entries_max`.
    LOCKSTEP_DECL std::vector<entry> slice(log_index from, log_index to, std::size_t bytes_max,
                                           std::size_t entries_max) const;

    /// Keeps entries read back from storage, in place of the block before, but for those that are gone meanwhile.
    /// Returns whether the rest is what this log has there: a truncation may have overtaken the read.
    LOCKSTEP_DECL bool keep_block(std::vector<entry> block);
    void drop_block() noexcept { block_.clear(); }

    template <class Sink>
    void fingerprint_into(Sink& sink) const {
        raft::fingerprint_into(sink, base_);
        sink.number(last_.value);
        sink.number(runs_.size());
        for (const term_run& run : runs_) {
            sink.number(run.first.value);
            sink.number(run.term.value);
        }
        raft::fingerprint_into(sink, window_);
        raft::fingerprint_into(sink, block_);
    }

private:
    LOCKSTEP_DECL const entry* find(log_index index) const noexcept;

    log_position base_;
    std::vector<term_run> runs_;
    log_index last_;
    std::deque<entry> window_;  // always ends at last_
    std::size_t window_bytes_ = 0;
    std::vector<entry> block_;
};

}  // namespace lockstep::raft

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/raft/impl/log_view.ipp>
#endif
