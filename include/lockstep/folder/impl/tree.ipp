#pragma once

#include <lockstep/base/checksum.hpp>
#include <lockstep/base/endian.hpp>
#include <lockstep/base/random.hpp>
#include <lockstep/folder/path.hpp>
#include <lockstep/folder/tree.hpp>

#include <set>

namespace lockstep::folder {
namespace detail {

/// What a digest is made of: tagged and with lengths, so that no two things have the same bytes.
inline void append_id(byte_buffer& to, entry_id id) {
    append_le(to, id.session.node.value);
    append_le(to, id.session.number);
    append_le(to, id.sequence);
}

inline byte_buffer digest_bytes(const entry& e) {
    byte_buffer bytes;
    bytes.reserve(192 + e.where.name.size());
    append_le(bytes, std::uint8_t{'e'});
    append_id(bytes, e.id);
    append_id(bytes, e.where.parent);
    append_le(bytes, static_cast<std::uint64_t>(e.where.name.size()));
    for (char c : e.where.name) bytes.push_back(static_cast<std::byte>(c));
    append_le(bytes, static_cast<std::uint8_t>(e.type));
    append_le(bytes, e.mode);
    append_le(bytes, static_cast<std::uint64_t>(e.mtime_ns));
    for (auto b : e.hash.bytes) bytes.push_back(static_cast<std::byte>(b));
    append_le(bytes, e.size);
    for (auto b : e.manifest.bytes) bytes.push_back(static_cast<std::byte>(b));
    append_le(bytes, e.content_version.value);
    append_le(bytes, e.placement_version.value);
    return bytes;
}

inline byte_buffer digest_bytes(node_id node, const session_state& state) {
    byte_buffer bytes;
    append_le(bytes, std::uint8_t{'s'});
    append_le(bytes, node.value);
    append_le(bytes, state.number);
    append_le(bytes, state.last);
    return bytes;
}

inline void add_to_sum(std::uint64_t (&sum)[2], const byte_buffer& bytes, bool in) noexcept {
    for (std::uint64_t i = 0; i < 2; ++i) {
        const std::uint64_t hash = checksum(bytes, i + 1);
        sum[i] += in ? hash : std::uint64_t{0} - hash;
    }
}

}  // namespace detail

LOCKSTEP_DECL std::optional<entry_id> tree::resolve(std::string_view path) const {
    entry_id at = root_entry;
    while (!path.empty()) {
        const auto [name, rest] = split_first(path);
        const auto next = child(at, name);
        if (!next) return std::nullopt;
        at = *next;
        path = rest;
    }
    return at;
}

LOCKSTEP_DECL std::optional<std::string> tree::path_of(entry_id id) const {
    std::vector<const std::string*> names;
    while (id != root_entry) {
        const entry* e = find(id);
        if (!e || names.size() > size()) return std::nullopt;
        names.push_back(&e->where.name);
        id = e->where.parent;
    }
    std::string path;
    for (auto name = names.rbegin(); name != names.rend(); ++name) {
        if (!path.empty()) path += '/';
        path += **name;
    }
    return path;
}

LOCKSTEP_DECL bool tree::is_ancestor(entry_id above, entry_id id) const {
    while (id != root_entry) {
        const entry* e = find(id);
        if (!e) return false;
        id = e->where.parent;
        if (id == above) return true;
    }
    return false;
}

LOCKSTEP_DECL std::uint64_t tree::digest() const noexcept { return mix64(sum_[0]) ^ sum_[1]; }

LOCKSTEP_DECL void tree::account(const entry& e, bool in) {
    const std::uint64_t one = in ? 1 : ~std::uint64_t{0};
    if (e.type == entry_type::symlink) links_ += one;
    if (e.type == entry_type::file) {
        files_ += one;
        bytes_ += in ? e.size : std::uint64_t{0} - e.size;
    }
    detail::add_to_sum(sum_, detail::digest_bytes(e), in);
}

LOCKSTEP_DECL void tree::put(const entry& e) {
    LOCKSTEP_ASSERT(e.id != root_entry);
    const entry* old = find(e.id);
    const bool stays = old && old->where == e.where;
    LOCKSTEP_ASSERT(stays || !by_place_.find(e.where));
    auto fresh = std::make_shared<const entry>(e);  // before the old one goes: `e` may be it
    if (old) {
        account(*old, false);
        if (!stays) by_place_.erase(old->where);
    }
    account(*fresh, true);
    if (!stays) by_place_.assign(fresh->where, fresh->id);
    const entry_id id = fresh->id;
    by_id_.assign(id, std::move(fresh));
}

LOCKSTEP_DECL void tree::erase(entry_id id) {
    const entry* old = find(id);
    LOCKSTEP_ASSERT(old);
    account(*old, false);
    by_place_.erase(old->where);
    by_id_.erase(id);
}

LOCKSTEP_DECL void tree::set_session(node_id node, session_state state) {
    if (const session_state* old = sessions_.find(node))
        detail::add_to_sum(sum_, detail::digest_bytes(node, *old), false);
    detail::add_to_sum(sum_, detail::digest_bytes(node, state), true);
    sessions_.assign(node, state);
}

LOCKSTEP_DECL std::string_view find_fault(const entry& e) noexcept {
    const bool linked = e.type == entry_type::symlink;
    if (e.id == root_entry) return "the root as an entry";
    if (!valid_name(e.where.name)) return "bad name";
    if (e.where.parent == root_entry && e.where.name == reserved_name) return "reserved name";
    if (e.content_version == version{} || e.placement_version == version{}) return "no version";
    if (e.mode > 0777 || (linked && e.mode != 0)) return "bad mode";
    if (!e.manifest.empty() && e.type != entry_type::file) return "manifest of no file";
    if (linked && (e.size == 0 || e.size > link_bytes_max)) return "bad size of a link";
    if (e.type != entry_type::directory) return e.hash.empty() ? "no hash" : std::string_view{};
    return e.size != 0 || !e.hash.empty() || e.mtime_ns != 0 ? "directory with content" : std::string_view{};
}

LOCKSTEP_DECL std::optional<std::string> find_fault(const tree& t) {
    std::optional<std::string> fault;
    std::set<placement> places;
    tree rebuilt;
    t.for_each([&](const entry& e) {
        if (fault) return;
        const std::string about = "'" + e.where.name + "'";
        if (const auto wrong = find_fault(e); !wrong.empty()) fault = std::string(wrong) + " " + about;
        else if (!t.is_directory(e.where.parent)) fault = "orphan " + about;
        else if (!places.insert(e.where).second) fault = "twin " + about;
        else if (t.child(e.where.parent, e.where.name) != e.id) fault = "not found at its place " + about;
        else if (!t.path_of(e.id)) fault = "in a cycle " + about;
        else rebuilt.put(e);
    });
    if (fault) return fault;
    t.for_each_session([&](node_id node, const session_state& state) { rebuilt.set_session(node, state); });
    const bool counts = rebuilt.files() == t.files() && rebuilt.links() == t.links() && rebuilt.bytes() == t.bytes();
    if (!counts) return "wrong counts";
    if (rebuilt.digest() != t.digest()) return "wrong digest";
    return std::nullopt;
}

}  // namespace lockstep::folder

