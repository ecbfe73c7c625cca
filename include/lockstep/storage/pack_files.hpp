// The packs of a chunk store on the disk: found at a start, appended to. Blocking: jobs of one lane, one at a time.
// Format and recovery: docs/formats/packs.md.
#pragma once

#include <lockstep/concepts/file_system.hpp>
#include <lockstep/concepts/log_storage.hpp>
#include <lockstep/storage/pack_format.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::storage {

/// Where a chunk is.
struct chunk_place {
    std::uint64_t pack = 0;
    std::uint64_t offset = 0;   ///< of its bytes
    std::uint32_t bytes = 0;
};

struct stored_chunk {
    content_hash hash;
    chunk_place place;
};

template <file_system FileSystem>
class pack_files {
public:
    using directory = typename FileSystem::directory;
    using file = typename FileSystem::file;

    struct opened {
        storage_error error;
        std::vector<stored_chunk> chunks;
        std::vector<std::string> problems;   ///< a line each, for a person: what was damaged
        std::uint64_t bytes = 0;
    };

    /// `path`: the directory of the packs, made if only its last name is missing.
    pack_files(FileSystem& fs, std::string path, std::uint64_t pack_bytes_max)
        : fs_(fs), path_(std::move(path)), pack_bytes_max_(pack_bytes_max) {}

    opened open() {
        opened out;
        if (auto made = make_directory(); !made) return out.error = {made.error(), path_}, out;
        auto items = fs_.list(*dir_);
        if (!items) return out.error = {items.error(), path_}, out;
        std::vector<std::uint64_t> numbers;
        for (const auto& item : *items)
            if (const auto number = pack_format::number_of(item.name)) numbers.push_back(*number);
        std::sort(numbers.begin(), numbers.end());
        for (std::size_t i = 0; i < numbers.size() && !out.error.code; ++i) read_pack(numbers[i], i + 1 == numbers.size(), out);
        if (!numbers.empty()) last_ = numbers.back();
        out.bytes = bytes_;
        return out;
    }

    /// Makes chunks durable, all or none. no_space: nothing changed, and a later call may succeed. After any other error
    /// what is durable is unknown: no call may follow.
    result<std::vector<stored_chunk>> append(const std::vector<std::pair<content_hash, shared_bytes>>& chunks) {
        std::vector<stored_chunk> stored;
        byte_buffer bytes;
        if (!file_ || size_ >= pack_bytes_max_) LOCKSTEP_TRY(begin_pack());
        for (const auto& [hash, chunk] : chunks) {
            stored.push_back({hash, {last_, size_ + bytes.size() + pack_format::record_header_size,
                                     static_cast<std::uint32_t>(chunk.size())}});
            pack_format::append_record(bytes, hash, chunk.view());
        }
        if (auto written = fs_.write_at(*file_, size_, bytes); !written) {
            // A full disk may have taken a part. What stands behind the end is not read, but takes room.
            if (written.error() == errc::no_space && fs_.resize(*file_, size_)) return written.error();
            return fatal(written.error());
        }
        if (auto synced = fs_.sync_data(*file_); !synced) return fatal(synced.error());
        size_ += bytes.size();
        bytes_ += bytes.size();
        return stored;
    }

    std::uint64_t bytes() const noexcept { return bytes_; }

private:
    /// no_space from a sync is as final as any other error there.
    static error_code fatal(error_code why) { return why == errc::no_space ? make_error_code(errc::io_error) : why; }

    result<> make_directory() {
        auto there = fs_.open_directory(path_);
        if (!there && there.error() == errc::not_found) {
            const auto slash = path_.rfind('/');
            auto above = fs_.open_directory(path_.substr(0, slash));
            if (!above) return above.error();
            LOCKSTEP_TRY(fs_.make_directory(*above, path_.substr(slash + 1), 0700));
            LOCKSTEP_TRY(fs_.sync_directory(*above));
            there = fs_.open_directory(path_);
        }
        if (!there) return there.error();
        dir_.emplace(std::move(*there));
        return {};
    }

    result<> begin_pack() {
        const std::uint64_t number = last_ + 1;
        const std::string name = pack_format::pack_name(number);
        (void)fs_.remove_file(*dir_, name);   // one that could not be begun
        auto made = fs_.open_file(*dir_, name, open_mode::create_new, 0600);
        if (!made) return made.error();
        if (auto written = fs_.write_at(*made, 0, pack_format::encode_header(number)); !written) {
            (void)fs_.remove_file(*dir_, name);
            return written.error();
        }
        if (auto synced = fs_.sync_file(*made); !synced) return fatal(synced.error());
        if (auto synced = fs_.sync_directory(*dir_); !synced) return fatal(synced.error());
        file_.emplace(std::move(*made));
        last_ = number;
        size_ = pack_format::header_size;
        bytes_ += size_;
        return {};
    }

    /// Records are found by their headers. Of the last pack the chunks are read too: a write that never completed may
    /// have left headers without what belongs to them. In others all was durable before the next pack was begun.
    void read_pack(std::uint64_t number, bool last, opened& out) {
        const std::string name = pack_format::pack_name(number);
        auto f = fs_.open_file(*dir_, name, last ? open_mode::read_write : open_mode::read, 0);
        if (!f) return void(out.error = {f.error(), path_ + "/" + name});
        const auto status = fs_.status(*f);
        if (!status) return void(out.error = {status.error(), path_ + "/" + name});
        bytes_ += status->size;
        byte_buffer header(pack_format::header_size);
        if (!read_exactly(*f, 0, header) || !pack_format::decode_header(header)) {
            const auto why = pack_format::decode_header(header);
            if (!why && why.error() == errc::newer_format) return void(out.error = {why.error(), path_ + "/" + name});
            // Never finished, if it is the last; else what was in it has to come from others again.
            if (!last) out.problems.push_back(path_ + "/" + name + " is damaged: its chunks are fetched again when they are needed");
            return;
        }
        // A process that died before it synced left chunks that only the page cache has.
        if (last)
            if (auto synced = fs_.sync_data(*f); !synced) return void(out.error = {synced.error(), path_ + "/" + name});
        const bool whole = read_records(*f, number, status->size, last, out);
        if (!last || !whole) return;
        size_ = status->size;
        file_.emplace(std::move(*f));
    }

    /// False: something in it is no record, or not what it says. Nothing is appended to such a pack.
    bool read_records(file& f, std::uint64_t number, std::uint64_t size, bool check, opened& out) {
        byte_buffer header(pack_format::record_header_size);
        byte_buffer chunk;
        bool whole = true;
        for (std::uint64_t at = pack_format::header_size; at < size;) {
            const auto record = read_exactly(f, at, header) ? pack_format::decode_record(header) : std::nullopt;
            if (!record || at + pack_format::record_size(record->bytes) > size) {
                whole = false;
                at = next_magic(f, at + pack_format::alignment, size);
                continue;
            }
            const std::uint64_t bytes_at = at + pack_format::record_header_size;
            bool good = true;
            if (check) {
                chunk.resize(record->bytes);
                good = read_exactly(f, bytes_at, chunk) && sha256(byte_view(chunk)) == record->hash;
            }
            whole = whole && good;
            if (good) out.chunks.push_back({record->hash, {number, bytes_at, record->bytes}});
            at = good ? at + pack_format::record_size(record->bytes) : next_magic(f, at + pack_format::alignment, size);
        }
        return whole;
    }

    /// Where the next record may begin; the end where none does.
    std::uint64_t next_magic(file& f, std::uint64_t at, std::uint64_t end) {
        byte_buffer window(std::size_t{1} << 18);
        for (; at < end; at += window.size()) {
            const auto got = fs_.read_at(f, at, std::span<std::byte>(window));
            if (!got) return end;
            for (std::size_t i = 0; i + 4 <= *got; i += pack_format::alignment)
                if (load_le<std::uint32_t>(window.data() + i) == pack_format::record_magic) return at + i;
        }
        return end;
    }

    bool read_exactly(file& f, std::uint64_t at, byte_buffer& into) {
        const auto got = fs_.read_at(f, at, std::span<std::byte>(into));
        return got && *got == into.size();
    }

    FileSystem& fs_;
    std::string path_;
    std::uint64_t pack_bytes_max_;
    std::optional<directory> dir_;
    std::optional<file> file_;     // the last pack, where it can be appended to
    std::uint64_t last_ = 0;
    std::uint64_t size_ = 0;       // of it
    std::uint64_t bytes_ = 0;      // of all
};

/// Reads chunks whose places are known. Opens what it needs; used by one thread at a time.
template <file_system FileSystem>
class chunk_reader {
public:
    struct located {
        std::string path;
        std::vector<std::optional<stored_chunk>> chunks;   ///< in the order asked for; nothing: not here
    };

    chunk_reader(FileSystem& fs, located what) : fs_(fs), what_(std::move(what)) {}

    /// Checked against its name. not_found; corrupt: something else stands there; what the file system says.
    result<shared_bytes> read(std::size_t i) {
        const auto& chunk = what_.chunks[i];
        if (!chunk) return make_error_code(errc::not_found);
        if (!file_ || open_ != chunk->place.pack) LOCKSTEP_TRY(open(chunk->place.pack));
        byte_buffer bytes(chunk->place.bytes);
        const auto got = fs_.read_at(*file_, chunk->place.offset, std::span<std::byte>(bytes));
        if (!got) return got.error();
        if (*got != bytes.size() || sha256(byte_view(bytes)) != chunk->hash) return make_error_code(errc::corrupt);
        return shared_bytes(std::move(bytes));
    }

private:
    result<> open(std::uint64_t pack) {
        file_.reset();
        auto dir = fs_.open_directory(what_.path);
        if (!dir) return dir.error();
        auto f = fs_.open_file(*dir, pack_format::pack_name(pack), open_mode::read, 0);
        if (!f) return f.error();
        file_.emplace(std::move(*f));
        open_ = pack;
        return {};
    }

    FileSystem& fs_;
    located what_;
    std::optional<typename FileSystem::file> file_;
    std::uint64_t open_ = 0;
};

}  // namespace lockstep::storage
