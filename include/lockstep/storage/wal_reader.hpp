// Reads records of a write-ahead log by their places. Blocking: it lives on the lane of reads, one call at a time.
#pragma once

#include <lockstep/concepts/file_system.hpp>
#include <lockstep/storage/wal_format.hpp>
#include <lockstep/storage/wal_recovery.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::storage {

struct wal_read {
    std::vector<log_record> records;
    storage_error error;
};

template <file_system FileSystem>
class wal_reader {
public:
    using directory = typename FileSystem::directory;
    using file = typename FileSystem::file;

    wal_reader(FileSystem& fs, directory dir, std::string path)
        : fs_(fs), dir_(std::move(dir)), path_(std::move(path)) {}

    /// The records from `first` on, at these places; on an error those before it.
    wal_read read(log_index first, const std::vector<record_location>& places) {
        wal_read result;
        for (std::size_t i = 0; i < places.size() && !result.error.code;) {
            std::size_t end = i + 1;
            while (end < places.size() && adjoins(places[end - 1], places[end])) ++end;
            result.error = read_extent(first + i, places, i, end, result.records);
            i = end;
        }
        return result;
    }

    /// Lets go of segments that were removed, so that the disk gets their space back.
    void forget_before(std::uint64_t sequence) {
        std::erase_if(open_, [&](const auto& kept) { return kept->sequence < sequence; });
    }

private:
    /// Records further apart than this (headers of batches, records cut off) are read one by one.
    static constexpr std::uint64_t gap_max = 4096;
    static constexpr std::size_t open_max = 4;

    struct segment {
        std::uint32_t sequence;
        std::uint64_t seed;
        file handle;
    };

    static std::uint64_t end_of(const record_location& at) noexcept {
        return at.place.offset + wal_format::record_size(at.place.length);
    }
    static bool adjoins(const record_location& a, const record_location& b) noexcept {
        return a.segment == b.segment && b.place.offset >= end_of(a) && b.place.offset - end_of(a) <= gap_max;
    }

    std::string name_of(std::uint32_t sequence) const { return path_ + "/" + wal_format::segment_name(sequence); }

    /// Reads [from, to) of `places` with one call; the records share its bytes.
    storage_error read_extent(log_index index, const std::vector<record_location>& places, std::size_t from,
                              std::size_t to, std::vector<log_record>& records) {
        const std::uint32_t sequence = places[from].segment;
        segment* source = nullptr;
        if (auto error = open(sequence, source); error.code) return error;
        const std::uint64_t start = places[from].place.offset;
        byte_buffer buffer(static_cast<std::size_t>(end_of(places[to - 1]) - start));
        const auto read = fs_.read_at(source->handle, start, buffer);
        if (!read) return {read.error(), name_of(sequence) + ": cannot read"};
        buffer.resize(*read);
        const shared_bytes bytes(std::move(buffer));
        for (std::size_t i = from; i < to; ++i, ++index) {
            const std::uint64_t offset = places[i].place.offset;
            const auto at = static_cast<std::size_t>(offset - start);
            const byte_view rest = bytes.view().subspan(std::min(at, bytes.size()));
            const auto record = wal_format::read_record(rest, offset, source->seed);
            const bool own = record && record->kind < wal_format::kind_base;
            if (!own || record->index != index || record->data.size() != places[i].place.length) {
                return {errc::corrupt, name_of(sequence) + ": at offset " + std::to_string(offset) + ": damaged"};
            }
            const std::size_t data = at + wal_format::record_header_size;
            const auto kind = static_cast<std::uint8_t>(record->kind);
            records.push_back({record->index, record->term, kind, bytes.slice(data, record->data.size())});
        }
        return {};
    }

    storage_error open(std::uint32_t sequence, segment*& found) {
        for (auto& candidate : open_) {
            if (candidate->sequence != sequence) continue;
            found = candidate.get();
            return {};
        }
        auto opened = fs_.open_file(dir_, wal_format::segment_name(sequence), open_mode::read, 0);
        if (!opened) return {opened.error(), name_of(sequence) + ": cannot open"};
        byte_buffer head(wal_format::header_size);
        const auto read = fs_.read_at(*opened, 0, head);
        if (!read) return {read.error(), name_of(sequence) + ": cannot read"};
        head.resize(*read);
        const auto header = wal_format::decode_header(head);
        if (!header) return {header.error(), name_of(sequence) + ": at offset 0: the header is damaged"};
        if (open_.size() == open_max) open_.erase(open_.begin());
        const std::uint64_t seed = wal_format::segment_seed(*header);
        open_.push_back(std::make_unique<segment>(segment{sequence, seed, std::move(*opened)}));
        found = open_.back().get();
        return {};
    }

    FileSystem& fs_;
    directory dir_;
    std::string path_;
    std::vector<std::unique_ptr<segment>> open_;
};

}  // namespace lockstep::storage
