// Runs that are about consensus alone: clusters of replicated registers (registers.hpp).
#pragma once

#include <sim/run_result.hpp>
#include <sim/scenario.hpp>

namespace lockstep::sim {

/// A pure function of the scenario, whose workload is consensus.
run_result simulate_consensus(const scenario& what, const run_hooks& hooks = {});

}  // namespace lockstep::sim
