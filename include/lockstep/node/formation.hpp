// How listed nodes become one cluster, once: decisions only.
//
// Each node has a durable disk id. The lowest listed member, once all listed ones answered that they are empty, draws the
// cluster id and writes the founding record; others adopt it if it lists them. A node whose disk id the record does not
// list (its disk was wiped or replaced) follows without voting.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/codec/node_messages.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace lockstep {

enum class membership_standing : std::uint8_t {
    waiting,   ///< no founding record yet
    voter,
    follower,  ///< the record lists another disk under this node's id, or not this node
};

class formation {
public:
    formation(node_id self, disk_id disk, std::set<node_id> listed, bool empty, std::optional<founding_record> record)
        : self_(self), disk_(disk), listed_(std::move(listed)), empty_(empty), record_(std::move(record)) {
        listed_.insert(self_);
        empty_disks_[self_] = disk_;
    }

    const std::optional<founding_record>& record() const noexcept { return record_; }

    membership_standing standing() const {
        if (!record_) return membership_standing::waiting;
        return lists(self_, disk_) ? membership_standing::voter : membership_standing::follower;
    }

    /// Whether the record lists this disk under this id. True while there is no record.
    bool lists(node_id node, disk_id disk) const {
        if (!record_) return true;
        return std::any_of(record_->members.begin(), record_->members.end(),
                           [&](const auto& member) { return member.first == node && member.second == disk; });
    }

    founding_state answer() const { return {empty_, record_}; }

    /// A peer said who it is and how it stands. True: its record is to be adopted (made durable, then adopt()).
    bool hear(node_id peer, disk_id disk, const founding_state& said) {
        if (record_) return false;
        if (said.record && names(*said.record, self_)) return true;
        if (said.empty && !said.record) empty_disks_[peer] = disk;
        else empty_disks_.erase(peer);
        return false;
    }

    /// The record to write durably and then adopt(), once it is this node's to found the cluster.
    std::optional<founding_record> found(cluster_id fresh) const {
        if (record_ || !empty_ || *listed_.begin() != self_ || !missing().empty()) return std::nullopt;
        founding_record record{fresh, {}};
        for (node_id node : listed_) record.members.emplace_back(node, empty_disks_.at(node));
        return record;
    }

    void adopt(founding_record record) { record_ = std::move(record); }

    /// Listed nodes that have not said that they are empty.
    std::vector<node_id> missing() const {
        std::vector<node_id> nodes;
        for (node_id node : listed_)
            if (!empty_disks_.contains(node)) nodes.push_back(node);
        return nodes;
    }

private:
    static bool names(const founding_record& record, node_id node) {
        return std::any_of(record.members.begin(), record.members.end(),
                           [&](const auto& member) { return member.first == node; });
    }

    node_id self_;
    disk_id disk_;
    std::set<node_id> listed_;
    bool empty_;
    std::optional<founding_record> record_;
    std::map<node_id, disk_id> empty_disks_;
};

}  // namespace lockstep
