// Turns what the scanner found into commands, and what was decided into what this disk is known to hold. Decisions only:
// it is given findings and outcomes, and is asked for commands and for places to look at again.
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/base/time.hpp>
#include <lockstep/folder/apply.hpp>
#include <lockstep/folder/command.hpp>
#include <lockstep/sync/disk_types.hpp>
#include <lockstep/sync/scan_types.hpp>
#include <lockstep/sync/staging.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sync {

/// A place to look at, after some time. Generations say which look belongs to which wave of hints (barriers wait for them).
struct look {
    scan_target target;
    duration after{};
    std::uint64_t generation = 0;
};

struct tracker_options {
    duration settle = std::chrono::milliseconds(30);
    duration open_file_interval = std::chrono::seconds(1);
    duration racy = std::chrono::milliseconds(60);   ///< after it a stamp can be trusted
    duration unreadable = std::chrono::seconds(10);  ///< what cannot be read is tried again
    unsigned unsettled_looks_max = 5;                ///< after them a file that is still being written is read as it is
};

/// An edit that is proposed and not yet decided.
struct undecided {
    folder::command command;            ///< without its content
    content_hash manifest;              ///< of a chunked one
    std::uint64_t bytes = 0;            ///< of that
    std::uint64_t generation = 0;
    std::string staged;                 ///< of an edit that was taken aside: what to release once it is safe
};

class edit_tracker {
public:
    explicit edit_tracker(tracker_options o = {}) : options_(o) {}

    /// Before anything else: the session of this run, and what the disk is known to hold.
    void start(session_id session, local_tree local) {
        session_ = session;
        local_ = std::move(local);
    }

    session_id session() const noexcept { return session_; }
    const local_tree& local() const noexcept { return local_; }

    /// A difference between the disk and local().
    LOCKSTEP_DECL void find(const finding& found, std::uint64_t generation);
    /// An edit taken aside by the materialiser: proposed from the version that it was made from.
    /// False: its entry has an undecided command, ask again later.
    LOCKSTEP_DECL bool find_displaced(const displaced_item& item, finding found, std::uint64_t generation);
    /// A command of this session was decided.
    LOCKSTEP_DECL void decided(log_index index, const folder::command& command, const folder::outcome& outcome,
                               const folder::tree& committed);
    /// What this session proposed up to a sequence was decided, and how is not known any more: only what came of it all.
    LOCKSTEP_DECL void decided_unseen(log_index index, std::uint64_t last, const folder::tree& committed);
    /// A directory that the cluster removed and made anew goes on as the new one where it stands: nothing in it has to move.
    /// False: nothing of the kind.
    LOCKSTEP_DECL bool go_on_as(entry_id anew, const folder::tree& committed);
    /// The materialiser did something.
    LOCKSTEP_DECL void placed(const local_record& record);
    LOCKSTEP_DECL void removed(entry_id entry);
    /// What is known of it is synced and recorded.
    void recorded(entry_id entry) { drifted_.erase(entry); }

    /// Not to be touched: undecided, or a user's that cannot be proposed, or maybe another entry's by now.
    bool is_busy(entry_id entry) const {
        return by_entry_.contains(entry) || blocked_.contains(entry) || is_contested(entry);
    }
    bool is_contested(entry_id entry) const {
        const local_record* record = local_.find(entry);
        return record && record->type != folder::entry_type::directory && local_.rival(*record);
    }
    const std::map<std::uint64_t, undecided>& proposals() const noexcept { return undecided_; }
    /// Of the contents of undecided commands.
    std::uint64_t proposal_bytes() const noexcept { return proposal_bytes_; }
    const std::map<std::string, std::string>& skipped() const noexcept { return skipped_; }
    /// What stands at these paths cannot be proposed, and must not be overwritten.
    const std::map<entry_id, std::string>& blocked() const noexcept { return blocked_; }
    /// The path (or, inside, everything directly in it) is being looked at again. Once all that was found is told,
    /// looked() lets go of what stood there and was not found to be in the way again.
    LOCKSTEP_DECL void forget_skipped(const scan_target& target);
    LOCKSTEP_DECL void looked();
    /// The smallest generation among undecided commands and the looks that wait for them; nothing where there are none.
    LOCKSTEP_DECL std::optional<std::uint64_t> oldest_generation() const;

    // What came of the calls above; each is handed out once.
    std::vector<folder::command> take_commands() { return std::exchange(commands_, {}); }
    std::vector<look> take_looks() { return std::exchange(looks_, {}); }
    std::set<entry_id> take_stale() { return std::exchange(stale_, {}); }        ///< to be planned
    std::vector<std::string> take_released() { return std::exchange(released_, {}); }  ///< staged things that are safe now
    std::vector<std::string> take_refused() { return std::exchange(refused_, {}); }    ///< staged things to be kept
    std::vector<entry_id> take_settled() { return std::exchange(settled_, {}); }   ///< as recorded, and now for certain
    std::set<entry_id> take_unconfirmed() { return std::exchange(unconfirmed_, {}); }  ///< decided, not yet recorded

private:
    LOCKSTEP_DECL void look_between_writes(const finding& found, std::uint64_t generation);
    LOCKSTEP_DECL void find_new(const finding& found, std::uint64_t generation);
    LOCKSTEP_DECL void find_changed(const finding& found, std::uint64_t generation);
    LOCKSTEP_DECL void find_replaced(const finding& found, const local_record& old, std::uint64_t generation);
    LOCKSTEP_DECL void find_moved(const finding& found, std::uint64_t generation);
    LOCKSTEP_DECL void find_vanished(const finding& found, std::uint64_t generation);
    LOCKSTEP_DECL void refresh(const finding& found, std::uint64_t generation);
    LOCKSTEP_DECL bool clear_the_place(const finding& found, const folder::placement& where, entry_id mover, std::uint64_t generation);
    LOCKSTEP_DECL bool remove_below(entry_id directory, std::uint64_t generation);
    LOCKSTEP_DECL bool wait_for_busy_below(entry_id directory, entry_id top, std::uint64_t generation);
    LOCKSTEP_DECL void decided_create(log_index index, const folder::command& command, const folder::outcome& outcome, const folder::tree& committed);
    LOCKSTEP_DECL bool become(entry_id id, entry_id other, const folder::tree& committed);
    LOCKSTEP_DECL void take_versions(entry_id entry, const folder::tree& committed);

    /// Fills in what each command carries, gives it its number and remembers it.
    LOCKSTEP_DECL void propose(folder::command command, std::uint64_t generation, std::string staged = {});
    entry_id next_id() const { return {session_, next_sequence_}; }
    static LOCKSTEP_DECL folder::command describe(const finding& found, folder::operation what);
    LOCKSTEP_DECL std::optional<folder::placement> placement_of(const std::string& path) const;
    LOCKSTEP_DECL local_record record_of(const finding& found, entry_id id, const folder::placement& where) const;
    LOCKSTEP_DECL void put(const local_record& record);
    LOCKSTEP_DECL void forget(entry_id entry);
    LOCKSTEP_DECL void drop(entry_id entry);
    LOCKSTEP_DECL void free(entry_id entry);

    void look_again(scan_target target, duration after, std::uint64_t generation) {
        looks_.push_back({std::move(target), after, generation});
    }
    /// For a barrier that comes later. One that is held open is looked at when it is closed, and by each pass over all.
    void look_when_certain(const finding& found, std::uint64_t generation) {
        if (!found.certain && !found.held) look_again({found.path, false, false, false}, options_.racy, generation + 1);
    }
    void look_when_decided(entry_id entry, const std::string& path, std::uint64_t generation) {
        waiting_[entry].push_back({scan_target{path, false, false, true}, {}, generation});
    }

    /// Not where it was, at so many looks in a row.
    struct absence {
        unsigned times = 0;
        bool elsewhere = false;   ///< it was seen at another place since,
        std::string seen_at;      ///< at this one, which
        bool asked_there = false; ///< was looked at once more
    };
    LOCKSTEP_DECL bool look_where_it_went(const finding& found, std::uint64_t generation);
    static LOCKSTEP_DECL bool believed(const finding& found, const absence& gone);

    tracker_options options_;
    session_id session_;
    std::uint64_t next_sequence_ = 1;
    local_tree local_;
    std::map<std::uint64_t, undecided> undecided_;              // by sequence
    std::uint64_t proposal_bytes_ = 0;
    std::map<entry_id, std::uint64_t> by_entry_;                // at most one each
    std::map<entry_id, std::vector<look>> waiting_;             // changed again while undecided
    std::map<entry_id, absence> missing_;
    std::map<entry_id, std::string> blocked_;                   // what stands there cannot be proposed: path
    std::set<entry_id> drifted_;                                // the disk has them in a state that was not recorded
    std::set<entry_id> freed_;                                  // blocked before the look that is under way
    std::map<std::string, std::string> skipped_;                // path → why

    std::vector<folder::command> commands_;
    std::vector<look> looks_;
    std::set<entry_id> stale_;
    std::set<entry_id> unconfirmed_;
    std::vector<entry_id> settled_;
    std::vector<std::string> released_;
    std::vector<std::string> refused_;
};

}  // namespace lockstep::sync

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/sync/impl/edit_tracker.ipp>
#endif
