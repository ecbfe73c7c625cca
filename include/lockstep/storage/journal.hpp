// A file of records that is appended to and, now and then, rewritten as a whole: at a start, and when it has grown far
// beyond what it says. Blocking: used inside offloaded jobs, by one thread at a time. What the records say is their
// writer's business. Format: docs/formats/journal.md.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/checksum.hpp>
#include <lockstep/base/endian.hpp>
#include <lockstep/base/probe.hpp>
#include <lockstep/base/unique_function.hpp>
#include <lockstep/concepts/file_system.hpp>
#include <lockstep/concepts/log_storage.hpp>
#include <lockstep/storage/journal_format.hpp>
#include <lockstep/storage/write_again.hpp>

#include <algorithm>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::storage {

/// What a journal held.
struct opened_journal {
    std::vector<byte_buffer> records;
    std::uint64_t torn_bytes = 0;  ///< cut from the end: records that never became durable
    storage_error error;           ///< if set, `records` and `torn_bytes` are not
    bool damaged = false;          ///< the error is what the file holds or cannot be read of it; see salvage()
};

/// How a journal is kept short while it is used.
struct journal_compaction {
    std::uint64_t bytes_min = 4 << 20;  ///< a file that is not larger is left alone
    /// The fewest records that say the same as these.
    unique_function<result<std::vector<byte_buffer>>(const std::vector<byte_buffer>&)> shorten;
};

/// Lifetime: the file system outlives it.
template <file_system FileSystem>
class journal {
public:
    using directory = typename FileSystem::directory;
    using file = typename FileSystem::file;

    /// The file `name` in `dir`; `path` names it in errors. `name` with `.new` behind it is used too.
    journal(FileSystem& fs, directory dir, std::string name, std::string path)
        : fs_(fs), dir_(std::move(dir)), name_(std::move(name)), path_(std::move(path)) {}

    /// Reads what is there, or makes the file. On success all that it gives is durable.
    /// Errors: corrupt (file and offset in the detail), newer_format, what the file system says.
    /// Precondition: called once, before anything else.
    opened_journal open() {
        opened_journal result;
        if (auto removed = fs_.remove_file(dir_, unfinished()); !removed && removed.error() != errc::not_found) {
            result.error = failure(removed.error(), "cannot remove an unfinished rewrite");
            return result;
        }
        auto found = fs_.open_file(dir_, name_, open_mode::read_write, 0);
        if (!found && found.error() == errc::not_found) {
            if (auto made = rewrite({}); !made) result.error = failure(made.error(), "cannot make");
            return result;
        }
        if (!found) result.error = failure(found.error(), "cannot open");
        else result = recover(*found);
        if (result.error.code) return opened_journal{{}, 0, std::move(result.error), result.damaged};
        file_.emplace(std::move(*found));
        return result;
    }

    /// What can still be read of one that open() found damaged: whole records in their order, whatever is missing between
    /// them. It changes nothing; rewrite() may follow. Precondition: open() has failed.
    std::vector<byte_buffer> salvage() {
        std::vector<byte_buffer> records;
        auto found = fs_.open_file(dir_, name_, open_mode::read, 0);
        const auto status = found ? fs_.status(*found) : result<file_status>(found.error());
        if (!status) return records;
        byte_buffer bytes(static_cast<std::size_t>(status->size));
        for (std::size_t at = 0; at < bytes.size(); at += salvaged_piece) {
            // What the device cannot read stays zero.
            const auto piece = std::span(bytes).subspan(at, std::min(salvaged_piece, bytes.size() - at));
            (void)fs_.read_at(*found, at, piece);
        }
        const auto salt = journal_format::decode_header(bytes);
        for (std::uint64_t at = journal_format::header_size; salt && at < bytes.size();) {
            const auto record = journal_format::read_record(bytes, at, *salt);
            if (record) records.emplace_back(record->data.begin(), record->data.end());
            at += record ? record->size : journal_format::alignment;
        }
        return records;
    }

    /// From now on an append that leaves a file that is larger than `bytes_min` and more than twice as long as what it
    /// says rewrites it. Until the directory was synced after that, a crash leaves the old file, which says the same.
    void compact_with(journal_compaction how) {
        compaction_ = std::move(how);
        measure_at_ = compaction_.bytes_min;
    }

    /// Appends records; with `sync`, they and all before them are durable on success. Without, a power failure may lose
    /// them: what is found then is a prefix of what was appended, at least as long as what was synced.
    /// Errors: too_large; no_space (nothing was appended, and a later call may succeed); after any other failure the
    /// journal is done: every later call fails with the same error.
    result<> append(const std::vector<byte_buffer>& records, bool sync) {
        if (failed_) return failed_;
        LOCKSTEP_ASSERT(file_.has_value());
        byte_buffer bytes;
        std::uint64_t number = records_;
        for (const auto& record : records) {
            if (record.size() > journal_format::record_max) return make_error_code(errc::too_large);
            journal_format::append_record(bytes, size_ + bytes.size(), salt_, ++number, durable_, record);
        }
        if (!bytes.empty()) {
            if (auto written = fs_.write_at(*file_, size_, bytes); !written) return take_back(written.error());
            size_ += bytes.size();
            records_ = number;
        }
        if (sync && durable_ != records_) {
            if (auto synced = fs_.sync_data(*file_); !synced) return fail(synced.error());
            durable_ = records_;
        }
        if (compaction_.shorten && size_ > measure_at_) compact();
        return failed_ ? result<>(failed_) : result<>();
    }

    /// Replaces all records, durably and at once: after a crash there are the old ones or these.
    /// Errors: as append; before the new file has the name, nothing has changed and a later call may succeed.
    result<> rewrite(const std::vector<byte_buffer>& records) {
        if (failed_) return failed_;
        auto made = make_file(records);
        if (!made) {
            (void)fs_.remove_file(dir_, unfinished());
            return made.error();
        }
        if (auto renamed = fs_.rename(dir_, unfinished(), dir_, name_, rename_mode::replace); !renamed) {
            return fail(renamed.error());
        }
        if (auto synced = fs_.sync_directory(dir_); !synced) return fail(synced.error());
        file_.emplace(std::move(made->handle));
        salt_ = made->salt;
        size_ = made->size;
        records_ = durable_ = records.size();
        measure_at_ = std::max(compaction_.bytes_min, 2 * size_);
        return {};
    }

    /// Why every later call fails; none where they may succeed.
    const error_code& failed() const noexcept { return failed_; }
    /// Of the file.
    std::uint64_t bytes() const noexcept { return size_; }
    /// In the file: appended since the last rewrite, and those written by it.
    std::uint64_t records() const noexcept { return records_; }

private:
    static constexpr std::size_t salvaged_piece = 512;   ///< a sector
    struct new_file {
        file handle;
        std::uint64_t salt;
        std::uint64_t size;
    };

    std::string unfinished() const { return name_ + ".new"; }

    storage_error failure(const error_code& code, const std::string& what) const { return {code, path_ + ": " + what}; }

    error_code fail(const error_code& error) {
        failed_ = error;
        return error;
    }

    /// A full disk may have taken a part: it must not stand there when more is written behind it.
    error_code take_back(const error_code& error) {
        if (error == errc::no_space && fs_.resize(*file_, size_)) return error;
        return fail(error);
    }

    /// What was appended stands whatever becomes of this, unless the new file had the name already.
    void compact() {
        measure_at_ = 2 * size_;   // where it cannot be made shorter now
        byte_buffer bytes(static_cast<std::size_t>(size_));
        const auto read = fs_.read_at(*file_, 0, bytes);
        if (!read || *read != bytes.size()) return;
        std::vector<byte_buffer> records;
        for (std::uint64_t at = journal_format::header_size; at < size_;) {
            const auto record = journal_format::read_record(bytes, at, salt_);
            if (!record) return;   // damaged: the next start says so, from the file as it is
            records.emplace_back(record->data.begin(), record->data.end());
            at += record->size;
        }
        const auto shorter = compaction_.shorten(records);
        if (!shorter) return;
        std::uint64_t live = journal_format::header_size;
        for (const auto& record : *shorter) live += journal_format::record_size(record.size());
        measure_at_ = std::max(compaction_.bytes_min, 2 * live);
        if (size_ > measure_at_ && !rewrite(*shorter)) measure_at_ = 2 * size_;
    }

    result<new_file> make_file(const std::vector<byte_buffer>& records) {
        if (auto removed = fs_.remove_file(dir_, unfinished()); !removed && removed.error() != errc::not_found) {
            return removed.error();
        }
        auto made = fs_.open_file(dir_, unfinished(), open_mode::create_new, 0600);
        if (!made) return made.error();
        const auto status = fs_.status(*made);
        if (!status) return status.error();
        // Unlike that of any other file, that is all that is asked of it.
        byte_buffer seed;
        append_le(seed, static_cast<std::uint64_t>(fs_.clock_ns()));
        append_le(seed, status->inode);
        const std::uint64_t salt = checksum(seed);
        byte_buffer bytes = journal_format::encode_header(salt);
        std::uint64_t number = 0;
        for (const auto& record : records) {
            if (record.size() > journal_format::record_max) return make_error_code(errc::too_large);
            ++number;
            journal_format::append_record(bytes, bytes.size(), salt, number, number - 1, record);
        }
        LOCKSTEP_TRY(fs_.write_at(*made, 0, bytes));
        LOCKSTEP_TRY(fs_.sync_file(*made));
        return new_file{std::move(*made), salt, bytes.size()};
    }

    opened_journal recover(file& f) {
        opened_journal result;
        const auto status = fs_.status(f);
        if (!status) return {{}, 0, failure(status.error(), "cannot read its size")};
        byte_buffer bytes(static_cast<std::size_t>(status->size));
        const auto read = fs_.read_at(f, 0, bytes);
        if (!read) return {{}, 0, failure(read.error(), "cannot read"), read.error() == errc::io_error};
        bytes.resize(*read);
        const auto salt = journal_format::decode_header(bytes);
        if (!salt && salt.error() == errc::newer_format) {
            return {{}, 0, failure(salt.error(), "its format is newer than this program")};
        }
        if (!salt) return {{}, 0, failure(errc::corrupt, "at offset 0: the header is damaged"), true};
        salt_ = *salt;
        size_ = journal_format::header_size;
        std::deque<std::pair<std::uint64_t, std::uint64_t>> doubtful;   // records not known to have been synced: number, place
        while (const auto record = journal_format::read_record(bytes, size_, salt_)) {
            if (record->number != records_ + 1) {
                return {{}, 0, corruption(std::to_string(record->number) + " stands where another record should"), true};
            }
            result.records.emplace_back(record->data.begin(), record->data.end());
            doubtful.emplace_back(record->number, size_);
            while (!doubtful.empty() && doubtful.front().first <= record->durable) doubtful.pop_front();
            size_ += record->size;
            ++records_;
        }
        if (goes_on_behind(bytes)) return {{}, 0, corruption("damaged, and the journal goes on behind it"), true};
        result.torn_bytes = bytes.size() - size_;
        sometimes(probe::journal_tail_torn, result.torn_bytes != 0);
        result.error = make_durable(f, doubtful.empty() ? size_ : doubtful.front().second, result.torn_bytes != 0);
        durable_ = records_;
        return result;
    }

    storage_error corruption(const std::string& what) const {
        return failure(errc::corrupt, "at offset " + std::to_string(size_) + ": " + what);
    }

    /// A record that was written once the missing one had been synced: what is missing was not just never finished.
    bool goes_on_behind(byte_view bytes) const {
        for (std::uint64_t at = size_; at < bytes.size(); at += journal_format::alignment) {
            const auto record = journal_format::read_record(bytes, at, salt_);
            if (record && record->durable > records_) return true;
        }
        return false;
    }

    storage_error make_durable(file& f, std::uint64_t doubtful, bool cut) {
        if (cut) {
            if (auto resized = fs_.resize(f, size_); !resized)
                return failure(resized.error(), "cannot cut its torn tail");
        }
        // A process that died before it synced, or whose sync failed, left records that only the page cache has.
        if (auto written = write_again(fs_, f, doubtful, size_); !written)
            return failure(written.error(), "cannot write its last records once more");
        if (auto synced = fs_.sync_file(f); !synced) return failure(synced.error(), "cannot sync");
        if (auto synced = fs_.sync_directory(dir_); !synced)
            return failure(synced.error(), "cannot sync its directory");
        return {};
    }

    FileSystem& fs_;
    directory dir_;
    std::string name_;
    std::string path_;
    std::optional<file> file_;
    std::uint64_t salt_ = 0;
    std::uint64_t size_ = 0;
    std::uint64_t records_ = 0;   ///< in the file
    std::uint64_t durable_ = 0;   ///< of those, known to be synced
    journal_compaction compaction_;
    std::uint64_t measure_at_ = 0;   ///< a longer file is compared with what it says
    error_code failed_;
};

}  // namespace lockstep::storage
