// A whole folder tree as bytes, in pieces: what a snapshot is made of. Format: docs/formats/snapshots.md.
//
// Equal trees give equal bytes, and trees that differ little give bytes that differ in few places: entries stand in order
// of id and say nothing of where they stand, and what every command changes comes last. So snapshots share chunks.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/config.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/folder/tree_builder.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace lockstep {

/// Holds the tree, which costs nothing; whoever has it goes on changing a copy.
///
///     tree_encoder encoder(tree);
///     while (!encoder.done()) cut.feed(encoder.next(1 << 20), sink);
///
/// Thread safety: one thread at a time, any thread.
class tree_encoder {
public:
    /// Precondition: the tree is without fault, as apply() keeps it; else nobody decodes it.
    explicit tree_encoder(folder::tree what) : tree_(std::move(what)) {}

    /// The next bytes: at least one entry, or the end, where there is one; as many as `bytes_about` or a little more.
    /// The pieces together are the same whatever their sizes. Complexity: O(log n) and linear in the result; the sessions
    /// of all nodes come in one piece.
    LOCKSTEP_DECL byte_buffer next(std::size_t bytes_about);
    bool done() const noexcept { return done_; }

private:
    LOCKSTEP_DECL void append_end(byte_buffer& to) const;

    folder::tree tree_;
    entry_id last_;         // root_entry: none yet
    bool begun_ = false;
    bool done_ = false;
};

/// Beside the tree it holds less than one entry between two calls, a bounded part of a piece in a call, and a few words
/// for each entry. What feed() refused once it refuses from then on, with the same error.
/// Thread safety: one thread at a time, any thread.
class tree_decoder {
public:
    /// The next bytes, as many as there are. corrupt: no encoder makes that, from any tree; newer_format.
    LOCKSTEP_DECL result<> feed(byte_view piece);
    /// All was fed. Also corrupt: what every entry allowed makes no tree, or another digest than the bytes say;
    /// truncated: the end is missing. Call it once. Complexity: O(n log n).
    LOCKSTEP_DECL result<folder::tree> finish();

private:
    LOCKSTEP_DECL void take(byte_view piece);
    LOCKSTEP_DECL void take_record(const shared_bytes& bytes);

    enum class stage : std::uint8_t { version, entries, sessions, ended };
    stage stage_ = stage::version;
    byte_buffer held_;      // of a record that is not whole yet
    folder::tree_builder builder_;
    std::uint64_t digest_ = 0;
    error_code failed_;
};

}  // namespace lockstep

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/codec/impl/tree_snapshot.ipp>
#endif
