// A log_storage that tells what it said to be durable, for logs whose files checkers cannot read: a user's own policy. What it
// comes back with after a crash has to be what some prefix of the appends made, at least up to the last one that it acknowledged.
#pragma once

#include <sim/checkers/durable_log.hpp>

#include <lockstep/concepts/log_storage.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sim {

/// What one disk was asked to keep, over all incarnations of its node. Lifetime: outlives their logs.
class log_ledger {
public:
    /// `persisted` is told each write that became durable, in order; `broken` what a log may not do.
    log_ledger(std::function<void(durable_write)> persisted, std::function<void(std::string)> broken)
        : persisted_(std::move(persisted)), broken_(std::move(broken)) {}

    void asked(durable_write w) { pending_.push_back(std::move(w)); }
    /// The first write that was asked for and is not durable yet.
    void acknowledged() {
        if (pending_.empty()) return;
        durable_write w = std::move(pending_.front());
        pending_.pop_front();
        (void)log_.apply(w);
        persisted_(std::move(w));
    }
    /// What a new incarnation found. Of what was under way, some may have come to the disk.
    void found(const recovered_log& now) {
        durable_log maybe = log_;
        std::size_t kept = 0;
        while (!agrees(maybe, now) && kept < pending_.size()) (void)maybe.apply(pending_[kept++]);
        if (!agrees(maybe, now))
            return broken_("comes back with a log of term " + std::to_string(now.term.value) + " that ends at index " + std::to_string(now.last_index.value) +
                           ", which no prefix of its appends made that goes as far as what it acknowledged");
        while (kept-- > 0) acknowledged();
        pending_.clear();
    }
    void wiped() {
        log_ = {};
        pending_.clear();
    }

private:
    /// What was dropped may be there again, and may be gone.
    static bool agrees(const durable_log& disk, const recovered_log& found) {
        if (disk.term() != found.term || disk.voted_for() != found.voted_for || disk.last() != found.last_index) return false;
        for (std::size_t i = 0; i < found.runs.size(); ++i) {
            const log_index last = i + 1 < found.runs.size() ? found.runs[i + 1].first - 1 : found.last_index;
            for (const log_index at : {found.runs[i].first, last})
                if (at > disk.base().index && disk.term_at(at) != found.runs[i].term) return false;
        }
        return true;
    }

    std::function<void(durable_write)> persisted_;
    std::function<void(std::string)> broken_;
    durable_log log_;
    std::deque<durable_write> pending_;
};

/// `Runtime` says which ledger the logs of its node write to, by `log_ledger* ledger()`; null: none.
template <log_storage Log>
class observed_log {
public:
    template <class Runtime, class FileSystem>
    observed_log(Runtime& rt, FileSystem& fs, std::string state_directory)
        : ledger_(rt.ledger()), log_(rt, fs, std::move(state_directory)) {}

    void open(unique_function<void(recovered_log, storage_error)> done) {
        log_.open([this, alive = std::weak_ptr<int>(alive_), done = std::move(done)](recovered_log log, storage_error error) mutable {
            if (!alive.expired() && ledger_ && !error.code) ledger_->found(log);
            done(std::move(log), std::move(error));
        });
    }
    void append(log_batch batch, unique_function<void(storage_error)> done) {
        durable_write w{batch.term, batch.voted_for, batch.records.empty() ? log_index() : batch.records.front().index, {}, std::nullopt, false};
        for (const log_record& r : batch.records) w.entries.push_back(mark_of(r.term, r.kind, r.data.view()));
        write(std::move(w), [&](auto told) { log_.append(std::move(batch), std::move(told)); }, std::move(done));
    }
    void reset(log_position at, term t, node_id voted_for, unique_function<void(storage_error)> done) {
        write({t, voted_for, {}, {}, at, true}, [&](auto told) { log_.reset(at, t, voted_for, std::move(told)); }, std::move(done));
    }
    void drop_prefix(log_position at) { log_.drop_prefix(at); }
    void read(log_index from, log_index to, std::size_t bytes_max, unique_function<void(std::vector<log_record>, storage_error)> done) {
        log_.read(from, to, bytes_max, std::move(done));
    }
    std::uint64_t bytes() const { return log_.bytes(); }
    void close() {
        alive_ = std::make_shared<int>(0);
        log_.close();
    }

private:
    template <class Call>
    void write(durable_write w, Call call, unique_function<void(storage_error)> done) {
        if (ledger_) ledger_->asked(std::move(w));
        call([this, alive = std::weak_ptr<int>(alive_), done = std::move(done)](storage_error error) mutable {
            if (!alive.expired() && ledger_ && !error.code) ledger_->acknowledged();
            done(std::move(error));
        });
    }

    log_ledger* ledger_;
    Log log_;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace lockstep::sim
