// Makes divergence loud: nodes say a digest of their state at fixed indexes, and one that a majority contradicts stops.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/codec/node_messages.hpp>

#include <cstddef>
#include <map>
#include <optional>

namespace lockstep {

class digest_watch {
public:
    static constexpr std::size_t indexes_max = 16;   ///< the newest are kept

    void say(node_id node, const digest_report& report) {
        said_[report.index][node] = report.digest;
        if (said_.size() > indexes_max) said_.erase(said_.begin());
    }

    /// An index at which a majority of `members` agrees on another digest than `self`.
    std::optional<log_index> outvoted(node_id self, std::size_t members) const {
        for (const auto& [index, digests] : said_) {
            const auto mine = digests.find(self);
            if (mine == digests.end()) continue;
            std::map<std::uint64_t, std::size_t> votes;
            for (const auto& [node, digest] : digests)
                if (++votes[digest] > members / 2 && digest != mine->second) return index;
        }
        return std::nullopt;
    }

private:
    std::map<log_index, std::map<node_id, std::uint64_t>> said_;
};

}  // namespace lockstep
