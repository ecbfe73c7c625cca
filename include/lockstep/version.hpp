// The version of the library; the build reads it from here. Formats on disk and on the wire carry
// versions of their own.
#pragma once

#define LOCKSTEP_VERSION "0.1.0"

namespace lockstep {

inline constexpr const char* library_version = LOCKSTEP_VERSION;

}  // namespace lockstep
