// Where the scanner shall look next: without repeats, in order, some only after a while. A value with no clock of its own.
#pragma once

#include <lockstep/base/time.hpp>
#include <lockstep/sync/scan_types.hpp>

#include <algorithm>
#include <cstddef>
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
        item what;             ///< not settled
        time_point when;
        time_point settled;    ///< from when on it is; never: nobody asked for that
    };
    using key = std::pair<std::string, bool>;

public:
    /// The generation of looks that no barrier waits for.
    static constexpr std::uint64_t in_passing = std::uint64_t{1} << 63;

    /// Looks that ask for the same place become one, that asks for all of it.
    void add(scan_target target, std::uint64_t generation) {
        key k{target.path, target.inside};
        auto [at, fresh] = ready_.try_emplace(k, item{std::move(target), generation});
        item& waiting = at->second;
        if (fresh) {
            ++ready_generations_[generation];
            (generation == in_passing ? passing_ : order_).push_back(std::move(k));
        } else {
            if (waiting.generation == in_passing && generation != in_passing) order_.push_back(std::move(k));
            merge(waiting.target, target);
            if (generation < waiting.generation) {
                leave(waiting.generation);
                ++ready_generations_[generation];
                waiting.generation = generation;
            }
        }
        if (hurried_ && waiting.generation <= *hurried_) hurry(waiting.target);
    }

    /// As add(), for a place where something happened just now: that it looked settled before counts no more. Else an
    /// editor that saves twice, each time with the name missing for an instant, would be seen to remove it.
    void add_changed(scan_target target, std::uint64_t generation) {
        const key k{target.path, target.inside};
        if (auto waits = delayed_.find(k); waits != delayed_.end()) {
            waits->second.settled = never;
            if (waits->second.what.target.written == open_file::wait) {
                target.deep |= waits->second.what.target.deep;
                generation = std::min(generation, waits->second.what.generation);
                forget_delayed(waits);
            }
        }
        if (auto ready = ready_.find(k); ready != ready_.end()) ready->second.target.settled = false;
        add(std::move(target), generation);
    }

    /// Later; asking again for a place that waits already keeps the earlier time. A settled look is one that has waited: one that is
    /// made earlier, as somebody else asked for it, is not settled, and another comes at its time.
    void add_at(time_point when, scan_target target, std::uint64_t generation) {
        key k{target.path, target.inside};
        const time_point settled = std::exchange(target.settled, false) ? when : never;
        auto [at, fresh] = delayed_.try_emplace(k, delayed_item{item{std::move(target), generation}, when, settled});
        if (!fresh) {
            item& waiting = at->second.what;
            merge(waiting.target, target);
            at->second.settled = std::min(at->second.settled, settled);
            due_.erase({at->second.when, k});
            delayed_generations_.erase({waiting.generation, k});
            waiting.generation = std::min(waiting.generation, generation);
            at->second.when = std::min(at->second.when, when);
        }
        delayed_generations_.emplace(at->second.what.generation, k);
        due_.emplace(at->second.when, std::move(k));
    }

    /// Moves what is due to the front door; `up_to` takes that generation and older ones at once, as they are.
    /// Complexity: by what is moved; by all that is ready only where `up_to` is another than before.
    void turn(time_point now, std::optional<std::uint64_t> up_to) {
        std::set<std::pair<time_point, key>> moving;
        for (auto at = due_.begin(); at != due_.end() && at->first <= now; ++at, ++walked_) moving.insert(*at);
        if (up_to)
            for (auto at = delayed_generations_.begin(); at != delayed_generations_.end() && at->first <= *up_to;
                 ++at, ++walked_)
                moving.emplace(delayed_.at(at->second).when, at->second);
        for (const auto& [when, k] : moving) {
            const auto waiting = delayed_.find(k);
            item what = std::move(waiting->second.what);
            const time_point settled = waiting->second.settled;
            forget_delayed(waiting, what.generation);
            what.target.settled = settled <= now;
            if (up_to && what.generation <= *up_to) {
                hurry(what.target);
            } else if (!what.target.settled && settled != never) {
                scan_target then = what.target;
                then.settled = true;
                add_at(settled, std::move(then), what.generation);
            }
            add(std::move(what.target), what.generation);
        }
        if (up_to == hurried_) return;
        hurried_ = up_to;
        if (!up_to) return;
        for (auto& [k, waiting] : ready_) {
            ++walked_;
            if (waiting.generation <= *up_to) hurry(waiting.target);
        }
    }

    /// Sees to it that everything is looked at again `interval` after the pass before came to its end: names and status,
    /// and what is held open (a mapping gives no event). One pass at a time, behind all other looks.
    void pass_by(time_point now, duration interval) {
        while (!passing_.empty() && !is_in_passing(passing_.front())) passing_.pop_front();
        if (interval <= duration{} || !passing_.empty() || delayed_.contains(key{"", true})) return;
        add_at(now + interval, {"", true, true, false, open_file::between_writes}, in_passing);
    }

    bool idle() const noexcept { return ready_.empty(); }
    /// Without the pass that is to come.
    std::size_t size() const {
        const auto pass = delayed_.find(key{"", true});
        const bool to_come = pass != delayed_.end() && pass->second.what.generation == in_passing;
        return ready_.size() + delayed_.size() - (to_come ? 1 : 0);
    }
    time_point next_due() const { return due_.empty() ? never : due_.begin()->first; }

    /// Complexity: O(1).
    std::optional<std::uint64_t> oldest_generation() const {
        std::optional<std::uint64_t> oldest;
        if (!ready_generations_.empty()) oldest = ready_generations_.begin()->first;
        if (delayed_generations_.empty()) return oldest;
        const std::uint64_t delayed = delayed_generations_.begin()->first;
        return std::min(oldest.value_or(delayed), delayed);
    }

    /// How many looks turn() went through so far: for tests of what it costs.
    std::uint64_t walked() const noexcept { return walked_; }

    struct batch {
        std::vector<scan_target> targets;
        std::uint64_t generation = 0;  ///< the oldest among them
    };
    batch take(std::size_t targets_max) {
        batch out;
        auto& order = order_.empty() ? passing_ : order_;
        while (!order.empty() && out.targets.size() < targets_max) {
            const key next = std::move(order.front());
            order.pop_front();
            if (&order == &passing_ && !is_in_passing(next)) continue;
            auto node = ready_.extract(next);
            const std::uint64_t generation = node.mapped().generation;
            leave(generation);
            out.generation = out.targets.empty() ? generation : std::min(out.generation, generation);
            out.targets.push_back(std::move(node.mapped().target));
        }
        return out;
    }

private:
    bool is_in_passing(const key& k) const {
        const auto at = ready_.find(k);
        return at != ready_.end() && at->second.generation == in_passing;
    }
    static void merge(scan_target& waiting, const scan_target& more) {
        waiting.deep |= more.deep;
        waiting.settled |= more.settled;
        waiting.written = std::max(waiting.written, more.written);
        if (more.unsettled == 0) return;
        // The count since the later read; since one read the longer.
        const bool same_read = more.unsettled_since == waiting.unsettled_since;
        waiting.unsettled = same_read ? std::max(waiting.unsettled, more.unsettled) : more.unsettled;
        waiting.unsettled_since = more.unsettled_since;
    }
    void leave(std::uint64_t generation) {
        const auto at = ready_generations_.find(generation);
        if (--at->second == 0) ready_generations_.erase(at);
    }
    void forget_delayed(std::map<key, delayed_item>::iterator at) { forget_delayed(at, at->second.what.generation); }
    void forget_delayed(std::map<key, delayed_item>::iterator at, std::uint64_t generation) {
        due_.erase({at->second.when, at->first});
        delayed_generations_.erase({generation, at->first});
        delayed_.erase(at);
    }
    static void hurry(scan_target& target) {
        target.settled = true;
        target.written = open_file::take;
    }

    std::map<key, item> ready_;
    std::deque<key> order_;
    std::deque<key> passing_;   // of those in passing; what was asked for otherwise since is in order_ as well
    std::map<key, delayed_item> delayed_;
    std::set<std::pair<time_point, key>> due_;
    std::set<std::pair<std::uint64_t, key>> delayed_generations_;
    std::map<std::uint64_t, std::size_t> ready_generations_;   // how many of each
    std::optional<std::uint64_t> hurried_;                     // what is ready, and as old as that, was hurried already
    std::uint64_t walked_ = 0;
};

}  // namespace lockstep::sync
