// A node as an origin of commands, for tests: it numbers them and fills in what they carry.
#pragma once

#include <lockstep/folder/apply.hpp>
#include <lockstep/folder/path.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace lockstep::folder::test {

inline void fill(command& c, std::string_view content) {
    c.content = shared_bytes::copy_of(content);
    c.size = content.size();
    c.hash = sha256(as_bytes(content));
}

/// A log with its tree, to which origins append.
struct history {
    tree committed;
    log_index last{};
    outcome add(const command& c) { return apply(committed, ++last, c); }
    const entry& at(std::string_view path) const {
        const auto id = committed.resolve(path);
        LOCKSTEP_ASSERT(id && committed.find(*id));
        return *committed.find(*id);
    }
    bool has(std::string_view path) const { return committed.resolve(path).has_value(); }
};

class origin {
public:
    explicit origin(std::uint64_t node, std::uint64_t number = 1) { session_ = {node_id(node), number}; }

    session_id session() const { return session_; }
    command open() const {
        command c;
        c.session = session_;
        return c;
    }
    command create(placement where, std::string path, entry_type type, std::string_view content = {}) {
        command c = next(operation::create);
        c.entry = {session_, c.sequence};
        place(c, std::move(where), std::move(path));
        c.type = type;
        c.mode = type == entry_type::directory ? 0755 : 0644;
        c.mtime_ns = 1000 + static_cast<std::int64_t>(c.sequence);
        if (type != entry_type::directory) fill(c, content);
        return c;
    }
    /// As this origin would see it in a tree: the parents by what stands there, or unknown ids.
    command create(const tree& seen, const std::string& path, entry_type type, std::string_view content = {}) {
        return create(place_in(seen, path), path, type, content);
    }
    command write(const tree& seen, const entry& e, std::string_view content) {
        command c = about(seen, e, operation::write);
        c.type = e.type;
        c.mode = e.type == entry_type::symlink ? 0 : 0640;
        c.mtime_ns = 2000 + static_cast<std::int64_t>(c.sequence);
        fill(c, content);
        return c;
    }
    command move(const tree& seen, const entry& e, const std::string& to) {
        command c = about(seen, e, operation::move);
        place(c, place_in(seen, to), to);
        return c;
    }
    command remove(const tree& seen, const entry& e) { return about(seen, e, operation::remove); }
    command set_attributes(const tree& seen, const entry& e, std::uint32_t mode, std::int64_t mtime_ns) {
        command c = about(seen, e, operation::set_attributes);
        c.mode = mode;
        c.mtime_ns = mtime_ns;
        return c;
    }
    command replace(const tree& seen, const entry& e, entry_type type, std::string_view content = {}) {
        command c = about(seen, e, operation::replace);
        c.type = type;
        c.mode = 0700;
        if (type != entry_type::directory) fill(c, content);
        return c;
    }

private:
    command next(operation what) {
        command c;
        c.session = session_;
        c.sequence = ++sequence_;
        c.what = what;
        return c;
    }
    command about(const tree& seen, const entry& e, operation what) {
        command c = next(what);
        c.entry = e.id;
        c.content_base = e.content_version;
        c.placement_base = e.placement_version;
        place(c, e.where, seen.path_of(e.id).value_or("gone"));
        return c;
    }
    static void place(command& c, placement where, std::string path) {
        c.where = std::move(where);
        c.path = std::move(path);
    }
    static placement place_in(const tree& seen, const std::string& path) {
        const auto [directory, name] = split_last(path);
        const entry_id unknown{session_id{node_id(9), 9}, 9};
        return {seen.resolve(directory).value_or(unknown), std::string(name)};
    }

    session_id session_;
    std::uint64_t sequence_ = 0;
};

}  // namespace lockstep::folder::test
