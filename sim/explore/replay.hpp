// Takes a cluster through a list of steps and tells what happens: how a counterexample is shown, and done again.
#pragma once

#include <sim/explore/action.hpp>
#include <sim/explore/describe.hpp>
#include <sim/explore/transitions.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace lockstep::sim::explore {

struct replayed {
    std::string text;        ///< a numbered list
    std::string wrong;       ///< what does not hold at its end
    std::string impossible;  ///< the step that cannot happen where it stands
    bool assertion = false;
};

namespace detail {
template <class Driver>
std::string text_of_step(const transitions<Driver>& moves, std::size_t number, const action& a, const cluster_state& before,
                         const cluster_state& after) {
    std::string text = std::to_string(number) + ". " + text_of(a) + "\n";
    if (is_about_message(a.kind)) {
        const std::size_t at = before.begin_of(link_of(a.from, a.node)) + a.place;
        text += "     message " + describe(moves.nodes().message(before.messages[at].message())) + "\n";
        if (a.kind == action_kind::drop) return text;
    }
    const std::uint32_t node = after.members[a.node - 1u];
    text += "     node " + std::to_string(a.node) + ": " + describe(moves.nodes().node(node), moves.nodes().facts(node)) + "\n";
    for (const std::uint32_t m : moves.nodes().sent(moves.last())) text += "     sends " + describe(moves.nodes().message(m)) + "\n";
    return text;
}
}  // namespace detail

template <class Driver = faithful_driver>
replayed replay(const bounds& b, const std::vector<action>& steps) {
    const assertions_as_results here;
    transitions<Driver> moves(b);
    cluster_state s = moves.initial();
    replayed done;
    std::size_t number = 0;
    for (const action& a : steps) {
        bool possible = false;
        moves.each_action(s, [&](const action& one) { possible = possible || one == a; });
        if (!possible) {
            done.impossible = text_of(a);
            return done;
        }
        cluster_state next;
        const reached how = moves.apply(s, a, next);
        done.text += detail::text_of_step(moves, ++number, a, s, next);
        if (how == reached::beyond) done.text += "     that is beyond the bounds\n";
        if (how == reached::violation || how == reached::assertion) done.wrong = moves.wrong();
        else if (const char* const broken = moves.broken(next)) done.wrong = broken;
        done.assertion = how == reached::assertion;
        if (how == reached::beyond || !done.wrong.empty()) return done;
        s = next;
    }
    return done;
}

}  // namespace lockstep::sim::explore
