// What a chunk store knows on the loop: where each chunk is, the packs, who reads them, and what a collection has to
// leave alone. Pure: no files, no jobs.
#pragma once

#include <lockstep/storage/chunk_reader.hpp>
#include <lockstep/storage/chunk_table.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <span>

namespace lockstep::storage {

struct placed_chunk {
    content_hash hash;
    chunk_place place;
};

struct pack_size {
    std::uint32_t pack = 0;
    std::uint64_t bytes = 0;
};

class chunk_catalog {
public:
    explicit chunk_catalog(std::uint64_t salt = 0) : table_(salt) {}

    // --- chunks ---

    std::size_t size() const noexcept { return table_.size(); }
    std::uint64_t chunk_bytes() const noexcept { return chunk_bytes_; }
    bool knows(const content_hash& hash) const noexcept { return table_.find(hash) != nullptr; }

    /// Null: it is not there. Whoever asks relies on the answer, and a collection that has begun does not know of it
    /// otherwise: it is kept from it.
    const chunk_place* use(const content_hash& hash) {
        const chunk_place* place = table_.find(hash);
        if (place != nullptr && collecting_ && is_candidate(place->pack)) used_.insert(hash);
        return place;
    }

    void set(const placed_chunk& chunk) {
        if (const chunk_place* old = table_.find(chunk.hash)) chunk_bytes_ -= old->length;
        chunk_bytes_ += chunk.place.length;
        table_.set(chunk.hash, chunk.place);
    }
    /// False, and nothing is done, where it is somewhere else by now.
    bool erase(const placed_chunk& chunk) {
        const chunk_place* place = table_.find(chunk.hash);
        if (place == nullptr || *place != chunk.place) return false;
        chunk_bytes_ -= place->length;
        table_.erase(chunk.hash);
        return true;
    }
    /// The same as set(), unless it is not at `from` any more.
    bool move(const placed_chunk& chunk, std::uint32_t from) {
        const chunk_place* place = table_.find(chunk.hash);
        if (place == nullptr || place->pack != from) return false;
        set(chunk);
        return true;
    }

    std::vector<located_chunks::item> locate(std::span<const content_hash> hashes) {
        std::vector<located_chunks::item> items;
        items.reserve(hashes.size());
        for (const content_hash& hash : hashes) {
            const chunk_place* place = use(hash);
            if (place == nullptr) items.push_back({hash, {}, nullptr});
            else items.push_back({hash, *place, packs_.at(place->pack).pin});
        }
        return items;
    }

    // --- packs ---

    void grow(const pack_size& pack) {
        pack_state& state = packs_[pack.pack];
        if (!state.pin) state.pin = std::make_shared<const std::uint32_t>(pack.pack);
        bytes_ += pack.bytes - state.bytes;
        state.bytes = pack.bytes;
    }
    void set_active(std::uint32_t pack) noexcept { active_ = std::max(active_, pack); }
    std::uint64_t active_bytes() const { return active_ == 0 ? 0 : packs_.at(active_).bytes; }
    std::uint64_t bytes() const noexcept { return bytes_; }   ///< of doomed ones too
    std::size_t packs() const noexcept { return packs_.size() + doomed_.size(); }
    std::uint64_t bytes_of(std::uint32_t pack) const { return packs_.at(pack).bytes; }

    // --- collection ---

    /// From now on, until the end, what is used is kept. Candidates are the packs sealed by now. Again: no effect.
    void begin_collection() {
        if (collecting_) return;
        collecting_ = true;
        for (const auto& [number, pack] : packs_)
            if (number != active_) candidates_.push_back(number);
    }
    void end_collection() {
        collecting_ = false;
        candidates_.clear();
        used_.clear();
    }
    /// Ascending.
    const std::vector<std::uint32_t>& candidates() const noexcept { return candidates_; }
    bool was_used(const content_hash& hash) const { return used_.contains(hash); }
    bool is_at(const content_hash& hash, std::uint32_t pack, std::uint32_t offset) const noexcept {
        const chunk_place* place = table_.find(hash);
        return place != nullptr && place->pack == pack && place->offset == offset;
    }

    /// Takes a pack out; none of its chunks may be known any more. It can be removed once nobody reads it.
    std::uint64_t doom(std::uint32_t pack) {
        auto node = packs_.extract(pack);
        const std::uint64_t bytes = node.mapped().bytes;
        doomed_.insert(std::move(node));
        return bytes;
    }
    /// A doomed pack that nobody reads; 0: there is none. Only what was located keeps a pin, and nobody can locate
    /// anything in it any more, so that it stays so.
    std::uint32_t removable() const noexcept {
        for (const auto& [number, pack] : doomed_)
            if (pack.pin.use_count() == 1) return number;
        return 0;
    }
    /// One that could not be removed still takes its bytes, until the next start.
    void removed(std::uint32_t pack, bool gone) {
        const auto at = doomed_.find(pack);
        if (gone) bytes_ -= at->second.bytes;
        doomed_.erase(at);
    }

private:
    struct pack_state {
        std::uint64_t bytes = 0;
        located_chunks::pin pin;
    };

    bool is_candidate(std::uint32_t pack) const noexcept {
        return std::binary_search(candidates_.begin(), candidates_.end(), pack);
    }

    chunk_table table_;
    std::map<std::uint32_t, pack_state> packs_;
    std::map<std::uint32_t, pack_state> doomed_;
    std::uint32_t active_ = 0;   ///< the pack that is appended to, or was the last; 0: none
    std::uint64_t bytes_ = 0;
    std::uint64_t chunk_bytes_ = 0;
    bool collecting_ = false;
    std::vector<std::uint32_t> candidates_;
    std::set<content_hash> used_;   ///< of candidates, chunks that somebody relies on since the collection began
};

}  // namespace lockstep::storage
