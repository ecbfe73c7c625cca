// `log_storage` in memory: for tests, and for users whose cluster as a whole is their durability. It survives its
// object, through memory_log_contents, but no process.
#pragma once

#include <lockstep/concepts/log_storage.hpp>
#include <lockstep/concepts/runtime.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::storage {

/// What a memory_log keeps; give it to the next one to "reopen".
struct memory_log_contents {
    lockstep::term term;
    node_id voted_for;
    log_position base;
    std::vector<log_record> records;  ///< behind the base
};

template <runtime Runtime>
class memory_log {
public:
    using opened_handler = unique_function<void(recovered_log, storage_error)>;
    using appended_handler = unique_function<void(storage_error)>;
    using records_handler = unique_function<void(std::vector<log_record>, storage_error)>;

    explicit memory_log(Runtime& rt,
                        std::shared_ptr<memory_log_contents> kept = std::make_shared<memory_log_contents>())
        : rt_(rt), kept_(std::move(kept)) {}
    /// As a policy of a node is made; nothing is stored under the directory.
    template <class FileSystem>
    memory_log(Runtime& rt, FileSystem&, const std::string&) : memory_log(rt) {}
    memory_log(const memory_log&) = delete;
    memory_log& operator=(const memory_log&) = delete;

    void open(opened_handler done) {
        rt_.post(guarded([this, done = std::move(done)] {
            open_ = true;
            done(recovered(), {});
        }));
    }

    /// Precondition: open() has succeeded, the batch is contiguous and leaves no gap.
    void append(log_batch batch, appended_handler done) {
        enqueue({std::move(batch), {}, std::move(done)});
    }

    void reset(log_position at, lockstep::term term, node_id voted_for, appended_handler done) {
        enqueue({{term, voted_for, {}}, at, std::move(done)});
    }

    void drop_prefix(log_position to) {
        const std::uint64_t last = kept_->base.index.value + kept_->records.size();
        if (to.index <= kept_->base.index || to.index.value > last) return;
        const auto count = static_cast<std::ptrdiff_t>(to.index - kept_->base.index);
        LOCKSTEP_ASSERT(kept_->records[static_cast<std::size_t>(count - 1)].term == to.term);
        kept_->records.erase(kept_->records.begin(), kept_->records.begin() + count);
        kept_->base = to;
    }

    /// not_found where the log has no record at `from`.
    void read(log_index from, log_index to, std::size_t bytes_max, records_handler done) {
        rt_.post(guarded([this, from, to, bytes_max, done = std::move(done)] {
            if (!open_) return done({}, {errc::halted, {}});
            std::vector<log_record> records;
            std::size_t bytes = 0;
            const log_index base = kept_->base.index;
            for (log_index at = from; at > base && at <= to && at - base <= kept_->records.size(); ++at) {
                const log_record& record = kept_->records[static_cast<std::size_t>(at - base - 1)];
                bytes += record.data.size();
                if (!records.empty() && bytes > bytes_max) break;
                records.push_back(record);
            }
            const error_code why = records.empty() ? make_error_code(errc::not_found) : error_code();
            done(std::move(records), {why, {}});
        }));
    }

    /// Of the data held.
    std::uint64_t bytes() const noexcept {
        std::uint64_t sum = 0;
        for (const auto& record : kept_->records) sum += record.data.size();
        return sum;
    }

    /// Appends not answered yet are dropped; later calls fail with `halted`.
    void close() {
        open_ = false;
        alive_ = std::make_shared<int>(0);
        waiting_.clear();
    }

    // --- for tests ---

    /// How long later appends take. Their order stays.
    void set_delay(duration delay) noexcept { delay_ = delay; }
    /// Every append not answered yet, and every later one, fails with this.
    void fail_appends(storage_error error) { failed_ = std::move(error); }
    const memory_log_contents& contents() const noexcept { return *kept_; }

private:
    struct append_call {
        log_batch batch;
        std::optional<log_position> anew;  ///< a reset
        appended_handler done;
    };

    void enqueue(append_call call) {
        waiting_.push_back(std::move(call));
        auto finish = guarded([this] { finish_first(); });
        if (delay_ == duration::zero()) rt_.post(std::move(finish));
        else rt_.schedule(rt_.now() + delay_, std::move(finish));
    }

    template <class F>
    auto guarded(F f) {
        return [alive = std::weak_ptr<int>(alive_), f = std::move(f)] {
            if (alive.lock()) f();
        };
    }

    recovered_log recovered() const {
        const log_index last = kept_->base.index + kept_->records.size();
        recovered_log log{kept_->term, kept_->voted_for, kept_->base, {}, last, 0};
        for (const auto& record : kept_->records) {
            if (log.runs.empty() || log.runs.back().term != record.term)
                log.runs.push_back({record.index, record.term});
        }
        return log;
    }

    /// Each append has a completion of its own, and the oldest append takes the first that comes.
    void finish_first() {
        append_call call = std::move(waiting_.front());
        waiting_.pop_front();
        storage_error error = failed_;
        if (!open_) error = {errc::halted, {}};
        if (!error.code) take(call);
        call.done(std::move(error));
    }

    void take(append_call& call) {
        log_batch& batch = call.batch;
        kept_->term = batch.term;
        kept_->voted_for = batch.voted_for;
        if (call.anew) {
            kept_->base = *call.anew;
            kept_->records.clear();
        }
        if (batch.records.empty()) return;
        LOCKSTEP_ASSERT(batch.records.front().index > kept_->base.index);
        const auto before = static_cast<std::size_t>(batch.records.front().index - kept_->base.index - 1);
        LOCKSTEP_ASSERT(before <= kept_->records.size());
        kept_->records.resize(before);
        for (auto& record : batch.records) {
            LOCKSTEP_ASSERT(record.index == kept_->base.index + (kept_->records.size() + 1));
            kept_->records.push_back(std::move(record));
        }
    }

    Runtime& rt_;
    std::shared_ptr<memory_log_contents> kept_;
    std::deque<append_call> waiting_;
    duration delay_{};
    storage_error failed_;
    bool open_ = false;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace lockstep::storage
