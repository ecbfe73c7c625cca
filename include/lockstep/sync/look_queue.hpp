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
    /// The generation of looks that no barrier waits for.
    static constexpr std::uint64_t in_passing = std::uint64_t{1} << 63;

    /// Looks that ask for the same place become one, that asks for all of it.
    void add(scan_target target, std::uint64_t generation) {
        key k{target.path, target.inside};
        auto [at, fresh] = ready_.try_emplace(k, item{std::move(target), generation});
        if (fresh) {
            (generation == in_passing ? passing_ : order_).push_back(std::move(k));
            return;
        }
        if (at->second.generation == in_passing && generation != in_passing) order_.push_back(std::move(k));
        at->second.target.deep |= target.deep;
        at->second.target.settled |= target.settled;
        at->second.target.written = std::max(at->second.target.written, target.written);
        keep_unsettled(at->second.target, target);
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
            keep_unsettled(waiting.target, target);
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
        auto& order = order_.empty() ? passing_ : order_;
        while (!order.empty() && out.targets.size() < targets_max) {
            const key next = std::move(order.front());
            order.pop_front();
            if (&order == &passing_ && !is_in_passing(next)) continue;
            auto node = ready_.extract(next);
            const std::uint64_t generation = node.mapped().generation;
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
    /// The count of the later read; of one read the longer.
    static void keep_unsettled(scan_target& waiting, const scan_target& other) {
        if (other.unsettled == 0) return;
        const bool same_read = other.unsettled_since == waiting.unsettled_since;
        waiting.unsettled = same_read ? std::max(waiting.unsettled, other.unsettled) : other.unsettled;
        waiting.unsettled_since = other.unsettled_since;
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
};

}  // namespace lockstep::sync
