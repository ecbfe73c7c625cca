#pragma once

#include <lockstep/base/assert.hpp>

#include <cstdio>
#include <cstdlib>

namespace lockstep {
namespace detail {

inline void print_assertion(const char* what, const char* file, int line) {
    std::fprintf(stderr, "lockstep: assertion failed: %s (%s:%d)\n", what, file, line);
}

inline assertion_handler& current_assertion_handler() noexcept {
    static assertion_handler handler = &print_assertion;
    return handler;
}

LOCKSTEP_DECL void assertion_failed(const char* what, const char* file, int line) {
    current_assertion_handler()(what, file, line);
    std::abort();
}

}  // namespace detail

LOCKSTEP_DECL assertion_handler set_assertion_handler(assertion_handler handler) noexcept {
    assertion_handler old = detail::current_assertion_handler();
    detail::current_assertion_handler() = handler ? handler : &detail::print_assertion;
    return old;
}

}  // namespace lockstep
