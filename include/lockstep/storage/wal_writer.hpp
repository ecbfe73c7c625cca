// Writes batches to the segments of a write-ahead log, prepares segments ahead of need, and removes those that are not
// needed any more. Blocking: it lives on the log lane, one call at a time. After any failure it is not used again.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/concepts/file_system.hpp>
#include <lockstep/storage/wal_format.hpp>
#include <lockstep/storage/wal_recovery.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::storage {

/// An append, or with `anew` a reset: then the batch has no records.
struct wal_append {
    log_batch batch;
    std::optional<log_position> anew;

    std::uint64_t size() const noexcept { return anew ? wal_format::base_batch_size : wal_format::batch_size(batch); }
};

/// What became of a group of appends.
struct wal_written {
    std::vector<record_location> places;  ///< of the records of the durable appends, in order
    std::size_t durable = 0;              ///< appends, from the first on
    storage_error error;                  ///< why the rest is not
};

template <file_system FileSystem>
class wal_writer {
public:
    using directory = typename FileSystem::directory;
    using file = typename FileSystem::file;

    /// `path` names the directory in errors, `salt` is unpredictable, `log` was recovered from `dir`.
    wal_writer(FileSystem& fs, directory dir, std::string path, std::uint64_t segment_size, std::uint64_t salt,
               const recovered_wal& log)
        : fs_(fs),
          dir_(std::move(dir)),
          path_(std::move(path)),
          segment_size_(segment_size),
          salt_(salt),
          batches_(log.batches),
          durable_(log.batches),
          current_(log.current),
          offset_(log.offset),
          term_(log.log.term),
          voted_for_(log.log.voted_for),
          first_needed_(log.first_needed),
          segments_(log.segments) {}

    /// Opens the segment to append to, or makes the first. Removes what a crash left over.
    storage_error start() {
        while (wants_removal()) {
            if (auto error = remove_first(); error.code) return error;
        }
        if (current_ == 0) return advance(0);
        return open_current();
    }

    std::uint64_t bytes() const noexcept {
        std::uint64_t sum = 0;
        for (const auto& segment : segments_) sum += segment.size;
        return sum;
    }

    /// Makes the appends durable, in order: one write and one sync for all that go to one segment.
    wal_written write(const std::vector<wal_append>& appends) {
        wal_written result;
        for (const auto& append : appends) {
            const std::uint64_t size = append.size() + (append.anew ? 0 : wal_format::base_batch_size);
            if (size > wal_format::segment_size_max - wal_format::header_size) {
                result.error = {errc::too_large, path_ + ": a batch of " + std::to_string(append.size()) + " bytes"};
                break;
            }
            while (size > current().size - offset_ - buffer_.size() || (append.anew && !takes_base())) {
                if (result.error = flush(result); result.error.code) return result;
                if (result.error = advance(size); result.error.code) return result;
            }
            term_ = append.batch.term;
            voted_for_ = append.batch.voted_for;
            if (append.anew) {
                append_base({*append.anew, current_, true});
            } else {
                wal_format::append_batch(buffer_, offset_ + buffer_.size(), seed(), ++batches_, durable_, append.batch,
                                         unsynced_);
            }
            ++unsynced_appends_;
        }
        if (!result.error.code) result.error = flush(result);
        return result;
    }

    /// Makes durable that the log begins behind `base`, and so that segments before `needed` (0: the one that is
    /// written to) may be removed, if there are any. Says whether it did. With a full disk it does not, which is no
    /// error.
    storage_error drop(log_position base, std::uint64_t needed, bool& dropped) {
        dropped = false;
        if (needed == 0) needed = current_;
        if (needed <= segments_.front().header.sequence) return {};
        while (!takes_base() || wal_format::base_batch_size > current().size - offset_) {
            if (auto error = advance(wal_format::base_batch_size); error.code) return put_off(std::move(error));
        }
        append_base({base, needed, false});
        wal_written none;
        if (auto error = flush(none); error.code) return error;
        dropped = true;
        return {};
    }

    bool wants_removal() const noexcept {
        return !segments_.empty() && segments_.front().header.sequence < first_needed_;
    }
    /// One at a time, each removal durable before the next, so that those that are left never have a gap.
    storage_error remove_first() {
        const std::string name = wal_format::segment_name(segments_.front().header.sequence);
        auto removed = fs_.remove_file(dir_, name);
        if (!removed) return failure(removed.error(), name, "cannot remove");
        if (auto synced = fs_.sync_directory(dir_); !synced) return {synced.error(), "cannot sync " + path_};
        segments_.erase(segments_.begin());
        return {};
    }
    /// The first one that is there.
    std::uint64_t first_segment() const noexcept { return segments_.front().header.sequence; }

    /// The next segment ought to be prepared before it is needed.
    bool wants_preparation() const noexcept {
        return current_ == last_segment() && !gave_up_ && offset_ > current().size / 2;
    }

    /// A small step of that preparation. A full disk is no error yet: it is one once the segment is needed.
    storage_error prepare() { return put_off(step()); }

private:
    /// Bytes of zeros written and synced in one step, so that an append hardly waits for it.
    static constexpr std::size_t step_size = std::size_t{1} << 18;
    /// A buffer that grew beyond this is not kept.
    static constexpr std::size_t buffer_kept_max = std::size_t{4} << 20;

    struct unfinished {
        file handle;
        std::uint64_t size = 0;
    };

    std::uint64_t last_segment() const noexcept { return segments_.empty() ? 0 : segments_.back().header.sequence; }
    std::size_t place_of_current() const noexcept { return static_cast<std::size_t>(current_ - first_segment()); }
    wal_segment& current() noexcept { return segments_[place_of_current()]; }
    const wal_segment& current() const noexcept { return segments_[place_of_current()]; }
    std::uint64_t seed() const noexcept { return wal_format::segment_seed(current().header); }
    bool takes_base() const noexcept { return current().header.format >= wal_format::version_with_base; }

    void append_base(const wal_format::base_record& base) {
        const std::uint64_t at = offset_ + buffer_.size();
        wal_format::append_base(buffer_, at, seed(), ++batches_, durable_, term_, voted_for_, base);
        unsynced_needed_ = base.first_segment;
    }

    storage_error put_off(storage_error error) {
        if (error.code != errc::no_space) return error;
        gave_up_ = true;
        if (unfinished_) (void)fs_.remove_file(dir_, wal_unfinished_name);
        unfinished_.reset();
        return {};
    }

    storage_error failure(const error_code& code, std::string_view name, const char* what) const {
        return {code, path_ + "/" + std::string(name) + ": " + what};
    }

    storage_error open_current() {
        const std::string name = wal_format::segment_name(current_);
        auto opened = fs_.open_file(dir_, name, open_mode::read_write, 0);
        if (!opened) return failure(opened.error(), name, "cannot open");
        file_.emplace(std::move(*opened));
        return {};
    }

    storage_error flush(wal_written& result) {
        if (buffer_.empty()) return {};
        const std::string name = wal_format::segment_name(current_);
        if (auto written = fs_.write_at(*file_, offset_, buffer_); !written) {
            return failure(written.error(), name, "cannot write");
        }
        if (auto synced = fs_.sync_data(*file_); !synced) {
            sometimes(probe::failed_sync_ended_log, synced.error() == errc::io_error);
            return failure(synced.error(), name, "cannot sync");
        }
        offset_ += buffer_.size();
        durable_ = batches_;
        for (const auto& place : unsynced_) result.places.push_back({static_cast<std::uint32_t>(current_), place});
        result.durable += std::exchange(unsynced_appends_, 0);
        first_needed_ = unsynced_needed_;
        unsynced_.clear();
        buffer_.clear();
        if (buffer_.capacity() > buffer_kept_max) buffer_.shrink_to_fit();
        return {};
    }

    /// Goes on in the next segment, with room for a batch of `size`.
    storage_error advance(std::uint64_t size) {
        while (current_ == last_segment()) {
            if (auto error = step(); error.code) return error;
        }
        ++current_;
        offset_ = wal_format::header_size;
        gave_up_ = false;
        if (auto error = open_current(); error.code) return error;
        wal_segment& segment = current();
        if (size <= segment.size - offset_) return {};
        // A batch larger than a segment gets one of its own size.
        const std::string name = wal_format::segment_name(current_);
        while (segment.size < offset_ + size) {
            if (auto error = extend(*file_, segment.size, offset_ + size, name); error.code) return error;
        }
        return {};
    }

    /// Writes zeros behind `size`, up to a step further or to `end`, and syncs them.
    storage_error extend(file& handle, std::uint64_t& size, std::uint64_t end, std::string_view name) {
        const byte_buffer zeros(static_cast<std::size_t>(std::min<std::uint64_t>(step_size, end - size)));
        if (auto written = fs_.write_at(handle, size, zeros); !written) {
            return failure(written.error(), name, "cannot preallocate");
        }
        if (auto synced = fs_.sync_file(handle); !synced) return failure(synced.error(), name, "cannot sync");
        size += zeros.size();
        return {};
    }

    /// A segment appears under its name only when all of it is durable: what is found later is never half made.
    storage_error step() {
        if (!unfinished_) {
            auto made = fs_.open_file(dir_, wal_unfinished_name, open_mode::create_new, 0600);
            if (!made) return failure(made.error(), wal_unfinished_name, "cannot create");
            unfinished_.emplace(unfinished{std::move(*made), 0});
        }
        if (unfinished_->size < segment_size_) {
            return extend(unfinished_->handle, unfinished_->size, segment_size_, wal_unfinished_name);
        }
        const std::uint64_t sequence = last_segment() + 1;
        const wal_format::segment_header header{sequence, salt_};
        if (auto written = fs_.write_at(unfinished_->handle, 0, wal_format::encode_header(header)); !written) {
            return failure(written.error(), wal_unfinished_name, "cannot write");
        }
        if (auto synced = fs_.sync_file(unfinished_->handle); !synced) {
            return failure(synced.error(), wal_unfinished_name, "cannot sync");
        }
        const std::string name = wal_format::segment_name(sequence);
        if (auto renamed = fs_.rename(dir_, wal_unfinished_name, dir_, name, rename_mode::replace); !renamed) {
            return failure(renamed.error(), name, "cannot rename the new segment");
        }
        if (auto synced = fs_.sync_directory(dir_); !synced) return {synced.error(), "cannot sync " + path_};
        segments_.push_back({header, unfinished_->size});
        unfinished_.reset();
        return {};
    }

    FileSystem& fs_;
    directory dir_;
    std::string path_;
    std::uint64_t segment_size_;
    std::uint64_t salt_;
    std::uint64_t batches_;   ///< number of the last one
    std::uint64_t durable_;   ///< number of the last one synced
    std::uint64_t current_;   ///< sequence of the segment to append to; 0: none yet
    std::uint64_t offset_;
    lockstep::term term_;     ///< of the last append
    node_id voted_for_;
    std::uint64_t first_needed_;                        ///< durably
    std::uint64_t unsynced_needed_ = first_needed_;     ///< with what is in the buffer
    std::vector<wal_segment> segments_;   ///< without a gap
    std::optional<file> file_;
    std::optional<unfinished> unfinished_;
    bool gave_up_ = false;    ///< preparing; until the next segment is needed
    byte_buffer buffer_;
    std::vector<wal_format::record_place> unsynced_;   ///< of the appends in the buffer
    std::size_t unsynced_appends_ = 0;
};

}  // namespace lockstep::storage
