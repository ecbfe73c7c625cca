// What an older binary would have left on a disk, as far as there are older formats: the log of version 1 (docs/formats/wal.md).
// All else that a node keeps (identity, journal, packs, snapshots, manifests) has had one version only.
#pragma once

#include <sim/disk/sim_disk.hpp>

#include <lockstep/base/checksum.hpp>
#include <lockstep/base/endian.hpp>
#include <lockstep/storage/wal_format.hpp>

#include <map>

namespace lockstep::sim {

namespace detail {

/// Whether a segment says where its log begins, which version 1 cannot.
inline bool has_base(byte_view segment) {
    using namespace storage::wal_format;
    constexpr std::size_t kind_at = batch_header_size + 12;
    for (std::size_t at = header_size; at + kind_at + 4 <= segment.size(); at += alignment) {
        if (load_le<std::uint32_t>(segment.data() + at + 8) != batch_magic) continue;
        if (load_le<std::uint32_t>(segment.data() + at + 12) == 1 &&
            load_le<std::uint32_t>(segment.data() + at + kind_at) >= 256)
            return true;
    }
    return false;
}

}  // namespace detail

/// Makes the log in a directory one of version 1, byte for byte what that wrote, while no program runs on it. Segments
/// differ in the version alone. Nothing is changed, and false told, where there is no log or it has begun anew since.
inline bool make_log_older(sim_disk& disk, std::string_view directory) {
    using namespace storage::wal_format;
    const inode_ptr top = disk.find(directory);
    if (!top || !top->entries.contains(segment_name(1))) return false;
    for (const auto& [name, segment] : top->entries)
        if (sequence_of(name) && detail::has_base(segment->content)) return false;
    const auto dir = disk.open_directory(sim_disk::user, directory);
    if (!dir) return false;
    const std::map<std::string, inode_ptr> segments(top->entries.begin(), top->entries.end());
    for (const auto& [name, segment] : segments) {
        byte_view header(segment->content);
        if (!sequence_of(name) || header.size() < header_size || !decode_header(header)) continue;
        header = header.first(header_size);
        byte_buffer older(header.begin(), header.end());
        store_le(older.data() + 16, std::uint32_t{1});
        store_le(older.data() + 8, checksum(byte_view(older).subspan(16)));
        const auto file = disk.open_file(sim_disk::user, *dir, name, open_mode::read_write, 0);
        if (!file) continue;
        (void)disk.write_at(*file, 0, older);
        (void)disk.sync(*file, true);
        disk.close(*file);
    }
    disk.close(*dir);
    return true;
}

}  // namespace lockstep::sim
