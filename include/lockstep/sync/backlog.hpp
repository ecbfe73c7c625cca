// The entries whose committed state is not on the disk yet: since which index each, which are to be planned, and which wait
// for a decision or a look. The oldest goes first, so that what changes all the time holds nothing else up. A value.
#pragma once

#include <lockstep/base/ids.hpp>

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace lockstep::sync {

class backlog {
public:
    /// A change at `index` is not on the disk; the entry is to be planned. What is behind already stays so since then.
    void add(entry_id id, log_index index) {
        const auto [at, fresh] = since_.try_emplace(id, index);
        if (fresh) by_index_.emplace(index, id);
        resting_.erase(id);
        ready_.emplace(at->second, id);
    }

    /// It waits, until ready_all() at the latest.
    void rest(entry_id id) {
        const auto at = since_.find(id);
        if (at == since_.end()) return;
        ready_.erase({at->second, id});
        resting_.insert(id);
    }
    /// It waits for another reason: add() again.
    void hold(entry_id id) {
        const auto at = since_.find(id);
        if (at != since_.end()) ready_.erase({at->second, id});
    }
    void ready_all() {
        for (entry_id id : resting_) ready_.emplace(since_.at(id), id);
        resting_.clear();
    }

    /// The entry is in step.
    void done(entry_id id) {
        const auto at = since_.find(id);
        if (at == since_.end()) return;
        by_index_.erase({at->second, id});
        ready_.erase({at->second, id});
        resting_.erase(id);
        since_.erase(at);
    }

    /// Everything that happened to the entry up to `index` is on the disk; later changes may not be.
    void reached(entry_id id, log_index index) {
        const auto at = since_.find(id);
        if (at == since_.end() || at->second > index) return;
        const bool was_ready = ready_.erase({at->second, id}) > 0;
        by_index_.erase({at->second, id});
        at->second = index + 1;
        by_index_.emplace(at->second, id);
        if (was_ready) ready_.emplace(at->second, id);
    }

    /// The oldest that are to be planned, at most so many: they are not, until said so again.
    std::vector<entry_id> take(std::size_t count_max) {
        std::vector<entry_id> ids;
        while (!ready_.empty() && ids.size() < count_max) {
            ids.push_back(ready_.begin()->second);
            ready_.erase(ready_.begin());
        }
        return ids;
    }

    bool has_ready() const noexcept { return !ready_.empty(); }
    bool has_resting() const noexcept { return !resting_.empty(); }
    bool empty() const noexcept { return since_.empty(); }
    std::size_t size() const noexcept { return since_.size(); }

    /// The first index that is not wholly on the disk.
    std::optional<log_index> first() const {
        if (by_index_.empty()) return std::nullopt;
        return by_index_.begin()->first;
    }
    std::optional<log_index> since(entry_id id) const {
        const auto at = since_.find(id);
        return at == since_.end() ? std::nullopt : std::optional(at->second);
    }

    /// In order of the index.
    template <class F>
    void for_each(F f) const {
        for (const auto& [index, id] : by_index_) f(id, index);
    }

private:
    using key = std::pair<log_index, entry_id>;
    std::map<entry_id, log_index> since_;
    std::set<key> by_index_;
    std::set<key> ready_;
    std::set<entry_id> resting_;
};

}  // namespace lockstep::sync
