#pragma once

#include <lockstep/content/manifest.hpp>
#include <lockstep/base/probe.hpp>
#include <lockstep/folder/apply.hpp>
#include <lockstep/folder/path.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace lockstep::folder {

LOCKSTEP_DECL std::string_view to_string(outcome_kind kind) noexcept {
    switch (kind) {
        case outcome_kind::applied: return "applied";
        case outcome_kind::no_op: return "no_op";
        case outcome_kind::conflict_copy: return "conflict_copy";
        case outcome_kind::merged: return "merged";
        case outcome_kind::refused: return "refused";
        case outcome_kind::duplicate: return "duplicate";
        case outcome_kind::gap: return "gap";
        case outcome_kind::fenced: return "fenced";
        case outcome_kind::invalid: break;
    }
    return "invalid";
}

namespace detail {

inline bool has_place(operation what) noexcept {
    return what == operation::create || what == operation::write || what == operation::move ||
           what == operation::replace;
}

inline bool well_placed(const command& c) noexcept {
    return valid_name(c.where.name) && valid_path(c.path) && split_last(c.path).second == c.where.name &&
           !(c.where.parent == root_entry && c.where.name == reserved_name) && c.where.parent != c.entry;
}

inline bool well_filled(const command& c) noexcept {
    switch (c.type) {
        case entry_type::directory:
            return c.what != operation::write && c.hash.empty() && c.size == 0 && c.content.empty() && !c.chunked;
        case entry_type::symlink:
            if (c.size == 0 || c.size > link_bytes_max) return false;
            if (as_text(c.content.view()).find('\0') != std::string_view::npos) return false;
            [[fallthrough]];
        case entry_type::file:
            if (c.chunked) {
                const auto list = content::decode_manifest(c.content.view());
                return !c.hash.empty() && c.type == entry_type::file && list && list->bytes == c.size;
            }
            return !c.hash.empty() && c.content.size() == c.size;
    }
    return false;
}

}  // namespace detail

LOCKSTEP_DECL bool well_formed(const command& c) noexcept {
    if (c.session.node == no_node || c.session.number == 0) return false;
    if (c.what == operation::open_session) return c.sequence == 0;
    if (c.sequence == 0 || c.entry == root_entry || c.mode > 0777) return false;
    if (!c.path.empty() && !valid_path(c.path)) return false;
    if (detail::has_place(c.what) && !detail::well_placed(c)) return false;
    switch (c.what) {
        case operation::create: return c.entry == entry_id{c.session, c.sequence} && detail::well_filled(c);
        case operation::write:
        case operation::replace: return detail::well_filled(c);
        case operation::move:
        case operation::remove:
        case operation::set_attributes: return true;
        case operation::open_session: break;
    }
    return false;
}

LOCKSTEP_DECL std::string conflict_name(std::string_view name, node_id node, log_index index, std::uint64_t counter) {
    constexpr std::size_t extension_bytes_max = 16;
    const auto dot = name.rfind('.');
    const bool extended = dot != std::string_view::npos && dot != 0 && name.size() - dot - 1 <= extension_bytes_max;
    std::string_view stem = extended ? name.substr(0, dot) : name;
    const std::string_view extension = extended ? name.substr(dot) : std::string_view{};
    std::string mark = ".conflict-n" + std::to_string(node.value) + "-" + std::to_string(index.value);
    if (counter != 0) mark += "-" + std::to_string(counter);
    const std::size_t room = name_bytes_max - mark.size() - extension.size();
    if (stem.size() > room) {
        // A character of UTF-8 has at most three bytes after its first; more than that is no UTF-8, cut anywhere.
        const auto continues = [&](std::size_t at) { return (static_cast<unsigned char>(stem[at]) & 0xC0u) == 0x80u; };
        std::size_t cut = room;
        while (room - cut < 4 && continues(cut)) --cut;
        stem = stem.substr(0, continues(cut) ? room : cut);
    }
    return std::string(stem) + mark + std::string(extension);
}

namespace detail {

/// One command at work on a tree.
class application {
public:
    application(tree& t, log_index index, const command& c) : tree_(t), index_(index), command_(c) {}

    outcome run() {
        out_.entry = command_.entry;
        out_.kind = command_.what == operation::open_session ? open_session() : take();
        std::sort(out_.touched.begin(), out_.touched.end());
        out_.touched.erase(std::unique(out_.touched.begin(), out_.touched.end()), out_.touched.end());
        return std::move(out_);
    }

private:
    outcome_kind open_session() {
        const auto [node, number] = command_.session;
        if (!well_formed(command_)) return outcome_kind::invalid;
        const session_state now = tree_.session(node).value_or(session_state{});
        if (number == now.number) return outcome_kind::duplicate;
        if (number < now.number) return outcome_kind::fenced;
        tree_.set_session(node, {number, 0});
        return outcome_kind::applied;
    }

    outcome_kind take() {
        const auto now = tree_.session(command_.session.node);
        if (sometimes(probe::command_fenced, !now || now->number != command_.session.number)) return outcome_kind::fenced;
        if (sometimes(probe::duplicate_command_dropped, command_.sequence <= now->last)) return outcome_kind::duplicate;
        if (sometimes(probe::gap_in_session, command_.sequence > now->last + 1)) return outcome_kind::gap;
        tree_.set_session(command_.session.node, {now->number, command_.sequence});
        if (!well_formed(command_)) return outcome_kind::invalid;
        switch (command_.what) {
            case operation::create: return create();
            case operation::write: return write();
            case operation::move: return move();
            case operation::remove: return remove();
            case operation::set_attributes: return set_attributes();
            case operation::replace: return replace();
            case operation::open_session: break;
        }
        return outcome_kind::invalid;
    }

    // What a command means

    outcome_kind create() {
        if (tree_.find(own_id())) return outcome_kind::invalid;
        const auto parent = parent_of_place();
        if (!parent) return outcome_kind::invalid;
        return settle(described(own_id(), {*parent, command_.where.name}));
    }

    outcome_kind write() {
        if (tree_.find(own_id())) return outcome_kind::invalid;
        const entry* known = tree_.find(command_.entry);
        if (sometimes(probe::edit_beat_removal, !known)) {
            // An edit beats the removal: it comes back under its id, so that the origin need not learn another.
            const auto parent = parent_of_place();
            if (!parent) return outcome_kind::invalid;
            return settle(described(command_.entry, {*parent, command_.where.name}));
        }
        entry e = *known;
        if (e.type == command_.type && e.hash == command_.hash && e.size == command_.size) {
            take_attributes(e);
            return outcome_kind::no_op;
        }
        if (e.type != command_.type || e.content_version != command_.content_base || is_unknown_merger(e)) return keep_beside(e);
        set_content_of(e);
        e.content_version = index_;
        put_with_attributes(e);
        return outcome_kind::applied;
    }

    /// Where the writer saw it something of the same content was moved over it since. What he wrote over is his own; the other
    /// may have been the last of what somebody had moved away from here.
    bool is_unknown_merger(const entry& e) const {
        const bool stood_there = e.where == command_.where && command_.placement_base.value != 0;
        return stood_there && e.placement_version != command_.placement_base;
    }

    outcome_kind move() {
        const entry* known = tree_.find(command_.entry);
        if (!known) return outcome_kind::no_op;
        if (known->where == command_.where) return outcome_kind::no_op;
        const bool moved_on = known->placement_version != command_.placement_base;
        if (sometimes(probe::move_refused_entry_moved_on, moved_on)) return outcome_kind::refused;
        if (sometimes(probe::move_refused_below_itself, leads_below_itself(*known))) return outcome_kind::refused;
        const auto parent = parent_of_place();
        if (!parent) return outcome_kind::invalid;
        entry e = *tree_.find(command_.entry);
        const placement target{*parent, command_.where.name};
        if (e.where == target) return outcome_kind::no_op;
        if (!fits(e, target)) return outcome_kind::refused;
        return settle_moved(e, target);
    }

    outcome_kind remove() {
        const entry* known = tree_.find(command_.entry);
        if (!known) return outcome_kind::no_op;
        if (sometimes(probe::removal_refused, !may_go(*known))) return outcome_kind::refused;
        erase(command_.entry);
        return outcome_kind::applied;
    }

    outcome_kind set_attributes() {
        const entry* known = tree_.find(command_.entry);
        if (!known) return outcome_kind::no_op;
        entry e = *known;
        return take_attributes(e) ? outcome_kind::applied : outcome_kind::no_op;
    }

    outcome_kind replace() {
        if (tree_.find(own_id())) return outcome_kind::invalid;
        const auto parent = parent_of_place();
        if (!parent) return outcome_kind::invalid;
        // Where the old one may not go it keeps its place, and the new thing comes beside it like any other.
        const entry* old = tree_.find(command_.entry);
        if (old && old->id != *parent && may_go(*old)) erase(command_.entry);
        return settle(described(own_id(), {*parent, command_.where.name}));
    }

    // Where things go

    entry_id own_id() const noexcept { return {command_.session, command_.sequence}; }

    /// The directory of the command's place: by id, or else by path, made as far as needed. Nothing if out of bounds.
    std::optional<entry_id> parent_of_place() {
        const entry_id parent = command_.where.parent;
        if (!tree_.is_directory(parent)) return make_parents();
        if (!within_bounds(join(*tree_.path_of(parent), command_.where.name))) return std::nullopt;
        return parent;
    }

    entry_id make_parents() {
        entry_id at = root_entry;
        std::string_view rest = split_last(command_.path).first;
        while (!rest.empty()) {
            const auto [name, after] = split_first(rest);
            const auto next = tree_.child(at, name);
            at = next && tree_.is_directory(*next) ? *next : make_directory({at, std::string(name)});
            rest = after;
        }
        return at;
    }

    entry_id make_directory(placement where) {
        sometimes(probe::parents_made_anew);
        if (tree_.child(where.parent, where.name)) where.name = free_name(where);
        entry e;
        do e.id = made_entry(index_, made_++);
        while (tree_.find(e.id));
        e.where = std::move(where);
        e.type = entry_type::directory;
        e.mode = made_directory_mode;
        e.content_version = e.placement_version = index_;
        put(e);
        return e.id;
    }

    static bool within_bounds(std::string_view path) noexcept {
        return path.size() <= path_bytes_max && depth_of(path) <= depth_max;
    }

    /// Whether all below a directory stays within bounds when it moves.
    bool fits(const entry& e, const placement& target) const {
        const std::string to = join(*tree_.path_of(target.parent), target.name);
        if (!within_bounds(to)) return false;
        const std::string from = *tree_.path_of(e.id);
        if (e.type != entry_type::directory) return true;
        if (to.size() <= from.size() && depth_of(to) <= depth_of(from)) return true;
        struct level {
            entry_id id;
            std::size_t bytes, depth;
        };
        std::vector<level> todo{{e.id, to.size(), depth_of(to)}};
        bool all = true;
        while (all && !todo.empty()) {
            const level at = todo.back();
            todo.pop_back();
            tree_.for_each_child(at.id, [&](const entry& child) {
                const level below{child.id, at.bytes + 1 + child.where.name.size(), at.depth + 1};
                if (below.bytes > path_bytes_max || below.depth > depth_max) all = false;
                if (child.type == entry_type::directory) todo.push_back(below);
            });
        }
        return all;
    }

    bool leads_below_itself(const entry& e) const {
        if (e.type != entry_type::directory) return false;
        if (tree_.is_directory(command_.where.parent)) return tree_.is_ancestor(e.id, command_.where.parent);
        entry_id at = root_entry;
        std::string_view rest = split_last(command_.path).first;
        while (!rest.empty()) {
            const auto [name, after] = split_first(rest);
            const auto next = tree_.child(at, name);
            if (!next) return false;
            if (*next == e.id) return true;
            at = *next;
            rest = after;
        }
        return false;
    }

    std::string free_name(const placement& where) const {
        for (std::uint64_t counter = 0;; ++counter) {
            std::string name = conflict_name(where.name, command_.session.node, index_, counter);
            if (!tree_.child(where.parent, name)) return name;
        }
    }

    // How things meet

    static bool same_thing(const entry& a, const entry& b) noexcept {
        return a.type == b.type && a.hash == b.hash && a.size == b.size;
    }

    /// A new (or returning) entry finds its place.
    outcome_kind settle(entry e) {
        out_.entry = e.id;
        const auto there = tree_.child(e.where.parent, e.where.name);
        if (!there) {
            put(e);
            return outcome_kind::applied;
        }
        entry occupant = *tree_.find(*there);
        if (sometimes(probe::same_thing_merged, same_thing(occupant, e))) {
            out_.entry = occupant.id;
            // A new version: a removal by somebody who does not know that it was written again shall not take it away.
            occupant.content_version = index_;
            occupant.manifest = e.manifest;   // what that version's command carries
            put_with_attributes(occupant);
            return outcome_kind::merged;
        }
        e.where.name = free_name(e.where);
        put(e);
        return outcome_kind::conflict_copy;
    }

    outcome_kind settle_moved(entry e, const placement& target) {
        const auto there = tree_.child(target.parent, target.name);
        if (!there) {
            reposition(e, target);
            return outcome_kind::applied;
        }
        const entry occupant = *tree_.find(*there);
        if (same_thing(occupant, e)) {
            out_.entry = occupant.id;
            merge_into(e, occupant.id);
            return outcome_kind::merged;
        }
        reposition(e, {target.parent, free_name(target)});
        return outcome_kind::conflict_copy;
    }

    /// `from` goes; what is in it (it is empty, if no directory) goes into `into`.
    /// It is taken out first: `into` may be above it, and then its own name must not stand in the way of what it holds.
    /// The recursion is as deep as directories are: bounded by depth_max.
    void merge_into(const entry& from, entry_id into) {
        const std::vector<entry_id> inside = tree_.children(from.id);
        erase(from.id);
        // A new version, as in settle(); not of the content, which is where that version's command brought it.
        entry merged = *tree_.find(into);
        merged.placement_version = index_;
        put(merged);
        for (const entry_id id : inside) {
            const entry e = *tree_.find(id);
            const placement target{into, e.where.name};
            const auto there = tree_.child(target.parent, target.name);
            if (!there) reposition(e, target);
            else if (same_thing(*tree_.find(*there), e)) merge_into(e, *there);
            else {
                sometimes(probe::directories_merged_name_taken);
                reposition(e, {into, free_name(target)});
            }
        }
    }

    outcome_kind keep_beside(const entry& e) {
        sometimes(probe::edit_kept_beside);
        put(described(own_id(), {e.where.parent, free_name(e.where)}));
        out_.entry = own_id();
        return outcome_kind::conflict_copy;
    }

    bool may_go(const entry& e) const {
        if (e.content_version != command_.content_base || e.placement_version != command_.placement_base) return false;
        return e.type != entry_type::directory || !tree_.has_children(e.id);
    }

    // Changes of the tree

    entry described(entry_id id, placement where) const {
        entry e;
        e.id = id;
        e.where = std::move(where);
        e.type = command_.type;
        e.mode = e.type == entry_type::symlink ? 0 : command_.mode;
        e.mtime_ns = e.type == entry_type::directory ? 0 : command_.mtime_ns;
        set_content_of(e);
        e.content_version = e.placement_version = index_;
        return e;
    }

    void set_content_of(entry& e) const {
        e.hash = command_.hash;
        e.size = command_.size;
        e.manifest = command_.chunked ? sha256(command_.content.view()) : content_hash{};
    }

    void reposition(entry e, placement where) {
        e.where = std::move(where);
        e.placement_version = index_;
        put(e);
    }

    /// Mode and time as the command says, as far as the type has them; the last in the log wins.
    bool take_attributes(entry e) {
        const entry old = e;
        set_attributes_of(e);
        if (e == old) return false;
        put(e);
        return true;
    }
    void put_with_attributes(entry e) {
        set_attributes_of(e);
        put(e);
    }
    void set_attributes_of(entry& e) const noexcept {
        if (e.type != entry_type::symlink) e.mode = command_.mode;
        if (e.type != entry_type::directory) e.mtime_ns = command_.mtime_ns;
    }

    void put(const entry& e) {
        out_.touched.push_back(e.id);
        tree_.put(e);
    }
    void erase(entry_id id) {
        out_.touched.push_back(id);
        tree_.erase(id);
    }

    tree& tree_;
    const log_index index_;
    const command& command_;
    std::uint64_t made_ = 0;
    outcome out_;
};

}  // namespace detail

LOCKSTEP_DECL outcome apply(tree& t, log_index index, const command& c) {
    return detail::application(t, index, c).run();
}

}  // namespace lockstep::folder
