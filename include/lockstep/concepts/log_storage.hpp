// The `log_storage` concept: the durable log of one consensus group and its term and vote.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/ids.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/base/unique_function.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

struct log_record {
    log_index index;
    lockstep::term term;
    std::uint8_t kind = 0;
    shared_bytes data;
    friend bool operator==(const log_record&, const log_record&) = default;
};

/// One durable unit. If `records` is not empty they are contiguous, and whatever stood at the first one's index or
/// behind it is gone once this is durable.
struct log_batch {
    lockstep::term term;
    node_id voted_for;
    std::vector<log_record> records;
};

/// A run of consecutive records of one term.
struct log_run {
    log_index first;
    lockstep::term term;
    friend bool operator==(const log_run&, const log_run&) = default;
};

struct recovered_log {
    lockstep::term term;
    node_id voted_for;
    log_position base;          ///< the log begins behind it; what was dropped may be there again, but whole
    std::vector<log_run> runs;  ///< of what is behind the base, ascending; empty where that is
    log_index last_index;       ///< the base's where nothing is behind it
    std::uint64_t torn_bytes = 0;  ///< cut from the tail: a write that never completed
};

/// As if the log began behind a position, where it holds that; else it stays as it is.
inline void forget_before(recovered_log& log, log_position at) {
    if (at.index <= log.base.index || at.index > log.last_index) return;
    std::size_t run = 0;
    while (run + 1 < log.runs.size() && log.runs[run + 1].first <= at.index) ++run;
    if (log.runs[run].term != at.term) return;
    log.base = at;
    log.runs.erase(log.runs.begin(), log.runs.begin() + static_cast<std::ptrdiff_t>(run));
    log.runs.front().first = at.index + 1;
    if (at.index == log.last_index || (log.runs.size() > 1 && log.runs[1].first == at.index + 1)) log.runs.erase(log.runs.begin());
}

/// A failure that a person must see: which file, where, what.
struct storage_error {
    error_code code;
    std::string detail;
};

/// A `log_storage` keeps a log. All is called on the loop and answers there. Appends become durable in the order of the
/// calls; `done` with success means that the batch and all before it survive a power failure. After a crash the log is
/// what some prefix of the append calls made, at least as long as the last one acknowledged, each batch whole or absent.
/// After a failed append every later one fails too: the caller must stop. Reading gives a contiguous prefix of the range,
/// at least one record, about `bytes_max`; records being appended are not read before their append is done.
/// `reset` is an append of its own kind: once durable, all that was there is gone, and the log begins behind the
/// position. `drop_prefix` says that what stands up to a position, whose append was answered, is not needed any more:
/// it goes when that is cheap, some of it perhaps never, and whatever crash comes, nothing behind it does.
template <class L>
concept log_storage = requires(L& l, const L& cl, log_batch batch, log_index from, log_index to, std::size_t bytes_max,
                               log_position at, lockstep::term t, node_id voted_for,
                               unique_function<void(recovered_log, storage_error)> opened,
                               unique_function<void(storage_error)> appended,
                               unique_function<void(std::vector<log_record>, storage_error)> records) {
    { l.open(std::move(opened)) };
    { l.append(std::move(batch), std::move(appended)) };
    { l.reset(at, t, voted_for, std::move(appended)) };
    { l.drop_prefix(at) };
    { l.read(from, to, bytes_max, std::move(records)) };
    { cl.bytes() } -> std::same_as<std::uint64_t>;   // on disk
    { l.close() };
};

}  // namespace lockstep
