// Where each chunk of a store is: an open-addressed table, 44 bytes a slot. It has no order and is never walked.
#pragma once

#include <lockstep/base/assert.hpp>
#include <lockstep/base/endian.hpp>
#include <lockstep/base/random.hpp>
#include <lockstep/base/sha256.hpp>

#include <cstdint>
#include <vector>

namespace lockstep::storage {

struct chunk_place {
    std::uint32_t pack = 0;
    std::uint32_t offset = 0;   ///< of the record
    std::uint32_t length = 0;   ///< of the data; never 0
    friend bool operator==(const chunk_place&, const chunk_place&) = default;
};

class chunk_table {
public:
    /// `salt` keeps names that somebody made up from crowding together.
    explicit chunk_table(std::uint64_t salt = 0) : salt_(salt), slots_(size_min) {}

    std::size_t size() const noexcept { return used_; }

    /// Null where there is none. Valid until the next change.
    const chunk_place* find(const content_hash& hash) const noexcept {
        const slot& at = slots_[position(hash)];
        return at.place.length == 0 ? nullptr : &at.place;
    }

    void set(const content_hash& hash, const chunk_place& place) {
        LOCKSTEP_ASSERT(place.length != 0);
        if ((used_ + 1) * 4 > slots_.size() * 3) grow();
        slot& at = slots_[position(hash)];
        used_ += at.place.length == 0;
        at = {hash, place};
    }

    void erase(const content_hash& hash) noexcept {
        std::size_t hole = position(hash);
        if (slots_[hole].place.length == 0) return;
        --used_;
        // Whatever could not be found beyond the hole moves into it.
        for (std::size_t next = following(hole); slots_[next].place.length != 0; next = following(next)) {
            const std::size_t home = home_of(slots_[next].hash);
            const std::size_t mask = slots_.size() - 1;
            if (((next - home) & mask) < ((next - hole) & mask)) continue;
            slots_[hole] = slots_[next];
            hole = next;
        }
        slots_[hole] = {};
    }

private:
    static constexpr std::size_t size_min = 64;
    struct slot {
        content_hash hash;
        chunk_place place;
    };

    std::size_t home_of(const content_hash& hash) const noexcept {
        const auto bytes = std::as_bytes(std::span(hash.bytes));
        const auto name = load_le<std::uint64_t>(bytes.data()) ^ load_le<std::uint64_t>(bytes.data() + 8);
        return static_cast<std::size_t>(mix64(name ^ salt_)) & (slots_.size() - 1);
    }
    std::size_t following(std::size_t at) const noexcept { return (at + 1) & (slots_.size() - 1); }
    /// The slot of the hash, or the empty one where it would go.
    std::size_t position(const content_hash& hash) const noexcept {
        std::size_t at = home_of(hash);
        while (slots_[at].place.length != 0 && slots_[at].hash != hash) at = following(at);
        return at;
    }
    void grow() {
        std::vector<slot> old(slots_.size() * 2);
        old.swap(slots_);
        for (const slot& s : old)
            if (s.place.length != 0) slots_[position(s.hash)] = s;
    }

    std::uint64_t salt_;
    std::vector<slot> slots_;   ///< a power of two of them
    std::size_t used_ = 0;
};

}  // namespace lockstep::storage
