// What a disk does to what a node keeps on it, beyond losing what was not synced: bits that flip, at rest or on the way to
// the program, sectors that cannot be read, writes that land somewhere else. Users' own files are spared: nobody could tell a
// file that rotted from one that its user changed.
#pragma once

#include <sim/disk/kept_files.hpp>

#include <optional>
#include <span>
#include <string>
#include <utility>

namespace lockstep::sim {

struct damage_counts {
    std::uint64_t rotten_bits = 0;
    std::uint64_t rotten_reads = 0;
    std::uint64_t spoiled_sectors = 0;
    std::uint64_t astray_writes = 0;
};

/// Of one machine's disk, below `state`, a native path. Places are picked by numbers, so that each is the same whatever else
/// befalls the disk.
class disk_damage {
public:
    disk_damage(world& w, sim_disk& disk, std::uint64_t number, std::string state)
        : disk_(disk), state_(std::move(state)), random_(w.fork("disk damage", number)) {}
    disk_damage(const disk_damage&) = delete;
    disk_damage& operator=(const disk_damage&) = delete;

    void set_state(std::string state) { state_ = std::move(state); }

    /// A bit of what is kept flips, at rest. False where nothing is.
    bool rot(std::uint64_t pick) {
        random_generator random(mix64(pick));
        const auto place = pick_place(kept_places(disk_, state_), random);
        if (!place) return false;
        place->file->altered[random.between(place->from, place->to - 1)] = std::byte{1} << random.below(8);
        last_ = place->name;
        ++counts_.rotten_bits;
        return true;
    }

    /// A sector of what is kept cannot be read any more until it is written.
    bool spoil_sector(std::uint64_t pick) {
        random_generator random(mix64(pick));
        auto places = kept_places(disk_, state_);
        // Not one that holds anything of what comes behind the place.
        std::erase_if(places, [](const kept_place& p) { return p.kind != kept_kind::chunks && p.to / sector_bytes <= p.from / sector_bytes; });
        const auto place = pick_place(places, random);
        if (!place) return false;
        const std::uint64_t end = place->kind == kept_kind::log || place->kind == kept_kind::journal
                                      ? place->to / sector_bytes
                                      : (place->to + sector_bytes - 1) / sector_bytes;
        if (end == 0) return false;
        place->file->unreadable.insert(random.below(end));
        last_ = place->name;
        ++counts_.spoiled_sectors;
        return true;
    }

    /// One of the next writes of chunks goes over something else that is kept, and not where it should.
    void misdirect(std::uint64_t pick) {
        astray_ = pick;
        astray_in_ = 1 + mix64(pick) % 8;
    }
    /// So many reads of what is kept have a bit wrong that is right on the disk: one in that many. 0: none.
    void rot_reads(std::uint64_t one_in) noexcept { rotten_one_in_ = one_in; }
    bool rots_reads() const noexcept { return rotten_one_in_ != 0; }
    /// From now on nothing more goes wrong.
    void calm() noexcept { astray_in_ = rotten_one_in_ = 0; }

    const damage_counts& counts() const noexcept { return counts_; }
    /// The file that was damaged last, for people.
    const std::string& last() const noexcept { return last_; }

    // --- asked by the file system of a node ---

    void was_read(const inode_ptr& file, std::uint64_t at, std::span<std::byte> got) {
        if (rotten_one_in_ == 0 || got.empty() || !random_.one_in(rotten_one_in_)) return;
        for (const kept_place& p : kept_places(disk_, state_)) {
            const std::uint64_t from = std::max(at, p.from), to = std::min(at + got.size(), p.to);
            if (p.file != file || from >= to) continue;
            flip(got[static_cast<std::size_t>(random_.between(from, to - 1) - at)], random_);
            ++counts_.rotten_reads;
            return;
        }
    }

    /// What stays at the place where `in` is about to be written: nothing where it is not led astray.
    std::optional<byte_buffer> leads_astray(const inode_ptr& file, std::uint64_t at, byte_view in) {
        if (astray_in_ == 0 || in.empty() || !is_chunks(file) || --astray_in_ != 0) return std::nullopt;
        random_generator random(mix64(astray_));
        auto places = kept_places(disk_, state_);
        std::erase_if(places, [&](const kept_place& p) { return p.file == file || p.to - p.from < sector_bytes; });
        if (const auto place = pick_place(places, random)) {
            const std::uint64_t first = (place->from + sector_bytes - 1) / sector_bytes, sectors = place->to / sector_bytes - first;
            if (sectors != 0) {
                const std::uint64_t to = (first + random.below(sectors)) * sector_bytes;
                const std::uint64_t whole = std::min<std::uint64_t>(in.size(), place->to - to);
                place->file->alter(to, in.first(static_cast<std::size_t>(whole)));
                last_ = place->name;
            }
        }
        byte_buffer old(in.size());
        if (at < file->content.size()) {
            const auto from = file->content.begin() + static_cast<std::ptrdiff_t>(at);
            std::copy_n(from, static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(old.size(), file->content.size() - at)), old.begin());
        }
        ++counts_.astray_writes;
        return old;
    }

private:
    static void flip(std::byte& b, random_generator& random) { b ^= std::byte{1} << random.below(8); }

    bool is_chunks(const inode_ptr& file) const {
        const inode_ptr chunks = disk_.find(state_ + "/chunks");
        return chunks && std::ranges::any_of(chunks->entries, [&](const auto& entry) { return entry.second == file; });
    }

    sim_disk& disk_;
    std::string state_;
    random_generator random_;
    std::uint64_t rotten_one_in_ = 0;
    std::uint64_t astray_ = 0;
    std::uint64_t astray_in_ = 0;
    std::string last_;
    damage_counts counts_;
};

}  // namespace lockstep::sim
