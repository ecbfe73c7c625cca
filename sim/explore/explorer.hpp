// Goes through every state that a cluster comes to within given bounds, breadth first, so that the way to a broken
// property is a shortest one. The cores are the shipped ones.
#pragma once

#include <sim/explore/action.hpp>
#include <sim/explore/assertions.hpp>
#include <sim/explore/bounds.hpp>
#include <sim/explore/cluster_state.hpp>
#include <sim/explore/fingerprint_table.hpp>
#include <sim/explore/transitions.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sim::explore {

struct exploration_limits {
    std::uint64_t states = std::uint64_t{1} << 31;
    std::size_t bytes = std::size_t{4} << 30;
};

enum class ended : std::uint8_t {
    exhausted,  ///< every state within the bounds was looked at
    violated,   ///< `steps` lead to where something does not hold
    limited,    ///< there were more states than the limits allow
};

struct exploration {
    ended how = ended::exhausted;
    std::uint64_t states = 0;        ///< that differ
    std::uint64_t transitions = 0;   ///< looked at, those that lead to a known state too
    std::uint64_t beyond = 0;        ///< of them, those that lead out of the bounds
    std::uint64_t crowded = 0;       ///< of them, those not followed because too many messages were on their way
    std::uint64_t core_steps = 0;    ///< of the shipped core
    std::uint64_t twins = 0;         ///< with bounds::compare_twins: pairs of nodes compared
    std::size_t node_states = 0;     ///< of one node, that differ
    std::size_t messages = 0;        ///< that differ
    std::size_t bytes = 0;           ///< of the tables, without what the nodes take
    std::vector<std::uint64_t> by_depth;  ///< new states
    std::string wrong;
    bool assertion = false;          ///< what is wrong is an assertion of the library
    std::vector<action> steps;
};

template <class Driver = faithful_driver>
class explorer {
public:
    /// Called after each depth.
    using progress = std::function<void(const exploration&)>;

    explicit explorer(const bounds& b, exploration_limits limits = {}) : limits_(limits), moves_(b) {}

    exploration run(const progress& after_depth = {}) {
        const assertions_as_results here;
        cluster_state s = moves_.initial();
        visited_.insert(moves_.print(s), s.left.packed());
        came_from_.push_back({});
        frontier_.push(s);
        found_.states = 1;
        found_.by_depth.push_back(1);
        for (std::uint64_t first = 0; found_.how == ended::exhausted && !frontier_.empty();) {
            const std::uint64_t behind = first + found_.by_depth.back();
            found_.by_depth.push_back(0);
            while (!frontier_.empty() && found_.how == ended::exhausted) {
                frontier_.pop(s);
                expand(s, first++);
            }
            first = behind;
            frontier_.clear();
            std::swap(frontier_, next_);
            count();
            if (after_depth) after_depth(found_);
        }
        if (found_.by_depth.back() == 0) found_.by_depth.pop_back();
        return found_;
    }

private:
    /// How a state was first reached.
    struct origin {
        std::uint32_t state = 0;
        action step;
    };

    void expand(const cluster_state& s, std::uint64_t number) {
        moves_.each_action(s, [&](const action& a) {
            if (found_.how != ended::exhausted) return;
            ++found_.transitions;
            switch (moves_.apply(s, a, child_)) {
                case reached::same: return;
                case reached::beyond: ++found_.beyond; return;
                case reached::crowded: ++found_.crowded; return;
                case reached::assertion: found_.assertion = true; [[fallthrough]];
                case reached::violation: return violated(moves_.wrong(), number, a);
                case reached::state: break;
            }
            if (!visited_.insert(moves_.print(child_), child_.left.packed())) return;
            if (const char* const broken = moves_.broken(child_)) return violated(broken, number, a);
            came_from_.push_back({static_cast<std::uint32_t>(number), a});
            next_.push(child_);
            ++found_.states;
            ++found_.by_depth.back();
            if (found_.states >= limits_.states) found_.how = ended::limited;
        });
    }

    void violated(const std::string& what, std::uint64_t number, const action& last) {
        found_.how = ended::violated;
        found_.wrong = what;
        found_.steps.push_back(last);
        for (std::uint64_t at = number; at != 0; at = came_from_[at].state) found_.steps.push_back(came_from_[at].step);
        std::reverse(found_.steps.begin(), found_.steps.end());
    }

    void count() {
        found_.core_steps = moves_.nodes().steps();
        found_.twins = moves_.nodes().twins();
        found_.node_states = moves_.nodes().members();
        found_.messages = moves_.nodes().messages();
        found_.bytes = visited_.bytes() + frontier_.bytes() + next_.bytes() + came_from_.capacity() * sizeof(origin);
        if (found_.bytes > limits_.bytes && found_.how == ended::exhausted && !frontier_.empty()) found_.how = ended::limited;
    }

    exploration_limits limits_;
    transitions<Driver> moves_;
    visited_states visited_;
    std::vector<origin> came_from_;  // by state, in the order of finding
    state_queue frontier_;
    state_queue next_;
    cluster_state child_;
    exploration found_;
};

}  // namespace lockstep::sim::explore
