#include <lockstep/folder/path.hpp>
#include <lockstep/folder/tree_builder.hpp>

#include <tests/catch.hpp>
#include <tests/folder/random_history.hpp>

using namespace lockstep;
using namespace lockstep::folder;
using folder::test::history;

namespace {

entry_id id_of(std::uint64_t n) { return {session_id{node_id(1), 1}, n}; }

entry make(std::uint64_t id, entry_id parent, std::string name, entry_type type = entry_type::file) {
    entry e;
    e.id = id_of(id);
    e.where = {parent, std::move(name)};
    e.type = type;
    if (type != entry_type::directory) e.hash.bytes[0] = 1;
    e.size = type == entry_type::symlink ? 3 : 0;
    e.content_version = e.placement_version = log_index(1);
    return e;
}

result<tree> built(const std::vector<entry>& entries) {
    tree_builder builder;
    for (const entry& e : entries) REQUIRE(builder.add(e));
    return builder.finish();
}

/// d1/d2/…/d<depth>, the first with the id 1.
std::vector<entry> chain(std::uint64_t depth) {
    std::vector<entry> entries;
    for (std::uint64_t i = 1; i <= depth; ++i)
        entries.push_back(make(i, i == 1 ? root_entry : id_of(i - 1), "d", entry_type::directory));
    return entries;
}

}  // namespace

TEST_CASE("a tree that is built is the tree that its commands made, and goes on like it") {
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        history log;
        folder::test::run(seed, 150, log, [](auto&&...) {});
        tree_builder builder;
        log.committed.for_each([&](const entry& e) { REQUIRE(builder.add(e)); });
        log.committed.for_each_session([&](node_id n, session_state s) { REQUIRE(builder.add_session(n, s)); });
        auto twin = builder.finish();
        REQUIRE(twin.has_value());
        REQUIRE(*twin == log.committed);
        REQUIRE(twin->digest() == log.committed.digest());
        REQUIRE_FALSE(find_fault(*twin));

        std::vector<entry_id> ids;
        twin->for_each([&](const entry& e) { ids.push_back(e.id); });
        for (const entry_id id : ids) {
            entry e = *twin->find(id);
            e.where.name = "n" + std::to_string(e.id.sequence) + "." + std::to_string(e.id.session.node.value) + "." +
                           std::to_string(e.id.session.number);
            twin->put(e);
        }
        REQUIRE_FALSE(find_fault(*twin));
        for (const entry_id id : ids) twin->erase(id);
        REQUIRE(twin->size() == 0);
        REQUIRE(twin->bytes() == 0);
    }
}

TEST_CASE("nothing that was added makes the empty tree") {
    tree_builder builder;
    REQUIRE(*builder.finish() == tree{});
}

TEST_CASE("a builder begins anew once it has finished") {
    tree_builder builder;
    REQUIRE(builder.add(make(5, root_entry, "a")));
    REQUIRE(builder.add_session(node_id(3), {1, 1}));
    REQUIRE(builder.finish().has_value());
    REQUIRE(builder.add(make(1, root_entry, "a")));
    REQUIRE(builder.add_session(node_id(1), {1, 1}));
    REQUIRE(builder.finish()->size() == 1);
    REQUIRE(builder.add(make(1, id_of(9), "a")));
    REQUIRE(builder.finish().error() == errc::corrupt);
    REQUIRE(*builder.finish() == tree{});
}

TEST_CASE("entries come in order of id, each once") {
    tree_builder builder;
    REQUIRE(builder.add(make(2, root_entry, "b")));
    REQUIRE_FALSE(builder.add(make(2, root_entry, "c")));
    REQUIRE_FALSE(builder.add(make(1, root_entry, "a")));
    REQUIRE(builder.add(make(3, root_entry, "c")));
    REQUIRE(builder.finish()->size() == 2);
}

TEST_CASE("sessions come in order of node, each once, and have a number") {
    tree_builder builder;
    REQUIRE_FALSE(builder.add_session(no_node, {1, 0}));
    REQUIRE_FALSE(builder.add_session(node_id(2), {0, 0}));
    REQUIRE(builder.add_session(node_id(2), {1, 0}));
    REQUIRE_FALSE(builder.add_session(node_id(2), {2, 0}));
    REQUIRE_FALSE(builder.add_session(node_id(1), {1, 0}));
    REQUIRE(builder.add_session(node_id(3), {1, 0}));
}

TEST_CASE("an entry that no tree has is refused") {
    tree_builder builder;
    const auto refused = [&](auto change, entry_type type = entry_type::file) {
        entry e = make(1, root_entry, "a", type);
        change(e);
        return !builder.add(e);
    };
    for (const std::string& name : {std::string(), std::string("."), std::string(".."), std::string("a/b"),
                                   std::string("a\0b", 3), std::string(256, 'a'), std::string(reserved_name)})
        CHECK(refused([&](entry& e) { e.where.name = name; }));
    CHECK(refused([](entry& e) { e.id = root_entry; }));
    CHECK(refused([](entry& e) { e.mode = 01000; }));
    CHECK(refused([](entry& e) { e.hash = {}; }));
    CHECK(refused([](entry& e) { e.content_version = {}; }));
    CHECK(refused([](entry& e) { e.placement_version = {}; }));
    CHECK(refused([](entry& e) { e.mode = 1; }, entry_type::symlink));
    CHECK(refused([](entry& e) { e.size = 0; }, entry_type::symlink));
    CHECK(refused([](entry& e) { e.size = link_bytes_max + 1; }, entry_type::symlink));
    CHECK(refused([](entry& e) { e.manifest.bytes[0] = 1; }, entry_type::symlink));
    CHECK(refused([](entry& e) { e.manifest.bytes[0] = 1; }, entry_type::directory));
    CHECK(refused([](entry& e) { e.size = 1; }, entry_type::directory));
    CHECK(refused([](entry& e) { e.hash.bytes[0] = 1; }, entry_type::directory));
    CHECK(refused([](entry& e) { e.mtime_ns = 1; }, entry_type::directory));
    CHECK_FALSE(refused([](entry& e) { e.manifest.bytes[0] = 1; }));
    CHECK(builder.finish()->size() == 1);
}

TEST_CASE("two entries do not have one place") {
    CHECK(built({make(1, root_entry, "a"), make(2, root_entry, "a")}).error() == errc::corrupt);
    CHECK(built({make(1, root_entry, "d", entry_type::directory), make(2, id_of(1), "a"), make(3, root_entry, "e"),
                 make(4, id_of(1), "a")})
              .error() == errc::corrupt);
    CHECK(built({make(1, root_entry, "d", entry_type::directory), make(2, root_entry, "a"), make(3, id_of(1), "a")})
              .has_value());
}

TEST_CASE("a parent is there, whatever its id, and is a directory") {
    CHECK(built({make(1, id_of(2), "a"), make(2, root_entry, "d", entry_type::directory)}).has_value());
    CHECK(built({make(1, id_of(3), "a"), make(2, root_entry, "d", entry_type::directory)}).error() == errc::corrupt);
    CHECK(built({make(1, id_of(2), "a"), make(2, root_entry, "f")}).error() == errc::corrupt);
    CHECK(built({make(1, id_of(2), "a"), make(2, root_entry, "l", entry_type::symlink)}).error() == errc::corrupt);
    CHECK(built({make(2, id_of(1), "a")}).error() == errc::corrupt);
}

TEST_CASE("a cycle is found, beside it and through what hangs on it") {
    CHECK(built({make(1, id_of(1), "a", entry_type::directory)}).error() == errc::corrupt);
    CHECK(built({make(1, id_of(2), "a", entry_type::directory), make(2, id_of(1), "b", entry_type::directory)})
              .error() == errc::corrupt);
    auto looped = chain(300);
    looped[0].where.parent = id_of(300);
    CHECK(built(looped).error() == errc::corrupt);
    CHECK(built({make(1, root_entry, "f"), make(2, id_of(3), "b"), make(3, id_of(4), "c", entry_type::directory),
                 make(4, id_of(3), "d", entry_type::directory)})
              .error() == errc::corrupt);
}

TEST_CASE("a tree is as deep as paths may be, and no deeper") {
    CHECK(built(chain(depth_max)).has_value());
    CHECK(built(chain(depth_max + 1)).error() == errc::corrupt);
    // The other way round: the deepest has the lowest id, so that the walks meet what others have measured.
    for (const std::uint64_t depth : {depth_max, depth_max + 1}) {
        std::vector<entry> entries;
        for (std::uint64_t i = 1; i <= depth; ++i)
            entries.push_back(make(i, i == depth ? root_entry : id_of(i + 1), "d", entry_type::directory));
        CHECK(built(entries).has_value() == (depth == depth_max));
    }
    auto branched = chain(depth_max - 1);
    branched.push_back(make(1000, id_of(depth_max - 1), "a"));
    CHECK(built(branched).has_value());
    branched.back().where.parent = id_of(depth_max - 2);
    branched.push_back(make(1001, id_of(depth_max - 1), "e", entry_type::directory));
    branched.push_back(make(1002, id_of(1001), "f"));
    CHECK(built(branched).error() == errc::corrupt);
}
