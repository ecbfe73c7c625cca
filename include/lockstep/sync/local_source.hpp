// Contents that may stand in the directory already, as chunks: what is there need not come from elsewhere. What is read is
// named by what it is, so a file that changes meanwhile, or is another one, does no harm. Blocking: next() is a job.
#pragma once

#include <lockstep/content/cutter.hpp>
#include <lockstep/sync/root.hpp>
#include <lockstep/sync/staging.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sync {

/// A file that probably holds something that is wanted.
struct source_file {
    std::string path;
    std::optional<content::chunk_ref> whole;   ///< wanted as one chunk, if it is exactly this; else it is cut
};

template <file_system FileSystem>
class local_source {
public:
    local_source(FileSystem& fs, root_location root, std::vector<source_file> files, content::chunking cuts, std::size_t piece_bytes)
        : fs_(fs), root_(std::move(root)), files_(std::move(files)), cut_(cuts), buffer_(piece_bytes) {}

    /// Chunks of about a piece; none: that was all.
    std::vector<content::named_chunk> next() {
        std::vector<content::named_chunk> out;
        std::size_t bytes = 0;
        while (bytes < buffer_.size() && (file_ || next_ < files_.size())) {
            if (!file_ && !open()) continue;
            bytes += files_[next_ - 1].whole ? take_whole(out) : take_piece(out);
        }
        return out;
    }

private:
    bool open() {
        const source_file& wanted = files_[next_++];
        auto root = open_root(fs_, root_);
        if (!root) return next_ = files_.size(), false;
        const split_path at(wanted.path);
        auto parent = fs_.open_directory_at(root->root, at.parent);
        if (!parent) return false;
        auto file = fs_.open_file(*parent, at.name, open_mode::read, 0);
        if (!file) return false;
        file_.emplace(std::move(*file));
        read_ = 0;
        return true;
    }

    std::size_t take_whole(std::vector<content::named_chunk>& out) {
        const content::chunk_ref wanted = *files_[next_ - 1].whole;
        byte_buffer bytes(std::size_t{wanted.bytes} + 1);   // one more: it may be longer
        const auto got = fs_.read_at(*file_, 0, bytes);
        file_.reset();
        if (!got || *got != wanted.bytes) return 0;
        bytes.resize(*got);
        if (sha256(byte_view(bytes)) != wanted.hash) return 0;
        out.push_back({wanted.hash, shared_bytes(std::move(bytes))});
        return *got;
    }

    std::size_t take_piece(std::vector<content::named_chunk>& out) {
        const auto keep = [&](const content::chunk_ref& ref, byte_view bytes) {
            out.push_back({ref.hash, shared_bytes::copy_of(bytes)});
        };
        const auto got = fs_.read_at(*file_, read_, buffer_);
        if (got) cut_.feed(byte_view(buffer_).first(*got), keep);
        read_ += got ? *got : 0;
        if (!got || *got < buffer_.size()) {
            (void)cut_.finish(keep);
            file_.reset();
        }
        return got ? *got : 0;
    }

    FileSystem& fs_;
    root_location root_;
    std::vector<source_file> files_;
    content::cutter cut_;
    byte_buffer buffer_;
    std::size_t next_ = 0;   ///< of the files: behind the one at hand
    std::optional<typename FileSystem::file> file_;
    std::uint64_t read_ = 0;
};

}  // namespace lockstep::sync
