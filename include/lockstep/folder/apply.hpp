// The rules by which commands change the tree. Pure: the same commands in the same order give the same tree.
//
// In short (docs: the architecture page, "Conflict rules"): an edit of content checks the version of the content, a
// move that of the placement, a removal both. What holds is applied. Same content merges. Otherwise the first in the log
// has the place and the later one is kept beside it under a conflict name. An edit beats a removal.
#pragma once

#include <lockstep/folder/command.hpp>
#include <lockstep/folder/tree.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::folder {

enum class outcome_kind : std::uint8_t {
    applied,
    no_op,          ///< the tree is as wanted already, or the entry is gone
    conflict_copy,  ///< kept beside another, under a conflict name
    merged,         ///< it went into another entry: a directory, or the same content
    refused,        ///< an earlier command wins; nothing changed
    duplicate,      ///< taken before
    gap,            ///< an earlier command of the session is missing
    fenced,         ///< not of the current session of its node
    invalid,        ///< breaks a bound or rule: its number is consumed, nothing else changed
};
LOCKSTEP_DECL std::string_view to_string(outcome_kind kind) noexcept;

struct outcome {
    outcome_kind kind = outcome_kind::invalid;
    /// Where the origin's thing lives now: its own id, the entry it merged with, or the copy. Of a command that did not
    /// take effect it is the entry that the command names.
    entry_id entry;
    /// What changed, appeared or went, each once, in order of id.
    std::vector<entry_id> touched;
    friend bool operator==(const outcome&, const outcome&) = default;
};

/// The permission bits of directories that are made because something below them is kept.
inline constexpr std::uint32_t made_directory_mode = 0755;

/// The k-th directory that the command at `index` made for its path. Node 0 makes no commands, so that no create has it.
inline entry_id made_entry(log_index index, std::uint64_t k) noexcept {
    return {session_id{no_node, index.value}, k + 1};
}

/// Whether a command is one that a correct node could send; judged without the tree. Hashes are not computed here.
LOCKSTEP_DECL bool well_formed(const command& c) noexcept;

/// "stem.conflict-n<node>-<index>.ext", with "-<counter>" after the index if `counter` is not 0. The extension is what
/// follows the last dot, unless that is the first byte or more than 16 bytes would follow. A name that grows too long
/// loses bytes from the end of its stem; valid UTF-8 stays so.
LOCKSTEP_DECL std::string conflict_name(std::string_view name, node_id node, log_index index, std::uint64_t counter);

/// Applies the command at `index`. Indexes must grow from call to call (assumed, not checked).
/// Complexity: O(log n) for each entry touched; a move of a directory to a longer path looks at all below it.
LOCKSTEP_DECL outcome apply(tree& t, log_index index, const command& c);

}  // namespace lockstep::folder

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/folder/impl/apply.ipp>
#endif
