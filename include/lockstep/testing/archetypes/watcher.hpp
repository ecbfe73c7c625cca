// The least that models `watcher`: what the library may use of one, compiled. It sees nothing.
#pragma once

#include <lockstep/concepts/watcher.hpp>
#include <lockstep/testing/archetypes/file_system.hpp>

namespace lockstep::testing {

struct watcher_archetype {
    watcher_archetype() = default;
    watcher_archetype(const watcher_archetype&) = delete;
    watcher_archetype& operator=(const watcher_archetype&) = delete;

    result<> start(const file_system_archetype::directory&, watcher_callbacks) { return {}; }
    void add(const std::string&, const file_system_archetype::directory&) {}
    void remove(const std::string&) {}
    void flush(unique_function<void(error_code)>) {}
    watcher_counters counters() const { return {}; }
    void stop() {}
};

static_assert(watcher<watcher_archetype, file_system_archetype::directory>);

}  // namespace lockstep::testing
