// Puts decided things on the disk: idempotent, atomic for readers, crash-safe. Blocking: runs on a lane.
//
// Order of one batch: contents are built and synced in staging; intents are made durable; names are exchanged; what came
// out is looked at; directories are synced; only then the records say so. A crash anywhere leaves an intent from which
// recovery (recovery.hpp) tells what happened.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/sync/journal_records.hpp>
#include <lockstep/sync/lent_rights.hpp>
#include <lockstep/sync/spoiled_ground.hpp>
#include <lockstep/sync/staging.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace lockstep::sync {

/// `Journal` has  result<> append(const std::vector<byte_buffer>& records, bool sync).
template <file_system FileSystem, class Journal>
class materialiser {
public:
    using directory = typename FileSystem::directory;

    materialiser(FileSystem& fs, Journal& journal, disk_request request)
        : fs_(fs), journal_(journal), request_(std::move(request)), rights_(fs, journal, request_.nonce) {}

    disk_result run() {
        auto root = open_root(fs_, request_.root);
        if (!root) return out_.root_error = root.error(), std::move(out_);
        root_ = std::make_shared<directory>(std::move(root->root));
        rights_.set_root(root_);
        auto staging = fs_.open_directory_at(root->control, staging_name);
        if (!staging) return out_.root_error = staging.error(), std::move(out_);
        staging_ = std::make_shared<directory>(std::move(*staging));

        out_.outcomes.resize(request_.actions.size());
        staged_.resize(request_.actions.size());
        for (std::size_t i = 0; i < request_.actions.size(); ++i) stage(i);
        if (!write_intents()) return std::move(out_);
        for (std::size_t i = 0; i < request_.actions.size(); ++i) {
            if (out_.outcomes[i].what == status::done && spoiled_.carries(request_.actions[i])) hold(i);
            else if (out_.outcomes[i].what == status::done) perform(i);
            if (out_.outcomes[i].what != status::done) spoiled_.add(request_.actions[i]);
        }
        if (!sync_directories() || !restore_rights()) return std::move(out_);
        write_records();
        return std::move(out_);
    }

private:
    using kind = disk_action::kind;
    using status = disk_outcome::status;

    static constexpr const char* journal_named = "the journal of what is on the disk";

    struct staged_thing {
        std::string name;     ///< in staging; empty: this action uses none
        file_status disk;     ///< of what was built
        bool intended = false;      ///< an intent speaks of it
        bool keep_intent = false;
    };

    // --- building ---------------------------------------------------------------------------------------------------

    void stage(std::size_t i) {
        const disk_action& action = request_.actions[i];
        staged_thing& staged = staged_[i];
        const bool builds = action.what == kind::write || action.what == kind::make_directory;
        if (builds || action.what == kind::remove_file) staged.name = unique_name(i);
        if (!builds) return;
        if (action.what == kind::make_directory) {
            auto made = build_directory(action, staged.name);
            if (!made) return fail(i, made.error());
            staged.disk = *made;
            return;
        }
        auto built = action.record.type == folder::entry_type::symlink ? build_link(action, staged.name)
                                                                      : build_file(action, staged.name);
        // What was half built goes at once: on a full disk it takes the room that the next try needs.
        if (!built) {
            sometimes(probe::no_room_in_staging, built.error() == errc::no_space);
            return drop_staged(i), fail(i, built.error());
        }
        staged.disk = *built;
        if (action.built.empty() && sha256(action.content.view()) != action.record.hash) drop_staged(i), fail(i, make_error_code(errc::corrupt));
    }

    std::string unique_name(std::size_t i) const {
        return std::string(staged_prefix) + std::to_string(request_.nonce) + "-" + std::to_string(i);
    }

    /// With a mode that lets it be filled: restore_rights() gives it its own.
    result<file_status> build_directory(const disk_action& action, const std::string& name) {
        LOCKSTEP_TRY(fs_.make_directory(*staging_, name, action.record.mode | 0700));
        return fs_.status_at(*staging_, name);
    }

    result<file_status> build_link(const disk_action& action, const std::string& name) {
        LOCKSTEP_TRY(fs_.make_symlink(*staging_, name, as_text(action.content.view())));
        return fs_.status_at(*staging_, name);
    }

    result<file_status> build_file(const disk_action& action, const std::string& name) {
        if (!action.built.empty()) LOCKSTEP_TRY(fs_.rename(*staging_, action.built, *staging_, name, rename_mode::replace));
        auto file = fs_.open_file(*staging_, name, action.built.empty() ? open_mode::create_new : open_mode::read_write, 0600);
        if (!file) return file.error();
        if (!action.content.empty()) LOCKSTEP_TRY(fs_.write_at(*file, 0, action.content.view()));
        LOCKSTEP_TRY(fs_.set_mode(*file, action.record.mode));
        LOCKSTEP_TRY(fs_.set_mtime(*file, action.record.mtime_ns));
        if (auto synced = fs_.sync_file(*file); !synced) return stop(synced.error(), action.path), synced.error();
        return fs_.status(*file);
    }

    bool write_intents() {
        std::vector<byte_buffer> records;
        for (std::size_t i = 0; i < request_.actions.size(); ++i) {
            if (staged_[i].name.empty() || out_.outcomes[i].what != status::done) continue;
            const disk_action& action = request_.actions[i];
            intent_record intent;
            intent.staged = staged_[i].name;
            intent.path = action.path;
            intent.removal = action.what == kind::remove_file;
            intent.built = staged_[i].disk;
            intent.record = action.record;
            intent.expected = action.expected;
            records.push_back(encode_record(intent));
        }
        if (out_.fatal) return false;
        if (records.empty()) return true;
        if (auto written = journal_.append(records, true); !written) {
            if (written.error() != errc::no_space) return stop(written.error(), journal_named);
            give_up(written.error());
            return false;
        }
        for (std::size_t i = 0; i < request_.actions.size(); ++i)
            staged_[i].intended = !staged_[i].name.empty() && out_.outcomes[i].what == status::done;
        return true;
    }

    /// Nothing of the batch has been done yet, and nothing of it is.
    void give_up(error_code why) {
        for (std::size_t i = 0; i < request_.actions.size(); ++i) {
            if (out_.outcomes[i].what != status::done) continue;
            const kind what = request_.actions[i].what;
            if (what == kind::write || what == kind::make_directory) drop_staged(i);
            fail(i, why);
        }
    }

    // --- doing ------------------------------------------------------------------------------------------------------

    void perform(std::size_t i) {
        // An earlier step of this batch on the same entry changed its identity.
        disk_action& mine = request_.actions[i];
        if (auto at = latest_.find(mine.entry); at != latest_.end() && mine.expected) mine.expected->disk = at->second;
        switch (request_.actions[i].what) {
            case kind::make_directory: return make_directory(i);
            case kind::write: return put_content(i);
            case kind::move: return move(i);
            case kind::park: return park(i);
            case kind::set_attributes: return set_attributes(i);
            case kind::remove_file: return remove_file(i);
            case kind::remove_directory: return remove_directory(i);
            case kind::confirm: return confirm(i);
            case kind::forget: return;
        }
    }

    void make_directory(std::size_t i) {
        const disk_action& action = request_.actions[i];
        const split_path at(action.path);
        auto parent = rights_.open(at.parent);
        if (!parent) return drop_staged(i), fail(i, parent.error());
        auto placed = rights_.writable(at.parent, **parent, [&] {
            return fs_.rename(*staging_, staged_[i].name, **parent, at.name, rename_mode::no_replace);
        });
        if (!placed) return drop_staged(i), fail(i, placed.error());
        if ((action.record.mode & 0700) != 0700) rights_.at_end(action.path, action.record.mode);
        touched_.insert(at.parent);
        staging_touched_ = true;
        auto now = fs_.status_at(**parent, at.name);
        done(i, now && same_inode(*now, staged_[i].disk) ? *now : staged_[i].disk);
        out_.outcomes[i].record.disk.mode = action.record.mode;
    }

    void put_content(std::size_t i) {
        const disk_action& action = request_.actions[i];
        const split_path at(action.path);
        auto parent = rights_.open(at.parent);
        if (!parent) return drop_staged(i), fail(i, parent.error());
        if (sometimes(probe::edit_before_exchange, !stands_as_expected(**parent, at.name, action)))
            return drop_staged(i), retry(i);
        const auto how = action.expected ? rename_mode::exchange : rename_mode::no_replace;
        auto renamed = rights_.writable(at.parent, **parent,
                                [&] { return fs_.rename(*staging_, staged_[i].name, **parent, at.name, how); });
        if (!renamed) return drop_staged(i), fail(i, renamed.error());
        touched_.insert(at.parent);
        staging_touched_ = true;
        finish_in_place(i, **parent, at.name);
        if (action.expected) dispose(i);
    }

    /// Records the new inode as built; whoever changed it since then is told apart by the next look.
    void finish_in_place(std::size_t i, directory& parent, const std::string& name) {
        auto now = fs_.status_at(parent, name);
        if (now && same_state(*now, staged_[i].disk, false)) {
            done(i, *now);
        } else {
            done(i, staged_[i].disk);
            out_.outcomes[i].look_again = true;
        }
        // A write within the clock's grain of our own would leave the same times: look again once it has passed.
        out_.outcomes[i].record.certain = false;
    }

    /// Deletes what an exchange or removal brought out if it is surely what was known; else keeps it for its user.
    void dispose(std::size_t i) {
        const disk_action& action = request_.actions[i];
        const auto state = look_at_displaced(fs_, *staging_, staged_[i].name, *action.expected);
        if (state == displaced_state::gone) return;
        if (state == displaced_state::expected && fs_.remove_file(*staging_, staged_[i].name)) return;
        sometimes(state == displaced_state::written ? probe::displaced_file_still_open : probe::edit_between_exchange_and_look);
        staged_[i].keep_intent = true;
        out_.outcomes[i].displaced = displaced_item{staged_[i].name, action.path, *action.expected};
    }

    void move(std::size_t i) {
        const disk_action& action = request_.actions[i];
        const split_path to(action.to_path);
        const bool parked = action.path.empty();
        const split_path from(parked ? parked_name(action.entry) : action.path);
        auto source = parked ? result<std::shared_ptr<directory>>(staging_) : rights_.open(from.parent);
        auto target = rights_.open(to.parent);
        if (!source) return fail(i, source.error());
        if (!target) return fail(i, target.error());
        auto before = fs_.status_at(**source, from.name);
        if (!before) return lost(i, before.error());
        if (!action.expected || !same_inode(*before, action.expected->disk)) return lost(i, {});
        if (action.sync_content && !sync_content(i, **source, from.name, *before)) return;
        auto moved = rights_.writable(to.parent, **target, [&] {
            auto attempt = [&] { return fs_.rename(**source, from.name, **target, to.name, rename_mode::no_replace); };
            return parked ? attempt() : rights_.writable(from.parent, **source, attempt);
        });
        if (!moved) return fail(i, moved.error());
        if (parked) staging_touched_ = true;
        else touched_.insert(from.parent);
        touched_.insert(to.parent);
        done_moved(i, **target, to.name, *before);
    }

    void park(std::size_t i) {
        const disk_action& action = request_.actions[i];
        const split_path from(action.path);
        auto source = rights_.open(from.parent);
        if (!source) return fail(i, source.error());
        auto before = fs_.status_at(**source, from.name);
        if (!before) return lost(i, before.error());
        if (!action.expected || !same_inode(*before, action.expected->disk)) return lost(i, {});
        if (action.sync_content && !sync_content(i, **source, from.name, *before)) return;
        sometimes(probe::entry_parked);
        const std::string name = parked_name(action.entry);
        auto moved = rights_.writable(from.parent, **source, [&] {
            return fs_.rename(**source, from.name, *staging_, name, rename_mode::no_replace);
        });
        if (!moved) return fail(i, moved.error());
        touched_.insert(from.parent);
        staging_touched_ = true;
        const auto parked = fs_.status_at(*staging_, name);
        if (parked && !same_inode(*parked, *before)) return put_back(i, name, **source, from.name);
        done_moved(i, *staging_, name, *before);
    }

    /// What was parked is what a user put over the entry a moment before. Nobody looks for a user's edit in staging: it goes
    /// to its place again, or to the top where that is taken by now, and is found there.
    void put_back(std::size_t i, const std::string& parked, directory& source, const std::string& name) {
        auto back = rights_.writable(split_path(request_.actions[i].path).parent, source, [&] {
            return fs_.rename(*staging_, parked, source, name, rename_mode::no_replace);
        });
        if (!back) {
            const auto top = return_to_root(fs_, *staging_, *root_, parked);
            if (!top) return fail(i, top.error());
            touched_.insert("");
        }
        lost(i, {});
    }

    /// A rename changes ctime alone. Anything else that differs from the record is an edit, found by the next look.
    void done_moved(std::size_t i, directory& where, const std::string& name, const file_status& before) {
        const disk_action& action = request_.actions[i];
        auto now = fs_.status_at(where, name);
        const bool unchanged = same_thing(before, action.expected->disk) && now && same_thing(*now, before, false) &&
                               rights_.mode_of(action.path, *now) == action.expected->disk.mode;
        done(i, unchanged ? *now : action.expected->disk);
        out_.outcomes[i].record.disk.mode = action.expected->disk.mode;   // not what this batch lends
        out_.outcomes[i].record.certain = action.expected->certain && unchanged;
        if (!unchanged) out_.outcomes[i].look_again = true;
    }

    void set_attributes(std::size_t i) {
        const disk_action& action = request_.actions[i];
        const split_path at(action.path);
        if (action.record.type == folder::entry_type::symlink) return done(i, action.expected->disk);
        if (action.record.type == folder::entry_type::directory) return set_directory_mode(i);
        auto parent = rights_.open(at.parent);
        if (!parent) return fail(i, parent.error());
        auto file = fs_.open_file(**parent, at.name, open_mode::read, 0);
        if (!file) return fail(i, file.error());
        auto before = fs_.status(*file);
        if (!before) return fail(i, before.error());
        if (!action.expected || !same_state(*before, action.expected->disk)) return retry(i);
        if (auto set = fs_.set_mode(*file, action.record.mode); !set) return fail(i, set.error());
        if (auto set = fs_.set_mtime(*file, action.record.mtime_ns); !set) return fail(i, set.error());
        if (auto synced = fs_.sync_file(*file); !synced) return stop(synced.error(), action.path), fail(i, synced.error());
        auto now = fs_.status(*file);
        if (!now) return fail(i, now.error());
        done(i, *now);
        out_.outcomes[i].record.certain = false;
    }

    void set_directory_mode(std::size_t i) {
        const disk_action& action = request_.actions[i];
        auto opened = rights_.open(action.path);
        if (!opened) return fail(i, opened.error());
        auto now = fs_.status(**opened);
        if (!now) return fail(i, now.error());
        if (!action.expected || !same_inode(*now, action.expected->disk)) return retry(i);
        if (rights_.mode_of(action.path, *now) != action.expected->disk.mode) return retry(i);   // its user's, not seen yet
        // Later steps and syncs may have to go through it: one that closes it is the last of the batch.
        if ((action.record.mode & 0700) == 0700) {
            if (auto set = fs_.set_mode(**opened, action.record.mode); !set) return fail(i, set.error());
            rights_.forget(action.path);
            touched_.insert(action.path);
        } else {
            rights_.at_end(action.path, action.record.mode);
        }
        done(i, *now);
        out_.outcomes[i].record.disk.mode = action.record.mode;
    }

    void remove_file(std::size_t i) {
        const disk_action& action = request_.actions[i];
        if (action.path.empty()) return remove_parked_file(i);
        const split_path at(action.path);
        auto parent = rights_.open(at.parent);
        if (!parent) return fail(i, parent.error());
        if (!action.expected || !stands_as_expected(**parent, at.name, action)) return retry(i);
        auto taken = rights_.writable(at.parent, **parent, [&] {
            return fs_.rename(**parent, at.name, *staging_, staged_[i].name, rename_mode::no_replace);
        });
        if (!taken) return fail(i, taken.error());
        touched_.insert(at.parent);
        staging_touched_ = true;
        dispose(i);
    }

    /// It stands in staging already: looked at there like anything displaced.
    void remove_parked_file(std::size_t i) {
        const std::string name = parked_name(request_.actions[i].entry);
        if (!request_.actions[i].expected) return retry(i);
        auto taken = fs_.rename(*staging_, name, *staging_, staged_[i].name, rename_mode::no_replace);
        if (!taken && taken.error() != errc::not_found) return fail(i, taken.error());
        staging_touched_ = true;
        if (taken) dispose(i);
    }

    /// Where a user still put something into it, it comes back to the top level, where that is found.
    void remove_parked_directory(std::size_t i) {
        const disk_action& action = request_.actions[i];
        const std::string name = parked_name(action.entry);
        auto removed = fs_.remove_directory(*staging_, name);
        if (!removed && removed.error() == errc::not_empty) {
            auto back = return_to_root(fs_, *staging_, *root_, name);
            if (!back) return fail(i, back.error());
            touched_.insert("");
            out_.outcomes[i].returned = true;
            out_.outcomes[i].record = *action.expected;
            out_.outcomes[i].record.parked = false;
            out_.outcomes[i].record.where = {root_entry, *back};
        } else if (!removed && removed.error() != errc::not_found) {
            return fail(i, removed.error());
        }
        staging_touched_ = true;
    }

    void remove_directory(std::size_t i) {
        const disk_action& action = request_.actions[i];
        if (action.path.empty()) return remove_parked_directory(i);
        const split_path at(action.path);
        auto parent = rights_.open(at.parent);
        if (!parent) return fail(i, parent.error());
        auto before = fs_.status_at(**parent, at.name);
        if (!before) return fail(i, before.error());
        if (!action.expected || !same_inode(*before, action.expected->disk)) return retry(i);
        auto removed = rights_.writable(at.parent, **parent, [&] { return fs_.remove_directory(**parent, at.name); });
        if (!removed) {
            sometimes(probe::directory_not_empty_yet, removed.error() == errc::not_empty);
            return fail(i, removed.error());
        }
        rights_.forget(action.path);
        touched_.insert(at.parent);
    }

    /// What a user wrote and the log accepted: durable here before a record says that it is in step, else a power
    /// failure would look like an edit that brings the old content back. It may have left its place (moved by its user,
    /// or with a directory by an earlier step of this batch): then nothing is recorded until a look has found it again.
    void confirm(std::size_t i) {
        const disk_action& action = request_.actions[i];
        const split_path at(action.path);
        auto parent = rights_.open(at.parent);
        if (!parent) return fail(i, parent.error());
        auto now = fs_.status_at(**parent, at.name);
        if (!now) return fail(i, now.error());
        if (!same_inode(*now, action.record.disk)) return retry(i);
        if (!sync_content(i, **parent, at.name, action.record.disk)) return;
        touched_.insert(at.parent);
        done(i, action.record.disk);
        now = fs_.status_at(**parent, at.name);
        if (!now || !same_thing(*now, action.record.disk)) lose_sight(i);
    }

    /// Syncs what a user wrote, where it is still the file that is known. False: it did not work, and the outcome says so.
    bool sync_content(std::size_t i, directory& parent, const std::string& name, const file_status& known) {
        if (request_.actions[i].record.type != folder::entry_type::file) return true;
        auto file = fs_.open_file(parent, name, open_mode::read, 0);
        if (!file) return fail(i, file.error()), false;
        auto now = fs_.status(*file);
        if (!now) return fail(i, now.error()), false;
        if (!same_inode(*now, known)) return retry(i), false;
        if (auto synced = fs_.sync_file(*file); !synced)
            return stop(synced.error(), request_.actions[i].path), fail(i, synced.error()), false;
        return true;
    }

    /// The user went on meanwhile. What is durable now is at least as new as what was decided, so the record may
    /// stand, with an identity that no file has.
    void lose_sight(std::size_t i) {
        out_.outcomes[i].record.certain = false;
        out_.outcomes[i].look_again = true;
    }

    // --- making it last ---------------------------------------------------------------------------------------------

    bool sync_directories() {
        if (staging_touched_)
            if (auto synced = fs_.sync_directory(*staging_); !synced) return stop(synced.error(), "staging directory");
        if (const error_code why = rights_.unrecorded()) return stop(why, journal_named);
        touched_.insert(rights_.touched().begin(), rights_.touched().end());
        for (const auto& path : touched_) {
            auto opened = fs_.open_directory_at(*root_, path);
            if (!opened) {
                if (opened.error() == errc::halted) return stop(opened.error(), "halted");
                continue;  // moved or removed since: whoever did that is recorded by the next look
            }
            if (auto synced = fs_.sync_directory(*opened); !synced) return stop(synced.error(), path);
        }
        return !out_.fatal;
    }

    void write_records() {
        std::vector<byte_buffer> records;
        for (std::size_t i = 0; i < request_.actions.size(); ++i) {
            const disk_action& action = request_.actions[i];
            const disk_outcome& outcome = out_.outcomes[i];
            if (outcome.what == status::done) {
                const bool removal = action.what == kind::remove_file || action.what == kind::remove_directory ||
                                     action.what == kind::forget;
                if (removal && !outcome.returned) records.push_back(encode_record(erased_record{action.entry}));
                else records.push_back(encode_record(outcome.record));
            }
            if (staged_[i].intended && !staged_[i].keep_intent)
                records.push_back(encode_record(intent_done_record{staged_[i].name}));
        }
        rights_.append_done(records);
        if (records.empty()) return;
        auto written = journal_.append(records, false);
        if (written) return;
        // Where only users' own edits were made durable, the disk is as it was: that can wait until there is room.
        const bool nothing_changed = std::all_of(request_.actions.begin(), request_.actions.end(), [](const auto& action) {
            return action.what == kind::confirm || action.what == kind::forget;
        });
        if (written.error() == errc::no_space && nothing_changed) give_up(written.error());
        else stop(written.error(), journal_named);
    }

    // --- what did not work --------------------------------------------------------------------------------------------

    void hold(std::size_t i) {
        sometimes(probe::step_held_after_failed_one);
        const kind what = request_.actions[i].what;
        if (what == kind::write || what == kind::make_directory) drop_staged(i);
        out_.outcomes[i].what = status::held;
    }

    // --- small things -----------------------------------------------------------------------------------------------

    bool stands_as_expected(directory& parent, const std::string& name, const disk_action& action) {
        auto now = fs_.status_at(parent, name);
        if (!now) return now.error() == errc::not_found && !action.expected;
        return action.expected && same_state(*now, action.expected->disk);
    }

    bool restore_rights() {
        if (auto restored = rights_.restore(); !restored) return stop(restored.error(), rights_.place());
        return true;
    }

    void done(std::size_t i, const file_status& disk) {
        out_.outcomes[i].record = request_.actions[i].record;
        out_.outcomes[i].record.disk = disk;
        latest_[request_.actions[i].entry] = disk;
    }
    void retry(std::size_t i) { out_.outcomes[i].what = status::retry; }
    /// What was to be moved is not where it was believed to be, or something else is.
    void lost(std::size_t i, error_code why) {
        sometimes(probe::moved_thing_not_in_its_place);
        if (why && why != errc::not_found) return fail(i, why);
        out_.outcomes[i].lost = true;
        retry(i);
    }

    void fail(std::size_t i, error_code why) {
        out_.outcomes[i].error = why;
        const bool surprise = why == errc::not_found || why == errc::already_exists || why == errc::not_a_directory ||
                              why == errc::is_a_directory || why == errc::symlink_in_path || why == errc::not_empty;
        out_.outcomes[i].what = surprise ? status::retry : status::failed;
    }

    void drop_staged(std::size_t i) {
        if (request_.actions[i].what == kind::make_directory) (void)fs_.remove_directory(*staging_, staged_[i].name);
        else (void)fs_.remove_file(*staging_, staged_[i].name);
    }

    bool stop(error_code why, std::string detail) {
        out_.fatal = why;
        out_.detail = std::move(detail);
        return false;
    }

    FileSystem& fs_;
    Journal& journal_;
    disk_request request_;
    disk_result out_;
    std::vector<staged_thing> staged_;
    std::shared_ptr<directory> root_;
    std::shared_ptr<directory> staging_;
    std::set<std::string> touched_;            ///< directories to sync
    lent_rights<FileSystem, Journal> rights_;
    spoiled_ground spoiled_;
    std::map<entry_id, file_status> latest_;   ///< what this batch made of an entry
    bool staging_touched_ = false;
};

}  // namespace lockstep::sync
