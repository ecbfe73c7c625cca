#pragma once

#include <lockstep/raft/log_view.hpp>

#include <algorithm>
#include <utility>

namespace lockstep::raft {

LOCKSTEP_DECL log_view::log_view(log_position base, std::vector<term_run> runs, log_index last)
    : base_(base), runs_(std::move(runs)), last_(last) {
    LOCKSTEP_ASSERT((base_.index.value == 0) == (base_.term.value == 0));
    LOCKSTEP_ASSERT(runs_.empty() == (last_ == base_.index));
    LOCKSTEP_ASSERT(runs_.empty() || (runs_.front().first == base_.index + 1 && runs_.back().first <= last_));
    LOCKSTEP_ASSERT(runs_.empty() || (runs_.front().term >= base_.term && runs_.front().term.value != 0));
    for (std::size_t i = 1; i < runs_.size(); ++i)
        LOCKSTEP_ASSERT(runs_[i - 1].first < runs_[i].first && runs_[i - 1].term < runs_[i].term);
}

LOCKSTEP_DECL std::optional<lockstep::term> log_view::term_at(log_index index) const {
    if (index == base_.index) return base_.term;
    if (index < base_.index || index > last_) return std::nullopt;
    // Nearly every question is about the newest run.
    if (index >= runs_.back().first) return runs_.back().term;
    const auto behind = std::upper_bound(runs_.begin(), runs_.end(), index,
                                         [](log_index i, const term_run& run) { return i < run.first; });
    return std::prev(behind)->term;
}

LOCKSTEP_DECL std::optional<log_index> log_view::last_at_most(log_index bound, lockstep::term t) const {
    if (bound < base_.index || t < base_.term) return std::nullopt;
    const auto behind = std::upper_bound(runs_.begin(), runs_.end(), t,
                                         [](lockstep::term wanted, const term_run& run) { return wanted < run.term; });
    if (behind == runs_.begin()) return base_.index;
    const log_index end = behind == runs_.end() ? last_ : behind->first - 1;
    return std::min(bound, end);
}

LOCKSTEP_DECL void log_view::append(entry e) {
    LOCKSTEP_ASSERT(e.index == last_ + 1);
    LOCKSTEP_ASSERT(e.term.value != 0 && e.term >= last_term());
    if (runs_.empty() || e.term != runs_.back().term) runs_.push_back({e.index, e.term});
    last_ = e.index;
    window_bytes_ += weight(e);
    window_.push_back(std::move(e));
}

LOCKSTEP_DECL void log_view::truncate(log_index from) {
    LOCKSTEP_ASSERT(from > base_.index);
    if (from > last_) return;
    while (!window_.empty() && window_.back().index >= from) {
        window_bytes_ -= weight(window_.back());
        window_.pop_back();
    }
    while (!runs_.empty() && runs_.back().first >= from) runs_.pop_back();
    while (!block_.empty() && block_.back().index >= from) block_.pop_back();
    last_ = from - 1;
}

LOCKSTEP_DECL void log_view::drop(log_index to) {
    LOCKSTEP_ASSERT(to >= base_.index && to <= last_);
    base_ = {to, *term_at(to)};
    while (!window_.empty() && window_.front().index <= to) {
        window_bytes_ -= weight(window_.front());
        window_.pop_front();
    }
    std::erase_if(block_, [&](const entry& e) { return e.index <= to; });
    const auto behind = std::upper_bound(runs_.begin(), runs_.end(), to + 1,
                                         [](log_index i, const term_run& run) { return i < run.first; });
    if (to == last_) runs_.clear();
    else runs_.erase(runs_.begin(), std::prev(behind));
    if (!runs_.empty()) runs_.front().first = to + 1;
}

LOCKSTEP_DECL void log_view::restart(log_position base) {
    base_ = base;
    runs_.clear();
    last_ = base.index;
    window_.clear();
    window_bytes_ = 0;
    block_.clear();
}

LOCKSTEP_DECL void log_view::trim(std::size_t bytes_max, log_index keep_above) {
    while (window_bytes_ > bytes_max && window_.front().index <= keep_above) {
        window_bytes_ -= weight(window_.front());
        window_.pop_front();
    }
}

LOCKSTEP_DECL const entry* log_view::find(log_index index) const noexcept {
    if (index >= window_first() && index <= last_)
        return &window_[static_cast<std::size_t>(index - window_first())];
    if (!block_.empty() && index >= block_.front().index && index <= block_.back().index)
        return &block_[static_cast<std::size_t>(index - block_.front().index)];
    return nullptr;
}

LOCKSTEP_DECL std::vector<entry> log_view::slice(log_index from, log_index to, std::size_t bytes_max,
                                                 std::size_t entries_max) const {
    std::vector<entry> taken;
    std::size_t bytes = 0;
    for (log_index i = from; i <= to && taken.size() < entries_max; ++i) {
        const entry* e = find(i);
        if (e == nullptr) break;
        bytes += weight(*e);
        if (!taken.empty() && bytes > bytes_max) break;
        taken.push_back(*e);
    }
    return taken;
}

LOCKSTEP_DECL bool log_view::keep_block(std::vector<entry> block) {
    std::erase_if(block, [&](const entry& e) { return e.index <= base_.index; });
    if (block.empty()) return false;
    for (std::size_t i = 0; i < block.size(); ++i) {
        if (block[i].index != block.front().index + i) return false;
        if (term_at(block[i].index) != block[i].term) return false;
    }
    block_ = std::move(block);
    return true;
}

}  // namespace lockstep::raft
