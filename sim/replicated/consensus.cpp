// The translation unit that instantiates the simulated cluster of registers.
#include <sim/replicated/consensus.hpp>

#include <sim/replicated/registers.hpp>
#include <sim/replicated/replicated_cluster.hpp>

namespace lockstep::sim {

run_result simulate_consensus(const scenario& what, const run_hooks& hooks) {
    return replicated_cluster<registers>(what, hooks).run();
}

}  // namespace lockstep::sim
