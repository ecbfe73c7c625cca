// Appends chunks to packs, seals packs that are full, and removes packs. Blocking: it lives on the lane of chunks, one
// call at a time. It knows of no table and no liveness. After a failure that is final it is not used again.
#pragma once

#include <lockstep/concepts/file_system.hpp>
#include <lockstep/concepts/log_storage.hpp>
#include <lockstep/storage/chunk_catalog.hpp>
#include <lockstep/storage/pack_reader.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::storage {

/// What became of some chunks.
struct chunks_written {
    std::vector<placed_chunk> durable;
    std::vector<pack_size> packs;   ///< those that grew
    storage_error error;            ///< why not all of them are durable
    bool final = false;             ///< what the disk has now is not known: nothing may be written any more
};

template <file_system FileSystem>
class pack_writer {
public:
    using directory = typename FileSystem::directory;
    using file = typename FileSystem::file;

    /// `path` names the directory in errors; `next` is above the number of every pack there; `active` is what the
    /// unsealed pack holds, if there is one to go on in: its file ends where it says, and is synced.
    pack_writer(FileSystem& fs, directory dir, std::string path, std::uint64_t pack_bytes, std::uint64_t salt,
                std::uint32_t next, std::optional<pack_format::pack_index> active)
        : fs_(fs), dir_(std::move(dir)), path_(std::move(path)), pack_bytes_(pack_bytes), salt_(salt), next_(next),
          sealing_(std::move(active)) {}

    directory& dir() noexcept { return dir_; }

    /// Takes a chunk for the next commit(). False: an error, which take() tells; the rest is then taken back.
    bool add(const content_hash& hash, byte_view data) {
        return !failed() && (make_room(pack_format::record_size(data.size())) && append(hash, data));
    }

    /// Makes durable what was added, and tells what became of all since the last call.
    chunks_written take() {
        if (!failed()) commit();
        if (failed() && !written_.final) take_back();
        return std::exchange(written_, {});
    }

    /// Removes a pack and its index, durably.
    chunks_written remove(std::uint32_t pack) {
        chunks_written result;
        for (const auto& name : {pack_format::index_name(pack), pack_format::pack_name(pack)}) {
            auto removed = fs_.remove_file(dir_, name);
            if (!removed && removed.error() != errc::not_found) {
                result.error = failure(removed.error(), name, "cannot remove");
                return result;
            }
        }
        if (auto synced = fs_.sync_directory(dir_); !synced) {
            result.error = {synced.error(), "cannot sync " + path_};
            result.final = true;
        }
        return result;
    }

    /// Writes the index of a pack whose data are durable. A full disk is no error: the pack is then read as a whole at
    /// the next start.
    storage_error write_index(const pack_format::pack_index& index) {
        const std::string name = pack_format::index_name(index.pack.number);
        if (auto removed = fs_.remove_file(dir_, name); !removed && removed.error() != errc::not_found) {
            return passing(removed.error()) ? storage_error{} : failure(removed.error(), name, "cannot remove");
        }
        auto made = fs_.open_file(dir_, name, open_mode::create_new, 0600);
        if (!made) return passing(made.error()) ? storage_error{} : failure(made.error(), name, "cannot create");
        if (auto written = fs_.write_at(*made, 0, pack_format::encode_index(index)); !written) {
            if (!passing(written.error())) return failure(written.error(), name, "cannot write");
            auto removed = fs_.remove_file(dir_, name);
            return removed ? storage_error{} : failure(removed.error(), name, "cannot remove");
        }
        if (auto synced = fs_.sync_file(*made); !synced) return failure(synced.error(), name, "cannot sync");
        if (auto synced = fs_.sync_directory(dir_); !synced) return {synced.error(), "cannot sync " + path_};
        return {};
    }

    /// The disk is full, and may have room again: what was synced is as it was.
    static bool passing(const error_code& code) noexcept {
        return code == errc::no_space || code == errc::too_many_open_files;
    }

private:
    static constexpr std::size_t buffer_max = std::size_t{1} << 20;

    bool failed() const noexcept { return bool(written_.error.code); }
    std::uint64_t end() const noexcept { return offset_ + buffer_.size(); }

    storage_error failure(const error_code& code, const std::string& name, const char* what) const {
        return {code, path_ + "/" + name + ": " + what};
    }
    bool fail(storage_error error, bool final) {
        written_.error = std::move(error);
        written_.final = final;
        // Who hears of a full disk waits for room. That would not help any more.
        if (final && passing(written_.error.code)) written_.error.code = make_error_code(errc::io_error);
        return false;
    }
    bool fail(const error_code& code, const char* what) {
        return fail(failure(code, pack_format::pack_name(sealing_->pack.number), what), !passing(code));
    }

    bool make_room(std::uint64_t record) {
        if (sealing_) {
            if (!open_active()) return false;
            const bool fits = end() + record <= pack_bytes_ || end() == pack_format::header_size;
            if (fits && sealing_->entries.size() + unsynced_.size() < pack_format::pack_chunks_max) return true;
            if (!commit() || !seal()) return false;
        }
        return create();
    }

    bool append(const content_hash& hash, byte_view data) {
        const auto at = static_cast<std::uint32_t>(end());
        pack_format::append_record(buffer_, at, seed_, synced_, hash, data);
        unsynced_.push_back({hash, at, static_cast<std::uint32_t>(data.size())});
        return buffer_.size() < buffer_max || flush();
    }

    /// The one that was left unsealed by the last run.
    bool open_active() {
        if (file_) return true;
        auto opened = fs_.open_file(dir_, pack_format::pack_name(sealing_->pack.number), open_mode::read_write, 0);
        if (!opened) return fail(opened.error(), "cannot open");
        begin(std::move(*opened), sealing_->pack_bytes);
        return true;
    }

    void begin(file f, std::uint64_t offset) {
        file_.emplace(std::move(f));
        offset_ = synced_ = offset;
        seed_ = pack_format::pack_seed(sealing_->pack);
    }

    /// Its header and its name are durable before there is any record: a pack without a header never had one.
    bool create() {
        const pack_format::pack_header header{next_++, salt_};
        const std::string name = pack_format::pack_name(header.number);
        auto made = fs_.open_file(dir_, name, open_mode::create_new, 0600);
        if (!made) return fail(failure(made.error(), name, "cannot create"), !passing(made.error()));
        if (auto written = fs_.write_at(*made, 0, pack_format::encode_header(header)); !written) {
            (void)fs_.remove_file(dir_, name);
            return fail(failure(written.error(), name, "cannot write"), !passing(written.error()));
        }
        if (auto synced = fs_.sync_file(*made); !synced) {
            return fail(failure(synced.error(), name, "cannot sync"), true);
        }
        if (auto synced = fs_.sync_directory(dir_); !synced) {
            return fail({synced.error(), "cannot sync " + path_}, true);
        }
        sealing_.emplace();
        sealing_->pack = header;
        sealing_->pack_bytes = pack_format::header_size;
        written_.packs.push_back({static_cast<std::uint32_t>(header.number), pack_format::header_size});
        begin(std::move(*made), pack_format::header_size);
        return true;
    }

    bool flush() {
        if (buffer_.empty()) return true;
        if (auto written = fs_.write_at(*file_, offset_, buffer_); !written) {
            return fail(written.error(), "cannot write");
        }
        offset_ += buffer_.size();
        buffer_.clear();
        return true;
    }

    bool commit() {
        if (unsynced_.empty()) return true;
        if (!flush()) return false;
        if (auto synced = fs_.sync_data(*file_); !synced) {
            return fail(failure(synced.error(), pack_format::pack_name(sealing_->pack.number), "cannot sync"), true);
        }
        synced_ = offset_;
        sealing_->pack_bytes = synced_;
        const auto pack = static_cast<std::uint32_t>(sealing_->pack.number);
        for (const pack_entry& entry : unsynced_) {
            sealing_->entries.push_back(entry);
            written_.durable.push_back({entry.hash, {pack, entry.offset, entry.length}});
        }
        unsynced_.clear();
        written_.packs.push_back({pack, synced_});
        return true;
    }

    /// Precondition: commit() has succeeded: an index never speaks of what is not durable.
    bool seal() {
        if (auto error = write_index(*sealing_); error.code) return fail(std::move(error), true);
        file_.reset();
        sealing_.reset();
        return true;
    }

    /// Cuts off what was written and not synced, in part perhaps: the next chunks go where it began.
    void take_back() {
        buffer_.clear();
        unsynced_.clear();
        if (!file_) return;
        offset_ = synced_;
        auto cut = fs_.resize(*file_, synced_);
        if (!cut) fail(failure(cut.error(), pack_format::pack_name(sealing_->pack.number), "cannot cut"), true);
    }

    FileSystem& fs_;
    directory dir_;
    std::string path_;
    std::uint64_t pack_bytes_;
    std::uint64_t salt_;
    std::uint32_t next_;
    std::optional<pack_format::pack_index> sealing_;   ///< of the pack that is appended to; none: the next makes one
    std::optional<file> file_;
    std::uint64_t seed_ = 0;
    std::uint64_t offset_ = 0;   ///< where the buffer will be written
    std::uint64_t synced_ = 0;
    byte_buffer buffer_;
    std::vector<pack_entry> unsynced_;
    chunks_written written_;
};

}  // namespace lockstep::storage
