// One thing that happened in a run, as a trace shows it: when, to whom, what, and what it follows from.
// In a file: docs/formats/trace.md.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/base/time.hpp>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::sim {

/// Whose things happen one after the other. What the world does (faults, losses) is nobody's step.
struct trace_lane {
    enum class kind : std::uint8_t { world, node, user, client };
    kind what = kind::world;
    std::uint64_t number = 0;

    static trace_lane of(node_id node) noexcept { return {kind::node, node.value}; }
    static trace_lane user_at(node_id node) noexcept { return {kind::user, node.value}; }
    static trace_lane client(std::uint64_t number) noexcept { return {kind::client, number}; }
    friend auto operator<=>(const trace_lane&, const trace_lane&) = default;
};

/// "world", "node1", "user1", "client1".
inline std::string to_text(const trace_lane& l) {
    static constexpr std::array<std::string_view, 4> names = {"world", "node", "user", "client"};
    const std::string name(names[static_cast<std::size_t>(l.what)]);
    return l.what == trace_lane::kind::world ? name : name + std::to_string(l.number);
}

enum class traced : std::uint8_t {
    start,      ///< a node's process began
    crash,      ///< and ended, alone or with the power
    role,       ///< its role, term, vote or leader changed
    send,       ///< a message left
    receive,    ///< and arrived
    lost,       ///< or will not arrive: of the world
    durable,    ///< entries came to its disk
    commit,     ///< it knows more to be committed
    apply,      ///< it applied an entry
    install,    ///< it took over a state
    sync,       ///< its directory came in step
    conflict,   ///< an edit was kept beside another
    report,     ///< what a node says to a person
    probe,      ///< a rare place of the library was reached
    call,       ///< a client's operation or a user's edit begins
    done,       ///< and ends
    fault,      ///< something goes wrong: of the world
    mend,       ///< and is over: of the world
    violation,  ///< what the run failed by: of the world
};
inline constexpr std::array<std::string_view, 19> traced_names = {
    "start", "crash", "role", "send", "receive", "lost", "durable", "commit", "apply", "install",
    "sync", "conflict", "report", "probe", "call", "done", "fault", "mend", "violation"};
inline std::string_view to_string(traced t) { return traced_names[static_cast<std::size_t>(t)]; }

/// A set of kinds.
class traced_kinds {
public:
    constexpr bool has(traced t) const noexcept { return (bits_ & bit(t)) != 0; }
    constexpr void set(traced t, bool wanted = true) noexcept { bits_ = wanted ? bits_ | bit(t) : bits_ & ~bit(t); }
    static constexpr traced_kinds all() noexcept {
        traced_kinds k;
        k.bits_ = (std::uint32_t{1} << traced_names.size()) - 1;
        return k;
    }
    /// Without those of which there are many and that are seldom asked for.
    static constexpr traced_kinds usual() noexcept {
        traced_kinds k = all();
        k.set(traced::durable, false);
        k.set(traced::probe, false);
        return k;
    }
    friend constexpr bool operator==(traced_kinds, traced_kinds) = default;

private:
    static constexpr std::uint32_t bit(traced t) noexcept { return std::uint32_t{1} << static_cast<unsigned>(t); }
    std::uint32_t bits_ = 0;
};

/// Named values in an order: numbers and texts.
class trace_values {
public:
    struct item {
        std::string_view name;   ///< a literal
        std::uint64_t number = 0;
        std::string text;
        bool is_text = false;
        friend bool operator==(const item&, const item&) = default;
    };
    trace_values& add(std::string_view name, std::uint64_t number) & {
        items_.push_back({name, number, {}, false});
        return *this;
    }
    trace_values& add(std::string_view name, std::string text) & {
        items_.push_back({name, 0, std::move(text), true});
        return *this;
    }
    trace_values&& add(std::string_view name, std::uint64_t number) && { return std::move(add(name, number)); }
    trace_values&& add(std::string_view name, std::string text) && { return std::move(add(name, std::move(text))); }
    bool empty() const noexcept { return items_.empty(); }
    const std::vector<item>& items() const noexcept { return items_; }
    /// The later value of a name counts.
    void merge(const trace_values& more) {
        for (const item& m : more.items_) {
            bool known = false;
            for (item& i : items_)
                if (i.name == m.name) i = m, known = true;
            if (!known) items_.push_back(m);
        }
    }

private:
    std::vector<item> items_;
};

/// How many events of each lane one follows from, itself included; by the number that a recorder gave to the lane.
using vector_clock = std::vector<std::uint32_t>;

struct trace_event {
    std::uint64_t id = 0;                 ///< 1, 2, … in the order in which they happened
    time_point at{};
    trace_lane where;
    traced what = traced::report;
    std::string text;                     ///< in words
    trace_values values;                  ///< what it is, for programs
    trace_values state;                   ///< of a node: what holds from now on
    std::vector<std::uint64_t> parents;   ///< what it follows from directly
    vector_clock clock;
};

}  // namespace lockstep::sim
