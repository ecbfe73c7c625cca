// Looks at an edit that the materialiser took aside, and lets it go once it is safe. Blocking: runs on a lane.
#pragma once

#include <lockstep/sync/journal_records.hpp>
#include <lockstep/sync/scan_types.hpp>
#include <lockstep/sync/staging.hpp>

#include <utility>
#include <vector>

namespace lockstep::sync {

struct aside_result {
    enum class state : std::uint8_t {
        gone,     ///< nothing of a user's was in it, or it is safe: deleted
        open,     ///< somebody can still write to it
        edited,   ///< `found` says what a user wrote
        large,    ///< the same, but what is in it is still to be read, in pieces
        stuck,    ///< unreadable
    };
    state what = state::stuck;
    error_code root_error;
    finding found;
};

/// `safe`: what it holds was decided; delete it. `Journal` as for the materialiser.
template <file_system FileSystem, class Journal>
aside_result examine_aside(FileSystem& fs, Journal& journal, const root_location& where, const displaced_item& item,
                           bool safe, std::uint64_t bytes_max) {
    aside_result out;
    auto root = open_root(fs, where);
    if (!root) return out.root_error = root.error(), out;
    auto staging = fs.open_directory_at(root->control, staging_name);
    if (!staging) return out.root_error = staging.error(), out;

    const auto state = safe ? displaced_state::expected : look_at_displaced(fs, *staging, item.staged, item.expected);
    if (state == displaced_state::written) return out.what = aside_result::state::open, out;
    if (state == displaced_state::unknown) return out;
    if (state != displaced_state::edited) {
        (void)fs.remove_file(*staging, item.staged);
        (void)journal.append({encode_record(intent_done_record{item.staged})}, false);
        return out.what = aside_result::state::gone, out;
    }
    auto status = fs.status_at(*staging, item.staged);
    if (!status) return out;
    out.found.path = item.path;
    out.found.entry = item.expected.id;
    out.found.disk = *status;
    if (status->type == file_type::symlink) {
        auto target = fs.read_symlink(*staging, item.staged);
        if (!target) return out;
        out.found.content = shared_bytes::copy_of(*target);
    } else if (status->size > bytes_max) {
        out.found.what = finding::kind::large;
        return out.what = aside_result::state::large, out;
    } else {
        auto bytes = read_small_file(fs, *staging, item.staged, static_cast<std::size_t>(bytes_max));
        if (!bytes) return out;
        out.found.content = shared_bytes(std::move(*bytes));
    }
    out.found.hash = sha256(out.found.content.view());
    out.found.size = out.found.content.size();
    out.what = aside_result::state::edited;
    return out;
}

}  // namespace lockstep::sync
