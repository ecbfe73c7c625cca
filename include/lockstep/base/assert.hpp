// Assertions for broken invariants. They stay on in every build: a node that finds its own state
// impossible must stop before it spreads it. Expected failures are `errc`, never assertions.
#pragma once

#include <lockstep/base/config.hpp>

namespace lockstep {

/// Called when an assertion fails, before the process aborts. `what` and `file` are literals.
using assertion_handler = void (*)(const char* what, const char* file, int line);

/// Replaces the handler (it prints one line to stderr by default) and returns the old one.
/// A handler may throw to unwind into a test or a simulator; if it returns, the process aborts.
/// Thread safety: set it before other threads start.
LOCKSTEP_DECL assertion_handler set_assertion_handler(assertion_handler handler) noexcept;

namespace detail {
[[noreturn]] LOCKSTEP_DECL void assertion_failed(const char* what, const char* file, int line);
}

}  // namespace lockstep

#define LOCKSTEP_ASSERT(condition) \
    ((condition) ? (void)0 : ::lockstep::detail::assertion_failed(#condition, __FILE__, __LINE__))

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/base/impl/assert.ipp>
#endif
