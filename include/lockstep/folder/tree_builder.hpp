// A tree from entries that come from outside: each rule of a tree's shape is checked here, for damaged or hostile input too.
// What the entries looked like as bytes is the codec's.
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/folder/tree.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace lockstep::folder {

/// Takes entries in order of id, then sessions in order of node.
/// Complexity: O(n log n) for all together, and one allocation for each node of the tree. Memory beside the tree is a
/// few machine words an entry.
class tree_builder {
public:
    /// False, and nothing is kept, where no tree has such an entry or it is not behind the one before.
    [[nodiscard]] LOCKSTEP_DECL bool add(entry e);
    /// The same of a session.
    [[nodiscard]] LOCKSTEP_DECL bool add_session(node_id node, session_state state);

    /// The tree of all that was added; the builder is empty then. errc::corrupt where two entries have one place, a parent
    /// is not there or no directory, or an entry is deeper than depth_max (as in a cycle, where it has no end).
    LOCKSTEP_DECL result<tree> finish();

private:
    using pointer = std::shared_ptr<const entry>;
    LOCKSTEP_DECL std::vector<std::size_t> by_place() const;
    LOCKSTEP_DECL std::optional<std::size_t> find(entry_id id) const;
    LOCKSTEP_DECL bool shaped(const std::vector<std::size_t>& by_place) const;
    LOCKSTEP_DECL result<tree> take() const;

    std::vector<pointer> entries_;
    tree built_;   // the sessions, and all sums
    node_id last_node_;
};

}  // namespace lockstep::folder

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/folder/impl/tree_builder.ipp>
#endif
