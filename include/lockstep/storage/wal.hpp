// The write-ahead log: `log_storage` on a file system. This is its face on the event loop: it groups appends, keeps
// where each record is, and hands work to the log lane (wal_writer, wal_recovery) and the lane of reads
// (wal_reader). Format and recovery: docs/formats/wal.md.
#pragma once

#include <lockstep/concepts/file_system.hpp>
#include <lockstep/concepts/log_storage.hpp>
#include <lockstep/concepts/runtime.hpp>
#include <lockstep/storage/wal_reader.hpp>
#include <lockstep/storage/wal_recovery.hpp>
#include <lockstep/storage/wal_writer.hpp>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::storage {

struct wal_options {
    /// Bytes of a segment; at least 64 KiB. A larger batch gets a segment of its own size.
    std::uint64_t segment_size = std::uint64_t{16} << 20;
    /// Appends merged into one write and one sync.
    std::size_t group_bytes_max = std::size_t{8} << 20;
};

/// Keeps its files in <state_directory>/wal/. Callbacks may destroy the log or close it.
/// Lifetime: runtime and file system outlive it and its jobs.
template <runtime Runtime, file_system FileSystem>
class wal {
public:
    using opened_handler = unique_function<void(recovered_log, storage_error)>;
    using appended_handler = unique_function<void(storage_error)>;
    using records_handler = unique_function<void(std::vector<log_record>, storage_error)>;

    wal(Runtime& rt, FileSystem& fs, std::string state_directory, wal_options options = {})
        : rt_(rt), fs_(fs), state_directory_(std::move(state_directory)), options_(options) {
        LOCKSTEP_ASSERT(options_.segment_size >= 65536 && options_.segment_size <= wal_format::segment_size_max);
    }
    wal(const wal&) = delete;
    wal& operator=(const wal&) = delete;

    /// Whether a state directory holds a log; true where that cannot be found out. Blocking, before any log is open there: for
    /// owners who have to know that they lost one, which open() would begin anew.
    static bool exists(FileSystem& fs, const std::string& state_directory) {
        const auto gone = [](error_code why) { return why == errc::not_found; };
        auto state = fs.open_directory(state_directory);
        if (!state) return !gone(state.error());
        auto dir = fs.open_directory_at(*state, "wal");
        if (!dir) return !gone(dir.error());
        const auto items = fs.list(*dir);
        if (!items) return true;
        return std::any_of(items->begin(), items->end(), [](const auto& item) { return wal_format::sequence_of(item.name).has_value(); });
    }

    /// Precondition: called once, before anything else.
    void open(opened_handler done) {
        LOCKSTEP_ASSERT(!asked_to_open_);
        asked_to_open_ = true;
        auto job = [&fs = fs_, state = state_directory_, size = options_.segment_size, salt = rt_.random()] {
            return open_files(fs, state, size, salt);
        };
        offload(rt_, lane::log, std::move(job), guarded([this, done = std::move(done)](opened_files files) {
                    if (files.error.code) {
                        failed_ = files.error;
                        return done({}, std::move(files.error));
                    }
                    writer_ = std::move(files.writer);
                    reader_ = std::move(files.reader);
                    index_ = std::move(files.index);
                    base_ = files.log.base.index;
                    bytes_ = files.bytes;
                    first_segment_ = writer_->first_segment();
                    done(std::move(files.log), {});
                }));
    }

    /// Precondition: open() has succeeded, the batch is contiguous and leaves no gap behind what was appended before.
    void append(log_batch batch, appended_handler done) {
        LOCKSTEP_ASSERT(closed_ || failed_.code || writer_ != nullptr);
        if (closed_ || failed_.code) return answer(std::move(done));
        if (!batch.records.empty()) {
            const log_index last = appended_.value_or(last_index());
            LOCKSTEP_ASSERT(batch.records.front().index.value != 0 && batch.records.front().index <= last + 1);
            for (std::size_t i = 1; i < batch.records.size(); ++i) {
                LOCKSTEP_ASSERT(batch.records[i].index == batch.records[i - 1].index + 1);
            }
            appended_ = batch.records.back().index;
        }
        waiting_.push_back({{std::move(batch), {}}, std::move(done)});
        work();
    }

    /// Precondition: as of append; the position is not the beginning.
    void reset(log_position at, lockstep::term term, node_id voted_for, appended_handler done) {
        LOCKSTEP_ASSERT(closed_ || failed_.code || writer_ != nullptr);
        LOCKSTEP_ASSERT(at.index.value != 0);
        if (closed_ || failed_.code) return answer(std::move(done));
        appended_ = at.index;
        drop_.reset();
        waiting_.push_back({{{term, voted_for, {}}, at}, std::move(done)});
        work();
    }

    /// Segments go in which nothing is behind `to`. Precondition: open() has succeeded, and the append of `to` was
    /// answered.
    void drop_prefix(log_position to) {
        if (closed_ || failed_.code || to.index <= base_ || to.index > last_index()) return;
        if (drop_ && drop_->index >= to.index) return;
        drop_ = to;
        work();
    }

    /// not_found where the log has no record at `from`.
    void read(log_index from, log_index to, std::size_t bytes_max, records_handler done) {
        if (closed_ || reader_ == nullptr || from <= base_ || from > to || from > last_index()) {
            const error_code why = closed_ || reader_ == nullptr ? errc::halted : errc::not_found;
            rt_.post(guarded([done = std::move(done), why] { done({}, {why, {}}); }));
            return;
        }
        std::vector<record_location> places;
        std::size_t bytes = 0;
        for (log_index at = from; at <= to && at <= last_index(); ++at) {
            const record_location& place = index_[place_of(at)];
            bytes += place.place.length;
            if (!places.empty() && bytes > bytes_max) break;
            places.push_back(place);
        }
        auto job = [reader = reader_, from, places] { return reader->read(from, places); };
        offload(rt_, lane::reads, std::move(job),
                guarded([this, from, to, bytes_max, places, done = std::move(done)](wal_read result) mutable {
                    finish_read(from, to, bytes_max, places, std::move(result), std::move(done));
                }));
    }

    std::uint64_t bytes() const noexcept { return bytes_; }

    /// Lets go of the files once the jobs at work are done. Appends not answered yet are not answered any more, and may
    /// or may not be durable; later calls fail with `halted`.
    void close() {
        closed_ = true;
        alive_ = std::make_shared<int>(0);
        waiting_.clear();
        writing_.clear();
        writer_.reset();
        reader_.reset();
    }

private:
    using log_writer = wal_writer<FileSystem>;
    using log_reader = wal_reader<FileSystem>;

    struct opened_files {
        std::shared_ptr<log_writer> writer;
        std::shared_ptr<log_reader> reader;
        recovered_log log;
        std::vector<record_location> index;
        std::uint64_t bytes = 0;
        storage_error error;
    };
    struct append_call {
        wal_append what;
        appended_handler done;
    };
    struct append_wait {
        log_index first;        ///< 0: no records
        std::size_t count = 0;
        std::optional<log_position> anew;
        appended_handler done;
    };
    /// The writer after a job.
    struct writer_state {
        std::uint64_t bytes = 0;
        std::uint64_t first_segment = 0;
        bool prepare = false;
        bool remove = false;

        explicit writer_state(const log_writer& writer)
            : bytes(writer.bytes()),
              first_segment(writer.first_segment()),
              prepare(writer.wants_preparation()),
              remove(writer.wants_removal()) {}
    };
    struct drop_result {
        storage_error error;
        bool dropped;
        writer_state writer;
    };

    static opened_files open_files(FileSystem& fs, const std::string& state, std::uint64_t segment_size,
                                   std::uint64_t salt) {
        const std::string path = state + "/wal";
        opened_files files;
        const auto fail = [&](const error_code& code, const std::string& what) {
            files.error = {code, what};
            return std::move(files);
        };
        auto base = fs.open_directory(state);
        if (!base) return fail(base.error(), "cannot open " + state);
        const auto made = fs.make_directory(*base, "wal", 0700);
        if (!made && made.error() != errc::already_exists) return fail(made.error(), "cannot make " + path);
        if (auto synced = fs.sync_directory(*base); !synced) return fail(synced.error(), "cannot sync " + state);
        auto dir = fs.open_directory_at(*base, "wal");
        if (!dir) return fail(dir.error(), "cannot open " + path);
        auto read_dir = fs.open_directory_at(*base, "wal");
        if (!read_dir) return fail(read_dir.error(), "cannot open " + path);

        wal_recovery<FileSystem> recovery(fs, *dir, path);
        if (files.error = recovery.run(); files.error.code) return files;
        auto& log = recovery.recovered();
        files.writer = std::make_shared<log_writer>(fs, std::move(*dir), path, segment_size, salt, log);
        if (files.error = files.writer->start(); files.error.code) return files;
        files.reader = std::make_shared<log_reader>(fs, std::move(*read_dir), path);
        files.bytes = files.writer->bytes();
        files.log = std::move(log.log);
        files.index = std::move(log.index);
        return files;
    }

    template <class F>
    auto guarded(F f) {
        return [alive = std::weak_ptr<int>(alive_), f = std::move(f)](auto&&... args) mutable {
            if (alive.lock()) f(std::forward<decltype(args)>(args)...);
        };
    }

    void answer(appended_handler done) {
        const storage_error error = failed_.code ? failed_ : storage_error{errc::halted, {}};
        rt_.post(guarded([done = std::move(done), error] { done(error); }));
    }

    log_index last_index() const noexcept { return base_ + index_.size(); }
    /// In index_; `at` is behind the base.
    std::size_t place_of(log_index at) const noexcept { return static_cast<std::size_t>(at - base_ - 1); }

    /// One job at a time: what was appended meanwhile goes into the next. Segments that are not needed are removed
    /// between two writes, one at a time, so that an append never waits for more than that.
    void work() {
        if (busy_ || failed_.code) return;
        const bool may_drop = waiting_.empty() || wrote_last_;
        wrote_last_ = false;
        if (drop_ && may_drop) drop();
        else if (remove_ && may_drop) upkeep([](log_writer& writer) { return writer.remove_first(); });
        else if (!waiting_.empty()) write();
        else if (prepare_) upkeep([](log_writer& writer) { return writer.prepare(); });
    }

    void write() {
        busy_ = wrote_last_ = true;
        std::vector<wal_append> group;
        std::uint64_t bytes = 0;
        while (!waiting_.empty()) {
            auto& next = waiting_.front();
            bytes += next.what.size();
            if (!group.empty() && bytes > options_.group_bytes_max) break;
            const auto& records = next.what.batch.records;
            const log_index first = records.empty() ? log_index() : records.front().index;
            writing_.push_back({first, records.size(), next.what.anew, std::move(next.done)});
            group.push_back(std::move(next.what));
            waiting_.pop_front();
        }
        auto job = [writer = writer_, group = std::move(group)] {
            auto written = writer->write(group);
            return std::pair(std::move(written), writer_state(*writer));
        };
        offload(rt_, lane::log, std::move(job), guarded([this](std::pair<wal_written, writer_state> result) {
                    note(result.second);
                    finish(std::move(result.first));
                }));
    }

    void note(const writer_state& writer) {
        busy_ = false;
        bytes_ = writer.bytes;
        prepare_ = writer.prepare;
        remove_ = writer.remove;
        if (std::exchange(first_segment_, writer.first_segment) == writer.first_segment) return;
        auto job = [reader = reader_, first = writer.first_segment] {
            reader->forget_before(first);
            return 0;
        };
        offload(rt_, lane::reads, std::move(job), guarded([](int) {}));
    }

    void finish(wal_written written) {
        auto group = std::exchange(writing_, {});
        std::size_t next = 0;
        for (std::size_t i = 0; i < written.durable; ++i) {
            if (group[i].anew) {
                index_.clear();
                base_ = group[i].anew->index;
            }
            if (group[i].count == 0) continue;
            LOCKSTEP_ASSERT(group[i].first > base_);
            index_.resize(place_of(group[i].first));
            const auto from = written.places.begin() + static_cast<std::ptrdiff_t>(next);
            index_.insert(index_.end(), from, from + static_cast<std::ptrdiff_t>(group[i].count));
            next += group[i].count;
        }
        if (written.error.code) fail(written.error, group);
        work();
        const std::weak_ptr<int> alive = alive_;
        for (std::size_t i = 0; i < group.size(); ++i) {
            group[i].done(i < written.durable ? storage_error{} : written.error);
            if (alive.expired()) return;
        }
    }

    /// The rest of the group, and what waits behind it, fails with the first error.
    void fail(const storage_error& error, std::deque<append_wait>& group) {
        failed_ = error;
        for (auto& call : waiting_) group.push_back({log_index(), 0, {}, std::move(call.done)});
        waiting_.clear();
    }

    /// Anything but an append: no handler waits for it, and its failure is told to the next one.
    template <class F>
    void upkeep(F f) {
        busy_ = true;
        auto job = [writer = writer_, f] {
            auto error = f(*writer);
            return std::pair(std::move(error), writer_state(*writer));
        };
        offload(rt_, lane::log, std::move(job), guarded([this](std::pair<storage_error, writer_state> result) {
                    note(result.second);
                    upkept(std::move(result.first));
                }));
    }

    void upkept(storage_error error) {
        if (!error.code) return work();
        failed_ = std::move(error);
        for (auto& call : waiting_) answer(std::move(call.done));
        waiting_.clear();
    }

    /// A segment is needed as long as anything behind `drop_` stands in it.
    void drop() {
        const log_position to = *std::exchange(drop_, std::nullopt);
        if (to.index <= base_ || to.index > last_index()) return work();
        busy_ = true;
        const std::uint64_t needed = to.index == last_index() ? 0 : index_[place_of(to.index + 1)].segment;
        auto job = [writer = writer_, to, needed] {
            bool dropped = false;
            auto error = writer->drop(to, needed, dropped);
            return drop_result{std::move(error), dropped, writer_state(*writer)};
        };
        offload(rt_, lane::log, std::move(job), guarded([this, to](drop_result result) {
                    note(result.writer);
                    if (result.dropped) {
                        const auto count = static_cast<std::ptrdiff_t>(to.index - base_);
                        index_.erase(index_.begin(), index_.begin() + count);
                        base_ = to.index;
                    }
                    upkept(std::move(result.error));
                }));
    }

    /// What was truncated while it was being read is not handed out.
    void finish_read(log_index from, log_index to, std::size_t bytes_max, const std::vector<record_location>& places,
                     wal_read result, records_handler done) {
        std::size_t valid = 0;
        if (from <= base_) return read(from, to, bytes_max, std::move(done));  // dropped meanwhile: it says so
        const std::size_t first = place_of(from);
        while (valid < places.size() && first + valid < index_.size() && index_[first + valid] == places[valid])
            ++valid;
        if (valid == 0) return read(from, to, bytes_max, std::move(done));
        if (result.records.size() > valid) result.records.resize(valid);
        if (!result.records.empty()) result.error = {};
        done(std::move(result.records), std::move(result.error));
    }

    Runtime& rt_;
    FileSystem& fs_;
    std::string state_directory_;
    wal_options options_;
    std::shared_ptr<log_writer> writer_;   ///< used by jobs of the log lane only
    std::shared_ptr<log_reader> reader_;   ///< used by jobs of the lane of reads only
    log_index base_;
    std::vector<record_location> index_;   ///< of the records behind the base
    std::optional<log_position> drop_;     ///< what is to be dropped
    std::optional<log_index> appended_;   ///< the last index once all appends are done; none: nothing appended yet
    std::deque<append_call> waiting_;
    std::deque<append_wait> writing_;
    std::uint64_t bytes_ = 0;
    storage_error failed_;
    bool asked_to_open_ = false;
    bool busy_ = false;
    bool wrote_last_ = false;              ///< the last job was a write
    bool prepare_ = false;                 ///< the writer would like to
    bool remove_ = false;
    std::uint64_t first_segment_ = 0;      ///< that the reader may hold open
    bool closed_ = false;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace lockstep::storage
