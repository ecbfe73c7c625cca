// Which commands stand in a log and were not applied yet. A leader need not take one of them once more: origins say again what they
// have not heard of for a while, and where a cluster is slow that would be most of its log. A value with no clock of its own.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/checksum.hpp>
#include <lockstep/base/ids.hpp>
#include <lockstep/raft/entry.hpp>

#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace lockstep {

/// Known by the checksums of their bytes. Two that share one are taken for the same only as long as the first is not applied.
class undecided_commands {
public:
    /// The log holds these from the first of them on, and nothing behind them.
    void appended(const std::vector<raft::entry>& entries) {
        if (entries.empty()) return;
        erase(known_.lower_bound(entries.front().index), known_.end());
        for (const raft::entry& e : entries) {
            if (e.kind != raft::entry_kind::command) continue;
            const std::uint64_t sum = checksum(e.data.view());
            known_.emplace(e.index, sum);
            sums_.insert(sum);
        }
    }
    void applied(log_index up_to) { erase(known_.begin(), known_.upper_bound(up_to)); }
    bool contains(const shared_bytes& command) const { return !sums_.empty() && sums_.contains(checksum(command.view())); }

private:
    using place = std::map<log_index, std::uint64_t>::iterator;
    void erase(place from, place to) {
        for (place at = from; at != to; ++at) sums_.erase(sums_.find(at->second));
        known_.erase(from, to);
    }

    std::map<log_index, std::uint64_t> known_;
    std::multiset<std::uint64_t> sums_;
};

}  // namespace lockstep
