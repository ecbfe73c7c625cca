// The runs of lockstep-sim. Of a folder: a cluster of the real node on simulated machines, and users who edit on all of them.
// Of consensus: replicated registers, and clients. Both with faults and checkers. For a state machine of one's own:
// sim/replicated/replicated_cluster.hpp.
#pragma once

#include <sim/run_result.hpp>
#include <sim/scenario.hpp>

namespace lockstep::sim {

/// A pure function of the scenario. One at a time in a process: probes are counted for the one that runs.
run_result simulate(const scenario& what, const run_hooks& hooks = {});

}  // namespace lockstep::sim
