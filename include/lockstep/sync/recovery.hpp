// What became of the intents of a run that ended anywhere: matched against the disk before anything is scanned.
// Blocking: runs on a lane.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/folder/tree.hpp>
#include <lockstep/sync/journal_records.hpp>
#include <lockstep/sync/staging.hpp>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sync {

struct recovered_disk {
    error_code root_error;
    bool final = false;                     ///< what is durable is unknown: nothing more may be written
    journal_state state;                    ///< what is known to stand on the disk, and the intents still to keep
    std::vector<displaced_item> displaced;  ///< in staging: a user's edits until shown otherwise
};

/// An entry that the cluster has at another place than the journal says.
struct committed_move {
    entry_id entry;
    folder::placement where;
    folder::version placement_version;
    std::string path;
};

/// What became of recorded entries in the cluster; in no order.
struct committed_changes {
    std::vector<committed_move> moved;
    std::vector<entry_id> removed;
    std::vector<entry_id> written;   ///< files and links that hold something else by now
    folder::tree now;
};

/// Complexity: linear in the records.
inline committed_changes changed_since(const local_tree& recorded, const folder::tree& committed) {
    committed_changes changes{{}, {}, {}, committed};
    recorded.for_each([&](const local_record& r) {
        const folder::entry* now = committed.find(r.id);
        if (!now) changes.removed.push_back(r.id);
        if (now && now->where != r.where)
            changes.moved.push_back({r.id, now->where, now->placement_version, *committed.path_of(r.id)});
        if (now && r.type != folder::entry_type::directory && now->content_version != r.content_version && now->hash != r.hash)
            changes.written.push_back(r.id);
    });
    return changes;
}

template <file_system FileSystem>
class disk_recovery {
public:
    using directory = typename FileSystem::directory;

    disk_recovery(FileSystem& fs, root_location where, journal_state state, committed_changes changes = {})
        : fs_(fs), where_(std::move(where)), changes_(std::move(changes)) {
        out_.state = std::move(state);
    }

    recovered_disk run() {
        auto opened = open_root(fs_, where_);
        if (!opened) return out_.root_error = opened.error(), std::move(out_);
        root_ = std::make_shared<directory>(std::move(opened->root));
        auto staging = fs_.open_directory_at(opened->control, staging_name);
        if (!staging) return out_.root_error = staging.error(), std::move(out_);
        staging_ = std::make_shared<directory>(std::move(*staging));
        auto intents = std::exchange(out_.state.intents, {});
        for (auto& [name, intent] : intents) settle(std::move(intent));
        // What is below goes first: the way to it may close with what is above.
        std::map<std::string, loosened_record, std::greater<>> by_path;
        for (auto& [key, loosened] : std::exchange(out_.state.loosened, {})) by_path[loosened.path] = std::move(loosened);
        for (const auto& [path, loosened] : by_path) tighten(loosened);
        find_moved();
        find_parked();
        forget_removed();
        forget_replaced();
        drop_orphans();
        clear_staging();
        sync_names();
        return std::move(out_);
    }

private:
    /// Three cases, told apart by the inode that stands in staging now: the one that was built (nothing happened yet),
    /// another (the exchange happened, and this is what came out), or none.
    void settle(intent_record intent) {
        auto in_staging = fs_.status_at(*staging_, intent.staged);
        const bool nothing_happened = in_staging && !intent.removal && same_inode(*in_staging, intent.built);
        if (sometimes(probe::intent_never_began, nothing_happened)) return discard(intent.staged, in_staging->type);
        const auto at_path = status_of(intent.path);
        unsynced_.insert(split_path(intent.path).parent);
        if (!intent.removal) {
            if (sometimes(probe::intent_done_unrecorded, at_path && same_inode(*at_path, intent.built))) {
                if (intent.record.type == folder::entry_type::directory) place_directory(intent, *at_path);
                else place(intent, *at_path);
            }
            else if (in_staging) place(intent, intent.built);  // done, and the user went on: the scan will tell
        } else if (in_staging || !at_path) {
            out_.state.synced.erase(intent.record.id);
        }
        if (in_staging && intent.expected) examine(std::move(intent));
    }

    /// It may have been filled since, and still have the mode that lets it be.
    void place_directory(intent_record intent, file_status disk) {
        if (disk.mode == intent.built.mode && disk.mode != intent.record.mode) {
            auto opened = fs_.open_directory_at(*root_, intent.path);
            if (!opened || !fs_.set_mode(*opened, intent.record.mode)) intent.record.mode = disk.mode;   // planned again
        }
        disk.mode = intent.record.mode;   // another is its user's: the first look finds it
        place(intent, disk);
    }

    /// The run before may have ended between a rename and the sync of its directories. Records of what was found are durable soon:
    /// they may not be ahead of the names.
    void sync_names() {
        if (unsynced_.empty()) return;
        const auto failed = [this](const result<>& synced) {
            if (synced) return false;
            out_.root_error = synced.error();
            out_.final = true;
            return true;
        };
        for (const std::string& path : unsynced_) {
            auto opened = fs_.open_directory_at(*root_, path);
            if (opened && failed(fs_.sync_directory(*opened))) return;   // one that is gone, or closed, is looked at anew
        }
        failed(fs_.sync_directory(*staging_));
    }

    /// A directory that was made writable for a moment, unless somebody gave it another mode since.
    void tighten(const loosened_record& loosened) {
        auto opened = fs_.open_directory_at(*root_, loosened.path);
        if (!opened) return;
        const auto now = fs_.status(*opened);
        if (now && same_inode(*now, loosened.disk) && now->mode == (loosened.disk.mode | loosened_bits))
            (void)fs_.set_mode(*opened, loosened.disk.mode);
    }

    /// A move was decided, and done on this disk by its user or by us, when the run ended before it was recorded. Where a
    /// user has put another file at the old place since, a look alone would take that for an edit of what was moved, and
    /// the cluster would put it over what stands at the new place.
    void find_moved() {
        std::map<std::string, local_record> found;   // what is above comes first
        for (const auto& move : changes_.moved) {
            const local_record* old = out_.state.synced.find(move.entry);
            if (!old) continue;
            local_record record = *old;
            const auto at_path = status_of(move.path);
            const auto parked = fs_.status_at(*staging_, parked_name(move.entry));
            if (at_path && same_inode(*at_path, old->disk)) {
                unsynced_.insert(split_path(move.path).parent);
                if (const auto from = out_.state.synced.path_of(old->where.parent)) unsynced_.insert(*from);
                record.where = move.where;
                record.placement_version = move.placement_version;
                record.parked = false;
            } else if (parked && same_inode(*parked, old->disk)) {
                record.parked = true;
            } else {
                continue;
            }
            found.emplace(move.path, std::move(record));
        }
        // They may have changed places with each other. What cannot be where it stands is found anew.
        for (const auto& [path, record] : found) out_.state.synced.erase(record.id);
        for (const auto& [path, record] : found)
            if (record.parked || stands_at(record.where.parent, split_path(path).parent)) put(record);
        sometimes(probe::move_done_unrecorded, !found.empty());
    }

    /// A directory of that path may be another than the one that the cluster has there, which is believed elsewhere: even in what it
    /// is said to hold.
    bool stands_at(entry_id id, const std::string& path) const {
        const auto believed = out_.state.synced.path_of(id);
        return believed && *believed == path;
    }

    /// What had been moved out of the way when the run ended, before that was recorded. What a record knows is parked. What
    /// none knows is a user's, decided just then, and nothing here says that the cluster has all that he wrote since: it is
    /// looked at as an edit of the entry that it is, or comes back to the top level.
    void find_parked() {
        const auto items = fs_.list(*staging_);
        if (!items) return;
        for (const auto& item : *items) {
            const auto id = entry_of_parked(item.name);
            const auto status = id ? fs_.status_at(*staging_, item.name) : make_error_code(errc::not_found);
            if (!status) continue;
            const local_record* const record = out_.state.synced.find(*id);
            if (record && same_inode(*status, record->disk)) {
                local_record parked = *record;
                if (const auto from = out_.state.synced.path_of(record->where.parent)) unsynced_.insert(*from);
                parked.parked = true;
                put(parked);
                continue;
            }
            const folder::entry* const now = changes_.now.find(*id);
            const bool may_be_edit = now && now->type != folder::entry_type::directory && now->type == entry_type_of(status->type);
            if (may_be_edit) out_.displaced.push_back({item.name, changes_.now.path_of(*id).value_or(""), unseen(*now, *status)});
            else (void)return_to_root(fs_, *staging_, *root_, item.name);
        }
    }

    /// The committed one, of which only the content tells. On which version the user had built is not known, others may have
    /// edited it since: no version is the base, and so what he has is kept beside theirs.
    static local_record unseen(const folder::entry& now, const file_status& disk) {
        local_record record;
        record.id = now.id;
        record.where = now.where;
        record.type = now.type;
        record.mode = now.mode;
        record.mtime_ns = now.mtime_ns;
        record.hash = now.hash;
        record.size = now.size;
        record.placement_version = now.placement_version;
        record.disk = disk;
        record.certain = false;
        return record;
    }

    /// What the cluster removed is removed here too where it stands as it was. Where it does not, either it was this disk's
    /// user who removed it; or he moved it, and that has to beat the removal: it may even be that this node took the one for
    /// the other, when it saw the old place and not yet the new one. Whatever is found of it now is new.
    void forget_removed() {
        std::vector<entry_id> elsewhere;
        for (entry_id id : changes_.removed) {
            const local_record* record = out_.state.synced.find(id);
            const auto path = out_.state.synced.path_of(id);
            if (!record || !path) continue;
            const auto now = status_of(*path);
            if (sometimes(probe::removed_elsewhere_while_down, !now || !same_inode(*now, record->disk))) elsewhere.push_back(id);
        }
        for (entry_id id : elsewhere) out_.state.synced.erase(id);
    }

    /// What the cluster has instead may come from here: another file that was put in its place, in an edit that was decided and
    /// not recorded. The recorded file, where it stands elsewhere, is none of the entry's any more: taken for the entry that was
    /// moved, it would be written over with what took its place.
    void forget_replaced() {
        for (entry_id id : changes_.written) {
            const local_record* known = out_.state.synced.find(id);
            const auto path = known && !known->parked ? out_.state.synced.path_of(id) : std::nullopt;
            if (!path) continue;
            const auto now = status_of(*path);
            if (!sometimes(probe::replaced_while_unrecorded, !now || !same_inode(*now, known->disk))) continue;
            local_record record = *known;
            record.disk = {};
            record.certain = false;
            put(record);
        }
    }

    void put(const local_record& record) {
        auto other = out_.state.synced.child(record.where.parent, record.where.name);
        if (!record.parked && other && *other != record.id) out_.state.synced.erase(*other);
        out_.state.synced.put(record);
    }

    void discard(const std::string& staged, file_type type) {
        if (type == file_type::directory) (void)fs_.remove_directory(*staging_, staged);
        else (void)fs_.remove_file(*staging_, staged);
    }

    void place(const intent_record& intent, const file_status& disk) {
        local_record record = intent.record;
        const bool directory_entry = record.type == folder::entry_type::directory;
        record.disk = directory_entry || same_state(disk, intent.built, false) ? disk : intent.built;
        record.certain = false;
        put(record);
    }

    void examine(intent_record intent) {
        const auto state = look_at_displaced(fs_, *staging_, intent.staged, *intent.expected);
        if (state == displaced_state::gone) return;
        if (state == displaced_state::expected && fs_.remove_file(*staging_, intent.staged)) return;
        sometimes(probe::intent_left_an_edit);
        out_.displaced.push_back({intent.staged, intent.path, *intent.expected});
        out_.state.intents.emplace(intent.staged, std::move(intent));
    }

    /// The record of a directory may be lost where that of something in it is not (neither was synced): what stands there
    /// is then found anew by the scan.
    void drop_orphans() {
        std::vector<entry_id> orphans;
        out_.state.synced.for_each([&](const local_record& r) {
            if (!out_.state.synced.is_rooted(r.id)) orphans.push_back(r.id);
        });
        for (entry_id id : orphans) out_.state.synced.erase(id);
    }

    std::optional<file_status> status_of(const std::string& path) {
        const split_path at(path);
        auto parent = at.parent.empty() ? fs_.open_directory_at(*root_, "") : fs_.open_directory_at(*root_, at.parent);
        if (!parent) return std::nullopt;
        auto status = fs_.status_at(*parent, at.name);
        if (!status) return std::nullopt;
        return *status;
    }

    /// What was being built when the run ended, and no intent speaks of, is worth nothing.
    void clear_staging() {
        auto items = fs_.list(*staging_);
        if (!items) return;
        for (const auto& item : *items) {
            const bool built = item.name.rfind(staged_prefix, 0) == 0;
            if (!built || out_.state.intents.contains(item.name)) continue;
            if (out_.state.damaged) {
                keep(item.name);
                continue;
            }
            sometimes(probe::staging_cleared);
            discard(item.name, item.type);
        }
    }

    /// The intent that spoke of it may have been lost, and with it that a user wrote what is here.
    void keep(const std::string& staged) {
        const std::string stem = std::string(kept_prefix) + staged.substr(staged_prefix.size());
        std::string name = stem;
        for (std::uint64_t counter = 1; counter < kept_names_max; ++counter) {
            const auto moved = fs_.rename(*staging_, staged, *staging_, name, rename_mode::no_replace);
            if (moved || moved.error() != errc::already_exists) return;
            name = stem + "-" + std::to_string(counter);
        }
    }
    static constexpr std::uint64_t kept_names_max = 1000;

    FileSystem& fs_;
    root_location where_;
    committed_changes changes_;
    recovered_disk out_;
    std::shared_ptr<directory> root_;
    std::shared_ptr<directory> staging_;
    std::set<std::string> unsynced_;   ///< directories with names that a loss of power may undo yet
};

}  // namespace lockstep::sync
