// What watches a simulated run: checkers, and the failure that ends it. A checker looks and never acts.
#pragma once

#include <string>

namespace lockstep::sim {

class world;

/// How the program ends. The numbers are its exit codes.
enum class exit_class : int {
    passed = 0,
    usage = 1,
    crash = 127,        ///< an assertion of the library
    liveness = 128,     ///< nothing wrong was seen, but what had to happen in time did not
    correctness = 129,  ///< a property that must always hold did not
};

struct failure {
    exit_class what = exit_class::passed;
    std::string text;
    std::string checker = {};   ///< the name of the file that it was found in, without its ending; empty: of a crash
};

/// "[checker] text".
inline std::string named(const failure& f) { return (f.checker.empty() ? "" : "[" + f.checker + "] ") + f.text; }

/// One property. It reports through world::fail; the first failure of a run is the one that counts.
class checker {
public:
    virtual ~checker() = default;
    /// After each executed event: safety.
    virtual void after_event(world&) {}
    /// Once, after the faults stopped and the world had its time to settle: liveness, and what only the end can show.
    virtual void at_end(world&) {}
};

}  // namespace lockstep::sim
