#include <lockstep/base/random.hpp>
#include <lockstep/folder/tree.hpp>

#include <tests/catch.hpp>

using namespace lockstep;
using namespace lockstep::folder;

namespace {

entry_id id_of(std::uint64_t n) { return {session_id{node_id(1), 1}, n}; }

entry make(std::uint64_t id, entry_id parent, std::string name, entry_type type, std::uint64_t size = 0) {
    entry e;
    e.id = id_of(id);
    e.where = {parent, std::move(name)};
    e.type = type;
    e.mode = type == entry_type::symlink ? 0 : 0644;
    if (type != entry_type::directory) e.hash.bytes[0] = 1;
    e.size = size;
    e.content_version = e.placement_version = log_index(1);
    return e;
}

tree sample() {
    tree t;
    t.put(make(1, root_entry, "d", entry_type::directory));
    t.put(make(2, id_of(1), "e", entry_type::directory));
    t.put(make(3, id_of(2), "f", entry_type::file, 10));
    t.put(make(4, root_entry, "l", entry_type::symlink, 3));
    return t;
}

}  // namespace

TEST_CASE("entries are found by id, by place and by path") {
    const tree t = sample();
    REQUIRE(t.find(id_of(3))->where.name == "f");
    REQUIRE(t.find(id_of(9)) == nullptr);
    REQUIRE(t.find(root_entry) == nullptr);
    REQUIRE(t.child(id_of(1), "e") == id_of(2));
    REQUIRE_FALSE(t.child(id_of(1), "f"));
    REQUIRE(t.resolve("d/e/f") == id_of(3));
    REQUIRE(t.resolve("") == root_entry);
    REQUIRE_FALSE(t.resolve("d/f"));
    REQUIRE(t.path_of(id_of(3)) == "d/e/f");
    REQUIRE(t.path_of(root_entry) == "");
    REQUIRE_FALSE(t.path_of(id_of(9)));
    REQUIRE(t.is_directory(root_entry));
    REQUIRE_FALSE(t.is_directory(id_of(3)));
}

TEST_CASE("ancestors are those on the way to the root") {
    const tree t = sample();
    REQUIRE(t.is_ancestor(id_of(1), id_of(3)));
    REQUIRE(t.is_ancestor(root_entry, id_of(1)));
    REQUIRE_FALSE(t.is_ancestor(id_of(1), id_of(1)));
    REQUIRE_FALSE(t.is_ancestor(id_of(3), id_of(1)));
    REQUIRE_FALSE(t.is_ancestor(id_of(1), id_of(4)));
}

TEST_CASE("children come in order of the bytes of their names") {
    tree t;
    t.put(make(1, root_entry, "b", entry_type::file));
    t.put(make(2, root_entry, "\xc3\xa9", entry_type::file));
    t.put(make(3, root_entry, "B", entry_type::file));
    t.put(make(4, root_entry, "d", entry_type::directory));
    t.put(make(5, id_of(4), "a", entry_type::file));
    REQUIRE(t.children(root_entry) == std::vector<entry_id>{id_of(3), id_of(1), id_of(4), id_of(2)});
    REQUIRE(t.has_children(id_of(4)));
    REQUIRE_FALSE(t.has_children(id_of(1)));
}

TEST_CASE("entries are gone through from behind any id, whether it is there or not, until told to stop") {
    tree t;
    for (const std::uint64_t id : {1u, 3u, 5u, 7u}) t.put(make(id, root_entry, std::to_string(id), entry_type::file));
    const auto after = [&](entry_id id, std::size_t most) {
        std::vector<std::uint64_t> seen;
        t.for_each_after(id, [&](const entry& e) {
            seen.push_back(e.id.sequence);
            return seen.size() < most;
        });
        return seen;
    };
    using ids = std::vector<std::uint64_t>;
    REQUIRE(after(root_entry, 9) == ids{1, 3, 5, 7});
    REQUIRE(after(id_of(3), 9) == ids{5, 7});
    REQUIRE(after(id_of(4), 9) == ids{5, 7});
    REQUIRE(after(id_of(1), 2) == ids{3, 5});
    REQUIRE(after(id_of(7), 9).empty());
    REQUIRE(after(id_of(8), 9).empty());
}

TEST_CASE("the counts follow every change") {
    tree t = sample();
    REQUIRE(t.size() == 4);
    REQUIRE(t.files() == 1);
    REQUIRE(t.directories() == 2);
    REQUIRE(t.links() == 1);
    REQUIRE(t.bytes() == 10);
    t.put(make(3, root_entry, "g", entry_type::file, 4));
    REQUIRE(t.bytes() == 4);
    REQUIRE_FALSE(t.resolve("d/e/f"));
    t.erase(id_of(3));
    t.erase(id_of(4));
    REQUIRE(t.files() == 0);
    REQUIRE(t.links() == 0);
    REQUIRE(t.bytes() == 0);
    REQUIRE(t.directories() == 2);
}

TEST_CASE("the digest is of what is in the tree and not of the order in which it came") {
    tree a, b;
    for (std::uint64_t i = 1; i <= 200; ++i) a.put(make(i, root_entry, std::to_string(i), entry_type::file, i));
    for (std::uint64_t i = 300; i >= 1; --i) b.put(make(i, root_entry, std::to_string(i), entry_type::file, 7));
    for (std::uint64_t i = 201; i <= 300; ++i) b.erase(id_of(i));
    REQUIRE(a.digest() != b.digest());
    for (std::uint64_t i = 1; i <= 200; ++i) b.put(make(i, root_entry, std::to_string(i), entry_type::file, i));
    REQUIRE(a.digest() == b.digest());
    REQUIRE(a == b);
    REQUIRE_FALSE(find_fault(b));
}

TEST_CASE("every field of an entry and of a session is in the digest") {
    const tree before = sample();
    const entry base = *before.find(id_of(3));
    std::vector<entry> variants(8, base);
    variants[0].where.name = "g";
    variants[1].where.parent = root_entry;
    variants[2].mode = 0600;
    variants[3].mtime_ns = 1;
    variants[4].hash.bytes[31] = 1;
    variants[5].size = 11;
    variants[6].content_version = log_index(2);
    variants[7].placement_version = log_index(2);
    for (const entry& e : variants) {
        tree t = before;
        t.put(e);
        REQUIRE(t.digest() != before.digest());
        REQUIRE_FALSE(t == before);
    }
    tree t = before;
    t.set_session(node_id(1), {1, 0});
    const auto opened = t.digest();
    REQUIRE(opened != before.digest());
    t.set_session(node_id(1), {1, 1});
    REQUIRE(t.digest() != opened);
    t.set_session(node_id(1), {1, 0});
    REQUIRE(t.digest() == opened);
}

TEST_CASE("two trees differ in the entries that changed, came and went") {
    const tree before = sample();
    tree after = before;
    after.erase(id_of(4));
    after.put(make(5, root_entry, "n", entry_type::file));
    after.put(make(3, id_of(2), "f", entry_type::file, 11));
    after.put(make(2, id_of(1), "e", entry_type::directory));  // as it was
    std::vector<std::uint64_t> seen;
    diff(before, after, [&](entry_id id, const entry* a, const entry* b) {
        seen.push_back(id.sequence);
        REQUIRE(a == before.find(id));
        REQUIRE(b == after.find(id));
    });
    REQUIRE(seen == std::vector<std::uint64_t>{3, 4, 5});
}

TEST_CASE("faults in the shape of a tree are found") {
    REQUIRE_FALSE(find_fault(sample()));
    tree orphan = sample();
    orphan.erase(id_of(1));
    REQUIRE(find_fault(orphan));
    tree cycle = sample();
    cycle.put(make(1, id_of(2), "d", entry_type::directory));
    REQUIRE(find_fault(cycle));
    tree in_a_file = sample();
    in_a_file.put(make(5, id_of(3), "x", entry_type::file));
    REQUIRE(find_fault(in_a_file));
    tree reserved = sample();
    reserved.put(make(5, root_entry, ".lockstep", entry_type::file));
    REQUIRE(find_fault(reserved));
}
