// What one disk durably holds of a consensus log, as its durable writes left it: term, vote, where the log begins, and of
// each entry its term and a digest. A value that checkers compare with what its node said; it knows no core and no file.
#pragma once

#include <lockstep/base/assert.hpp>
#include <lockstep/base/checksum.hpp>
#include <lockstep/raft/entry.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

namespace lockstep::sim {

/// An entry without its bytes.
struct entry_mark {
    lockstep::term term;
    std::uint64_t digest = 0;   ///< of kind and data
    friend bool operator==(const entry_mark&, const entry_mark&) = default;
};
inline entry_mark mark_of(lockstep::term term, std::uint64_t kind, byte_view data) { return {term, checksum(data, kind)}; }
inline entry_mark mark_of(const raft::entry& e) {
    return mark_of(e.term, static_cast<std::uint64_t>(e.kind), e.data.view());
}

/// One durable unit: hard state with entries, or with a new beginning of the log.
struct durable_write {
    lockstep::term term;
    node_id voted_for;
    log_index first;                      ///< of `entries`; what stood there or behind is gone
    std::vector<entry_mark> entries;
    std::optional<log_position> base;     ///< the log begins behind it
    bool anew = false;                    ///< and nothing else of it is left
};

class durable_log {
public:
    lockstep::term term() const noexcept { return term_; }
    node_id voted_for() const noexcept { return voted_for_; }
    /// Entries up to it may be gone.
    const log_position& base() const noexcept { return base_; }
    log_index last() const noexcept { return begin_ + marks_.size() - 1; }
    lockstep::term last_term() const noexcept { return marks_.empty() ? base_.term : marks_.back().term; }
    /// The first entry whose mark is known; behind last() where there is none.
    log_index first() const noexcept { return begin_; }

    const entry_mark* at(log_index index) const noexcept {
        return index < begin_ || index > last() ? nullptr : &marks_[static_cast<std::size_t>(index - begin_)];
    }
    std::optional<lockstep::term> term_at(log_index index) const {
        if (index == base_.index) return base_.term;
        const entry_mark* const mark = at(index);
        return mark ? std::optional(mark->term) : std::nullopt;
    }
    /// It has that entry, or begins behind it.
    bool holds(log_position p) const { return p.index <= base_.index || term_at(p.index) == p.term; }
    /// What the write did away with: the marks of the entries that stood at `w.first` and behind, or behind a base that
    /// began the log anew. `cut_from` says where the first of them stood.
    struct cut {
        log_index from;
        std::vector<entry_mark> marks;
        lockstep::term before = {};   ///< the term of the disk until then
    };
    cut apply(const durable_write& w) {
        const lockstep::term before = std::exchange(term_, w.term);
        voted_for_ = w.voted_for;
        cut gone;
        if (w.base && w.anew) {
            gone = take_from(std::max(begin_, w.base->index + 1));
            base_ = *w.base;
            begin_ = base_.index + 1;
            marks_.clear();
        } else if (w.base) {
            begin_behind(*w.base);
        } else if (!w.entries.empty()) {
            if (marks_.empty() && w.first > begin_) begin_ = w.first;   // what was before is in segments that were removed
            gone = take_from(w.first);
            LOCKSTEP_ASSERT(w.first == last() + 1);
            marks_.insert(marks_.end(), w.entries.begin(), w.entries.end());
        }
        gone.before = before;
        return gone;
    }

private:
    cut take_from(log_index from) {
        if (from > last()) return {from, {}, {}};
        const auto first = marks_.begin() + static_cast<std::ptrdiff_t>(from < begin_ ? 0 : from - begin_);
        cut gone{std::max(from, begin_), {first, marks_.end()}, {}};
        marks_.erase(first, marks_.end());
        if (from < begin_) begin_ = from;
        return gone;
    }
    void begin_behind(log_position base) {
        base_ = base;
        while (!marks_.empty() && begin_ <= base.index) {
            marks_.pop_front();
            ++begin_;
        }
        if (marks_.empty()) begin_ = base.index + 1;
    }

    lockstep::term term_;
    node_id voted_for_;
    log_position base_;
    log_index begin_{1};
    std::deque<entry_mark> marks_;   ///< from begin_ on, their terms ascending
};

}  // namespace lockstep::sim
