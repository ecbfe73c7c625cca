#pragma once

#include <lockstep/codec/tree_snapshot.hpp>

#include <lockstep/codec/archive.hpp>
#include <lockstep/codec/impl/command.ipp>
#include <lockstep/folder/path.hpp>

#include <algorithm>
#include <optional>

namespace lockstep {

namespace folder {
template <class Archive>
void serialize(Archive& ar, session_state& s) { ar(s.number, s.last); }
}  // namespace folder

namespace codec {

inline constexpr std::uint8_t tree_snapshot_version = 1;

/// The first byte of each record.
enum class record_kind : std::uint8_t { file = 1, directory, symlink, chunked_file, session, end };

inline record_kind kind_of(const folder::entry& e) noexcept {
    if (!e.manifest.empty()) return record_kind::chunked_file;
    return static_cast<record_kind>(e.type);
}
inline folder::entry_type type_of(record_kind kind) noexcept {
    return kind == record_kind::chunked_file ? folder::entry_type::file : static_cast<folder::entry_type>(kind);
}

/// What an entry of its kind has, behind the kind.
struct entry_fields {
    folder::entry& value;
    record_kind kind;
};
template <class Archive>
void serialize(Archive& ar, entry_fields& f) {
    folder::entry& e = f.value;
    ar(e.id, e.where, e.content_version, e.placement_version);
    if (f.kind != record_kind::symlink) ar(e.mode);
    if (f.kind != record_kind::directory) ar(e.mtime_ns, e.hash, e.size);
    if (f.kind == record_kind::chunked_file) ar(e.manifest);
}

/// Up to the length of the name: kind, two ids, and that.
inline constexpr std::size_t entry_head_bytes = 1 + 24 + 24 + 4;

/// The bytes behind the name of an entry.
inline std::size_t entry_tail_bytes(record_kind kind) noexcept {
    constexpr std::size_t versions = 16, mode = 4, content = 8 + 32 + 8, manifest = 32;
    switch (kind) {
        case record_kind::directory: return versions + mode;
        case record_kind::symlink: return versions + content;
        case record_kind::chunked_file: return versions + mode + content + manifest;
        default: return versions + mode + content;
    }
}

/// Of the record at the front; nothing where too little of it is here to tell.
inline std::optional<std::size_t> record_bytes(byte_view bytes) {
    if (bytes.empty()) return std::nullopt;
    const auto kind = static_cast<record_kind>(bytes.front());
    if (kind < record_kind::file || kind > record_kind::end) throw malformed{};
    if (kind == record_kind::session) return 1 + 24;
    if (kind == record_kind::end) return 1 + 8;
    if (bytes.size() < entry_head_bytes) return std::nullopt;
    const auto name = load_le<std::uint32_t>(bytes.data() + entry_head_bytes - 4);
    if (name > folder::name_bytes_max) throw malformed{};   // before it is waited for
    return entry_head_bytes + name + entry_tail_bytes(kind);
}

}  // namespace codec

LOCKSTEP_DECL byte_buffer tree_encoder::next(std::size_t bytes_about) {
    byte_buffer bytes;
    if (done_) return bytes;
    constexpr std::size_t entry_bytes_max = codec::entry_head_bytes + folder::name_bytes_max + 100;
    bytes.reserve(std::min(bytes_about, tree_.size() * entry_bytes_max) + entry_bytes_max);
    if (!std::exchange(begun_, true)) append_le(bytes, codec::tree_snapshot_version);
    codec::output_archive ar(bytes);
    bool full = false;
    tree_.for_each_after(last_, [&](const folder::entry& e) {
        const auto kind = codec::kind_of(e);
        ar.number(static_cast<std::uint8_t>(kind));
        folder::entry copy = e;   // an archive reads and writes by the same function
        ar(codec::entry_fields{copy, kind});
        last_ = e.id;
        full = bytes.size() >= bytes_about;
        return !full;
    });
    if (full) return bytes;
    append_end(bytes);
    done_ = true;
    return bytes;
}

LOCKSTEP_DECL void tree_encoder::append_end(byte_buffer& to) const {
    codec::output_archive ar(to);
    tree_.for_each_session([&](node_id node, const folder::session_state& state) {
        ar.number(static_cast<std::uint8_t>(codec::record_kind::session));
        ar(node, state);
    });
    ar.number(static_cast<std::uint8_t>(codec::record_kind::end));
    ar(tree_.digest());
}

LOCKSTEP_DECL result<> tree_decoder::feed(byte_view piece) {
    constexpr std::size_t part_bytes_max = 64 << 10;
    if (failed_) return failed_;
    try {
        while (!piece.empty()) {
            const std::size_t count = std::min(piece.size(), part_bytes_max);
            take(piece.first(count));
            piece = piece.subspan(count);
        }
    } catch (const codec::malformed& m) {
        return failed_ = make_error_code(m.why);
    }
    return {};
}

LOCKSTEP_DECL void tree_decoder::take(byte_view piece) {
    held_.insert(held_.end(), piece.begin(), piece.end());
    const shared_bytes all(std::exchange(held_, {}));
    std::size_t at = 0;
    if (stage_ == stage::version) {
        const auto written = std::to_integer<std::uint8_t>(all.view()[at++]);
        if (written > codec::tree_snapshot_version) throw codec::malformed{errc::newer_format};
        if (written == 0) throw codec::malformed{};
        stage_ = stage::entries;
    }
    while (at < all.size()) {
        if (stage_ == stage::ended) throw codec::malformed{};
        const auto size = codec::record_bytes(all.view().subspan(at));
        if (!size || *size > all.size() - at) break;
        take_record(all.slice(at, *size));
        at += *size;
    }
    held_.assign(all.view().begin() + static_cast<std::ptrdiff_t>(at), all.view().end());
}

LOCKSTEP_DECL void tree_decoder::take_record(const shared_bytes& bytes) {
    codec::input_archive ar(bytes);
    const auto kind = static_cast<codec::record_kind>(ar.number<std::uint8_t>());
    bool legal = true;
    if (kind == codec::record_kind::end) {
        ar(digest_);
        stage_ = stage::ended;
    } else if (kind == codec::record_kind::session) {
        node_id node;
        folder::session_state state;
        ar(node, state);
        legal = builder_.add_session(node, state);
        stage_ = stage::sessions;
    } else {
        folder::entry e;
        e.type = codec::type_of(kind);
        ar(codec::entry_fields{e, kind});
        legal = stage_ == stage::entries && codec::kind_of(e) == kind && builder_.add(std::move(e));
    }
    if (!legal) throw codec::malformed{};
}

LOCKSTEP_DECL result<folder::tree> tree_decoder::finish() {
    if (!failed_ && stage_ != stage::ended) failed_ = make_error_code(errc::truncated);
    if (failed_) return failed_;
    auto whole = builder_.finish();
    if (whole && whole->digest() != digest_) return make_error_code(errc::corrupt);
    return whole;
}

}  // namespace lockstep
