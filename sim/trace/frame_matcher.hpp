// Finds out, for a frame that arrived on a connection, which one that was sent it is: nothing travels with it that would
// say so. A connection keeps frames in order and loses some only when it breaks, so the first equal one that is under way
// is it, and those before that are lost. Of two equal ones, of which the first was lost, the first is taken: what arrived
// does follow from that too.
#pragma once

#include <lockstep/base/ids.hpp>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

namespace lockstep::sim {

class frame_matcher {
public:
    struct way {
        node_id from;
        node_id to;
        std::uint64_t channel = 0;
        friend auto operator<=>(const way&, const way&) = default;
    };
    struct match {
        std::uint64_t sent = 0;           ///< 0: none that is known
        std::vector<std::uint64_t> lost;
    };

    /// Returns what is given up then, because too much is under way; 0: nothing.
    std::uint64_t sent(const way& w, std::uint64_t id, std::uint64_t digest) {
        auto& queue = under_way_[w];
        queue.push_back({id, digest});
        if (queue.size() <= frames_max) return 0;
        const std::uint64_t oldest = queue.front().id;
        queue.pop_front();
        return oldest;
    }

    match received(const way& w, std::uint64_t digest) {
        match m;
        auto& queue = under_way_[w];
        const auto found = std::find_if(queue.begin(), queue.end(), [&](const frame& f) { return f.digest == digest; });
        if (found == queue.end()) return m;
        m.sent = found->id;
        for (auto it = queue.begin(); it != found; ++it) m.lost.push_back(it->id);
        queue.erase(queue.begin(), found + 1);
        return m;
    }

    /// A receiver's process ended: what is on its way to it will not arrive there.
    std::vector<std::uint64_t> ended(node_id node) {
        std::vector<std::uint64_t> lost;
        for (auto& [w, queue] : under_way_) {
            if (w.to != node) continue;
            for (const frame& f : queue) lost.push_back(f.id);
            queue.clear();
        }
        return lost;
    }

    /// On one way at once; a transport's queue holds fewer.
    static constexpr std::size_t frames_max = 100'000;

private:
    struct frame {
        std::uint64_t id = 0;
        std::uint64_t digest = 0;
    };
    std::map<way, std::deque<frame>> under_way_;
};

}  // namespace lockstep::sim
