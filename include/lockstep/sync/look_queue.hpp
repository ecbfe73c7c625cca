// Where the scanner shall look next: without repeats, in order, some only after a while. A value with no clock of its own.
#pragma once

#include <lockstep/base/time.hpp>
#include <lockstep/sync/scan_types.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sync {

class look_queue {
    struct item {
        scan_target target;
        std::uint64_t generation = 0;
    };
    struct delayed_item {
        item what;
        time_point when;
    };
    using key = std::pair<std::string, bool>;

public:
    /// Looks that ask for the same place become one, that asks for all of it.
    void add(scan_target target, std::uint64_t generation) {
        key k{target.path, target.inside};
        auto [at, fresh] = ready_.try_emplace(k, item{std::move(target), generation});
        if (fresh) {
            order_.push_back(std::move(k));
            return;
        }
        at->second.target.deep |= target.deep;
        at->second.target.settled |= target.settled;
        at->second.target.written = std::max(at->second.target.written, target.written);
        at->second.generation = std::min(at->second.generation, generation);
    }

    /// As add(), for a place where something happened just now: that it looked settled before counts no more. Else an
    /// editor that saves twice, each time with the name missing for an instant, would be seen to remove it.
    void add_changed(scan_target target, std::uint64_t generation) {
        const key k{target.path, target.inside};
        if (auto waits = delayed_.find(k); waits != delayed_.end()) {
            waits->second.what.target.settled = false;
            if (waits->second.what.target.written == open_file::wait) {
                target.deep |= waits->second.what.target.deep;
                generation = std::min(generation, waits->second.what.generation);
                due_.erase({waits->second.when, k});
                delayed_.erase(waits);
            }
        }
        if (auto ready = ready_.find(k); ready != ready_.end()) ready->second.target.settled = false;
        add(std::move(target), generation);
    }

    /// Later; asking again for a place that waits already keeps the earlier time.
    void add_at(time_point when, scan_target target, std::uint64_t generation) {
        key k{target.path, target.inside};
        auto [at, fresh] = delayed_.try_emplace(k, delayed_item{item{std::move(target), generation}, when});
        if (!fresh) {
            item& waiting = at->second.what;
            waiting.target.deep |= target.deep;
            waiting.target.settled |= target.settled;
            waiting.target.written = std::max(waiting.target.written, target.written);
            waiting.generation = std::min(waiting.generation, generation);
            if (when >= at->second.when) return;
            due_.erase({at->second.when, k});
            at->second.when = when;
        }
        due_.emplace(when, std::move(k));
    }

    /// Moves what is due to the front door; `up_to` takes that generation and older ones at once, as they are.
    void turn(time_point now, std::optional<std::uint64_t> up_to) {
        for (auto at = due_.begin(); at != due_.end();) {
            auto waiting = delayed_.find(at->second);
            const bool hurried = up_to && waiting->second.what.generation <= *up_to;
            if (at->first > now && !hurried) {
                if (!up_to) break;
                ++at;
                continue;
            }
            item& what = waiting->second.what;
            if (hurried) hurry(what.target);
            add(std::move(what.target), what.generation);
            delayed_.erase(waiting);
            at = due_.erase(at);
        }
        if (!up_to) return;
        for (auto& [k, waiting] : ready_)
            if (waiting.generation <= *up_to) hurry(waiting.target);
    }

    bool idle() const noexcept { return ready_.empty(); }
    std::size_t size() const noexcept { return ready_.size() + delayed_.size(); }
    time_point next_due() const { return due_.empty() ? never : due_.begin()->first; }

    std::optional<std::uint64_t> oldest_generation() const {
        std::optional<std::uint64_t> oldest;
        const auto take = [&](std::uint64_t g) { oldest = std::min(oldest.value_or(g), g); };
        for (const auto& [k, waiting] : ready_) take(waiting.generation);
        for (const auto& [k, waiting] : delayed_) take(waiting.what.generation);
        return oldest;
    }

    struct batch {
        std::vector<scan_target> targets;
        std::uint64_t generation = 0;  ///< the oldest among them
    };
    batch take(std::size_t targets_max) {
        batch out;
        while (!order_.empty() && out.targets.size() < targets_max) {
            auto node = ready_.extract(order_.front());
            order_.pop_front();
            const std::uint64_t generation = node.mapped().generation;
            out.generation = out.targets.empty() ? generation : std::min(out.generation, generation);
            out.targets.push_back(std::move(node.mapped().target));
        }
        return out;
    }

private:
    static void hurry(scan_target& target) {
        target.settled = true;
        target.written = open_file::take;
    }

    std::map<key, item> ready_;
    std::deque<key> order_;
    std::map<key, delayed_item> delayed_;
    std::set<std::pair<time_point, key>> due_;
};

}  // namespace lockstep::sync
