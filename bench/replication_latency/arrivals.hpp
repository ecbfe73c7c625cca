// Notices when files that were written to one directory are there, with the same bytes, in others. The kernel tells of
// names that come (inotify); whether the bytes are the same is looked at.
#pragma once

#include "measure.hpp"

#include <lockstep/base/bytes.hpp>

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace bench {

class arrivals {
public:
    /// Files are expected in all of `directories`, which exist.
    explicit arrivals(std::vector<std::filesystem::path> directories);
    ~arrivals();
    arrivals(const arrivals&) = delete;
    arrivals& operator=(const arrivals&) = delete;

    /// From now on these are waited for, in the directories but the one with number `origin`. `contents` outlives it.
    void expect(std::size_t origin, const std::map<std::string, lockstep::byte_buffer>& contents);
    /// When the last file was there, by the event that told of it; nothing where that takes longer than `limit`: ask
    /// again to go on waiting.
    std::optional<clock::time_point> wait(clock::duration limit);
    /// A file that was missing, or not the same, when it was looked at last.
    std::string missing() const;

private:
    void take_events();
    void verify();

    std::vector<std::filesystem::path> directories_;
    std::map<int, std::size_t> watches_;
    int inotify_ = -1;
    const std::map<std::string, lockstep::byte_buffer>* contents_ = nullptr;
    std::set<std::pair<std::size_t, std::string>> missing_;  ///< no event since it was expected, or looked at
    std::set<std::pair<std::size_t, std::string>> to_verify_;  ///< an event told of it
    std::set<std::pair<std::size_t, std::string>> verified_;
    clock::time_point last_{};
};

}  // namespace bench
