// Looks at the disk where hints point and tells how it differs from the local tree. Blocking: runs on a lane.
// It decides nothing: what a difference means is the node's business.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/sync/scan_types.hpp>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace lockstep::sync {

template <file_system FileSystem>
class scanner {
public:
    using directory = typename FileSystem::directory;
    using result_type = scan_result<directory>;

    scanner(FileSystem& fs, scan_request request) : fs_(fs), request_(std::move(request)) {}

    result_type run() {
        auto root = open_root(fs_, request_.root);
        if (!root) return failed(root.error());
        root_ = std::make_shared<directory>(std::move(root->root));
        for (auto& target : request_.targets) {
            if (spent()) out_.rest.push_back(std::move(target));
            else if (target.inside) look_inside(target);
            else look_at_path(target);
        }
        // A root that was swapped or emptied under us must not turn into removals.
        if (auto again = open_root(fs_, request_.root); !again) return failed(again.error());
        // Removals last: what was renamed shows as gone and as moved, and must not be removed and created again.
        std::move(removals_.begin(), removals_.end(), std::back_inserter(out_.findings));
        return std::move(out_);
    }

private:
    static result_type failed(error_code why) {
        result_type none;
        none.root_error = why;
        return none;
    }

    bool spent() const { return out_.names_seen >= request_.names_max || bytes_read_ >= request_.bytes_max; }

    result<std::shared_ptr<directory>> open(const std::string& path) {
        if (path.empty()) return root_;
        if (last_ && path == last_path_) return last_;
        auto opened = fs_.open_directory_at(*root_, path);
        if (!opened) return opened.error();
        last_path_ = path;
        last_ = std::make_shared<directory>(std::move(*opened));
        return last_;
    }

    static bool reserved(const std::string& parent, std::string_view name) {
        return parent.empty() && name == control_directory;
    }
    static std::string join(const std::string& parent, std::string_view name) {
        return parent.empty() ? std::string(name) : parent + "/" + std::string(name);
    }

    void look_at_path(const scan_target& target) {
        const auto slash = target.path.rfind('/');
        const std::string parent = slash == std::string::npos ? std::string{} : target.path.substr(0, slash);
        const std::string name = slash == std::string::npos ? target.path : target.path.substr(slash + 1);
        if (name.empty() || reserved(parent, name)) return;
        auto opened = open(parent);
        if (opened) return look(**opened, parent, name, target);
        const auto known = request_.local.resolve(target.path);
        if (!known) return;
        if (!is_gone(opened.error())) return note_directory(parent);
        // The way there is gone, or leads through a link. That is told of what is gone on the way, with all below it:
        // told of this one alone, the way could come back, be no change, and bring it along unseen.
        const auto told = out_.findings.size() + removals_.size();
        scan_target way = target;
        way.path = parent;
        look_at_path(way);
        if (out_.findings.size() + removals_.size() == told) out_.rest.push_back(target);
    }

    void look_inside(const scan_target& target) {
        auto opened = open(target.path);
        if (!opened) {
            if (!target.path.empty()) look_at_path(target);   // which also tells that it cannot be opened
            return;
        }
        // Held past the cache: look() may open other directories.
        std::shared_ptr<directory> here = *opened;
        auto items = fs_.list(*here);
        if (!items) return note_directory(target.path);
        std::sort(items->begin(), items->end(), [](const auto& a, const auto& b) { return a.name < b.name; });
        if (auto id = request_.local.resolve(target.path)) {
            for (entry_id child : request_.local.children(*id)) {
                const auto& name = request_.local.find(child)->where.name;
                const bool there = std::binary_search(items->begin(), items->end(), directory_item{name, {}, 0},
                                                      [](const auto& a, const auto& b) { return a.name < b.name; });
                if (!there) vanished(*here, join(target.path, name), child, target.settled);
            }
        }
        for (const auto& item : *items) {
            if (reserved(target.path, item.name)) continue;
            if (spent())
                out_.rest.push_back({join(target.path, item.name), false, target.deep, target.settled, target.written});
            else look(*here, target.path, item.name, target);
        }
    }

    /// Compares one name with what is known at its path.
    void look(directory& parent, const std::string& parent_path, const std::string& name, const scan_target& how) {
        ++out_.names_seen;
        const std::string path = join(parent_path, name);
        const auto known_id = request_.local.resolve(path);
        const local_record* known = known_id ? request_.local.find(*known_id) : nullptr;
        auto status = fs_.status_at(parent, name);
        if (!status) {
            if (status.error() == errc::not_found) {
                if (known) vanished(parent, path, known->id, how.settled);
            } else note(finding::kind::unreadable, path, known ? known->id : root_entry);
            return;
        }
        if (!folder::valid_name(name)) return note(finding::kind::invalid_name, path, root_entry);
        if (status->type == file_type::other) {
            if (known) vanished(parent, path, known->id, how.settled);
            return note(finding::kind::special, path, root_entry);
        }
        finding found;
        found.path = path;
        found.disk = *status;
        found.settled = how.settled;
        found.unsettled = how.unsettled;
        found.unsettled_since = how.unsettled_since;
        if (status->type == file_type::directory) look_at_directory(std::move(found), known, how.deep);
        else look_at_content(parent, name, std::move(found), known, how.written);
    }

    /// Directories match by inode first: a known one that stands here now was moved here.
    void look_at_directory(finding found, const local_record* known, bool deep) {
        const std::string path = found.path;
        bool fresh = false;
        const bool same_place = known && known->type == folder::entry_type::directory;
        if (same_place && same_inode(known->disk, found.disk)) {
            const auto changed = known->disk.mode ^ found.disk.mode;
            fresh = (changed & 0555) != 0;   // who may look into it changed: maybe nobody could so far
            // The second says the same, unless a record is wrong: then it is set right here.
            if (changed != 0 || known->mode != (found.disk.mode & 0777)) add_change(std::move(found), *known, false);
        } else if (const local_record* from = request_.local.find_inode(found.disk);
                   from && from->type == folder::entry_type::directory && !still_at_old_place(*from)) {
            found.what = finding::kind::moved;
            found.entry = from->id;
            out_.findings.push_back(std::move(found));
            fresh = true;
        } else if (same_place) {
            // Another inode under the same name (rm -r and mkdir again): still the same entry, with other contents.
            found.what = known->mode == (found.disk.mode & 0777) ? finding::kind::refreshed : finding::kind::changed;
            found.entry = known->id;
            out_.findings.push_back(std::move(found));
            fresh = true;
        } else {
            found.what = known ? finding::kind::changed : finding::kind::appeared;
            found.content_changed = known != nullptr;
            if (known) found.entry = known->id;
            out_.findings.push_back(std::move(found));
            fresh = true;
        }
        auto handle = fs_.open_directory_at(*root_, path);
        if (handle && (deep || fresh))
            out_.directories.push_back({path, std::make_shared<directory>(std::move(*handle)), fresh});
        else if (!handle && !is_gone(handle.error())) note_directory(path);
    }

    void look_at_content(directory& parent, const std::string& name, finding found, const local_record* known,
                         open_file written) {
        const auto type = entry_type_of(found.disk.type);
        if (known && known->type == type && known->certain && same_state(known->disk, found.disk)) return;
        const local_record* from = known ? nullptr : request_.local.find_inode(found.disk);
        if (from && from->type == type && !still_at_old_place(*from)) {
            found.what = finding::kind::moved;
            found.entry = from->id;
            found.certain = from->certain;
            const auto old_path = request_.local.path_of(from->id);
            auto old_parent = old_path ? open_parent(*old_path) : make_error_code(errc::not_found);
            found.still = !old_parent || is_still(*old_parent);
            out_.findings.push_back(std::move(found));
            return;
        }
        if (!read_content(parent, name, found, known, written)) return;
        compare_content(found, known);
        out_.findings.push_back(std::move(found));
    }

    void add_change(finding found, const local_record& known, bool content) {
        compare_with(found, known, content);
        out_.findings.push_back(std::move(found));
    }

    /// Reads and hashes; false (with a finding) where that is not possible now. What is stored is one moment of the file:
    /// its status before and after reading is the same.
    bool read_content(directory& parent, const std::string& name, finding& found, const local_record* known,
                      open_file written) {
        const entry_id id = known ? known->id : root_entry;
        if (found.disk.type == file_type::symlink) {
            auto target = fs_.read_symlink(parent, name);
            if (!target) return look_again(found, id);
            found.content = shared_bytes::copy_of(*target);
            found.hash = sha256(found.content.view());
            found.size = found.content.size();
            bytes_read_ += found.size;
            return true;
        }
        auto file = fs_.open_file(parent, name, open_mode::read, 0);
        if (!file) {
            if (file.error() == errc::not_found) return look_again(found, id);
            return note(finding::kind::unreadable, found.path, id), false;
        }
        auto before = fs_.status(*file);
        if (!before) return note(finding::kind::unreadable, found.path, id), false;
        const auto writers = fs_.has_writers(*file);
        found.held = writers && *writers;
        if (found.held && written == open_file::wait) {
            // Nothing tells that it was written. If it was, through a mapping, the close or the next pass over all tells.
            if (known && same_state(known->disk, *before)) return false;
            return look_again(found, id);
        }
        if (before->size > request_.inline_max) return note_large(std::move(found), *before, id, written), false;
        byte_buffer bytes(static_cast<std::size_t>(before->size));
        const std::int64_t now = fs_.clock_ns();
        auto got = fs_.read_at(*file, 0, std::span<std::byte>(bytes));
        auto after = fs_.status(*file);
        if (!got || !after) return note(finding::kind::unreadable, found.path, id), false;
        const bool one_moment = *got == bytes.size() && same_state(*before, *after);
        if (sometimes(probe::file_changed_while_read, !one_moment)) return look_again(found, id);
        // A mapping is written without a trace, and stamps have a grain. What is read twice alike is what stood there in
        // between.
        if (found.held && !reads_again(*file, bytes)) return look_again(found, id);
        // The name may have been given to another file while this one was read.
        if (auto again = fs_.status_at(parent, name); !again || !same_inode(*again, *after)) return look_again(found, id);
        found.disk = *after;
        found.certain = !found.held && times_tell(*after, now, request_.racy_ns);
        const bool quiet = is_past(after->ctime_ns, now, request_.quiet_ns);
        const bool between = quiet || written == open_file::take || has_grown(bytes, known);
        if (found.held && !between) return look_again(found, id);
        sometimes(probe::open_file_read_between_writes, found.held && written == open_file::between_writes);
        found.content = shared_bytes(std::move(bytes));
        found.hash = sha256(found.content.view());
        found.size = found.content.size();
        bytes_read_ += found.size;
        ++out_.files_read;
        return true;
    }

    /// Read in pieces by others, where it is not in the midst of being written.
    void note_large(finding found, const file_status& disk, entry_id id, open_file written) {
        const bool quiet = is_past(disk.ctime_ns, fs_.clock_ns(), request_.quiet_ns);
        if (found.held && !quiet && written != open_file::take) return void(look_again(found, id));
        found.what = finding::kind::large;
        found.disk = disk;
        found.entry = id;
        out_.findings.push_back(std::move(found));
    }

    bool reads_again(typename FileSystem::file& file, const byte_buffer& bytes) {
        byte_buffer twice(bytes.size());
        const auto got = fs_.read_at(file, 0, std::span<std::byte>(twice));
        return got && *got == bytes.size() && twice == bytes;
    }

    /// Whether a file holds what is known of it, and more: then any moment of it is as good as another. One that is
    /// written in another way may be half a version.
    static bool has_grown(const byte_buffer& bytes, const local_record* known) {
        return known && known->type == folder::entry_type::file && known->size <= bytes.size() &&
               sha256(byte_view(bytes).first(static_cast<std::size_t>(known->size))) == known->hash;
    }

    result<directory> open_parent(const std::string& path) {
        const auto slash = path.rfind('/');
        return fs_.open_directory_at(*root_, slash == std::string::npos ? "" : path.substr(0, slash));
    }

    /// An entry is only moved if it left. Where its old name still holds it, the new name is a hard link; where the old
    /// name holds another file, that one is an edit of the entry (an editor's backup), whatever the inode. A directory is
    /// known by its inode alone.
    bool still_at_old_place(const local_record& record) {
        const auto path = request_.local.path_of(record.id);
        if (!path) return false;
        auto parent = open_parent(*path);
        if (!parent) return false;
        auto status = fs_.status_at(*parent, record.where.name);
        if (!status) return false;
        const bool is_file = record.type == folder::entry_type::file && status->type == file_type::regular;
        return is_file || same_inode(*status, record.disk);
    }

    /// A name that is missing while others come and go may be in the midst of a save, each time that it is looked at.
    bool is_still(directory& where) {
        const auto now = fs_.status(where);
        return now && is_past(now->ctime_ns, fs_.clock_ns(), request_.still_ns);
    }

    bool look_again(const finding& found, entry_id id) {
        note(finding::kind::unsettled, found.path, id);
        out_.findings.back().unsettled = found.unsettled;
        out_.findings.back().unsettled_since = found.unsettled_since;
        return false;
    }

    void vanished(directory& parent, const std::string& path, entry_id id, bool settled) {
        finding found;
        found.what = finding::kind::vanished;
        found.still = is_still(parent);
        found.path = path;
        found.entry = id;
        found.settled = settled;
        removals_.push_back(std::move(found));
    }

    /// The way is not there any more, as opposed to closed.
    static bool is_gone(error_code why) {
        return why == errc::not_found || why == errc::not_a_directory || why == errc::symlink_in_path;
    }

    /// A directory that cannot be looked into. Itself it is known: nothing of it is in the way.
    void note_directory(const std::string& path) {
        note(finding::kind::unreadable, path, root_entry);
        out_.findings.back().disk.type = file_type::directory;
    }

    void note(finding::kind what, const std::string& path, entry_id id) {
        finding found;
        found.what = what;
        found.path = path;
        found.entry = id;
        out_.findings.push_back(std::move(found));
    }

    FileSystem& fs_;
    scan_request request_;
    result_type out_;
    std::vector<finding> removals_;
    std::shared_ptr<directory> root_;
    std::string last_path_;
    std::shared_ptr<directory> last_;
    std::size_t bytes_read_ = 0;
};

}  // namespace lockstep::sync
