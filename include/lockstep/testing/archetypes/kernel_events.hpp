// The least that models `kernel_events`, compiled. It has no events.
#pragma once

#include <lockstep/concepts/kernel_events.hpp>
#include <lockstep/testing/archetypes/file_system.hpp>

namespace lockstep::testing {

struct kernel_events_archetype {
    kernel_events_archetype() = default;
    kernel_events_archetype(const kernel_events_archetype&) = delete;
    kernel_events_archetype& operator=(const kernel_events_archetype&) = delete;

    result<> start(unique_function<void()>) { return {}; }
    result<watch_id> add(const file_system_archetype::directory&) { return make_error_code(errc::watch_limit); }
    void remove(watch_id) {}
    std::vector<kernel_event> read() { return {}; }
    void stop() {}
};

static_assert(kernel_events<kernel_events_archetype, file_system_archetype::directory>);

}  // namespace lockstep::testing
