// What is committed and cannot be put on this disk, and whether the disk itself is why. Decisions only: it says what is
// worth a line in the log, once, and how long to wait before the next try.
#pragma once

#include <lockstep/base/errc.hpp>
#include <lockstep/base/ids.hpp>
#include <lockstep/base/time.hpp>
#include <lockstep/concepts/observer.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace lockstep {

/// The disk is full, failing or read-only: no path's own fault, and nothing that a person does to a path helps.
inline bool is_disk_trouble(error_code why) {
    return why == errc::no_space || why == errc::io_error || why == errc::read_only;
}

class unwritable_paths {
public:
    struct item {
        std::string path;
        error_code why;
    };
    /// Paths named in the log at a time.
    static constexpr std::size_t named_max = 100;
    /// The longest wait between two tries, in units of the first.
    static constexpr int pause_max = 4;

    /// An entry could not be written. What is to be said about it, if anything.
    std::optional<report> add(entry_id entry, const std::string& path, error_code why) {
        const bool fresh = items_.find(entry) == items_.end();
        items_[entry] = {path, why};
        if (is_disk_trouble(why)) {
            if (disk_ == why) return std::nullopt;
            disk_ = why;
            return report{report::level::error, "the disk cannot take what is committed (" + why.message() + ", first at " +
                                                    path + "): tried again until it can"};
        }
        if (!fresh || items_.size() > named_max) return std::nullopt;
        return report{report::level::error, path + ": cannot be written: " + why.message()};
    }
    void erase(entry_id entry) { items_.erase(entry); }

    /// After a batch of work: what is to be said if the disk takes everything again.
    std::optional<report> settle() {
        if (items_.empty()) pause_ = 1;
        if (!disk_ || std::any_of(items_.begin(), items_.end(), [](const auto& i) { return is_disk_trouble(i.second.why); }))
            return std::nullopt;
        disk_ = {};
        return report{report::level::info, "the disk takes what is committed again"};
    }

    /// How many units of time to wait before the next try: longer and longer.
    int next_pause() { return std::exchange(pause_, std::min(pause_ * 2, pause_max)); }

    /// Why the disk itself takes nothing; none where it does.
    error_code disk() const noexcept { return disk_; }
    const std::map<entry_id, item>& items() const noexcept { return items_; }

private:
    std::map<entry_id, item> items_;
    error_code disk_;
    int pause_ = 1;
};

}  // namespace lockstep
