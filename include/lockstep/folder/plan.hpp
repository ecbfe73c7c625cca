// A plan: steps that bring a disk towards the committed tree, and what they leave for later. Values alone.
#pragma once

#include <lockstep/folder/local_entry.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep::folder {

/// One step. Paths are those at its turn, after the steps before it; "" is staging.
struct action {
    enum class kind : std::uint8_t {
        make_directory,
        write_content,     ///< of a file or link, new or in place of what it held, with its attributes
        move,              ///< from `path` (or staging) to `to_path`
        park,              ///< from `path` into staging, out of the way of others
        set_attributes,
        remove_file,       ///< or a link
        remove_directory,  ///< it is empty by then
        adopt,             ///< nothing on the disk: it is as wanted already, only the versions are newer
    };
    kind what = kind::adopt;
    entry_id entry;
    std::string path;
    std::string to_path;
    local_entry result;  ///< what the disk then holds of the entry; of removals: what went
    friend bool operator==(const action&, const action&) = default;
};

struct plan {
    std::vector<action> actions;
    std::vector<entry_id> deferred;  ///< wait for something undecided: look again once that is decided
    std::vector<entry_id> rest;      ///< did not fit: look again once these actions are done
    friend bool operator==(const plan&, const plan&) = default;
};

/// Checked between entries: a plan may go beyond by what one entry needs.
struct plan_limits {
    std::size_t actions_max = 256;
    std::uint64_t bytes_max = 32u << 20;
};

}  // namespace lockstep::folder
