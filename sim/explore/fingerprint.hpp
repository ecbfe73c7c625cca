// Fingerprints of 128 bits, and the sink that makes them. With a hundred million states, the chance that any two of
// them share one is below 10^-22.
#pragma once

#include <sim/explore/renaming.hpp>

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/checksum.hpp>
#include <lockstep/base/ids.hpp>
#include <lockstep/base/random.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>

namespace lockstep::sim::explore {

struct fingerprint {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    /// Of a collection without an order: the sum of the fingerprints of what is in it.
    fingerprint& operator+=(const fingerprint& other) noexcept {
        high += other.high;
        low += other.low;
        return *this;
    }
    /// Of something at a place in an order.
    fingerprint at_place(std::size_t place) const noexcept {
        const std::uint64_t odd = 2 * static_cast<std::uint64_t>(place) + 1;
        return {high * (odd * 0x9e3779b97f4a7c15u), low * (odd * 0xd1342543de82ef95u)};
    }
    friend auto operator<=>(const fingerprint&, const fingerprint&) = default;
};

/// A lockstep::raft::fingerprint_sink that calls nodes by other names. Names that were drawn are left out: see
/// member.hpp.
class fingerprint_maker {
public:
    explicit fingerprint_maker(const renaming& names) noexcept : names_(names) {}

    void number(std::uint64_t v) noexcept {
        high_ = mix64(high_ ^ v) + v;
        low_ = mix64(low_ + v * 0xd1342543de82ef95u) ^ v;
    }
    node_id rename(node_id id) const noexcept { return names_(id); }
    void node(node_id id) noexcept { number(rename(id).value); }
    void token(std::uint64_t) noexcept {}
    void bytes(byte_view b) noexcept { number(b.empty() ? 0 : checksum(b)); }

    fingerprint value() const noexcept { return {high_, low_}; }

private:
    const renaming& names_;
    std::uint64_t high_ = 0;
    std::uint64_t low_ = 0x2545f4914f6cdd1du;
};

}  // namespace lockstep::sim::explore
