// Knows which disks of a run were damaged, and refuses what would leave too few good ones: so that whatever a run does not
// recover from is a bug.
//
// All damage of a run befalls one and the same minority of the voters. The others hold, undamaged, whatever a majority ever
// acknowledged: at least one of them each vote, each entry and each content. A node that lost its state counts for ever, since
// its vote is gone for good; one whose disk was damaged does too, since nobody can tell when the last of it has been found.
// (docs/decisions/0022-fault-atlas.md)
#pragma once

#include <lockstep/base/ids.hpp>

#include <cstdint>
#include <set>

namespace lockstep::sim {

class fault_atlas {
public:
    explicit fault_atlas(std::uint64_t voters) : voters_(voters) {}

    /// The disk of a node may be damaged, or lose all that its node keeps: from now on it counts as such. False: it may not, for
    /// too many others are; that is counted.
    bool take(node_id node) {
        if (damaged_.contains(node)) return true;
        if (2 * (damaged_.size() + 1) >= voters_) return ++refused_, false;
        damaged_.insert(node);
        return true;
    }
    /// Its state is gone. Precondition: take() said that it may be.
    void wiped(node_id node) { wiped_.insert(node); }

    /// What its node says of damage may be true.
    bool is_damaged(node_id node) const { return damaged_.contains(node); }
    /// It has another disk than the cluster was founded with, and does not vote.
    bool is_wiped(node_id node) const { return wiped_.contains(node); }
    std::uint64_t damaged() const noexcept { return damaged_.size(); }
    std::uint64_t refused() const noexcept { return refused_; }

private:
    std::uint64_t voters_;
    std::set<node_id> damaged_;
    std::set<node_id> wiped_;
    std::uint64_t refused_ = 0;
};

}  // namespace lockstep::sim
