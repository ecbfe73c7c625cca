// How many allocations the program made. Counted by the operator new that the program brings (operator_new.cpp); in a
// program that brings none it stays 0.
#pragma once

#include <cstdint>

namespace lockstep::sim::commands {

/// Of this thread.
inline thread_local std::uint64_t allocations_made = 0;

}  // namespace lockstep::sim::commands
