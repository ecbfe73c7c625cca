// Cuts content that comes in pieces, as it is read: names its chunks and the whole in one pass, in bounded memory.
#pragma once

#include <lockstep/base/assert.hpp>
#include <lockstep/content/chunker.hpp>

#include <utility>

namespace lockstep::content {

/// Holds at most sizes.max bytes between two calls, and the piece beside them in a call. One thread at a time.
///
///     cutter cut;
///     while (read(buffer)) cut.feed(buffer, sink);
///     const content_hash whole = cut.finish(sink);
///
/// `sink(const chunk_ref&, byte_view)` is called for each chunk, in order; the bytes are gone when it returns. The
/// chunks are the same however the content is divided into pieces.
class cutter {
public:
    /// Precondition: the sizes are well formed.
    explicit cutter(chunking sizes = {}) : sizes_(sizes) { LOCKSTEP_ASSERT(well_formed(sizes_)); }

    template <class Sink>
    void feed(byte_view piece, Sink&& sink) {
        whole_.update(piece);
        bytes_ += piece.size();
        held_.insert(held_.end(), piece.begin(), piece.end());
        std::size_t from = 0;
        while (held_.size() - from >= sizes_.max) from += emit(from, sink);
        held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(from));
    }

    /// The content has ended: its last chunks, and the hash of all of it. The next piece begins another content.
    template <class Sink>
    content_hash finish(Sink&& sink) {
        for (std::size_t from = 0; from < held_.size();) from += emit(from, sink);
        held_.clear();
        bytes_ = 0;
        return whole_.finish();
    }

    /// Of the content so far.
    std::uint64_t bytes() const noexcept { return bytes_; }

private:
    template <class Sink>
    std::size_t emit(std::size_t from, Sink& sink) {
        const byte_view rest = byte_view(held_).subspan(from);
        const byte_view chunk = rest.first(next_cut(rest, sizes_));
        sink(chunk_ref{sha256(chunk), static_cast<std::uint32_t>(chunk.size())}, chunk);
        return chunk.size();
    }

    chunking sizes_;
    sha256_hasher whole_;
    byte_buffer held_;
    std::uint64_t bytes_ = 0;
};

}  // namespace lockstep::content
