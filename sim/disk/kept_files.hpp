// What a node keeps on its disk, as it looks from outside: the files in its state directory, and which bytes of them can be
// damaged so that damage is what the node has to call it. For faults that strike at rest.
//
// Left out is what no program could tell from a crash: the last batches of a log and the last records of a journal, as long
// as nothing behind them says that they were synced (docs/formats/wal.md, "Recovery"). A log that lost such a batch and was
// not told has broken no promise that its format makes.
#pragma once

#include <sim/disk/sim_disk.hpp>

#include <lockstep/storage/journal_format.hpp>
#include <lockstep/storage/wal_format.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::sim {

enum class kept_kind : std::uint8_t {
    log,       ///< a segment: votes, terms, entries
    chunks,    ///< a pack, or the index of one
    journal,   ///< what is known to stand in the directory
    record,    ///< who the node is, and which snapshot it begins with
};

/// Bytes [from, to) of a file.
struct kept_place {
    inode_ptr file;
    std::string name;   ///< below the state directory
    kept_kind kind = kept_kind::record;
    std::uint64_t from = 0;
    std::uint64_t to = 0;
};

namespace detail {

struct found_batch {
    std::size_t segment = 0;
    std::uint64_t number = 0;
    std::uint64_t end = 0;
};

inline std::uint64_t end_of_data(const byte_buffer& bytes) {
    std::uint64_t end = bytes.size();
    while (end != 0 && bytes[static_cast<std::size_t>(end - 1)] == std::byte{0}) --end;
    return end;
}

/// Each segment up to the end of the last batch in it that a later one vouches for.
inline void add_log(std::vector<kept_place>& places, const disk_inode& directory) {
    namespace format = storage::wal_format;
    std::vector<kept_place> segments;
    std::vector<found_batch> batches;
    std::uint64_t vouched = 0;
    for (const auto& [name, inode] : directory.entries) {
        if (!format::sequence_of(name)) continue;
        const auto header = format::decode_header(inode->content);
        const std::uint64_t end = header ? end_of_data(inode->content) : 0;
        segments.push_back({inode, "wal/" + name, kept_kind::log, 0, std::min<std::uint64_t>(format::header_size, inode->content.size())});
        if (!header) continue;
        const std::uint64_t seed = format::segment_seed(*header);
        for (std::uint64_t at = format::header_size; at < end;) {
            const auto batch = format::read_batch_header(inode->content, at, seed);
            if (!batch) { at += format::alignment; continue; }
            vouched = std::max(vouched, batch->durable);
            at += format::batch_header_size + batch->body;
            batches.push_back({segments.size() - 1, batch->number, std::min<std::uint64_t>(at, inode->content.size())});
        }
    }
    for (const found_batch& batch : batches)
        if (batch.number <= vouched) segments[batch.segment].to = std::max(segments[batch.segment].to, batch.end);
    places.insert(places.end(), segments.begin(), segments.end());
}

inline void add_journal(std::vector<kept_place>& places, const inode_ptr& file) {
    namespace format = storage::journal_format;
    const auto salt = format::decode_header(file->content);
    if (!salt) return;
    std::uint64_t vouched = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ends;   // number, end
    for (std::uint64_t at = format::header_size; at < file->content.size();) {
        const auto record = format::read_record(file->content, at, *salt);
        if (!record) { at += format::alignment; continue; }
        vouched = std::max(vouched, record->durable);
        at += record->size;
        ends.emplace_back(record->number, std::min<std::uint64_t>(at, file->content.size()));
    }
    kept_place place{file, "synced", kept_kind::journal, 0, format::header_size};
    for (const auto& [number, end] : ends)
        if (number <= vouched) place.to = std::max(place.to, end);
    places.push_back(std::move(place));
}

}  // namespace detail

/// Of what is at rest: files with writes that were not synced are left out. `state` is a native path.
inline std::vector<kept_place> kept_places(const sim_disk& disk, std::string_view state) {
    std::vector<kept_place> places;
    const inode_ptr home = disk.find(state);
    if (state.empty() || !home || !home->is_directory()) return places;
    const auto below = [&](std::string_view name) -> inode_ptr {
        const auto entry = home->entries.find(name);
        return entry == home->entries.end() ? nullptr : entry->second;
    };
    if (const inode_ptr log = below("wal")) detail::add_log(places, *log);
    if (const inode_ptr chunks = below("chunks"))
        for (const auto& [name, inode] : chunks->entries)
            places.push_back({inode, "chunks/" + name, kept_kind::chunks, 0, inode->content.size()});
    if (const inode_ptr journal = below("synced")) detail::add_journal(places, journal);
    for (const char* name : {"identity", "snapshot"})
        if (const inode_ptr record = below(name)) places.push_back({record, name, kept_kind::record, 0, record->content.size()});
    std::erase_if(places, [](const kept_place& p) { return p.from >= p.to || !p.file->unsynced.empty() || p.file->durable; });
    return places;
}

/// One of them, by a number that says which: every kind that there is as likely as any other, but for chunks, which come more
/// often. Nothing where there is none.
inline std::optional<kept_place> pick_place(const std::vector<kept_place>& places, random_generator& random) {
    if (places.empty()) return std::nullopt;
    for (;;) {
        const kept_kind kind = random.one_in(2) ? kept_kind::chunks : static_cast<kept_kind>(random.below(4));
        std::vector<const kept_place*> some;
        for (const kept_place& p : places)
            if (p.kind == kind) some.push_back(&p);
        if (!some.empty()) return *some[static_cast<std::size_t>(random.below(some.size()))];
    }
}

}  // namespace lockstep::sim
