// What both translation units have in common: every header of the library, and what each offers the other.
#pragma once

#include "all_headers.hpp"

#ifdef LOCKSTEP_SEPARATE_COMPILATION
#error "a consumer has the library header-only unless it says otherwise"
#endif

/// The directory that the commands of a log make, as the other translation unit computes it.
std::uint64_t digest_elsewhere(const std::vector<lockstep::raft::entry>& log);

/// The same, here: both must instantiate and link the same inline functions.
static inline std::uint64_t digest_here(const std::vector<lockstep::raft::entry>& log) {
    lockstep::folder::tree tree;
    for (const auto& entry : log)
        if (auto command = lockstep::decode_command(entry.data)) lockstep::folder::apply(tree, entry.index, *command);
    return tree.digest();
}
