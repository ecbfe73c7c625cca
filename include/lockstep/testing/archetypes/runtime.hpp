// The least that models `runtime`: what the library may use of one, compiled. It does nothing.
#pragma once

#include <lockstep/concepts/runtime.hpp>

namespace lockstep::testing {

struct runtime_archetype {
    runtime_archetype() = default;
    runtime_archetype(const runtime_archetype&) = delete;
    runtime_archetype& operator=(const runtime_archetype&) = delete;

    time_point now() { return {}; }
    void post(task) {}
    timer_id schedule(time_point, task) { return 1; }
    void cancel(timer_id) {}
    void offload(lane, task, task) {}
    std::uint64_t random() { return 4; }
};

static_assert(runtime<runtime_archetype>);

}  // namespace lockstep::testing
