// What a scenario says must come to pass, so that a schedule that no longer gets where it was meant to get fails: how a node
// stands at a time, whether an operation was answered by then, which probes the run reached.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/base/probe.hpp>
#include <lockstep/base/time.hpp>
#include <lockstep/raft/core.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep::sim {

struct expectation {
    enum class what : std::uint8_t {
        reached,      ///< the probe, by the end of the run
        not_reached,
        answered,     ///< the operation of that number, by then
        unanswered,
        down,         ///< nothing runs on that node
        leads,
        follows,      ///< or stands for election: it does not lead
        term,         ///< it is in that term
        last_term,    ///< the last entry of its log is of that term
        committed,    ///< it knows of so many committed entries, or more
        synced,       ///< its directory shows them
    };
    what kind = what::reached;
    duration at{};             ///< when it is looked at; of probes: at the end
    node_id node;
    std::uint64_t number = 0;  ///< an operation, a term, entries
    probe place{};
    friend bool operator==(const expectation&, const expectation&) = default;

    bool of_probe() const noexcept { return kind == what::reached || kind == what::not_reached; }
    bool of_operation() const noexcept { return kind == what::answered || kind == what::unanswered; }
    bool has_number() const noexcept { return kind >= what::term; }
};

/// By `what`, as they are written.
inline constexpr std::string_view expectation_names[] = {"reached", "not-reached", "answered", "unanswered", "down",
                                                         "leads",   "follows",     "term",     "last-term",  "committed",
                                                         "synced"};

inline std::string to_text(const expectation& e) {
    const std::string what(expectation_names[static_cast<std::size_t>(e.kind)]);
    if (e.of_probe()) return what + " " + std::string(to_string(e.place));
    if (e.of_operation()) return "o" + std::to_string(e.number) + " " + what;
    return std::to_string(e.node.value) + " " + what + (e.has_number() ? " " + std::to_string(e.number) : "");
}

/// How a node stands that runs `core` (null: none), whose directory shows so many entries.
inline bool holds(const expectation& e, const raft::core* core, std::uint64_t synced) {
    if (e.kind == expectation::what::down) return core == nullptr;
    if (core == nullptr) return false;
    const bool leads = core->state_role() == raft::role::leader;
    switch (e.kind) {
        case expectation::what::leads: return leads;
        case expectation::what::follows: return !leads;
        case expectation::what::term: return core->current_term().value == e.number;
        case expectation::what::last_term: return core->term_at(core->last_index()) == lockstep::term(e.number);
        case expectation::what::committed: return core->commit_index().value >= e.number;
        case expectation::what::synced: return synced >= e.number;
        default: return false;
    }
}

/// The same in words, of what is there instead.
inline std::string standing_in_words(const raft::core* core, std::uint64_t synced = 0) {
    if (core == nullptr) return "nothing runs there";
    static constexpr std::array roles{"follows", "asks whether to stand", "stands", "leads"};
    return std::string(roles.at(static_cast<std::size_t>(core->state_role()))) + ", term " + std::to_string(core->current_term().value) +
           ", last " + std::to_string(core->last_index().value) + " of term " +
           std::to_string(core->term_at(core->last_index()).value_or(lockstep::term{}).value) + ", commit " +
           std::to_string(core->commit_index().value) + ", applied " + std::to_string(core->applied_index().value) +
           (synced == 0 ? "" : ", synced " + std::to_string(synced));
}

inline std::optional<probe> probe_named(std::string_view name) {
    const auto found = std::find(std::begin(probe_names), std::end(probe_names), name);
    if (found == std::end(probe_names)) return std::nullopt;
    return static_cast<probe>(found - std::begin(probe_names));
}

}  // namespace lockstep::sim
