// What stands in staging because the materialiser took it away and it may be a user's edit: when each thing is to be
// looked at, and what a barrier has to wait for. Decisions only; set_aside.hpp does the looking.
#pragma once

#include <lockstep/base/time.hpp>
#include <lockstep/sync/disk_types.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sync {

struct aside_item {
    displaced_item item;
    std::uint64_t generation = 0;   ///< of looks: barriers of later ones wait for it
    time_point look_at;             ///< never: it stays for a person to see to
    bool proposed = false;          ///< and not decided yet
    bool open = false;              ///< somebody can still write to it, or nobody can do anything about it
    bool safe = false;              ///< what it holds was decided: to be deleted
    bool told = false;              ///< that it cannot be replicated
};

class aside_shelf {
public:
    void add(displaced_item item, std::uint64_t generation, time_point now) {
        aside_item fresh;
        fresh.item = std::move(item);
        fresh.generation = generation;
        fresh.look_at = now;
        items_.push_back(std::move(fresh));
    }

    aside_item* find(const std::string& staged) {
        const auto at = std::find_if(items_.begin(), items_.end(), [&](const aside_item& a) { return a.item.staged == staged; });
        return at == items_.end() ? nullptr : &*at;
    }

    void erase(const std::string& staged) {
        std::erase_if(items_, [&](const aside_item& a) { return a.item.staged == staged; });
    }

    /// The first that is to be looked at now; nullptr where there is none.
    const aside_item* due(time_point now) const {
        const auto at = std::find_if(items_.begin(), items_.end(), [&](const aside_item& a) { return waits(a) && a.look_at <= now; });
        return at == items_.end() ? nullptr : &*at;
    }

    time_point next_due() const {
        time_point next = never;
        for (const auto& aside : items_)
            if (waits(aside)) next = std::min(next, aside.look_at);
        return next;
    }

    /// What it holds is in the log: delete it.
    void release(const std::string& staged, time_point now) {
        if (aside_item* aside = find(staged)) {
            aside->safe = true;
            aside->proposed = false;
            aside->look_at = now;
        }
    }

    /// It cannot be replicated: it stays where it is, and no barrier waits for it. True: tell a person, the first time.
    bool keep(const std::string& staged, time_point look_at) {
        aside_item* aside = find(staged);
        if (!aside) return false;
        aside->open = true;
        aside->proposed = false;
        aside->look_at = look_at;
        return !std::exchange(aside->told, true);
    }

    /// A barrier begins: whoever could still write may have closed since the last look.
    void look_at_open_ones(time_point now) {
        for (auto& aside : items_) {
            if (!aside.open || aside.look_at == never) continue;
            aside.open = false;
            aside.look_at = now;
        }
    }

    /// Of what barriers wait for.
    std::optional<std::uint64_t> oldest_generation() const {
        std::optional<std::uint64_t> oldest;
        for (const auto& aside : items_)
            if (!aside.open) oldest = std::min(oldest.value_or(aside.generation), aside.generation);
        return oldest;
    }

    bool empty() const noexcept { return items_.empty(); }
    std::size_t size() const noexcept { return items_.size(); }

private:
    static bool waits(const aside_item& a) { return !a.proposed && a.look_at != never; }

    std::vector<aside_item> items_;
};

}  // namespace lockstep::sync
