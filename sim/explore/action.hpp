// One step of an explored cluster, and its text: what a counterexample is a list of.
#pragma once

#include <sim/explore/bounds.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::sim::explore {

enum class action_kind : std::uint8_t {
    time_out,       ///< the election timer of a node fires; at a leader: it has heard no quorum for too long
    lapse,          ///< a follower has not heard of its leader for too long, and its timer has not fired yet
    beat,           ///< a leader's heartbeat
    written,        ///< the write under way is durable
    propose,        ///< a client's command comes to a leader
    read,           ///< a read barrier at any node
    deliver,        ///< a message arrives
    repeat,         ///< a message arrives, and will again
    drop,           ///< a message is lost
    crash,          ///< and start; what was being written is not there
    crash_written,  ///< and start; what was being written is there, and nobody was told
};

inline constexpr std::string_view action_names[] = {"timeout", "lapse", "beat", "written", "propose", "read",
                                                    "deliver", "repeat", "drop", "crash", "crash-written"};

struct action {
    action_kind kind = action_kind::time_out;
    std::uint8_t node = 0;   ///< 1 and up; the receiver of a message
    std::uint8_t from = 0;   ///< of a message: its sender
    std::uint8_t place = 0;  ///< of a message: how many of its link are older
    friend bool operator==(const action&, const action&) = default;
};

inline bool is_about_message(action_kind k) {
    return k == action_kind::deliver || k == action_kind::repeat || k == action_kind::drop;
}

/// "timeout:1", "deliver:1>2", "deliver:1>2#1" for what overtakes one.
inline std::string text_of(const action& a) {
    std::string text(action_names[static_cast<std::size_t>(a.kind)]);
    if (!is_about_message(a.kind)) return text + ":" + std::to_string(a.node);
    text += ":" + std::to_string(a.from) + ">" + std::to_string(a.node);
    if (a.place != 0) text += "#" + std::to_string(a.place);
    return text;
}

namespace detail {
/// Takes a number of one or two digits from the front.
inline std::optional<std::uint8_t> take_number(std::string_view& text) {
    std::size_t digits = 0;
    std::uint8_t value = 0;
    for (; digits < text.size() && digits < 2 && text[digits] >= '0' && text[digits] <= '9'; ++digits)
        value = static_cast<std::uint8_t>(value * 10 + (text[digits] - '0'));
    if (digits == 0) return std::nullopt;
    text.remove_prefix(digits);
    return value;
}
inline bool take(std::string_view& text, char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
}
}  // namespace detail

inline std::optional<action> parse_action(std::string_view text) {
    const std::size_t colon = text.find(':');
    action a;
    std::size_t kind = 0;
    while (kind < std::size(action_names) && action_names[kind] != text.substr(0, colon)) ++kind;
    if (colon == std::string_view::npos || kind == std::size(action_names)) return std::nullopt;
    a.kind = static_cast<action_kind>(kind);
    text.remove_prefix(colon + 1);
    const auto first = detail::take_number(text);
    if (!first) return std::nullopt;
    a.node = *first;
    if (is_about_message(a.kind)) {
        a.from = *first;
        if (!detail::take(text, '>')) return std::nullopt;
        const auto to = detail::take_number(text);
        if (!to) return std::nullopt;
        a.node = *to;
        if (detail::take(text, '#')) {
            const auto place = detail::take_number(text);
            if (!place) return std::nullopt;
            a.place = *place;
        }
    }
    if (!text.empty()) return std::nullopt;
    return a;
}

/// Steps with commas between them. Nothing where one is none, which `wrong` then names.
inline std::optional<std::vector<action>> parse_actions(std::string_view text, std::string& wrong) {
    std::vector<action> steps;
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        const std::string_view one = text.substr(0, comma);
        const auto step = parse_action(one);
        if (!step) {
            wrong = std::string(one);
            return std::nullopt;
        }
        steps.push_back(*step);
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
    return steps;
}

}  // namespace lockstep::sim::explore
