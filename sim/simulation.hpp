// The runs of lockstep-sim: a cluster of the real node on simulated machines, users who edit on all of them, faults, and
// checkers.
#pragma once

#include <sim/run_result.hpp>
#include <sim/scenario.hpp>

namespace lockstep::sim {

/// A pure function of the scenario. One at a time in a process: probes are counted for the one that runs.
run_result simulate(const scenario& what, const run_hooks& hooks = {});

}  // namespace lockstep::sim
