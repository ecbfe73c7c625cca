// What the materialiser is told to do and what came of it. Values that cross from the loop to a lane and back.
#pragma once

#include <lockstep/sync/local_tree.hpp>
#include <lockstep/sync/root.hpp>

#include <optional>
#include <string>
#include <vector>

namespace lockstep::sync {

/// One step on the disk. `record` is what the local tree says once it is done; its `disk` is filled in by the work.
struct disk_action {
    enum class kind : std::uint8_t {
        make_directory,
        write,             ///< put content at `path`, over `expected` or where nothing stands
        move,              ///< from `path` to `to_path`
        park,              ///< from `path` into staging, out of the way
        set_attributes,
        remove_file,       ///< or a link
        remove_directory,
        confirm,           ///< what a user wrote here was decided: make it durable, then record it
        forget,            ///< what a user removed here was decided: record that
    };
    kind what = kind::write;
    entry_id entry;
    std::string path;                      ///< empty for a move out of staging
    std::string to_path;
    std::optional<local_record> expected;  ///< what is believed to stand at `path`
    local_record record;
    shared_bytes content;
    std::string built;                     ///< of a large file: its name in staging, where it stands with its content synced
    bool sync_content = false;             ///< of a move or park: a user wrote it, and it may not be durable yet
};

/// A thing taken out of the directory that is not, or not surely, what was expected: a user's edit until shown otherwise.
/// It stays in staging under `staged`, durably remembered, until nobody can write to it and what it holds is safe.
struct displaced_item {
    std::string staged;
    std::string path;             ///< where it stood
    local_record expected;        ///< what it was, as far as known: base of the edit
    friend bool operator==(const displaced_item&, const displaced_item&) = default;
};

struct disk_outcome {
    enum class status : std::uint8_t {
        done,
        retry,    ///< the disk is not as believed: look at `path` (and `to_path`) and plan again
        held,     ///< not tried: a step before it, on which it builds, did not work
        failed,   ///< `error`: a person has to help
    };
    status what = status::done;
    error_code error;
    local_record record;                       ///< of done, with the identity on disk (not of removals)
    std::optional<displaced_item> displaced;
    bool look_again = false;                   ///< done, and it changed again already
    bool lost = false;                         ///< of retry: the entry does not stand at `path` (or in staging) at all
    bool returned = false;                     ///< a removal that was not one: it is back, as `record` says, to be looked into
};

struct disk_request {
    root_location root;
    std::vector<disk_action> actions;
    std::uint64_t nonce = 0;   ///< never the same twice in the life of a staging directory
};

struct disk_result {
    error_code root_error;   ///< the root is gone: nothing was done
    error_code fatal;        ///< a sync failed: what is durable is unknown, the node must stop
    std::string detail;
    std::vector<disk_outcome> outcomes;   ///< one for each action
};

}  // namespace lockstep::sync
