// What a failed step of a batch leaves unsure: later steps were planned as if it had been done, and what stands at its
// paths, or above theirs, may be another thing. A value.
#pragma once

#include <lockstep/sync/disk_types.hpp>

#include <set>
#include <string>

namespace lockstep::sync {

class spoiled_ground {
public:
    /// This step was not done.
    void add(const disk_action& action) {
        entries_.insert(action.entry);
        for (const auto& path : {action.path, action.to_path})
            if (!path.empty()) paths_.insert(path);
    }

    /// Whether a later step stands on it.
    bool carries(const disk_action& action) const {
        return entries_.contains(action.entry) || is_below(action.path) || is_below(action.to_path);
    }

private:
    bool is_below(const std::string& path) const {
        if (path.empty() || paths_.empty()) return false;
        for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1))
            if (paths_.contains(path.substr(0, slash))) return true;
        return paths_.contains(path);
    }

    std::set<std::string> paths_;
    std::set<entry_id> entries_;
};

}  // namespace lockstep::sync
