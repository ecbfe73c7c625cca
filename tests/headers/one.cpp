// See two.cpp.
#include "all_headers.hpp"

#ifdef LOCKSTEP_SEPARATE_COMPILATION
#error "this test is about the header-only library"
#endif

lockstep::content_hash hash_in_one(lockstep::byte_view bytes) { return lockstep::sha256(bytes); }
