// What a store finds at a start: reads indexes, and the packs that have none; cuts what was never completed. Blocking.
#pragma once

#include <lockstep/storage/chunk_store_types.hpp>
#include <lockstep/storage/pack_writer.hpp>
#include <lockstep/storage/write_again.hpp>

#include <limits>
#include <map>
#include <memory>
#include <set>

namespace lockstep::storage {

struct recovered_chunks {
    chunk_catalog catalog;                ///< of a chunk that is there twice, the later place
    chunk_store_report report;
};

template <file_system FileSystem>
class pack_recovery {
public:
    using directory = typename FileSystem::directory;
    using writer = pack_writer<FileSystem>;

    /// `state` is a native path. Makes the directory `chunks` in it where there is none.
    pack_recovery(FileSystem& fs, std::string state, std::uint64_t pack_bytes, std::uint64_t salt)
        : fs_(fs), state_(std::move(state)), path_(state_ + "/chunks"), pack_bytes_(pack_bytes), salt_(salt) {
        found_.catalog = chunk_catalog(mix64(salt));
    }

    storage_error run() {
        auto dir = open_directory();
        if (error_.code) return error_;
        auto items = fs_.list(*dir);
        if (!items) return {items.error(), "cannot list " + path_};
        std::set<std::uint64_t> packs, indexes;
        for (const auto& item : *items) {
            if (const auto number = pack_format::number_of_pack(item.name)) packs.insert(*number);
            else if (const auto index = pack_format::number_of_index(item.name)) indexes.insert(*index);
        }
        if (!packs.empty() && *packs.rbegin() >= std::numeric_limits<std::uint32_t>::max()) {
            const std::string name = pack_format::pack_name(*packs.rbegin());
            return {errc::corrupt, path_ + "/" + name + ": no pack has such a number"};
        }
        for (const std::uint64_t number : packs)
            if (auto error = read(*dir, number); error.code) return error;
        for (const std::uint64_t number : indexes)
            if (!packs.contains(number)) unwanted_.push_back(pack_format::index_name(number));
        // Names of packs may be in the page cache only, if the process died between making one and syncing that.
        if (auto synced = fs_.sync_directory(*dir); !synced) return {synced.error(), "cannot sync " + path_};
        return finish(std::move(*dir), packs.empty() ? 1 : static_cast<std::uint32_t>(*packs.rbegin() + 1));
    }

    recovered_chunks& found() noexcept { return found_; }
    std::shared_ptr<writer> take_writer() noexcept { return std::move(writer_); }

private:
    std::optional<directory> open_directory() {
        const auto fail = [this](const error_code& code, const std::string& what) {
            error_ = {code, what};
            return std::nullopt;
        };
        auto base = fs_.open_directory(state_);
        if (!base) return fail(base.error(), "cannot open " + state_);
        const auto made = fs_.make_directory(*base, "chunks", 0700);
        if (!made && made.error() != errc::already_exists) return fail(made.error(), "cannot make " + path_);
        if (auto synced = fs_.sync_directory(*base); !synced) return fail(synced.error(), "cannot sync " + state_);
        auto dir = fs_.open_directory_at(*base, "chunks");
        if (!dir) return fail(dir.error(), "cannot open " + path_);
        return std::move(*dir);
    }

    void tell_damage(const std::string& what) {
        ++found_.report.damaged;
        if (found_.report.damage.size() < chunk_store_report::damage_max) found_.report.damage.push_back(what);
    }

    storage_error read(directory& dir, std::uint64_t number) {
        const std::string name = path_ + "/" + pack_format::pack_name(number);
        auto contents = pack_reader<FileSystem>(fs_, dir).read(number);
        if (!contents) {
            const bool headless = contents.error() == errc::truncated || contents.error() == errc::corrupt;
            if (headless) return drop_headless(dir, number);
            return {contents.error(), name + ": cannot read"};
        }
        for (const pack_damage& damage : contents->damage) {
            std::string what = name + ": at offset " + std::to_string(damage.offset) + ": damaged";
            if (!damage.hash.empty()) what += ", chunk " + damage.hash.to_string();
            tell_damage(what);
        }
        for (const pack_entry& entry : contents->index.entries) {
            found_.catalog.set({entry.hash, {static_cast<std::uint32_t>(number), entry.offset, entry.length}});
        }
        ++found_.report.packs;
        found_.catalog.grow({static_cast<std::uint32_t>(number), contents->index.pack_bytes});
        last_ = number;
        if (contents->indexed) return {};
        ++found_.report.packs_scanned;
        if (auto error = settle(dir, number, *contents); error.code) return error;
        unsealed_.emplace(number, std::move(contents->index));
        return {};
    }

    /// A header is durable before there are records, so a file of one header's size or less never had any.
    storage_error drop_headless(directory& dir, std::uint64_t number) {
        const std::string name = pack_format::pack_name(number);
        const auto status = fs_.status_at(dir, name);
        if (!status) return {status.error(), path_ + "/" + name + ": cannot look at it"};
        if (status->size > pack_format::header_size) {
            tell_damage(path_ + "/" + name + ": at offset 0: the header is damaged, and there is no index");
        }
        unwanted_.push_back(name);
        return {};
    }

    /// Cuts the tail; and what a process that died, or whose sync failed, had only in the page cache becomes durable.
    storage_error settle(directory& dir, std::uint64_t number, const pack_contents& contents) {
        const std::string name = pack_format::pack_name(number);
        auto file = fs_.open_file(dir, name, open_mode::read_write, 0);
        if (!file) return {file.error(), path_ + "/" + name + ": cannot open"};
        if (contents.index.pack_bytes < contents.file_bytes) {
            found_.report.torn_bytes += contents.file_bytes - contents.index.pack_bytes;
            if (auto cut = fs_.resize(*file, contents.index.pack_bytes); !cut) {
                return {cut.error(), path_ + "/" + name + ": cannot cut"};
            }
        }
        if (auto written = write_again(fs_, *file, contents.durable_bytes, contents.index.pack_bytes); !written)
            return {written.error(), path_ + "/" + name + ": cannot write its last chunks once more"};
        if (auto synced = fs_.sync_file(*file); !synced) return {synced.error(), path_ + "/" + name + ": cannot sync"};
        return {};
    }

    /// The last pack is gone on with if it has no index yet; other packs without one get it now.
    storage_error finish(directory dir, std::uint32_t next) {
        std::optional<pack_format::pack_index> active;
        if (const auto last = unsealed_.find(last_); last != unsealed_.end()) {
            active = std::move(last->second);
            unsealed_.erase(last);
            found_.catalog.set_active(static_cast<std::uint32_t>(last_));
        }
        writer_ = std::make_shared<writer>(fs_, std::move(dir), path_, pack_bytes_, salt_, next, std::move(active));
        for (const auto& [number, index] : unsealed_)
            if (auto error = writer_->write_index(index); error.code) return error;
        for (const auto& name : unwanted_)
            if (auto removed = fs_.remove_file(writer_->dir(), name); !removed && removed.error() != errc::not_found)
                return {removed.error(), path_ + "/" + name + ": cannot remove"};
        return {};
    }

    FileSystem& fs_;
    std::string state_;
    std::string path_;
    std::uint64_t pack_bytes_;
    std::uint64_t salt_;
    storage_error error_;
    recovered_chunks found_;
    std::map<std::uint64_t, pack_format::pack_index> unsealed_;
    std::uint64_t last_ = 0;   ///< the last pack that could be read
    std::vector<std::string> unwanted_;
    std::shared_ptr<writer> writer_;
};

}  // namespace lockstep::storage
