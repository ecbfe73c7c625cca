// The least that models `state_machine`, compiled. It has no state.
#pragma once

#include <lockstep/concepts/state_machine.hpp>

namespace lockstep::testing {

struct state_machine_archetype {
    state_machine_archetype() = default;
    state_machine_archetype(const state_machine_archetype&) = delete;
    state_machine_archetype& operator=(const state_machine_archetype&) = delete;

    void apply(log_index, const shared_bytes&) {}
    std::uint64_t digest() const { return 0; }
};

static_assert(state_machine<state_machine_archetype>);

}  // namespace lockstep::testing
