// What a pack holds: by its index, or by reading all of it. Changes nothing. Blocking.
#pragma once

#include <lockstep/concepts/file_system.hpp>
#include <lockstep/storage/pack_format.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::storage {

/// A stretch of a pack that was once durable and is not what it was.
struct pack_damage {
    std::uint64_t offset = 0;
    content_hash hash;   ///< of the chunk that was there, where its record still tells
};

struct pack_contents {
    pack_format::pack_index index;      ///< of an unsealed pack: as it would be, up to its last whole record
    bool indexed = false;               ///< from its index file; otherwise all of it was read and checked
    std::uint64_t durable_bytes = 0;    ///< of an unsealed pack: of them it is known that they were synced
    std::uint64_t file_bytes = 0;       ///< beyond index.pack_bytes: a write that never completed
    std::vector<pack_damage> damage;
};

template <file_system FileSystem>
class pack_reader {
public:
    using directory = typename FileSystem::directory;
    using file = typename FileSystem::file;

    pack_reader(FileSystem& fs, directory& dir) : fs_(fs), dir_(dir) {}

    /// Errors: corrupt or truncated: neither header nor index can be read (truncated: such a pack was never finished
    /// being made); newer_format; what the file system says, but for device errors: what cannot be read is damaged.
    result<pack_contents> read(std::uint64_t number) {
        auto opened = fs_.open_file(dir_, pack_format::pack_name(number), open_mode::read, 0);
        if (!opened) return opened.error();
        const auto status = fs_.status(*opened);
        if (!status) return status.error();
        pack_contents contents;
        contents.file_bytes = status->size;

        auto index = read_index(number);
        if (index) {
            if (index->pack.number == number && index->pack_bytes <= status->size) {
                auto header = read_header(*opened);
                // A readable header of another pack: the index is a left-over. An unreadable one: the index knows.
                if (!header && !is_damage(header.error())) return header.error();
                if (!header || *header == index->pack) {
                    contents.index = std::move(*index);
                    contents.indexed = true;
                    return contents;
                }
            }
        } else if (!is_damage(index.error()) && index.error() != errc::not_found) {
            return index.error();
        }

        auto header = read_header(*opened);
        if (!header) return header.error();
        if (header->number != number) return make_error_code(errc::corrupt);
        contents.index.pack = *header;
        LOCKSTEP_TRY(scan(*opened, contents));
        return contents;
    }

private:
    static constexpr std::size_t window_bytes = std::size_t{1} << 20;

    static bool is_damage(const error_code& code) noexcept {
        return code == errc::corrupt || code == errc::truncated || code == errc::io_error || code == errc::too_large;
    }

    result<pack_format::pack_header> read_header(file& from) {
        byte_buffer bytes(pack_format::header_size);
        const auto got = fs_.read_at(from, 0, bytes);
        if (!got) return got.error() == errc::io_error ? make_error_code(errc::corrupt) : got.error();
        return pack_format::decode_header(byte_view(bytes).first(*got));
    }

    result<pack_format::pack_index> read_index(std::uint64_t number) {
        auto opened = fs_.open_file(dir_, pack_format::index_name(number), open_mode::read, 0);
        if (!opened) return opened.error();
        const auto status = fs_.status(*opened);
        if (!status) return status.error();
        if (status->size > pack_format::index_bytes_max) return make_error_code(errc::too_large);
        byte_buffer bytes(static_cast<std::size_t>(status->size));
        const auto got = fs_.read_at(*opened, 0, bytes);
        if (!got) return got.error();
        bytes.resize(*got);
        return pack_format::decode_index(bytes);
    }

    /// Bytes of the file from `at` on, `count` of them where it has so many. What the device cannot read is zero.
    result<byte_view> view(file& from, std::uint64_t at, std::size_t count, std::uint64_t file_bytes) {
        count = static_cast<std::size_t>(std::min<std::uint64_t>(count, file_bytes - at));
        if (at < window_at_ || at + count > window_at_ + window_.size()) {
            const auto most = std::min<std::uint64_t>(std::max(count, window_bytes), file_bytes - at);
            window_.assign(static_cast<std::size_t>(most), std::byte{0});
            window_at_ = at;
            const auto got = fs_.read_at(from, at, window_);
            if (!got && got.error() != errc::io_error) return got.error();
        }
        return byte_view(window_).subspan(static_cast<std::size_t>(at - window_at_), count);
    }

    /// From record to record; behind damage, on to the next place where a record's header stands.
    result<> scan(file& from, pack_contents& contents) {
        const std::uint64_t seed = pack_format::pack_seed(contents.index.pack);
        const std::uint64_t end = contents.file_bytes;
        std::uint64_t at = pack_format::header_size;
        std::uint64_t whole = at;      // the end of the last whole record
        std::uint64_t durable = 0;
        bool astray = false;           // in a stretch without records
        while (at < end) {
            const auto head = view(from, at, pack_format::record_header_size, end);
            if (!head) return head.error();
            const auto record = pack_format::read_record_header(*head, at, seed);
            if (!record) {
                if (!std::exchange(astray, true)) contents.damage.push_back({at, {}});
                at += pack_format::alignment;
                continue;
            }
            astray = false;
            durable = std::max(durable, record->durable);
            const auto all = view(from, at, pack_format::record_header_size + record->length, end);
            if (!all) return all.error();
            const std::uint64_t next = at + pack_format::record_size(record->length);
            const byte_view data = all->subspan(pack_format::record_header_size);
            if (next <= end && pack_format::is_data_of(*record, data, at, seed)) {
                contents.index.entries.push_back({record->hash, static_cast<std::uint32_t>(at), record->length});
                whole = next;
            } else {
                contents.damage.push_back({at, record->hash});
            }
            at = next;
        }
        contents.index.pack_bytes = whole;
        contents.durable_bytes = std::min(whole, durable);   // of a pack without records not even its header
        // What was never known to be durable is a write that did not complete.
        std::erase_if(contents.damage, [&](const pack_damage& d) { return d.offset >= durable; });
        return {};
    }

    FileSystem& fs_;
    directory& dir_;
    byte_buffer window_;
    std::uint64_t window_at_ = 0;
};

}  // namespace lockstep::storage
