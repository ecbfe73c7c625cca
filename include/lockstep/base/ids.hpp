// The identifiers of the library, each a type of its own, so that a term is never passed for an index.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>

namespace lockstep {

/// A 64-bit number that mixes with no other. Default-constructed it is zero.
template <class Tag>
struct strong_number {
    std::uint64_t value = 0;

    constexpr strong_number() = default;
    constexpr explicit strong_number(std::uint64_t v) noexcept : value(v) {}

    friend constexpr auto operator<=>(strong_number, strong_number) = default;
    constexpr strong_number& operator++() noexcept { ++value; return *this; }
    constexpr strong_number& operator--() noexcept { --value; return *this; }
    friend constexpr strong_number operator+(strong_number a, std::uint64_t n) noexcept { return strong_number(a.value + n); }
    friend constexpr strong_number operator-(strong_number a, std::uint64_t n) noexcept { return strong_number(a.value - n); }
    /// Distance; `a` must not be below `b`.
    friend constexpr std::uint64_t operator-(strong_number a, strong_number b) noexcept { return a.value - b.value; }
};

/// A Raft term. 0: before any election.
using term = strong_number<struct term_tag>;
/// A position in the log. The first entry is at 1; 0 is "before the log".
using log_index = strong_number<struct log_index_tag>;
/// A position and the term of the entry there: together they name a whole log up to there. All zero: before the log.
struct log_position {
    log_index index;
    lockstep::term term;
    friend bool operator==(const log_position&, const log_position&) = default;
};

/// A member of a cluster. 0 is never a legal node: it says "nobody".
using node_id = strong_number<struct node_id_tag>;
/// A consensus group; many may share a process and its transport. The folder of a node is group 1.
using group_id = strong_number<struct group_id_tag>;

inline constexpr node_id no_node{};

/// A 128-bit random identifier. All zero: none.
template <class Tag>
struct strong_uuid {
    std::array<std::uint8_t, 16> bytes{};
    friend constexpr auto operator<=>(const strong_uuid&, const strong_uuid&) = default;
    constexpr bool empty() const noexcept { return *this == strong_uuid{}; }
    /// 32 lower-case hexadecimal digits.
    std::string to_string() const {
        static constexpr char digits[] = "0123456789abcdef";
        std::string text;
        for (auto b : bytes) { text += digits[b >> 4]; text += digits[b & 15]; }
        return text;
    }
    /// From two random numbers.
    static strong_uuid from(std::uint64_t hi, std::uint64_t lo) noexcept {
        strong_uuid id;
        for (std::size_t i = 0; i < 8; ++i) {
            id.bytes[i] = static_cast<std::uint8_t>(hi >> (8 * i));
            id.bytes[8 + i] = static_cast<std::uint8_t>(lo >> (8 * i));
        }
        return id;
    }
};

/// Names one life of a state directory: drawn when it is made, gone when it is wiped.
using disk_id = strong_uuid<struct disk_id_tag>;
/// Names a cluster: drawn by the node that founds it.
using cluster_id = strong_uuid<struct cluster_id_tag>;

/// One run of a node as an origin of commands. `number` is durable and grows at each start.
struct session_id {
    node_id node;
    std::uint64_t number = 0;
    friend constexpr auto operator<=>(const session_id&, const session_id&) = default;
};

/// A file, directory or link for as long as it lives, whatever it is called: the session and sequence
/// of the command that made it. All zero is the root directory.
struct entry_id {
    session_id session;
    std::uint64_t sequence = 0;
    friend constexpr auto operator<=>(const entry_id&, const entry_id&) = default;
};

inline constexpr entry_id root_entry{};

}  // namespace lockstep
