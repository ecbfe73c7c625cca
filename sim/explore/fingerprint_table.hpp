// Tables by fingerprint: open addressing in one block of memory, because most of what an exploration does is asking
// whether it was somewhere before.
#pragma once

#include <sim/explore/cluster_state.hpp>
#include <sim/explore/fingerprint.hpp>

#include <lockstep/base/random.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace lockstep::sim::explore {

/// Which states were met, and with how much left of each bound. Where the same state was met with at least as much of
/// everything, all that can come of it is being looked at already.
class visited_states {
public:
    std::size_t size() const noexcept { return size_; }
    std::size_t bytes() const noexcept { return places_.size() * sizeof(place); }

    /// Whether it has to be looked at.
    bool insert(fingerprint f, std::uint64_t left) {
        if (size_ * 4 >= places_.size() * 3) grow();
        if (f == fingerprint{}) f.low = 1;  // zeros are an empty place
        const std::size_t mask = places_.size() - 1;
        std::size_t at = f.low & mask;
        for (; places_[at].key != fingerprint{}; at = (at + 1) & mask)
            if (places_[at].key == f && leaves_as_much(places_[at].left, left)) return false;
        places_[at] = {f, left};
        ++size_;
        return true;
    }

private:
    struct place {
        fingerprint key;
        std::uint64_t left = 0;
    };

    void grow() {
        const auto old = std::exchange(places_, std::vector<place>(places_.size() * 2));
        const std::size_t mask = places_.size() - 1;
        for (const place& p : old) {
            if (p.key == fingerprint{}) continue;
            std::size_t at = p.key.low & mask;
            while (places_[at].key != fingerprint{}) at = (at + 1) & mask;
            places_[at] = p;
        }
    }

    std::vector<place> places_ = std::vector<place>(1 << 12);
    std::size_t size_ = 0;
};

/// A number by fingerprint.
class fingerprint_map {
public:
    static constexpr std::uint32_t none = 0xffffffff;

    /// The number of `f`; `none` where it has none yet: the caller sets it.
    std::uint32_t& operator[](const fingerprint& f) {
        if (size_ * 3 >= places_.size() * 2) grow();
        place& p = find(f);
        if (p.number != none || p.key == f) return p.number;
        p.key = f;
        ++size_;
        return p.number;
    }
    std::size_t bytes() const noexcept { return places_.size() * sizeof(place); }

private:
    struct place {
        fingerprint key;
        std::uint32_t number = none;
    };
    static bool empty(const place& p) noexcept { return p.number == none && p.key == fingerprint{}; }

    place& find(const fingerprint& f) noexcept {
        const std::size_t mask = places_.size() - 1;
        std::size_t at = mix64(f.high ^ f.low * 0xd1342543de82ef95u) & mask;
        while (!empty(places_[at]) && places_[at].key != f) at = (at + 1) & mask;
        return places_[at];
    }
    void grow() {
        const auto old = std::exchange(places_, std::vector<place>(places_.size() * 2));
        for (const place& p : old)
            if (!empty(p)) find(p.key) = p;
    }

    std::vector<place> places_ = std::vector<place>(1 << 10);
    std::size_t size_ = 0;
};

}  // namespace lockstep::sim::explore
