// Large files, a piece at a time: cut into chunks as they stand in the directory, and built from chunks in staging.
// Blocking: each call is a job of its own on a lane, one at a time for each file. A file's memory is one piece.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/content/cutter.hpp>
#include <lockstep/sync/root.hpp>
#include <lockstep/sync/scan_types.hpp>
#include <lockstep/sync/staging.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sync {

/// A file as it stood at one moment, or none.
struct cut_progress {
    error_code error;                         ///< root_gone, what the file system says; or:
    bool root_gone = false;
    bool changed = false;                     ///< no moment of it could be had: look again
    bool done = false;
    std::vector<content::named_chunk> chunks;   ///< cut now, in order
};

/// Cuts a file that was found. What is given is one moment of it: its status was the same before and after, and would not
/// be had it been written; or, while somebody holds it open for writing or its stamps are of just now, all of it was read
/// twice alike, and between the two it ended where what was read ends.
template <file_system FileSystem>
class file_cutter {
public:
    /// `staged`: the name in staging of an edit that was taken aside; else the file is at found.path. `expected`: what it
    /// probably holds: then it is only hashed as a whole, and cut if that is not so.
    file_cutter(FileSystem& fs, root_location root, finding found, std::string staged,
                std::optional<content_hash> expected, content::chunking cuts, std::size_t piece_bytes)
        : fs_(fs), root_(std::move(root)), found_(std::move(found)), staged_(std::move(staged)), expected_(expected),
          cut_(cuts), piece_bytes_(piece_bytes) {}

    cut_progress next() {
        cut_progress out;
        if (!file_ && !open(out)) return out;
        if (verifying_) return verify(std::move(out));
        const auto piece = read(out);
        if (!piece) return out;
        if (expected_ && !as_expected_) return compare(*piece, std::move(out));
        const auto keep = [&](const content::chunk_ref& ref, byte_view bytes) {
            out.chunks.push_back({ref.hash, shared_bytes::copy_of(bytes)});
        };
        cut_.feed(*piece, keep);
        if (read_ < found_.disk.size || !ended(out)) return out;
        found_.hash = cut_.finish(keep);
        finish(out);
        return out;
    }

    /// What was found, with the hash of all of it; once next() said done.
    finding take_found() { return std::move(found_); }
    /// It was not cut: it holds what was expected.
    bool as_expected() const noexcept { return as_expected_; }
    std::uint64_t bytes_read() const noexcept { return read_; }

private:
    bool open(cut_progress& out) {
        auto root = open_root(fs_, root_);
        if (!root) return out.root_gone = true, out.error = root.error(), false;
        const split_path at(found_.path);
        auto parent = staged_.empty() ? fs_.open_directory_at(root->root, at.parent)
                                      : fs_.open_directory_at(root->control, staging_name);
        if (!parent) return out.changed = true, false;
        auto file = fs_.open_file(*parent, staged_.empty() ? at.name : staged_, open_mode::read, 0);
        if (!file) return out.error = file.error(), out.changed = file.error() == errc::not_found, false;
        const auto now = fs_.status(*file);
        if (!now || !same_inode(*now, found_.disk) || now->size < found_.disk.size) return out.changed = true, false;
        // It was found some time ago: whoever has opened it since may be in the midst of writing.
        if (const auto writers = fs_.has_writers(*file); !found_.held && writers && *writers) return out.changed = true, false;
        found_.disk = *now;
        started_ns_ = fs_.clock_ns();
        file_.emplace(std::move(*file));
        return true;
    }

    /// The next piece; nothing where it cannot be had.
    std::optional<byte_view> read(cut_progress& out) {
        const auto wanted = std::min<std::uint64_t>(piece_bytes_, found_.disk.size - read_);
        if (buffer_.size() < wanted) buffer_.resize(static_cast<std::size_t>(wanted));
        const auto piece = std::span<std::byte>(buffer_).first(static_cast<std::size_t>(wanted));
        const auto got = fs_.read_at(*file_, read_, piece);
        if (!got) return out.error = got.error(), std::nullopt;
        if (*got != piece.size()) return out.changed = true, std::nullopt;   // it became shorter
        read_ += *got;
        return piece;
    }

    /// As far as it is known to go, it is read: is that all of it? An open file may go on growing, and is read on: its first
    /// bytes alone may never have been all, where those were written over before the rest came.
    bool ended(cut_progress& out) {
        const auto now = fs_.status(*file_);
        if (!now) return out.error = now.error(), false;
        const bool same = found_.held ? now->size == found_.disk.size : same_state(*now, found_.disk);
        if (sometimes(probe::open_file_grew_while_read, found_.held && now->size > found_.disk.size)) found_.disk = *now;
        else if (sometimes(probe::large_file_changed_while_read, !same)) out.changed = true;
        else found_.disk = *now;
        return same;
    }

    /// A mapping is written without a trace, an open file may be written over, and a write within the clock's grain of the one
    /// before leaves no other stamps: those are read twice.
    void finish(cut_progress& out) {
        found_.size = found_.disk.size;
        if (!found_.held && times_tell(found_.disk, started_ns_, racy_ns)) return done(out);
        verifying_ = true;
        read_ = 0;
    }

    cut_progress compare(byte_view piece, cut_progress out) {
        again_.update(piece);
        if (read_ < found_.disk.size) return out;
        found_.hash = again_.finish();
        as_expected_ = found_.hash == *expected_ && ended(out);
        if (as_expected_) return finish(out), out;
        expected_.reset();
        read_ = 0;
        return out;
    }

    cut_progress verify(cut_progress out) {
        const auto piece = read(out);
        if (!piece) return out;
        again_.update(*piece);
        if (read_ < found_.disk.size) return out;
        if (again_.finish() != found_.hash) return out.changed = true, out;
        done(out);
        return out;
    }

    void done(cut_progress& out) {
        const file_status& disk = found_.disk;
        found_.certain = !found_.held && times_tell(disk, started_ns_, racy_ns);
        out.done = true;
        file_.reset();
    }

    static constexpr std::int64_t racy_ns = 50'000'000;

    FileSystem& fs_;
    root_location root_;
    finding found_;
    std::string staged_;
    std::optional<content_hash> expected_;
    content::cutter cut_;
    sha256_hasher again_;
    std::size_t piece_bytes_;
    byte_buffer buffer_;   ///< of the largest piece so far
    std::optional<typename FileSystem::file> file_;
    std::int64_t started_ns_ = 0;
    std::uint64_t read_ = 0;
    bool verifying_ = false;
    bool as_expected_ = false;
};

/// Whether the inode that was found is at its path yet (or in staging, where it was taken aside) and has not shrunk.
template <file_system FileSystem>
bool still_there(FileSystem& fs, const root_location& where, const std::string& path, const std::string& staged,
                 const file_status& found) {
    auto root = open_root(fs, where);
    if (!root) return false;
    const split_path at(path);
    auto parent = staged.empty() ? fs.open_directory_at(root->root, at.parent) : fs.open_directory_at(root->control, staging_name);
    if (!parent) return false;
    const auto now = fs.status_at(*parent, staged.empty() ? at.name : staged);
    return now && same_inode(*now, found) && now->size >= found.size;
}

/// Builds a file in staging, under a name that a start removes unless an intent speaks of it.
template <file_system FileSystem>
class file_builder {
public:
    file_builder(FileSystem& fs, root_location root, std::string name, std::uint64_t size)
        : fs_(fs), root_(std::move(root)), name_(std::move(name)), size_(size) {}

    const std::string& name() const noexcept { return name_; }
    std::uint64_t bytes() const noexcept { return written_; }
    /// The last call failed in a sync: what is durable is unknown.
    bool sync_failed() const noexcept { return sync_failed_; }

    /// Appends, and has it on the disk soon: what a node has not synced stays little. With the `last` all of it is.
    /// What does not fit as a whole is not begun (no_space): it would take the room that others need meanwhile.
    result<> append(const std::vector<shared_bytes>& chunks, bool last) {
        if (!file_) {
            auto root = open_root(fs_, root_);
            if (!root) return root.error();
            auto staging = fs_.open_directory_at(root->control, staging_name);
            if (!staging) return staging.error();
            (void)fs_.remove_file(*staging, name_);
            if (const auto room = fs_.available_bytes(*staging); room && *room < size_) return make_error_code(errc::no_space);
            auto file = fs_.open_file(*staging, name_, open_mode::create_new, 0600);
            if (!file) return file.error();
            file_.emplace(std::move(*file));
        }
        for (const auto& chunk : chunks) {
            LOCKSTEP_TRY(fs_.write_at(*file_, written_, chunk.view()));
            whole_.update(chunk.view());
            written_ += chunk.size();
        }
        if (!last && written_ - synced_ < sync_bytes) return {};
        synced_ = written_;
        auto synced = fs_.sync_data(*file_);
        sync_failed_ = !synced && synced.error() != errc::halted;
        return synced;
    }

    /// Its hash, at the end.
    content_hash finish() {
        file_.reset();
        return whole_.finish();
    }

    void remove() {
        file_.reset();
        auto root = open_root(fs_, root_);
        if (!root) return;
        if (auto staging = fs_.open_directory_at(root->control, staging_name)) (void)fs_.remove_file(*staging, name_);
    }

private:
    /// A sync of less costs more than its bytes: the file grew, and its size is written too.
    static constexpr std::uint64_t sync_bytes = 32 << 20;

    FileSystem& fs_;
    root_location root_;
    std::string name_;
    std::uint64_t size_;   ///< of all of it
    std::optional<typename FileSystem::file> file_;
    sha256_hasher whole_;
    std::uint64_t written_ = 0;
    bool sync_failed_ = false;
    std::uint64_t synced_ = 0;
};

}  // namespace lockstep::sync
