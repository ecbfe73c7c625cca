// Checked by the compiler alone: the watchers use no more of their parameters than their concepts name, and near misses are no models.
#include <lockstep/testing/archetypes/kernel_events.hpp>
#include <lockstep/testing/archetypes/observer.hpp>
#include <lockstep/testing/archetypes/runtime.hpp>
#include <lockstep/testing/archetypes/state_machine.hpp>
#include <lockstep/testing/archetypes/watcher.hpp>
#include <lockstep/watch/selected_watcher.hpp>

using namespace lockstep;
using namespace lockstep::testing;

namespace {

using directory = file_system_archetype::directory;
using watcher_type = selected_watcher<runtime_archetype, file_system_archetype, kernel_events_archetype>;

struct events_without_errors : kernel_events_archetype {
    watch_id add(const directory&) { return 1; }
};
struct watcher_that_cannot_flush : watcher_archetype {
    void flush() {}
};
struct observer_of_text : observer_archetype {
    void observe(const std::string&) {}
};
struct machine_without_digest {
    void apply(log_index, const shared_bytes&) {}
};

static_assert(watcher<watcher_type, directory>);
static_assert(!kernel_events<events_without_errors, directory>);
static_assert(!watcher<watcher_that_cannot_flush, directory>);
static_assert(!observer<observer_of_text>);
static_assert(!state_machine<machine_without_digest>);

}  // namespace
