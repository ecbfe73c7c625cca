// Things that clients of a replicated system commonly use, as they should behave: for check_linearizability().
#pragma once

#include <lockstep/base/checksum.hpp>
#include <lockstep/testing/linearizability.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace lockstep::testing {

/// One register of a number, empty at first, with compare-and-set.
struct register_model {
    enum class action : std::uint8_t { read, write, compare_and_set };
    struct input {
        action what = action::read;
        std::int64_t value = 0;      ///< to be written
        std::int64_t expected = 0;   ///< of compare_and_set
    };
    struct output {
        bool done = true;                    ///< of compare_and_set: what was expected stood there
        std::optional<std::int64_t> value;   ///< of read
    };
    using state = std::optional<std::int64_t>;

    using next_state = std::optional<state>;   ///< an optional of an optional: nothing is not the same as empty

    static state initial() { return std::nullopt; }
    static next_state step(const state& now, const input& in, const output* out) {
        const bool fits = now == in.expected;
        switch (in.what) {
            case action::read: return !out || out->value == now ? next_state(std::in_place, now) : next_state();
            case action::write: return next_state(std::in_place, in.value);
            case action::compare_and_set: break;
        }
        if (out && out->done != fits) return next_state();
        return fits ? next_state(std::in_place, in.value) : next_state(std::in_place, now);
    }
    static int part(const input&) { return 0; }
    static std::uint64_t digest(const state& s, std::uint64_t seed) {
        return s ? mix64(seed ^ mix64(static_cast<std::uint64_t>(*s))) : mix64(~seed);
    }
};

/// Texts by key, empty at first, that can be appended to.
struct text_map_model {
    enum class action : std::uint8_t { get, put, append };
    struct input {
        action what = action::get;
        std::string key;
        std::string value;
    };
    struct output {
        std::string value;   ///< of get
    };
    using state = std::string;   ///< of one key

    static state initial() { return {}; }
    static std::optional<state> step(const state& now, const input& in, const output* out) {
        switch (in.what) {
            case action::get: return !out || out->value == now ? std::optional(now) : std::nullopt;
            case action::put: return in.value;
            case action::append: break;
        }
        return now + in.value;
    }
    static const std::string& part(const input& in) { return in.key; }
    static std::uint64_t digest(const state& s, std::uint64_t seed) { return checksum(as_bytes(s), seed); }
};

}  // namespace lockstep::testing
