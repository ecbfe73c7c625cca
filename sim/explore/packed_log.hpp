// A short log in two words: four bits for the term of each entry, and four for the command in it. What an exploration
// compares in every state are such logs.
#pragma once

#include <cstdint>
#include <string>

namespace lockstep::sim::explore {

struct packed_log {
    static constexpr std::uint64_t size_max = 16;

    std::uint64_t terms = 0;
    std::uint64_t commands = 0;  ///< 0: a leader's empty entry
    std::uint64_t size = 0;

    /// Precondition: below size_max entries so far, `term` and `command` below 16.
    void append(std::uint64_t term, std::uint64_t command) noexcept {
        terms |= term << (4 * size);
        commands |= command << (4 * size);
        ++size;
    }
    /// Index 1 is the first. 0 behind the end.
    std::uint64_t term_at(std::uint64_t index) const noexcept {
        return index == 0 || index > size ? 0 : (terms >> (4 * (index - 1))) & 15;
    }
    std::uint64_t command_at(std::uint64_t index) const noexcept {
        return index == 0 || index > size ? 0 : (commands >> (4 * (index - 1))) & 15;
    }
    friend bool operator==(const packed_log&, const packed_log&) = default;
};

/// The low bits that belong to the first `entries`.
inline std::uint64_t mask_of(std::uint64_t entries) noexcept {
    return entries >= packed_log::size_max ? ~std::uint64_t{0} : (std::uint64_t{1} << (4 * entries)) - 1;
}

/// Whether both have `entries` entries, of the same terms.
inline bool same_terms(const packed_log& a, const packed_log& b, std::uint64_t entries) noexcept {
    return a.size >= entries && b.size >= entries && ((a.terms ^ b.terms) & mask_of(entries)) == 0;
}
inline bool same_entries(const packed_log& a, const packed_log& b, std::uint64_t entries) noexcept {
    return same_terms(a, b, entries) && ((a.commands ^ b.commands) & mask_of(entries)) == 0;
}

/// "1 1:a 2": terms, and the commands as letters.
inline std::string text_of(const packed_log& log) {
    std::string text;
    for (std::uint64_t i = 1; i <= log.size; ++i) {
        if (i > 1) text += ' ';
        text += std::to_string(log.term_at(i));
        if (log.command_at(i) != 0) text += std::string(":") + static_cast<char>('a' + log.command_at(i) - 1);
    }
    return text;
}

}  // namespace lockstep::sim::explore
