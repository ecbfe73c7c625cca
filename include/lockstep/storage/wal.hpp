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
                    bytes_ = files.bytes;
                    done(std::move(files.log), {});
                }));
    }

    /// Precondition: open() has succeeded, the batch is contiguous and leaves no gap behind what was appended before.
    void append(log_batch batch, appended_handler done) {
        LOCKSTEP_ASSERT(closed_ || failed_.code || writer_ != nullptr);
        if (closed_ || failed_.code) return answer(std::move(done));
        if (!batch.records.empty()) {
            const log_index last = appended_.value_or(log_index(index_.size()));
            LOCKSTEP_ASSERT(batch.records.front().index.value != 0 && batch.records.front().index <= last + 1);
            for (std::size_t i = 1; i < batch.records.size(); ++i) {
                LOCKSTEP_ASSERT(batch.records[i].index == batch.records[i - 1].index + 1);
            }
            appended_ = batch.records.back().index;
        }
        waiting_.push_back({std::move(batch), std::move(done)});
        work();
    }

    /// not_found where the log has no record at `from`.
    void read(log_index from, log_index to, std::size_t bytes_max, records_handler done) {
        if (closed_ || reader_ == nullptr || from.value == 0 || from > to || from.value > index_.size()) {
            const error_code why = closed_ || reader_ == nullptr ? errc::halted : errc::not_found;
            rt_.post(guarded([done = std::move(done), why] { done({}, {why, {}}); }));
            return;
        }
        std::vector<record_location> places;
        std::size_t bytes = 0;
        for (log_index at = from; at <= to && at.value <= index_.size(); ++at) {
            const record_location& place = index_[static_cast<std::size_t>(at.value - 1)];
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
        log_batch batch;
        appended_handler done;
    };
    struct append_wait {
        log_index first;        ///< 0: no records
        std::size_t count = 0;
        appended_handler done;
    };
    struct written_group {
        wal_written written;
        std::uint64_t bytes = 0;
        bool prepare = false;
    };
    struct prepared {
        storage_error error;
        std::uint64_t bytes = 0;
        bool more = false;
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

    /// One job at a time: what was appended meanwhile goes into the next.
    void work() {
        if (busy_ || waiting_.empty()) return;
        busy_ = true;
        std::vector<log_batch> group;
        std::uint64_t bytes = 0;
        while (!waiting_.empty()) {
            auto& next = waiting_.front();
            bytes += wal_format::batch_size(next.batch);
            if (!group.empty() && bytes > options_.group_bytes_max) break;
            const auto& records = next.batch.records;
            writing_.push_back(
                {records.empty() ? log_index() : records.front().index, records.size(), std::move(next.done)});
            group.push_back(std::move(next.batch));
            waiting_.pop_front();
        }
        auto job = [writer = writer_, group = std::move(group)] {
            written_group result;
            result.written = writer->write(group);
            result.bytes = writer->bytes();
            result.prepare = writer->wants_preparation();
            return result;
        };
        offload(rt_, lane::log, std::move(job), guarded([this](written_group result) { finish(std::move(result)); }));
    }

    void finish(written_group result) {
        busy_ = false;
        bytes_ = result.bytes;
        auto group = std::exchange(writing_, {});
        std::size_t next = 0;
        for (std::size_t i = 0; i < result.written.durable; ++i) {
            if (group[i].count == 0) continue;
            index_.resize(static_cast<std::size_t>(group[i].first.value - 1));
            const auto from = result.written.places.begin() + static_cast<std::ptrdiff_t>(next);
            index_.insert(index_.end(), from, from + static_cast<std::ptrdiff_t>(group[i].count));
            next += group[i].count;
        }
        if (result.written.error.code) fail(result.written.error, group);
        else if (!waiting_.empty()) work();
        else if (result.prepare) prepare();
        const std::weak_ptr<int> alive = alive_;
        for (std::size_t i = 0; i < group.size(); ++i) {
            group[i].done(i < result.written.durable ? storage_error{} : result.written.error);
            if (alive.expired()) return;
        }
    }

    /// The rest of the group, and what waits behind it, fails with the first error.
    void fail(const storage_error& error, std::deque<append_wait>& group) {
        failed_ = error;
        for (auto& call : waiting_) group.push_back({log_index(), 0, std::move(call.done)});
        waiting_.clear();
    }

    /// While there is nothing to append, the next segment is prepared step by step.
    void prepare() {
        busy_ = true;
        auto job = [writer = writer_] {
            prepared result;
            result.error = writer->prepare();
            result.bytes = writer->bytes();
            result.more = writer->wants_preparation();
            return result;
        };
        offload(rt_, lane::log, std::move(job), guarded([this](prepared result) {
                    busy_ = false;
                    bytes_ = result.bytes;
                    if (result.error.code) {
                        failed_ = result.error;
                        for (auto& call : waiting_) answer(std::move(call.done));
                        waiting_.clear();
                        return;
                    }
                    if (!waiting_.empty()) work();
                    else if (result.more) prepare();
                }));
    }

    /// What was truncated while it was being read is not handed out.
    void finish_read(log_index from, log_index to, std::size_t bytes_max, const std::vector<record_location>& places,
                     wal_read result, records_handler done) {
        std::size_t valid = 0;
        const auto first = static_cast<std::size_t>(from.value - 1);
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
    std::vector<record_location> index_;
    std::optional<log_index> appended_;   ///< the last index once all appends are done; none: nothing appended yet
    std::deque<append_call> waiting_;
    std::deque<append_wait> writing_;
    std::uint64_t bytes_ = 0;
    storage_error failed_;
    bool asked_to_open_ = false;
    bool busy_ = false;
    bool closed_ = false;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace lockstep::storage
