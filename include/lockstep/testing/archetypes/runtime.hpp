// The least that is a `runtime`: what templates over one may use, and nothing else. Never run.
#pragma once

#include <lockstep/concepts/runtime.hpp>

namespace lockstep::testing {

class runtime_archetype {
public:
    runtime_archetype(const runtime_archetype&) = delete;
    runtime_archetype& operator=(const runtime_archetype&) = delete;

    time_point now();
    void post(task f);
    timer_id schedule(time_point at, task f);
    void cancel(timer_id id);
    void offload(lane l, task job, task done);
    std::uint64_t random();
};

static_assert(runtime<runtime_archetype>);

}  // namespace lockstep::testing
