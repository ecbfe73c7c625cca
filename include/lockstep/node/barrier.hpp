// The part of a barrier that crosses the cluster: the leader asks every reachable node whether its disk is in step with
// an index, and tells who asked. Decisions only; the node carries the messages and keeps the time.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/base/time.hpp>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

/// One barrier that a leader gathers: `origin` asked with its own `id`.
struct gathering {
    node_id origin;
    std::uint64_t id = 0;
    log_index index;
    std::set<node_id> answered;
    std::map<node_id, std::string> unwritable;
    time_point expires;
};

/// Bounded: a gathering that nobody asks for any more is dropped when it expires.
class barrier_desk {
public:
    static constexpr std::size_t gatherings_max = 1024;

    /// A node asks (again); gives the number under which the others are asked.
    std::uint64_t ask(node_id origin, std::uint64_t id, log_index index, time_point now) {
        const time_point expires = now + std::chrono::seconds(10);
        for (auto& [number, open] : open_)
            if (open.origin == origin && open.id == id && open.index == index) return open.expires = expires, number;
        if (open_.size() >= gatherings_max) open_.erase(open_.begin());
        open_.emplace(++last_, gathering{origin, id, index, {}, {}, expires});
        return last_;
    }

    /// A node reports how far its disk is. An unwritable path is said at once.
    void report(node_id from, std::uint64_t number, log_index synced, const std::string& unwritable) {
        auto at = open_.find(number);
        if (at == open_.end()) return;
        if (synced >= at->second.index) {
            at->second.answered.insert(from);
            at->second.unwritable.erase(from);
        } else if (!unwritable.empty()) {
            at->second.unwritable[from] = unwritable;
        }
    }

    struct verdict {
        node_id origin;
        std::uint64_t id = 0;
        bool ok = false;
        std::string missing;
    };

    /// What can be said now of each gathering, given who is reachable. Those that are complete are done with.
    std::vector<verdict> verdicts(const std::set<node_id>& reachable, time_point now) {
        std::vector<verdict> out;
        for (auto at = open_.begin(); at != open_.end();) {
            const gathering& open = at->second;
            std::string missing;
            for (const auto& [node, path] : open.unwritable)
                missing += (missing.empty() ? "node " : "; node ") + std::to_string(node.value) + " cannot write " + path;
            const bool failed = !missing.empty();
            for (node_id node : reachable) {
                if (open.answered.contains(node) || open.unwritable.contains(node)) continue;
                missing += (missing.empty() ? "node " : "; node ") + std::to_string(node.value) + " is not in step yet";
            }
            const bool ok = missing.empty();
            out.push_back({open.origin, open.id, ok, std::move(missing)});
            if (ok || failed || open.expires <= now) at = open_.erase(at);
            else ++at;
        }
        return out;
    }

    bool empty() const noexcept { return open_.empty(); }
    const std::map<std::uint64_t, gathering>& open() const noexcept { return open_; }
    void clear() { open_.clear(); }

private:
    std::map<std::uint64_t, gathering> open_;
    std::uint64_t last_ = 0;
};

}  // namespace lockstep
