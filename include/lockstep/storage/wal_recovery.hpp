// Reads a write-ahead log back after a stop of any kind: replays whole batches, cuts a torn tail, refuses corruption.
// Runs once, before anything is appended. The rules are argued in docs/formats/wal.md.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/concepts/file_system.hpp>
#include <lockstep/concepts/log_storage.hpp>
#include <lockstep/storage/wal_format.hpp>
#include <lockstep/storage/write_again.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::storage {

/// Where a record is.
struct record_location {
    std::uint32_t segment = 0;  ///< its sequence
    wal_format::record_place place;
    friend bool operator==(const record_location&, const record_location&) = default;
};

/// A segment on disk.
struct wal_segment {
    wal_format::segment_header header;
    std::uint64_t size = 0;  ///< of the file
};

struct recovered_wal {
    recovered_log log;
    std::vector<record_location> index;  ///< of the records behind the base
    std::uint64_t batches = 0;           ///< number of the last
    std::vector<wal_segment> segments;   ///< those found, without a gap
    std::uint64_t first_needed = 1;      ///< segments before this one are only in the way
    std::uint64_t current = 0;           ///< segment to append to; later ones are empty. 0: there are none
    std::uint64_t offset = 0;            ///< to append at
};

/// The name of a segment that is still being made.
inline constexpr std::string_view wal_unfinished_name = "wal.new";

template <file_system FileSystem>
class wal_recovery {
public:
    using directory = typename FileSystem::directory;

    /// `path` names the directory in errors.
    wal_recovery(FileSystem& fs, directory& dir, std::string path) : fs_(fs), dir_(dir), path_(std::move(path)) {}

    /// corrupt, newer_format, or what the file system said. Everything recovered is durable on success.
    storage_error run() {
        if (auto error = find_segments(); error.code) return error;
        for (std::uint64_t s = first_segment_; s < first_segment_ + segment_count_; ++s) {
            if (auto error = scan(s); error.code) return error;
        }
        if (auto error = find_beginning(); error.code) return error;
        if (auto error = cut(); error.code) return error;
        wal_.current = stop_.segment;
        wal_.offset = stop_.offset;
        return make_durable();
    }

    recovered_wal& recovered() noexcept { return wal_; }

private:
    /// The first place where no whole batch stands.
    struct stop {
        std::uint64_t segment = 0;
        std::uint64_t offset = 0;
        std::uint64_t bad = 0;   ///< what did not validate: the batch, or a record of it
        bool clean = true;       ///< nothing but zeros follows in this segment
    };
    struct extent {
        std::uint64_t segment;
        std::uint64_t from;
        std::uint64_t to;
    };

    storage_error failure(error_code code, std::uint64_t segment, const std::string& what) const {
        return {code, path_ + "/" + wal_format::segment_name(segment) + ": " + what};
    }
    storage_error corruption(std::uint64_t segment, std::uint64_t offset, const std::string& what) const {
        sometimes(probe::log_refused_as_corrupt);
        return failure(errc::corrupt, segment, "at offset " + std::to_string(offset) + ": " + what);
    }

    storage_error missing(std::uint64_t segment) const {
        return failure(errc::corrupt, segment, "the segment is missing, later ones are there");
    }

    storage_error find_segments() {
        const auto items = fs_.list(dir_);
        if (!items) return {items.error(), "cannot list " + path_};
        std::vector<std::uint64_t> sequences;
        for (const auto& item : *items) {
            if (item.name == wal_unfinished_name) {
                if (auto removed = fs_.remove_file(dir_, item.name); !removed) {
                    return {removed.error(), "cannot remove " + path_ + "/" + item.name};
                }
            }
            if (const auto sequence = wal_format::sequence_of(item.name)) sequences.push_back(*sequence);
        }
        std::sort(sequences.begin(), sequences.end());
        segment_count_ = sequences.size();
        if (sequences.empty()) return {};
        first_segment_ = sequences.front();
        if (first_segment_ == 0) return failure(errc::corrupt, 0, "there is no such segment");
        for (std::size_t i = 0; i < sequences.size(); ++i) {
            if (sequences[i] != first_segment_ + i) return missing(first_segment_ + i);
        }
        // With segments gone it is not known yet what the first batch goes on from.
        if (first_segment_ > 1) first_ = log_index();
        return {};
    }

    storage_error load(std::uint64_t s, byte_buffer& bytes, wal_format::segment_header& header) {
        const std::string name = wal_format::segment_name(s);
        auto file = fs_.open_file(dir_, name, open_mode::read, 0);
        if (!file) return failure(file.error(), s, "cannot open");
        const auto status = fs_.status(*file);
        if (!status) return failure(status.error(), s, "cannot read its size");
        if (status->size > wal_format::segment_size_max) return failure(errc::corrupt, s, "the file is too large");
        bytes.resize(static_cast<std::size_t>(status->size));
        const auto read = fs_.read_at(*file, 0, bytes);
        if (!read) return failure(read.error(), s, "cannot read");
        bytes.resize(*read);
        const auto decoded = wal_format::decode_header(bytes);
        if (!decoded && decoded.error() == errc::newer_format) {
            return failure(decoded.error(), s, "its format is newer than this program");
        }
        if (!decoded) return corruption(s, 0, "the header is damaged");
        if (decoded->sequence != s) return corruption(s, 0, "the header belongs to another segment");
        header = *decoded;
        wal_.segments.push_back({header, bytes.size()});
        return {};
    }

    storage_error scan(std::uint64_t s) {
        byte_buffer bytes;
        wal_format::segment_header header;
        if (auto error = load(s, bytes, header); error.code) return error;
        const std::uint64_t seed = wal_format::segment_seed(header);
        std::uint64_t unread = wal_format::header_size;
        if (stop_.clean) {
            // Either the log goes on here, or this segment is empty: it is made ahead, or it was not of the version for
            // what came next.
            const bool empty = end_of_data(bytes, unread) == unread;
            if (empty && stop_.segment != 0) return {};
            stop_ = {s, unread, unread, true};
            doubtful_.clear();   // nothing is written to a segment before all of the one before it was synced
            if (auto error = replay(bytes, header); error.code) return error;
            unread = stop_.offset;
            stop_.clean = end_of_data(bytes, unread) == unread;
            if (stop_.clean) return {};
        } else if (const auto found = find_batch(bytes, seed, unread, 0)) {
            // Nothing is written to a segment before all of the one before it was synced.
            return corruption(stop_.segment, stop_.bad, damage(s, *found));
        }
        if (const auto found = find_batch(bytes, seed, unread, wal_.batches + 1)) {
            return corruption(stop_.segment, stop_.bad, damage(s, *found));
        }
        if (const std::uint64_t end = end_of_data(bytes, unread); end > unread) torn_.push_back({s, unread, end});
        return {};
    }

    std::string damage(std::uint64_t s, std::uint64_t offset) const {
        return "damaged, and the log goes on behind it in " + wal_format::segment_name(s) + " at offset " +
               std::to_string(offset);
    }

    /// Replays batches from stop_.offset on, and moves it behind the last whole one.
    storage_error replay(byte_view bytes, const wal_format::segment_header& header) {
        const std::uint64_t seed = wal_format::segment_seed(header);
        for (;;) {
            const std::uint64_t at = stop_.offset;
            stop_.bad = at;
            const auto batch = wal_format::read_batch_header(bytes, at, seed);
            if (!batch) return {};
            if (wal_.batches == 0 && first_segment_ > 1 && batch->number != 0) wal_.batches = batch->number - 1;
            if (batch->number != wal_.batches + 1) {
                return corruption(stop_.segment, at, "batch " + std::to_string(batch->number) + " stands where batch " +
                                                         std::to_string(wal_.batches + 1) + " should");
            }
            std::uint64_t end = at + wal_format::batch_header_size;
            std::vector<std::pair<lockstep::term, wal_format::record_place>> records;
            std::optional<wal_format::base_record> base;
            for (std::uint32_t i = 0; i < batch->count; ++i) {
                const auto record = wal_format::read_record(bytes.subspan(static_cast<std::size_t>(end)), end, seed);
                const bool own = record && record->kind >= wal_format::kind_base;
                if (own && header.format >= wal_format::version_with_base && batch->count == 1)
                    base = wal_format::read_base(*record);
                if (!record || record->index != batch->first + i || (own && !base)) {
                    stop_.bad = end;
                    return {};
                }
                const auto length = static_cast<std::uint32_t>(record->data.size());
                records.push_back({record->term, {static_cast<std::uint32_t>(end), length}});
                end += wal_format::record_size(length);
            }
            if (end - at != wal_format::batch_header_size + batch->body) {
                return corruption(stop_.segment, at, "the batch says another length than it has");
            }
            ++wal_.batches;
            doubtful_.push_back({wal_.batches, at});
            while (!doubtful_.empty() && doubtful_.front().number <= batch->durable) doubtful_.pop_front();
            wal_.log.term = batch->term;
            wal_.log.voted_for = batch->voted_for;
            if (base && !take(*base)) return corruption(stop_.segment, at, "the log does not hold its own base");
            if (!base && batch->count != 0 && !take(*batch, records)) {
                return corruption(stop_.segment, at, "the batch leaves a gap in the log");
            }
            stop_.offset = end;
        }
    }

    /// Returns false if the records do not follow what is there.
    bool take(const wal_format::batch_header& batch,
              const std::vector<std::pair<lockstep::term, wal_format::record_place>>& records) {
        auto& runs = wal_.log.runs;
        if (batch.first <= wal_.log.base.index) return false;
        if (first_.value == 0 || batch.first < first_) first_ = batch.first;  // what was before is in segments removed
        else if (batch.first - first_ > wal_.index.size()) return false;
        wal_.index.resize(static_cast<std::size_t>(std::min<std::uint64_t>(batch.first - first_, wal_.index.size())));
        while (!runs.empty() && runs.back().first >= batch.first) runs.pop_back();
        log_index index = batch.first;
        for (const auto& [record_term, place] : records) {
            if (runs.empty() || runs.back().term != record_term) runs.push_back({index, record_term});
            wal_.index.push_back({static_cast<std::uint32_t>(stop_.segment), place});
            ++index;
        }
        return true;
    }

    /// The log begins behind `base`. If no segment that it still needed then has been removed since, all that is behind
    /// it has been seen. Otherwise a later one says more. Returns false if it contradicts what was seen.
    bool take(const wal_format::base_record& base) {
        if (base.at.index.value == 0 || base.first_segment > stop_.segment) return false;
        if (base.anew) {
            wal_.index.clear();
            wal_.log.runs.clear();
            first_ = base.at.index + 1;
        } else if (base.at.index < wal_.log.base.index) {
            return false;
        } else if (base.first_segment >= first_segment_) {
            if (first_.value == 0) first_ = base.at.index + 1;
            if (first_ > base.at.index + 1 || first_ + wal_.index.size() <= base.at.index) return false;
        }
        wal_.log.base = base.at;
        wal_.first_needed = base.first_segment;
        return true;
    }

    /// Leaves what is behind the base.
    storage_error find_beginning() {
        if (first_segment_ > wal_.first_needed) return missing(wal_.first_needed);
        const log_index base = wal_.log.base.index;
        auto& runs = wal_.log.runs;
        wal_.index.erase(wal_.index.begin(), wal_.index.begin() + static_cast<std::ptrdiff_t>(base + 1 - first_));
        wal_.log.last_index = base + wal_.index.size();
        while (runs.size() > 1 && runs[1].first <= base + 1) runs.erase(runs.begin());
        if (wal_.index.empty()) runs.clear();
        else runs.front().first = std::max(runs.front().first, base + 1);
        return {};
    }

    /// A batch at or behind `from` that was written once batch `durable` had been synced.
    static std::optional<std::uint64_t> find_batch(byte_view bytes, std::uint64_t seed, std::uint64_t from,
                                                   std::uint64_t durable) {
        for (std::uint64_t at = from; at + wal_format::batch_header_size <= bytes.size(); at += wal_format::alignment) {
            const auto batch = wal_format::read_batch_header(bytes, at, seed);
            if (batch && batch->durable >= durable) return at;
        }
        return std::nullopt;
    }

    /// Behind the last byte that is not zero; `from` if there is none.
    static std::uint64_t end_of_data(byte_view bytes, std::uint64_t from) {
        static constexpr std::array<std::byte, 512> zeros{};   // a segment is filled with them far ahead of the log
        std::uint64_t end = std::max<std::uint64_t>(bytes.size(), from);
        while (end - from >= zeros.size() &&
               equal(bytes.subspan(static_cast<std::size_t>(end - zeros.size()), zeros.size()), zeros))
            end -= zeros.size();
        while (end > from && bytes[static_cast<std::size_t>(end - 1)] == std::byte{0}) --end;
        return end;
    }

    /// Zeros what a write that never completed left behind, so that it can never be taken for a later one.
    storage_error cut() {
        sometimes(probe::log_tail_torn, !torn_.empty());
        for (const extent& torn : torn_) {
            auto file = fs_.open_file(dir_, wal_format::segment_name(torn.segment), open_mode::read_write, 0);
            if (!file) return failure(file.error(), torn.segment, "cannot open to cut its torn tail");
            constexpr std::uint64_t piece = std::uint64_t{1} << 18;
            const byte_buffer zeros(static_cast<std::size_t>(std::min(piece, torn.to - torn.from)));
            for (std::uint64_t at = torn.from; at < torn.to; at += piece) {
                const auto length = static_cast<std::size_t>(std::min(piece, torn.to - at));
                if (auto written = fs_.write_at(*file, at, byte_view(zeros).first(length)); !written) {
                    return failure(written.error(), torn.segment, "cannot cut its torn tail");
                }
            }
            if (auto synced = fs_.sync_data(*file); !synced) {
                return failure(synced.error(), torn.segment, "cannot sync after cutting its torn tail");
            }
            wal_.log.torn_bytes += torn.to - torn.from;
        }
        return {};
    }

    /// A process that died between write and sync, or in a sync that failed, left batches that only the page cache has.
    storage_error make_durable() {
        if (stop_.segment != 0) {
            auto file = fs_.open_file(dir_, wal_format::segment_name(stop_.segment), open_mode::read_write, 0);
            if (!file) return failure(file.error(), stop_.segment, "cannot open");
            const std::uint64_t from = doubtful_.empty() ? stop_.offset : doubtful_.front().offset;
            if (auto written = write_again(fs_, *file, from, stop_.offset); !written)
                return failure(written.error(), stop_.segment, "cannot write its last batches once more");
            if (auto synced = fs_.sync_data(*file); !synced)
                return failure(synced.error(), stop_.segment, "cannot sync");
        }
        if (auto synced = fs_.sync_directory(dir_); !synced) return {synced.error(), "cannot sync " + path_};
        return {};
    }

    FileSystem& fs_;
    directory& dir_;
    std::string path_;
    std::uint64_t first_segment_ = 1;  ///< of those found
    std::uint64_t segment_count_ = 0;
    log_index first_ = log_index(1);   ///< of the record that wal_.index begins with; 0: not known
    recovered_wal wal_;
    stop stop_;
    struct batch_start {
        std::uint64_t number;
        std::uint64_t offset;
    };
    std::deque<batch_start> doubtful_;   ///< batches of its segment that are not known to have been synced
    std::vector<extent> torn_;
};

}  // namespace lockstep::storage
