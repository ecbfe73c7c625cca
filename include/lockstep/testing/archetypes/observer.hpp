// The least that models `observer`, compiled. It tells nobody.
#pragma once

#include <lockstep/concepts/observer.hpp>

namespace lockstep::testing {

struct observer_archetype {
    observer_archetype() = default;
    observer_archetype(const observer_archetype&) = delete;
    observer_archetype& operator=(const observer_archetype&) = delete;

    void observe(const report&) {}
};

static_assert(observer<observer_archetype>);

}  // namespace lockstep::testing
