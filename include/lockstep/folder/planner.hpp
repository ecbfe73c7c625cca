// In which order a disk is brought to the committed tree: pure, from what is wanted and what is there. Each step is
// possible when its turn comes; what is undecided is left alone. How a step is done on a disk is not known here.
#pragma once

#include <lockstep/folder/impl/planner.hpp>
#include <lockstep/folder/local_entry.hpp>
#include <lockstep/folder/plan.hpp>
#include <lockstep/folder/tree.hpp>

#include <concepts>
#include <utility>
#include <vector>

namespace lockstep::folder {

/// Plans how the entries `look_at` get from what `local` holds to what `committed` wants; entries that stand in their
/// way, and directories above them, are dealt with too. Nothing else is looked at.
/// `is_busy(entry_id)`: what the disk holds of it is a user's edit that is not decided (proposed, or still to be
/// proposed). It is not touched, nor what lies below it.
/// Precondition: what `local` holds of the others is decided or safe elsewhere: it may be overwritten or removed.
template <disk_view View, class Busy>
    requires std::predicate<Busy&, entry_id>
plan make_plan(const tree& committed, const View& local, const std::vector<entry_id>& look_at, Busy is_busy,
               plan_limits limits = {}) {
    return detail::planner<View, Busy>(committed, local, std::move(is_busy), limits).run(look_at);
}

}  // namespace lockstep::folder
