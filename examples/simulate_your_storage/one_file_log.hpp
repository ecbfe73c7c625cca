// A log_storage of our own (docs/concepts/log_storage.md), as simple as one can be: the log is one file, and each append
// writes all of it anew beside the old one and then puts it in its place. Good for logs that stay short.
#pragma once

#include <lockstep/base/byte_reader.hpp>
#include <lockstep/base/checksum.hpp>
#include <lockstep/concepts/file_system.hpp>
#include <lockstep/concepts/log_storage.hpp>
#include <lockstep/concepts/runtime.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

template <lockstep::runtime Runtime, lockstep::file_system FileSystem>
class one_file_log {
public:
    using opened_handler = lockstep::unique_function<void(lockstep::recovered_log, lockstep::storage_error)>;
    using appended_handler = lockstep::unique_function<void(lockstep::storage_error)>;
    using records_handler = lockstep::unique_function<void(std::vector<lockstep::log_record>, lockstep::storage_error)>;

    /// As a node makes it.
    one_file_log(Runtime& rt, FileSystem& fs, std::string directory)
        : rt_(rt), fs_(fs), directory_(std::move(directory)) {}

    void open(opened_handler done) {
        on_disk([&fs = fs_, path = directory_] { return load(fs, path); },
                [this, done = std::move(done)](lockstep::result<contents> loaded) {
                    if (!loaded) return done({}, {loaded.error(), directory_ + "/log"});
                    open_ = true;
                    durable_ = std::move(*loaded);
                    done(recovered(), {});
                });
    }

    void append(lockstep::log_batch batch, appended_handler done) { enqueue({std::move(batch), {}, std::move(done)}); }
    void reset(lockstep::log_position at, lockstep::term term, lockstep::node_id voted_for, appended_handler done) {
        dropped_ = {};
        enqueue({{term, voted_for, {}}, at, std::move(done)});
    }
    /// Gone with the next append.
    void drop_prefix(lockstep::log_position to) {
        dropped_ = to;
        drop(durable_, to);
    }

    void read(lockstep::log_index from, lockstep::log_index to, std::size_t bytes_max, records_handler done) {
        rt_.post(guarded([this, from, to, bytes_max, done = std::move(done)] {
            if (!open_) return done({}, {lockstep::errc::halted, {}});
            std::vector<lockstep::log_record> some;
            std::size_t bytes = 0;
            for (const auto& r : durable_.records) {
                if (r.index < from || r.index > to || (!some.empty() && bytes + r.data.size() > bytes_max)) continue;
                if (!some.empty() && r.index != some.back().index + 1) break;
                bytes += r.data.size();
                some.push_back(r);
            }
            const auto why = some.empty() ? make_error_code(lockstep::errc::not_found) : lockstep::error_code();
            done(std::move(some), {why, {}});
        }));
    }
    std::uint64_t bytes() const noexcept { return bytes_; }
    void close() {
        open_ = writing_ = false;
        alive_ = std::make_shared<int>(0);
        waiting_.clear();
    }

protected:
    Runtime& rt_;

private:
    struct contents {
        lockstep::term term;
        lockstep::node_id voted_for;
        lockstep::log_position base;
        std::vector<lockstep::log_record> records;
    };
    struct call {
        lockstep::log_batch batch;
        std::optional<lockstep::log_position> anew;   // a reset
        appended_handler done;
    };

    void enqueue(call c) {
        waiting_.push_back(std::move(c));
        if (!writing_) rt_.post(guarded([this] { write(); }));
        writing_ = true;
    }

    /// All that waits becomes one file.
    void write() {
        auto calls = std::make_shared<std::vector<call>>(std::exchange(waiting_, {}));
        if (!open_) failed_ = {lockstep::errc::halted, {}};
        if (failed_.code) return answer(*calls);
        auto next = std::make_shared<contents>(durable_);
        for (const call& c : *calls) take(*next, c);
        on_disk([&fs = fs_, path = directory_, bytes = encode(*next)]() -> lockstep::result<std::size_t> {
                    LOCKSTEP_TRY(replace(fs, path, bytes));
                    return bytes.size();
                },
                [this, calls, next](lockstep::result<std::size_t> written) {
                    // What a failed sync left behind nobody knows: from here on nothing is said any more.
                    if (!written) failed_ = {written.error(), "writing " + directory_ + "/log"};
                    if (written) bytes_ = *written;
                    if (written) durable_ = std::move(*next);
                    drop(durable_, dropped_);
                    answer(*calls);
                });
    }
    void answer(const std::vector<call>& calls) {
        writing_ = false;
        const std::weak_ptr<int> alive = alive_;
        for (const call& c : calls)
            if (alive.lock()) c.done(failed_);
        if (!alive.lock() || waiting_.empty() || std::exchange(writing_, true)) return;
        write();
    }

    static void take(contents& to, const call& c) {
        to.term = c.batch.term;
        to.voted_for = c.batch.voted_for;
        if (c.anew) to = {c.batch.term, c.batch.voted_for, *c.anew, {}};
        if (!c.batch.records.empty())
            to.records.resize(static_cast<std::size_t>(c.batch.records.front().index - to.base.index - 1));
        to.records.insert(to.records.end(), c.batch.records.begin(), c.batch.records.end());
    }
    static void drop(contents& from, lockstep::log_position to) {
        if (to.index <= from.base.index || to.index - from.base.index > from.records.size()) return;
        const auto count = static_cast<std::ptrdiff_t>(to.index - from.base.index);
        from.records.erase(from.records.begin(), from.records.begin() + count);
        from.base = to;
    }

    static lockstep::byte_buffer encode(const contents& c) {
        lockstep::byte_buffer bytes;
        for (std::uint64_t n : {c.term.value, c.voted_for.value, c.base.index.value, c.base.term.value})
            lockstep::append_le(bytes, n);
        for (const auto& r : c.records) {
            lockstep::append_le(bytes, r.term.value);
            lockstep::append_le(bytes, r.kind);
            lockstep::append_text(bytes, lockstep::as_text(r.data.view()));
        }
        lockstep::append_le(bytes, lockstep::checksum(bytes));
        return bytes;
    }
    static lockstep::result<contents> decode(lockstep::byte_view bytes) {
        if (bytes.empty()) return contents{};
        if (bytes.size() < 8) return make_error_code(lockstep::errc::corrupt);
        const auto body = bytes.first(bytes.size() - 8);
        if (lockstep::load_le<std::uint64_t>(bytes.data() + body.size()) != lockstep::checksum(body))
            return make_error_code(lockstep::errc::corrupt);
        lockstep::byte_reader reader(body);
        contents c;
        for (std::uint64_t* n : {&c.term.value, &c.voted_for.value, &c.base.index.value, &c.base.term.value})
            *n = reader.number<std::uint64_t>();
        while (!reader.failed() && !reader.finished()) {
            const lockstep::term term(reader.number<std::uint64_t>());
            const auto kind = reader.number<std::uint8_t>();
            const lockstep::log_index index = c.base.index + (c.records.size() + 1);
            c.records.push_back({index, term, kind, lockstep::shared_bytes::copy_of(reader.text())});
        }
        if (reader.failed()) return make_error_code(lockstep::errc::corrupt);
        return c;
    }

    /// After any crash there is the old file or the new one, whole.
    static lockstep::result<> replace(FileSystem& fs, const std::string& path, lockstep::byte_view bytes) {
        auto dir = fs.open_directory(path);
        if (!dir) return dir.error();
        (void)fs.remove_file(*dir, "log.new");
        {
            auto file = fs.open_file(*dir, "log.new", lockstep::open_mode::create_new, 0600);
            if (!file) return file.error();
            LOCKSTEP_TRY(fs.write_at(*file, 0, bytes));
            LOCKSTEP_TRY(fs.sync_data(*file));
        }
        LOCKSTEP_TRY(fs.rename(*dir, "log.new", *dir, "log", lockstep::rename_mode::replace));
        return fs.sync_directory(*dir);
    }
    static lockstep::result<contents> load(FileSystem& fs, const std::string& path) {
        auto dir = fs.open_directory(path);
        if (!dir) return dir.error();
        auto file = fs.open_file(*dir, "log", lockstep::open_mode::read, 0);
        if (!file && file.error() == lockstep::errc::not_found) return contents{};
        if (!file) return file.error();
        auto status = fs.status(*file);
        if (!status) return status.error();
        lockstep::byte_buffer bytes(static_cast<std::size_t>(status->size));
        auto read = fs.read_at(*file, 0, bytes);
        if (!read) return read.error();
        return decode(bytes);
    }

    lockstep::recovered_log recovered() const {
        lockstep::recovered_log log{durable_.term, durable_.voted_for, durable_.base, {}, durable_.base.index, 0};
        log.last_index = durable_.base.index + durable_.records.size();
        for (const auto& r : durable_.records)
            if (log.runs.empty() || log.runs.back().term != r.term) log.runs.push_back({r.index, r.term});
        return log;
    }

    template <class F>
    auto guarded(F f) {
        return [alive = std::weak_ptr<int>(alive_), f = std::move(f)](auto&&... args) mutable {
            if (alive.lock()) f(std::forward<decltype(args)>(args)...);
        };
    }
    template <class Job, class Done>
    void on_disk(Job job, Done done) {
        lockstep::offload(rt_, lockstep::lane::log, std::move(job), guarded(std::move(done)));
    }

    FileSystem& fs_;
    std::string directory_;
    bool open_ = false;
    bool writing_ = false;
    contents durable_;
    lockstep::log_position dropped_;
    std::vector<call> waiting_;
    lockstep::storage_error failed_;
    std::uint64_t bytes_ = 0;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};
