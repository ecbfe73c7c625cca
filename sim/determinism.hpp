// Checks that a run goes the same way each time: runs it twice, compares hashes of what happened, block by block, and where
// they differ looks for the first event that does. It knows nothing of what runs.
#pragma once

#include <sim/block_hashes.hpp>
#include <sim/simulation.hpp>

#include <lockstep/base/config.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sim {

class determinism_check {
public:
    /// `run` runs it once more, with these hooks.
    explicit determinism_check(std::function<run_result(const run_hooks&)> run) : run_(std::move(run)) {}

    /// Its first result. One that passed and went another way the second time is a failure that names the first event
    /// which differs, as it was in both. One that failed is not run again.
    LOCKSTEP_DECL run_result run(const run_hooks& hooks);

    /// A difference that did not show again in so many more pairs of runs is told without its event.
    static constexpr int pairs_max = 6;

private:
    /// An event and what is told of it in a trace.
    struct told_event {
        ran_event event;
        std::string words;
    };
    /// One more run: hashes of all of it, and the events of a block.
    struct pass {
        block_hashes hashes;
        std::vector<told_event> window;
    };

    LOCKSTEP_DECL pass look_at(const event_range& window);
    LOCKSTEP_DECL std::string first_difference(event_range window);
    LOCKSTEP_DECL static std::string difference(const pass& a, const pass& b);
    LOCKSTEP_DECL static std::string describe(const told_event& e);

    static constexpr std::size_t words_max = 300;   ///< of one event

    std::function<run_result(const run_hooks&)> run_;
    std::function<void(world&)> prepare_;
};

}  // namespace lockstep::sim

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <sim/impl/determinism.ipp>
#endif
