// The durable things of a node beside its log: who it is, which cluster it belongs to, and what its disk holds.
// Opening checks that all of it is this node's, and that no other process uses it. Blocking: runs on a lane.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/codec/state.hpp>
#include <lockstep/node/options.hpp>
#include <lockstep/storage/durable_file.hpp>
#include <lockstep/storage/journal.hpp>
#include <lockstep/sync/journal_records.hpp>
#include <lockstep/sync/root.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace lockstep {

template <file_system FileSystem>
class state_directory {
public:
    using directory = typename FileSystem::directory;
    using journal_type = storage::journal<FileSystem>;

    struct opened {
        error_code code;
        std::string text;   ///< one line for a person
        std::optional<state_directory> state;
        sync::journal_state disk;
        std::string warning;   ///< a line for a person where something was damaged and could be done without
        std::optional<snapshot_record> snapshot;   ///< what the state begins with; none: with nothing
    };

    static opened open(FileSystem& fs, const node_options& options, disk_id fresh) {
        opened out;
        state_directory s(fs);
        auto failed = [&](error_code code, std::string text) {
            out.code = code;
            out.text = std::move(text);
            return std::move(out);
        };
        auto root = fs.open_directory(options.directory);
        if (!root) return failed(root.error(), "--dir " + options.directory + ": " + root.error().message());
        auto control = s.subdirectory(*root, sync::control_directory);
        if (!control) return failed(control.error(), "--dir " + options.directory + ": .lockstep cannot be made: " + control.error().message());
        auto staging = s.subdirectory(*control, sync::staging_name);
        auto marks = s.subdirectory(*control, sync::marks_name);
        if (!staging || !marks) return failed(errc::io_error, "--dir " + options.directory + ": .lockstep cannot be written");
        s.marks_ = std::make_shared<directory>(std::move(*marks));

        const bool inside = options.state_directory.empty();
        const std::string where = inside ? options.directory + "/.lockstep" : "--state " + options.state_directory;
        auto home = inside ? std::move(control) : s.make_native(options.state_directory);
        if (!home) return failed(home.error(), where + ": " + home.error().message());
        if (!inside && s.lies_in(options.state_directory, *root))
            return failed(errc::invalid_argument, where + ": is inside --dir, and would be replicated itself (left out, the state is kept in " +
                                                      options.directory + "/.lockstep)");
        s.home_ = std::make_shared<directory>(std::move(*home));
        if (auto trouble = s.lock(*root, inside, options, where); trouble.code) return failed(trouble.code, trouble.text);
        if (auto trouble = s.identify(options, fresh, where); trouble.code) return failed(trouble.code, trouble.text);
        if (auto trouble = s.mark(*root, options); trouble.code) return failed(trouble.code, trouble.text);
        if (auto trouble = s.open_journal(options, out, where); trouble.code) return failed(trouble.code, trouble.text);
        s.compare_boots(out.disk);
        if (auto trouble = s.read_snapshot(out.snapshot, where); trouble.code) return failed(trouble.code, trouble.text);
        out.state.emplace(std::move(s));
        return out;
    }

    const node_identity& identity() const noexcept { return identity_; }
    void set_identity(const node_identity& identity) { identity_ = identity; }

    /// Makes an identity durable. Blocking.
    result<> write(const node_identity& identity) const {
        return storage::replace_file_durably(fs_, *home_, identity_name, encode_identity(identity).view());
    }

    /// Makes durable which snapshot a start begins with. Blocking.
    result<> write(const snapshot_record& snapshot) const {
        return storage::replace_file_durably(fs_, *home_, snapshot_name, encode_snapshot_record(snapshot).view());
    }

    /// The journal says by now what is not known any more since the machine was started. Blocking.
    result<> remember_boot() const {
        if (boot_.empty()) return {};
        return storage::replace_file_durably(fs_, *home_, boot_name, as_bytes(boot_));
    }

    directory& marks() const noexcept { return *marks_; }
    std::shared_ptr<journal_type> journal() const noexcept { return journal_; }

private:
    static constexpr std::string_view identity_name = "identity";
    static constexpr std::string_view journal_name = "synced";
    static constexpr std::string_view lock_name = "lock";
    static constexpr std::string_view snapshot_name = "snapshot";
    static constexpr std::string_view boot_name = "boot";

    struct trouble {
        error_code code;
        std::string text;
    };

    explicit state_directory(FileSystem& fs) : fs_(fs) {}

    result<directory> subdirectory(directory& parent, std::string_view name) {
        if (auto made = fs_.make_directory(parent, name, 0700); made) {
            LOCKSTEP_TRY(fs_.sync_directory(parent));
        } else if (made.error() != errc::already_exists) {
            return made.error();
        }
        return fs_.open_directory_at(parent, name);
    }

    /// A directory by its native path, made if only its last name is missing.
    result<directory> make_native(const std::string& path) {
        auto there = fs_.open_directory(path);
        if (there || there.error() != errc::not_found) return there;
        std::string trimmed = path;
        while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
        const auto slash = trimmed.rfind('/');
        const std::string parent = slash == std::string::npos ? "." : slash == 0 ? "/" : trimmed.substr(0, slash);
        auto above = fs_.open_directory(parent);
        if (!above) return above.error();
        return subdirectory(*above, slash == std::string::npos ? trimmed : trimmed.substr(slash + 1));
    }

    /// By what stands there, not by names: links and mounts count.
    bool lies_in(std::string path, directory& root) {
        const auto wanted = fs_.status(root);
        std::uint64_t below = 0;
        for (int depth = 0; wanted && depth < 4096; ++depth, path += "/..") {
            auto here = fs_.open_directory(path);
            const auto status = here ? fs_.status(*here) : result<file_status>(here.error());
            if (!status || (depth > 0 && status->inode == below)) return false;   // the top of all
            if (status->inode == wanted->inode && status->device == wanted->device) return true;
            below = status->inode;
        }
        return false;
    }

    /// One process for a state directory, and one for a replicated directory.
    trouble lock(directory& root, bool inside, const node_options& options, const std::string& where) {
        auto held = fs_.lock_file(*home_, lock_name);
        if (!held) return {held.error(), where + " is " + held.error().message()};
        lock_ = std::make_shared<typename FileSystem::lock>(std::move(*held));
        if (inside) return {};
        auto control = fs_.open_directory_at(root, sync::control_directory);
        if (!control) return {control.error(), "--dir " + options.directory + ": " + control.error().message()};
        auto second = fs_.lock_file(*control, lock_name);
        if (!second) return {second.error(), "--dir " + options.directory + " is " + second.error().message()};
        root_lock_ = std::make_shared<typename FileSystem::lock>(std::move(*second));
        return {};
    }

    trouble identify(const node_options& options, disk_id fresh, const std::string& where) {
        auto bytes = storage::read_file(fs_, *home_, identity_name);
        if (bytes) {
            auto identity = decode_identity(shared_bytes(std::move(*bytes)));
            if (!identity) return {identity.error(), where + "/identity: " + identity.error().message()};
            if (identity->node != options.id)
                return {errc::wrong_node, where + " belongs to node " + std::to_string(identity->node.value) + ", not " +
                                              std::to_string(options.id.value)};
            identity_ = std::move(*identity);
            return {};
        }
        if (bytes.error() != errc::not_found) return {bytes.error(), where + "/identity: " + bytes.error().message()};
        // It is the first thing that a node writes.
        if (fs_.status_at(*home_, journal_name))
            return {errc::corrupt, where + "/identity is missing, and other state of a node is there: it was lost (a node that is to begin anew needs an empty state directory)"};
        identity_.node = options.id;
        identity_.disk = fresh;
        fresh_ = true;
        if (auto written = write(identity_); !written) return {written.error(), where + ": " + written.error().message()};
        return {};
    }

    /// A root that should carry our marker and does not is not our root (not mounted, or emptied): never start on it.
    trouble mark(directory& root, const node_options& options) {
        auto control = fs_.open_directory_at(root, sync::control_directory);
        if (!control) return {control.error(), "--dir " + options.directory + ": " + control.error().message()};
        const std::string wanted = sync::marker_text(identity_.disk);
        auto there = sync::read_small_file(fs_, *control, sync::marker_name, sync::marker_bytes_max);
        if (there && as_text(byte_view(*there)) == wanted) return {};
        if (!fresh_ && identity_.marked)
            return {errc::not_found, "--dir " + options.directory + " does not carry the marker of this node: is it mounted?"};
        if (auto written = write_marker(*control, wanted); !written)
            return {written.error(), "--dir " + options.directory + ": " + written.error().message()};
        identity_.marked = true;
        if (auto written = write(identity_); !written) return {written.error(), "the node's identity: " + written.error().message()};
        return {};
    }

    result<> write_marker(directory& control, const std::string& text) {
        static constexpr std::string_view building = "marker.new";
        (void)fs_.remove_file(control, building);
        {
            auto file = fs_.open_file(control, building, open_mode::create_new, 0600);
            if (!file) return file.error();
            LOCKSTEP_TRY(fs_.write_at(*file, 0, as_bytes(text)));
            LOCKSTEP_TRY(fs_.sync_file(*file));
        }
        LOCKSTEP_TRY(fs_.rename(control, building, control, sync::marker_name, rename_mode::replace));
        return fs_.sync_directory(control);
    }

    /// A damaged one is begun anew. What it said can be found out again: everything in the directory is compared with what is
    /// committed, as where a directory is taken into a cluster that was filled before.
    trouble open_journal(const node_options& options, opened& out, const std::string& where) {
        auto dir = fs_.open_directory_at(*home_, "");
        if (!dir) return {dir.error(), where + ": " + dir.error().message()};
        journal_ = std::make_shared<journal_type>(fs_, std::move(*dir), std::string(journal_name), where + "/" + std::string(journal_name));
        auto records = journal_->open();
        if (records.damaged) {
            sometimes(probe::journal_begun_anew);
            out.disk = sync::replay_damaged_journal(journal_->salvage());
            out.warning = records.error.detail + ": " + records.error.code.message() + ". It is begun anew: everything in the directory " +
                          "is looked at as if it were new";
            if (auto begun = journal_->rewrite(sync::compact_journal(out.disk)); !begun)
                return {begun.error(), where + "/" + std::string(journal_name) + ": " + begun.error().message()};
        } else if (records.error.code) {
            return {records.error.code, records.error.detail + ": " + records.error.code.message()};
        } else {
            auto replayed = sync::replay_journal(records.records);
            if (!replayed) return {replayed.error(), where + "/" + std::string(journal_name) + ": " + replayed.error().message()};
            out.disk = std::move(*replayed);
        }
        journal_->compact_with({options.journal_bytes_min, sync::shorten_journal});
        return {};
    }

    /// Stamps tell whether a file was written only as long as the machine runs: what comes to the disk when its power goes may
    /// be newer than they are. A file that cannot be read says nothing, and so another boot.
    void compare_boots(sync::journal_state& disk) {
        boot_ = fs_.boot_id();
        const auto known = storage::read_file(fs_, *home_, boot_name);
        const bool same = known && !boot_.empty() && as_text(byte_view(*known)) == boot_;
        if (same) boot_.clear();
        else sync::doubt_contents(disk);
    }

    trouble read_snapshot(std::optional<snapshot_record>& snapshot, const std::string& where) {
        const std::string name = where + "/" + std::string(snapshot_name) + ": ";
        auto bytes = storage::read_file(fs_, *home_, snapshot_name);
        if (!bytes && bytes.error() == errc::not_found) return {};
        if (!bytes) return {bytes.error(), name + bytes.error().message()};
        auto record = decode_snapshot_record(shared_bytes(std::move(*bytes)));
        if (!record) return {record.error(), name + record.error().message()};
        snapshot = std::move(*record);
        return {};
    }

    FileSystem& fs_;
    std::shared_ptr<directory> home_;
    std::shared_ptr<directory> marks_;
    std::shared_ptr<typename FileSystem::lock> lock_;
    std::shared_ptr<typename FileSystem::lock> root_lock_;
    std::shared_ptr<journal_type> journal_;
    node_identity identity_;
    std::string boot_;   ///< of the machine, where it has to be remembered
    bool fresh_ = false;
};

}  // namespace lockstep
