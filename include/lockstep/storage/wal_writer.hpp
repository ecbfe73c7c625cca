// Writes batches to the segments of a write-ahead log, and prepares segments ahead of need. Blocking: it lives on
// the log lane, one call at a time. After any failure it is not used again.
#pragma once

#include <lockstep/concepts/file_system.hpp>
#include <lockstep/storage/wal_format.hpp>
#include <lockstep/storage/wal_recovery.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::storage {

/// What became of a group of batches.
struct wal_written {
    std::vector<record_location> places;  ///< of the records of the durable batches, in order
    std::size_t durable = 0;              ///< batches, from the first on
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
          segments_(log.segments) {}

    /// Opens the segment to append to, or makes the first.
    storage_error start() {
        if (current_ == 0) return advance(0);
        return open_current();
    }

    std::uint64_t bytes() const noexcept {
        std::uint64_t sum = 0;
        for (const auto& segment : segments_) sum += segment.size;
        return sum;
    }

    /// Makes the batches durable, in order: one write and one sync for all that go to one segment.
    wal_written write(const std::vector<log_batch>& batches) {
        wal_written result;
        for (const auto& batch : batches) {
            const std::uint64_t size = wal_format::batch_size(batch);
            if (size > wal_format::segment_size_max - wal_format::header_size) {
                result.error = {errc::too_large, path_ + ": a batch of " + std::to_string(size) + " bytes"};
                break;
            }
            if (size > current().size - offset_ - buffer_.size()) {
                if (result.error = flush(result); result.error.code) break;
                if (result.error = advance(size); result.error.code) break;
            }
            wal_format::append_batch(buffer_, offset_ + buffer_.size(), wal_format::segment_seed(current().header),
                                     ++batches_, durable_, batch, unsynced_);
            ++unsynced_batches_;
        }
        if (!result.error.code) result.error = flush(result);
        return result;
    }

    /// The next segment ought to be prepared before it is needed.
    bool wants_preparation() const noexcept {
        return current_ == segments_.size() && !gave_up_ && offset_ > current().size / 2;
    }

    /// A small step of that preparation. A full disk is no error yet: it is one once the segment is needed.
    storage_error prepare() {
        auto error = step();
        if (error.code != errc::no_space) return error;
        gave_up_ = true;
        if (unfinished_) (void)fs_.remove_file(dir_, wal_unfinished_name);
        unfinished_.reset();
        return {};
    }

private:
    /// Bytes of zeros written and synced in one step, so that an append hardly waits for it.
    static constexpr std::size_t step_size = std::size_t{1} << 18;
    /// A buffer that grew beyond this is not kept.
    static constexpr std::size_t buffer_kept_max = std::size_t{4} << 20;

    struct unfinished {
        file handle;
        std::uint64_t size = 0;
    };

    const wal_segment& current() const noexcept { return segments_[static_cast<std::size_t>(current_ - 1)]; }

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
        if (auto synced = fs_.sync_data(*file_); !synced) return failure(synced.error(), name, "cannot sync");
        offset_ += buffer_.size();
        durable_ = batches_;
        for (const auto& place : unsynced_) result.places.push_back({static_cast<std::uint32_t>(current_), place});
        result.durable += std::exchange(unsynced_batches_, 0);
        unsynced_.clear();
        buffer_.clear();
        if (buffer_.capacity() > buffer_kept_max) buffer_.shrink_to_fit();
        return {};
    }

    /// Goes on in the next segment, with room for a batch of `size`.
    storage_error advance(std::uint64_t size) {
        while (current_ == segments_.size()) {
            if (auto error = step(); error.code) return error;
        }
        ++current_;
        offset_ = wal_format::header_size;
        gave_up_ = false;
        if (auto error = open_current(); error.code) return error;
        wal_segment& segment = segments_[static_cast<std::size_t>(current_ - 1)];
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
        const std::uint64_t sequence = segments_.size() + 1;
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
    std::vector<wal_segment> segments_;
    std::optional<file> file_;
    std::optional<unfinished> unfinished_;
    bool gave_up_ = false;    ///< preparing; until the next segment is needed
    byte_buffer buffer_;
    std::vector<wal_format::record_place> unsynced_;   ///< of the batches in the buffer
    std::size_t unsynced_batches_ = 0;
};

}  // namespace lockstep::storage
