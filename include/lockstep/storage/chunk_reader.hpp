// Reads chunks of a store from any lane, while the store goes on. What was located stays readable: its packs are kept.
#pragma once

#include <lockstep/concepts/file_system.hpp>
#include <lockstep/storage/chunk_table.hpp>
#include <lockstep/storage/pack_format.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::storage {

/// Some chunks and where they are. As long as it lives no pack that it names is removed. A job may own it.
struct located_chunks {
    using pin = std::shared_ptr<const std::uint32_t>;   ///< of a pack: its number
    struct item {
        content_hash hash;
        chunk_place place;
        pin pack;   ///< null: the store does not have this chunk
    };

    std::size_t size() const noexcept { return items.size(); }
    bool found(std::size_t i) const noexcept { return items[i].pack != nullptr; }
    bool all_found() const noexcept {
        for (const item& i : items)
            if (!i.pack) return false;
        return true;
    }

    std::string state_directory;
    std::vector<item> items;
};

/// Blocking; lives in one job. Opens a pack once for chunks that follow each other in it.
template <file_system FileSystem>
class chunk_reader {
public:
    chunk_reader(FileSystem& fs, located_chunks where) : fs_(fs), where_(std::move(where)) {}

    /// The bytes of item i, as they were put: checked against the checksum of their record, and where that does not
    /// tell, against their hash. Errors: not_found: the store did not have it; corrupt: it is damaged
    /// (chunk_store::forget() then, and get it elsewhere); what the file system says.
    result<shared_bytes> read(std::size_t i) {
        LOCKSTEP_ASSERT(i < where_.size());
        if (!where_.found(i)) return make_error_code(errc::not_found);
        const auto& item = where_.items[i];
        LOCKSTEP_TRY(open(item.place.pack));
        byte_buffer record(pack_format::record_header_size + item.place.length);
        const auto got = fs_.read_at(*pack_, item.place.offset, record);
        if (!got) return got.error();
        if (*got != record.size()) return make_error_code(errc::corrupt);
        const byte_view data = byte_view(record).subspan(pack_format::record_header_size);
        if (!is_as_put(record, data, item) && sha256(data) != item.hash) return make_error_code(errc::corrupt);
        return shared_bytes(std::move(record)).slice(pack_format::record_header_size, item.place.length);
    }

    const located_chunks& where() const noexcept { return where_; }

private:
    /// A tenth of the cost of the hash.
    bool is_as_put(byte_view record, byte_view data, const located_chunks::item& item) const {
        if (!seed_) return false;
        const auto head = pack_format::read_record_header(record, item.place.offset, *seed_);
        return head && head->hash == item.hash && pack_format::is_data_of(*head, data, item.place.offset, *seed_);
    }

    result<> open(std::uint32_t pack) {
        if (pack_ && open_ == pack) return {};
        pack_.reset();
        if (!dir_) {
            auto base = fs_.open_directory(where_.state_directory);
            if (!base) return base.error();
            auto dir = fs_.open_directory_at(*base, "chunks");
            if (!dir) return dir.error();
            dir_.emplace(std::move(*dir));
        }
        auto opened = fs_.open_file(*dir_, pack_format::pack_name(pack), open_mode::read, 0);
        // Somebody else removed it: what was in it is gone.
        if (!opened) return opened.error() == errc::not_found ? make_error_code(errc::corrupt) : opened.error();
        pack_.emplace(std::move(*opened));
        open_ = pack;
        byte_buffer head(pack_format::header_size);
        const auto got = fs_.read_at(*pack_, 0, head);
        const auto header = pack_format::decode_header(byte_view(head).first(got ? *got : 0));
        seed_.reset();
        if (header && header->number == pack) seed_ = pack_format::pack_seed(*header);
        return {};
    }

    FileSystem& fs_;
    located_chunks where_;
    std::optional<typename FileSystem::directory> dir_;
    std::optional<typename FileSystem::file> pack_;
    std::uint32_t open_ = 0;
    std::optional<std::uint64_t> seed_;   ///< of that pack, if its header is whole
};

}  // namespace lockstep::storage
