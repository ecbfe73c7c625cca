#include <lockstep/folder/apply.hpp>

#include <tests/catch.hpp>
#include <tests/folder/origin.hpp>

#include <map>

using namespace lockstep;
using namespace lockstep::folder;
using folder::test::history;
using folder::test::origin;

namespace {

constexpr auto file = entry_type::file;
constexpr auto directory = entry_type::directory;
constexpr auto soft_link = entry_type::symlink;

/// Two origins with open sessions over one log. `seen` is what both of them know; changes after see() are concurrent.
struct world {
    world() {
        log.add(a.open());
        log.add(b.open());
        see();
    }
    ~world() { CHECK_FALSE(find_fault(log.committed)); }
    world(const world&) = delete;
    world& operator=(const world&) = delete;

    void see() { seen = log.committed; }
    outcome add(const command& c) { return log.add(c); }
    /// Makes a thing that everybody knows.
    entry make(const std::string& path, entry_type type, std::string_view content = {}) {
        const outcome o = add(a.create(log.committed, path, type, content));
        REQUIRE(o.kind == outcome_kind::applied);
        see();
        return *seen.find(o.entry);
    }
    std::string copy_of(const std::string& name, const origin& by) const {
        return conflict_name(name, by.session().node, log.last, 0);
    }

    history log;
    tree seen;
    origin a{1}, b{2};
};

}  // namespace

TEST_CASE("a later session of a node fences the one before") {
    history log;
    origin first(1, 1), second(1, 2);
    REQUIRE(log.add(first.open()).kind == outcome_kind::applied);
    REQUIRE(log.add(first.create(log.committed, "a", file, "1")).kind == outcome_kind::applied);
    REQUIRE(log.add(second.open()).kind == outcome_kind::applied);
    const auto digest = log.committed.digest();
    REQUIRE(log.add(first.create(log.committed, "b", file, "1")).kind == outcome_kind::fenced);
    REQUIRE(log.add(first.open()).kind == outcome_kind::fenced);
    REQUIRE(log.add(second.open()).kind == outcome_kind::duplicate);
    REQUIRE(log.committed.digest() == digest);
    REQUIRE(log.add(second.create(log.committed, "b", file, "1")).kind == outcome_kind::applied);
}

TEST_CASE("a command of a session that was never opened is fenced") {
    history log;
    REQUIRE(log.add(origin(1).create(log.committed, "a", file, "1")).kind == outcome_kind::fenced);
    REQUIRE(log.committed.size() == 0);
}

TEST_CASE("of a session only the next command is taken") {
    world w;
    const command first = w.a.create(w.seen, "a", file, "1");
    const command second = w.a.create(w.seen, "b", file, "2");
    REQUIRE(w.add(second).kind == outcome_kind::gap);
    REQUIRE(w.add(first).kind == outcome_kind::applied);
    REQUIRE(w.add(first).kind == outcome_kind::duplicate);
    REQUIRE(w.add(second).kind == outcome_kind::applied);
    REQUIRE(w.add(first).kind == outcome_kind::duplicate);
    REQUIRE(w.log.committed.size() == 2);
}

TEST_CASE("an invalid command consumes its number and changes nothing else") {
    world w;
    const entry known = w.make("known", file, "1");
    std::vector<std::pair<std::string, command>> bad;
    auto broken = [&](std::string why, command c, auto change) {
        change(c);
        bad.emplace_back(std::move(why), std::move(c));
    };
    const auto fresh = [&] { return w.b.create(w.seen, "x", file, "1"); };
    broken("name", fresh(), [](command& c) { c.where.name = c.path = ".."; });
    broken("name with a slash", fresh(), [](command& c) { c.where.name = "a/b"; });
    broken("path", fresh(), [](command& c) { c.path = "../x"; });
    broken("path of another name", fresh(), [](command& c) { c.path = "y"; });
    broken("no path", fresh(), [](command& c) { c.path.clear(); });
    broken("size", fresh(), [](command& c) { c.size = 2; });
    broken("no hash", fresh(), [](command& c) { c.hash = {}; });
    broken("id", fresh(), [](command& c) { c.entry.sequence += 1; });
    broken("set-user-id", fresh(), [](command& c) { c.mode = 04755; });
    broken("type", fresh(), [](command& c) { c.type = static_cast<entry_type>(7); });
    broken("operation", fresh(), [](command& c) { c.what = static_cast<operation>(77); });
    broken("reserved", fresh(), [](command& c) { c.where.name = c.path = ".lockstep"; });
    broken("reserved by path", fresh(), [](command& c) { c.path = ".lockstep/x"; });
    broken("directory with content", fresh(), [](command& c) { c.type = directory; });
    broken("directory with a manifest", w.b.create(w.seen, "x", directory), [](command& c) { c.chunked = true; });
    broken("empty link", w.b.create(w.seen, "x", soft_link, ""), [](command&) {});
    broken("link with a NUL", w.b.create(w.seen, "x", soft_link, std::string_view("a\0b", 3)), [](command&) {});
    broken("in itself", fresh(), [](command& c) { c.where.parent = c.entry; });
    broken("the root", w.b.remove(w.seen, known), [](command& c) { c.entry = root_entry; });
    broken("write of a directory", w.b.write(w.seen, known, "2"), [](command& c) {
        c.type = directory;
        c.hash = {};
        c.size = 0;
        c.content = {};
    });
    const tree before = w.log.committed;
    for (const auto& [why, c] : bad) {
        INFO(why);
        const outcome o = w.add(c);
        REQUIRE(o.kind == outcome_kind::invalid);
        REQUIRE(o.touched.empty());
        REQUIRE(w.log.committed.session(node_id(2))->last == c.sequence);
        std::size_t changes = 0;
        diff(before, w.log.committed, [&](entry_id, const entry*, const entry*) { ++changes; });
        REQUIRE(changes == 0);
    }
    REQUIRE(w.add(fresh()).kind == outcome_kind::applied);
}

TEST_CASE("a create at a free name is applied with all that it says") {
    world w;
    const command c = w.b.create(w.seen, "f", file, "hello");
    const outcome o = w.add(c);
    REQUIRE(o == outcome{outcome_kind::applied, c.entry, {c.entry}});
    const entry& e = w.log.at("f");
    REQUIRE(e.id == c.entry);
    REQUIRE(e.mode == c.mode);
    REQUIRE(e.mtime_ns == c.mtime_ns);
    REQUIRE(e.hash == c.hash);
    REQUIRE(e.size == 5);
    REQUIRE(e.content_version == w.log.last);
    REQUIRE(e.placement_version == w.log.last);
}

TEST_CASE("times of directories and modes of links are not replicated") {
    world w;
    command c = w.a.create(w.seen, "l", soft_link, "target");
    c.mode = 0777;
    w.add(c);
    w.add(w.a.create(w.seen, "d", directory));
    REQUIRE(w.log.at("l").mode == 0);
    REQUIRE(w.log.at("d").mtime_ns == 0);
}

TEST_CASE("a create whose parents are gone makes them again") {
    world w;
    const entry d = w.make("d", directory);
    const command c = w.b.create(w.seen, "d/f", file, "1");
    w.add(w.a.remove(w.seen, d));
    const outcome o = w.add(c);
    REQUIRE(o.kind == outcome_kind::applied);
    REQUIRE(o.touched.size() == 2);
    REQUIRE(w.log.at("d/f").id == c.entry);
    REQUIRE(w.log.at("d").id == made_entry(w.log.last, 0));
    REQUIRE(w.log.at("d").mode == made_directory_mode);
}

TEST_CASE("a create follows its parent when that was renamed") {
    world w;
    const entry d = w.make("d", directory);
    const command c = w.b.create(w.seen, "d/f", file, "1");
    w.add(w.a.move(w.seen, d, "e"));
    REQUIRE(w.add(c).kind == outcome_kind::applied);
    REQUIRE(w.log.has("e/f"));
    REQUIRE_FALSE(w.log.has("d"));
}

TEST_CASE("parents that must be made where a file stands get a conflict name") {
    world w;
    const entry d = w.make("d", directory);
    const command c = w.b.create(w.seen, "d/f", file, "1");
    w.add(w.a.remove(w.seen, d));
    w.add(w.a.create(w.log.committed, "d", file, "in the way"));
    REQUIRE(w.add(c).kind == outcome_kind::applied);
    REQUIRE(w.log.at("d").type == file);
    REQUIRE(w.log.at(w.copy_of("d", w.b) + "/f").id == c.entry);
}

TEST_CASE("two creates of the same content become one, with the last attributes") {
    world w;
    const command first = w.a.create(w.seen, "f", file, "same");
    command second = w.b.create(w.seen, "f", file, "same");
    second.mode = 0600;
    w.add(first);
    const outcome o = w.add(second);
    REQUIRE(o == outcome{outcome_kind::merged, first.entry, {first.entry}});
    REQUIRE(w.log.committed.size() == 1);
    REQUIRE(w.log.at("f").mode == 0600);
    REQUIRE(w.log.at("f").content_version == w.log.last);
}

TEST_CASE("a removal by somebody who does not know that the same was written again does not take it away") {
    world w;
    const entry f = w.make("f", file, "same");
    const entry d = w.make("d", directory);
    const command file_goes = w.a.remove(w.seen, f), directory_goes = w.a.remove(w.seen, d);
    REQUIRE(w.add(w.b.create(w.seen, "f", file, "same")).kind == outcome_kind::merged);
    REQUIRE(w.add(w.b.create(w.seen, "d", directory)).kind == outcome_kind::merged);
    REQUIRE(w.add(file_goes).kind == outcome_kind::refused);
    REQUIRE(w.add(directory_goes).kind == outcome_kind::refused);
    REQUIRE(w.log.has("f"));
    REQUIRE(w.log.has("d"));
}

TEST_CASE("two creates of a directory become one") {
    world w;
    const command first = w.a.create(w.seen, "d", directory);
    const command second = w.b.create(w.seen, "d", directory);
    const command inside = w.b.create({second.entry, "f"}, "d/f", file, "1");
    w.add(first);
    REQUIRE(w.add(second) == outcome{outcome_kind::merged, first.entry, {first.entry}});
    REQUIRE(w.add(inside).kind == outcome_kind::applied);
    REQUIRE(w.log.at("d/f").where.parent == first.entry);
}

TEST_CASE("two creates of other contents are both kept, the later under a conflict name") {
    world w;
    const command first = w.a.create(w.seen, "f.txt", file, "one");
    const command second = w.b.create(w.seen, "f.txt", file, "two");
    w.add(first);
    const outcome o = w.add(second);
    REQUIRE(o == outcome{outcome_kind::conflict_copy, second.entry, {second.entry}});
    REQUIRE(w.log.at("f.txt").id == first.entry);
    REQUIRE(w.log.at("f.conflict-n2-4.txt").id == second.entry);
}

TEST_CASE("a file and a link of the same bytes are not the same content") {
    world w;
    w.add(w.a.create(w.seen, "x", file, "t"));
    REQUIRE(w.add(w.b.create(w.seen, "x", soft_link, "t")).kind == outcome_kind::conflict_copy);
}

TEST_CASE("a conflict name that is taken gets a counter") {
    world w;
    w.make("f", file, "1");
    const log_index next = w.log.last + 2;
    w.make(conflict_name("f", node_id(2), next, 0), file, "squatter");
    REQUIRE(w.add(w.b.create(w.seen, "f", file, "2")).kind == outcome_kind::conflict_copy);
    REQUIRE(w.log.last == next);
    REQUIRE(w.log.has(conflict_name("f", node_id(2), next, 1)));
}

TEST_CASE("a write from the current content is applied") {
    world w;
    const entry f = w.make("f", file, "1");
    const command c = w.b.write(w.seen, f, "22");
    REQUIRE(w.add(c) == outcome{outcome_kind::applied, f.id, {f.id}});
    REQUIRE(w.log.at("f").size == 2);
    REQUIRE(w.log.at("f").mode == c.mode);
    REQUIRE(w.log.at("f").content_version == w.log.last);
    REQUIRE(w.log.at("f").placement_version == f.placement_version);
    REQUIRE(w.log.committed.bytes() == 2);
}

TEST_CASE("of two writes from one content the later becomes a copy beside the first") {
    world w;
    const entry f = w.make("f", file, "1");
    w.add(w.a.write(w.seen, f, "from a"));
    const command c = w.b.write(w.seen, f, "from b");
    const entry_id copy{c.session, c.sequence};
    REQUIRE(w.add(c) == outcome{outcome_kind::conflict_copy, copy, {copy}});
    REQUIRE(w.log.at("f").hash == sha256(as_bytes("from a")));
    REQUIRE(w.log.at(w.copy_of("f", w.b)).hash == sha256(as_bytes("from b")));
    // And what the origin writes next to that copy is an ordinary edit of it.
    REQUIRE(w.add(w.b.write(w.log.committed, *w.log.committed.find(copy), "more")).kind == outcome_kind::applied);
}

TEST_CASE("two writes of the same content are one, with the last attributes") {
    world w;
    const entry f = w.make("f", file, "1");
    w.add(w.a.write(w.seen, f, "same"));
    const log_index version = w.log.last;
    command c = w.b.write(w.seen, f, "same");
    c.mode = 0400;
    REQUIRE(w.add(c) == outcome{outcome_kind::no_op, f.id, {f.id}});
    REQUIRE(w.log.at("f").content_version == version);
    REQUIRE(w.log.at("f").mode == 0400);
}

TEST_CASE("a write follows a rename and leaves it in place") {
    world w;
    const entry f = w.make("f", file, "1");
    w.add(w.a.move(w.seen, f, "g"));
    REQUIRE(w.add(w.b.write(w.seen, f, "2")).kind == outcome_kind::applied);
    REQUIRE(w.log.at("g").hash == sha256(as_bytes("2")));
    REQUIRE_FALSE(w.log.has("f"));
}

TEST_CASE("a write of an entry that was removed brings it back under its id, with its parents") {
    world w;
    const entry d = w.make("d", directory);
    const entry f = w.make("d/f", file, "1");
    const command c = w.b.write(w.seen, f, "2");
    w.add(w.a.remove(w.seen, f));
    w.add(w.a.remove(w.seen, d));
    const outcome o = w.add(c);
    REQUIRE(o.kind == outcome_kind::applied);
    REQUIRE(o.entry == f.id);
    REQUIRE(w.log.at("d/f").id == f.id);
}

TEST_CASE("a write of an entry that was removed is kept beside what took its name") {
    world w;
    const entry f = w.make("f", file, "1");
    const command c = w.b.write(w.seen, f, "2");
    w.add(w.a.remove(w.seen, f));
    w.add(w.a.create(w.log.committed, "f", file, "other"));
    REQUIRE(w.add(c) == outcome{outcome_kind::conflict_copy, f.id, {f.id}});
    REQUIRE(w.log.at(w.copy_of("f", w.b)).hash == sha256(as_bytes("2")));
}

TEST_CASE("a write of an entry that is of another type is kept beside it") {
    world w;
    const entry f = w.make("f", file, "1");
    command c = w.b.write(w.seen, f, "target");
    c.type = soft_link;
    REQUIRE(w.add(c).kind == outcome_kind::conflict_copy);
    REQUIRE(w.log.at("f").type == file);
    REQUIRE(w.log.at(w.copy_of("f", w.b)).type == soft_link);
}

TEST_CASE("a move changes the placement and its version alone") {
    world w;
    const entry d = w.make("d", directory);
    const entry f = w.make("f", file, "1");
    REQUIRE(w.add(w.b.move(w.seen, f, "d/g")) == outcome{outcome_kind::applied, f.id, {f.id}});
    const entry& moved = w.log.at("d/g");
    REQUIRE(moved.where.parent == d.id);
    REQUIRE(moved.placement_version == w.log.last);
    REQUIRE(moved.content_version == f.content_version);
    REQUIRE(moved.mtime_ns == f.mtime_ns);
}

TEST_CASE("a move of a directory touches nothing inside it") {
    world w;
    const entry d = w.make("d", directory);
    const entry f = w.make("d/f", file, "1");
    REQUIRE(w.add(w.b.move(w.seen, d, "e")).touched == std::vector<entry_id>{d.id});
    REQUIRE(w.log.at("e/f") == f);
}

TEST_CASE("of two moves from one placement the first in the log wins") {
    world w;
    const entry f = w.make("f", file, "1");
    w.add(w.a.move(w.seen, f, "g"));
    const command elsewhere = w.b.move(w.seen, f, "h");
    const command same = w.b.move(w.seen, f, "g");
    REQUIRE(w.add(elsewhere).kind == outcome_kind::refused);
    REQUIRE(w.add(same).kind == outcome_kind::no_op);
    REQUIRE(w.log.has("g"));
    REQUIRE(w.log.committed.size() == 1);
}

TEST_CASE("a move of an entry that was removed does nothing") {
    world w;
    const entry f = w.make("f", file, "1");
    w.add(w.a.remove(w.seen, f));
    REQUIRE(w.add(w.b.move(w.seen, f, "g")).kind == outcome_kind::no_op);
    REQUIRE(w.log.committed.size() == 0);
}

TEST_CASE("a move into a directory that was removed makes it again") {
    world w;
    const entry d = w.make("d", directory);
    const entry f = w.make("f", file, "1");
    w.add(w.a.remove(w.seen, d));
    REQUIRE(w.add(w.b.move(w.seen, f, "d/f")).kind == outcome_kind::applied);
    REQUIRE(w.log.at("d/f").id == f.id);
}

TEST_CASE("a move to a name that is taken gives the moved one a conflict name") {
    world w;
    const entry f = w.make("f", file, "1");
    w.add(w.a.create(w.seen, "g", file, "2"));
    REQUIRE(w.add(w.b.move(w.seen, f, "g")) == outcome{outcome_kind::conflict_copy, f.id, {f.id}});
    REQUIRE(w.log.at(w.copy_of("g", w.b)).id == f.id);
}

TEST_CASE("a move to where the same content stands merges into that") {
    world w;
    const entry f = w.make("f", file, "same");
    const command g = w.a.create(w.seen, "g", file, "same");
    w.add(g);
    const tree before = w.log.committed;
    const outcome o = w.add(w.b.move(w.seen, f, "g"));
    REQUIRE(o == outcome{outcome_kind::merged, g.entry, {f.id, g.entry}});
    REQUIRE(w.log.committed.size() == 1);
    REQUIRE(w.add(w.b.remove(before, *before.find(g.entry))).kind == outcome_kind::refused);
}

TEST_CASE("an edit by somebody who does not know what was merged with it is kept beside; one that knows is not") {
    world w;
    const entry f = w.make("f", file, "same");
    w.add(w.a.create(w.seen, "g", file, "same"));
    const tree before = w.log.committed;
    const entry g = w.log.at("g");
    w.add(w.b.move(w.seen, f, "g"));
    REQUIRE(w.add(w.a.write(before, g, "new at g, where what stood there was moved to f")).kind == outcome_kind::conflict_copy);
    REQUIRE(w.log.at("g").hash == g.hash);
    REQUIRE(w.add(w.a.write(w.log.committed, w.log.at("g"), "knowing")).kind == outcome_kind::applied);
}

TEST_CASE("an edit of what was moved meanwhile, to a free name, is an edit of it there") {
    world w;
    const entry f = w.make("f", file, "1");
    const tree before = w.log.committed;
    w.add(w.b.move(w.seen, f, "g"));
    REQUIRE(w.add(w.a.write(before, f, "2")).kind == outcome_kind::applied);
    REQUIRE(w.log.at("g").size == 1);
}

TEST_CASE("a directory moved to where another stands merges into it, at every depth") {
    world w;
    const entry from = w.make("from", directory);
    const entry sub = w.make("from/sub", directory);
    const entry deep = w.make("from/sub/deep", file, "deep");
    const entry twin = w.make("from/twin", file, "same");
    const entry clash = w.make("from/clash", file, "from");
    const entry to = w.make("to", directory);
    const entry to_sub = w.make("to/sub", directory);
    const entry to_twin = w.make("to/twin", file, "same");
    w.make("to/clash", file, "to");
    const outcome o = w.add(w.b.move(w.seen, from, "to"));
    REQUIRE(o == outcome{outcome_kind::merged, to.id,
                         {from.id, sub.id, deep.id, twin.id, clash.id, to.id, to_sub.id, to_twin.id}});
    REQUIRE_FALSE(w.log.has("from"));
    REQUIRE(w.log.at("to/sub").id == to_sub.id);
    REQUIRE(w.log.at("to/sub/deep").id == deep.id);
    REQUIRE(w.log.at("to/sub/deep").placement_version == w.log.last);
    REQUIRE(w.log.at("to/twin").id == to_twin.id);
    REQUIRE(w.log.at("to/" + w.copy_of("clash", w.b)).id == clash.id);
}

TEST_CASE("a directory moved to where its own parent stands merges into that") {
    world w;
    const entry outer = w.make("x", directory);
    const entry inner = w.make("x/x", directory);
    const entry same_name = w.make("x/x/x", file, "1");
    const entry other = w.make("x/x/y", file, "2");
    const outcome o = w.add(w.b.move(w.seen, inner, "x"));
    REQUIRE(o.kind == outcome_kind::merged);
    REQUIRE(o.entry == outer.id);
    REQUIRE(w.log.at("x/x").id == same_name.id);
    REQUIRE(w.log.at("x/y").id == other.id);
}

TEST_CASE("a directory never moves into itself, directly or after another move") {
    world w;
    const entry a = w.make("a", directory);
    const entry b = w.make("b", directory);
    w.make("a/c", directory);
    REQUIRE(w.add(w.b.move(w.seen, a, "a/c/a")).kind == outcome_kind::refused);
    const command crossing = w.b.move(w.seen, b, "a/b");
    w.add(w.a.move(w.seen, a, "b/a"));
    REQUIRE(w.add(crossing).kind == outcome_kind::refused);
    // By path, where the parent is no longer known.
    command by_path = w.b.move(w.seen, b, "b/a/new/b");
    REQUIRE(w.add(by_path).kind == outcome_kind::refused);
    REQUIRE(w.log.has("b/a/c"));
}

TEST_CASE("a move that would make paths too deep is refused") {
    world w;
    std::string deep = "t";
    const entry top = w.make("t", directory);
    while (depth_of(deep) < depth_max) w.make(deep = join(deep, "d"), directory);
    w.make("u", directory);
    REQUIRE(w.add(w.b.move(w.seen, top, "u/t")).kind == outcome_kind::refused);
    REQUIRE(w.add(w.b.move(w.seen, top, "longer")).kind == outcome_kind::applied);
}

TEST_CASE("a removal takes what has not changed since") {
    world w;
    const entry f = w.make("f", file, "1");
    REQUIRE(w.add(w.b.remove(w.seen, f)) == outcome{outcome_kind::applied, f.id, {f.id}});
    REQUIRE(w.add(w.b.remove(w.seen, f)).kind == outcome_kind::no_op);
}

TEST_CASE("an edit or a move beats a later removal") {
    world w;
    const entry f = w.make("f", file, "1");
    const entry g = w.make("g", file, "1");
    w.add(w.a.write(w.seen, f, "2"));
    w.add(w.a.move(w.seen, g, "h"));
    REQUIRE(w.add(w.b.remove(w.seen, f)).kind == outcome_kind::refused);
    REQUIRE(w.add(w.b.remove(w.seen, g)).kind == outcome_kind::refused);
    REQUIRE(w.log.has("f"));
    REQUIRE(w.log.has("h"));
}

TEST_CASE("a directory is removed only when it is empty by then") {
    world w;
    const entry d = w.make("d", directory);
    w.add(w.a.create(w.seen, "d/f", file, "1"));
    REQUIRE(w.add(w.b.remove(w.seen, d)).kind == outcome_kind::refused);
    w.add(w.a.remove(w.log.committed, w.log.at("d/f")));
    REQUIRE(w.add(w.b.remove(w.seen, d)).kind == outcome_kind::applied);
}

TEST_CASE("a mode change does not save an entry from its removal") {
    world w;
    const entry f = w.make("f", file, "1");
    w.add(w.a.set_attributes(w.seen, f, 0600, 5));
    REQUIRE(w.add(w.b.remove(w.seen, f)).kind == outcome_kind::applied);
}

TEST_CASE("of attributes the last in the log wins, and versions stay") {
    world w;
    const entry f = w.make("f", file, "1");
    w.add(w.a.set_attributes(w.seen, f, 0600, 5));
    REQUIRE(w.add(w.b.set_attributes(w.seen, f, 0640, 6)) == outcome{outcome_kind::applied, f.id, {f.id}});
    REQUIRE(w.log.at("f").mode == 0640);
    REQUIRE(w.log.at("f").mtime_ns == 6);
    REQUIRE(w.log.at("f").content_version == f.content_version);
    REQUIRE(w.log.at("f").placement_version == f.placement_version);
    REQUIRE(w.add(w.b.set_attributes(w.seen, f, 0640, 6)) == outcome{outcome_kind::no_op, f.id, {}});
    w.add(w.a.remove(w.seen, f));
    REQUIRE(w.add(w.b.set_attributes(w.seen, f, 0600, 7)).kind == outcome_kind::no_op);
}

TEST_CASE("a replaced entry goes and another type stands in its place") {
    world w;
    const entry f = w.make("f", file, "1");
    const command c = w.b.replace(w.seen, f, directory);
    const entry_id fresh{c.session, c.sequence};
    REQUIRE(w.add(c) == outcome{outcome_kind::applied, fresh, {f.id, fresh}});
    REQUIRE(w.log.at("f").id == fresh);
    REQUIRE(w.log.at("f").type == directory);
    REQUIRE(w.log.committed.find(f.id) == nullptr);
}

TEST_CASE("what replaces an entry that changed meanwhile is kept beside it") {
    world w;
    const entry f = w.make("f", file, "1");
    w.add(w.a.write(w.seen, f, "2"));
    const command c = w.b.replace(w.seen, f, directory);
    REQUIRE(w.add(c).kind == outcome_kind::conflict_copy);
    REQUIRE(w.log.at("f").hash == sha256(as_bytes("2")));
    REQUIRE(w.log.at(w.copy_of("f", w.b)).type == directory);
}

TEST_CASE("what replaces a directory that is no longer empty is kept beside it") {
    world w;
    const entry d = w.make("d", directory);
    w.add(w.a.create(w.seen, "d/f", file, "1"));
    REQUIRE(w.add(w.b.replace(w.seen, d, file, "now a file")).kind == outcome_kind::conflict_copy);
    REQUIRE(w.log.has("d/f"));
    REQUIRE(w.log.at(w.copy_of("d", w.b)).type == file);
}

TEST_CASE("a replace of an entry that was removed is a create") {
    world w;
    const entry f = w.make("f", file, "1");
    w.add(w.a.remove(w.seen, f));
    REQUIRE(w.add(w.b.replace(w.seen, f, soft_link, "target")).kind == outcome_kind::applied);
    REQUIRE(w.log.at("f").type == soft_link);
}

TEST_CASE("a replace whose path leads through the replaced entry loses nothing") {
    world w;
    const entry d = w.make("d", directory);
    command c = w.b.replace(w.seen, d, file, "1");
    c.where = {entry_id{session_id{node_id(9), 9}, 9}, "x"};
    c.path = "d/x";
    REQUIRE(w.add(c).kind == outcome_kind::applied);
    REQUIRE(w.log.at("d/x").type == file);
}

TEST_CASE("names that look alike are two names") {
    world w;
    w.make("\xc3\xa9", file, "composed");
    w.make("e\xcc\x81", file, "decomposed");
    REQUIRE(w.log.committed.size() == 2);
}

TEST_CASE("a conflict name keeps the extension") {
    REQUIRE(conflict_name("a.txt", node_id(3), log_index(17), 0) == "a.conflict-n3-17.txt");
    REQUIRE(conflict_name("a.txt", node_id(3), log_index(17), 2) == "a.conflict-n3-17-2.txt");
    REQUIRE(conflict_name("a", node_id(3), log_index(17), 0) == "a.conflict-n3-17");
    REQUIRE(conflict_name(".profile", node_id(3), log_index(17), 0) == ".profile.conflict-n3-17");
    REQUIRE(conflict_name("v.very long last part", node_id(3), log_index(17), 0) ==
            "v.very long last part.conflict-n3-17");
}

TEST_CASE("a conflict name fits into 255 bytes and cuts no character in two") {
    const auto name_of = [](const std::string& name) { return conflict_name(name, node_id(3), log_index(17), 0); };
    REQUIRE(name_of(std::string(251, 'x') + ".txt").size() == 255);
    REQUIRE(valid_name(conflict_name(std::string(255, 'x'), node_id(~0ull), log_index(~0ull), ~0ull)));
    for (std::size_t shift = 0; shift < 3; ++shift) {
        std::string name(shift, 'x');
        while (name.size() + 3 <= 255) name += "\xe2\x82\xac";
        const std::string cut = name_of(name);
        REQUIRE(cut.size() <= 255);
        REQUIRE(cut.size() >= 253);
        const std::size_t stem = cut.find(".conflict");
        REQUIRE((stem - shift) % 3 == 0);
    }
    REQUIRE(name_of(std::string(255, '\x80')).size() == 255);
}
