#include <lockstep/base/random.hpp>
#include <lockstep/folder/planner.hpp>

#include <tests/catch.hpp>
#include <tests/folder/disk_model.hpp>

#include <set>

using namespace lockstep;
using namespace lockstep::folder;
using folder::test::disk_model;

namespace {

using kind = action::kind;
const auto nothing_busy = [](entry_id) { return false; };

entry_id id_of(std::uint64_t n) { return {session_id{node_id(1), 1}, n}; }

content_hash hash_of(std::uint64_t n) {
    content_hash hash;
    for (std::size_t i = 0; i < 8; ++i) hash.bytes[i] = static_cast<std::uint8_t>((n + 1) >> (8 * i));
    return hash;
}

entry make(std::uint64_t id, entry_id parent, std::string name, entry_type type, std::uint64_t content = 1) {
    entry e;
    e.id = id_of(id);
    e.where = {parent, std::move(name)};
    e.type = type;
    e.mode = type == entry_type::symlink ? 0 : type == entry_type::directory ? 0755 : 0644;
    if (type != entry_type::directory) {
        e.hash = hash_of(content);
        e.size = content;
    }
    e.content_version = e.placement_version = log_index(1);
    return e;
}

local_entry on_disk(const entry& e) {
    return {e.id, e.where, e.type, e.mode, e.mtime_ns, e.hash, e.size, e.content_version, e.placement_version, false};
}

/// A committed tree and a disk, filled alike.
struct both {
    void put(const entry& e) {
        committed.put(e);
        disk.place(on_disk(e));
    }
    /// Plans for all that differs, carries it out and checks that this brings the disk to the tree.
    plan settle(const std::vector<entry_id>& look_at) {
        plan p = make_plan(committed, disk, look_at, nothing_busy);
        for (const action& a : p.actions) {
            const auto error = disk.execute(a);
            INFO(error.value_or(""));
            REQUIRE_FALSE(error);
        }
        return p;
    }
    tree committed;
    disk_model disk;
};

std::vector<kind> kinds(const plan& p) {
    std::vector<kind> list;
    for (const action& a : p.actions) list.push_back(a.what);
    return list;
}

/// Whether the disk is as the tree says, in all that is replicated.
std::optional<std::string> difference(const tree& committed, const disk_model& disk) {
    const auto listing = disk.listing();
    if (!disk.staging_empty()) return "something is left in staging";
    if (listing.size() != committed.size()) return "another number of things";
    for (const auto& [path, is] : listing) {
        const entry* e = committed.find(is.id);
        if (!e || committed.resolve(path) != is.id) return "not wanted at " + path;
        if (is.type != e->type || is.hash != e->hash || is.size != e->size) return "other content at " + path;
        if (e->type != entry_type::symlink && is.mode != e->mode) return "other mode at " + path;
        if (e->type != entry_type::directory && is.mtime_ns != e->mtime_ns) return "other time at " + path;
        const local_entry& known = *disk.find(is.id);
        if (known.content_version != e->content_version || known.placement_version != e->placement_version)
            return "other version at " + path;
    }
    return std::nullopt;
}

std::vector<entry_id> everything(const tree& committed, const disk_model& disk) {
    std::set<entry_id> ids;
    committed.for_each([&](const entry& e) { ids.insert(e.id); });
    for (const auto& [id, unused] : disk.all()) ids.insert(id);
    return {ids.begin(), ids.end()};
}

/// A tree of a few ids under few names, so that two of them collide everywhere.
tree random_tree(random_generator& random, std::uint64_t ids) {
    tree t;
    std::vector<entry_id> directories{root_entry};
    std::vector<std::uint64_t> order;
    for (std::uint64_t id = 1; id <= ids; ++id) order.insert(order.begin() + static_cast<long>(random.below(id)), id);
    for (const std::uint64_t id : order) {
        if (random.one_in(5)) continue;
        const entry_id parent = directories[random.below(directories.size())];
        const std::string name(1, static_cast<char>('a' + random.below(4)));
        if (t.child(parent, name)) continue;
        auto type = id % 5 < 3 ? entry_type::directory : id % 5 == 3 ? entry_type::file : entry_type::symlink;
        if (random.one_in(20)) type = entry_type::file;
        entry e = make(id, parent, name, type, random.below(3));
        constexpr std::uint32_t modes[] = {0755, 0755, 0700, 0555, 0400, 0};
        if (type != entry_type::symlink) e.mode = modes[random.below(6)];
        if (type != entry_type::directory) e.mtime_ns = static_cast<std::int64_t>(random.below(2));
        e.content_version = log_index(1 + random.below(2));
        e.placement_version = log_index(1 + random.below(2));
        t.put(e);
        if (type == entry_type::directory) directories.push_back(e.id);
    }
    return t;
}

void copy_to_disk(const tree& t, entry_id directory, disk_model& disk) {
    t.for_each_child(directory, [&](const entry& e) {
        disk.place(on_disk(e));
        if (e.type == entry_type::directory) copy_to_disk(t, e.id, disk);
    });
}

}  // namespace

TEST_CASE("a new directory is made before what is in it, whatever is looked at first") {
    both b;
    b.committed.put(make(2, root_entry, "d", entry_type::directory));
    b.committed.put(make(1, id_of(2), "f", entry_type::file));
    const plan p = b.settle({id_of(1)});
    REQUIRE(kinds(p) == std::vector<kind>{kind::make_directory, kind::write_content});
    REQUIRE(p.actions[1].path == "d/f");
    REQUIRE_FALSE(difference(b.committed, b.disk));
}

TEST_CASE("a directory is removed after what is in it") {
    both b;
    b.put(make(1, root_entry, "d", entry_type::directory));
    b.put(make(2, id_of(1), "f", entry_type::file));
    b.put(make(3, id_of(1), "l", entry_type::symlink));
    b.committed = {};
    const plan p = b.settle({id_of(1)});
    REQUIRE(kinds(p) == std::vector<kind>{kind::remove_file, kind::remove_file, kind::remove_directory});
    REQUIRE_FALSE(difference(b.committed, b.disk));
}

TEST_CASE("what stays leaves a directory before that is removed") {
    both b;
    b.put(make(1, root_entry, "d", entry_type::directory));
    b.put(make(2, id_of(1), "f", entry_type::file));
    b.committed.put(make(2, root_entry, "f", entry_type::file));
    b.committed.erase(id_of(1));
    REQUIRE(kinds(b.settle({id_of(1)})) == std::vector<kind>{kind::move, kind::remove_directory});
    REQUIRE_FALSE(difference(b.committed, b.disk));
}

TEST_CASE("two names are swapped by way of staging") {
    both b;
    b.put(make(1, root_entry, "a", entry_type::file));
    b.put(make(2, root_entry, "b", entry_type::file));
    b.committed = {};
    b.committed.put(make(1, root_entry, "b", entry_type::file));
    b.committed.put(make(2, root_entry, "a", entry_type::file));
    const plan p = b.settle({id_of(1), id_of(2)});
    REQUIRE(kinds(p) == std::vector<kind>{kind::park, kind::move, kind::move});
    REQUIRE_FALSE(difference(b.committed, b.disk));
}

TEST_CASE("a directory moves below what was its child") {
    both b;
    b.put(make(1, root_entry, "a", entry_type::directory));
    b.put(make(2, id_of(1), "b", entry_type::directory));
    b.committed = {};
    b.committed.put(make(2, root_entry, "a", entry_type::directory));
    b.committed.put(make(1, id_of(2), "b", entry_type::directory));
    b.settle({id_of(1)});
    REQUIRE_FALSE(difference(b.committed, b.disk));
}

TEST_CASE("a directory that is parked leaves outside what its own way back leads through") {
    both b;
    b.put(make(1, root_entry, "n", entry_type::directory));
    b.put(make(2, id_of(1), "p", entry_type::directory));
    b.put(make(3, root_entry, "x", entry_type::directory));
    b.committed = {};
    b.committed.put(make(3, root_entry, "n", entry_type::directory));
    b.committed.put(make(2, id_of(3), "p", entry_type::directory));
    b.committed.put(make(1, id_of(2), "o", entry_type::directory));
    const plan p = b.settle({id_of(3)});
    REQUIRE(kinds(p) == std::vector<kind>{kind::park, kind::park, kind::move, kind::move, kind::move});
    REQUIRE_FALSE(difference(b.committed, b.disk));
}

TEST_CASE("a thousand names move round by one") {
    both b;
    constexpr std::uint64_t count = 1000;
    std::vector<entry_id> all;
    for (std::uint64_t i = 0; i < count; ++i) {
        b.disk.place(on_disk(make(i + 1, root_entry, std::to_string(i), entry_type::file)));
        b.committed.put(make(i + 1, root_entry, std::to_string((i + 1) % count), entry_type::file));
        all.push_back(id_of(i + 1));
    }
    for (int rounds = 0; !all.empty() && rounds < 100; ++rounds) all = b.settle(all).rest;
    REQUIRE_FALSE(difference(b.committed, b.disk));
}

TEST_CASE("renaming a directory is one step, whatever is in it") {
    both b;
    b.put(make(1, root_entry, "d", entry_type::directory));
    for (std::uint64_t i = 2; i < 1000; ++i) b.put(make(i, id_of(1), std::to_string(i), entry_type::file));
    b.committed.put(make(1, root_entry, "e", entry_type::directory));
    REQUIRE(kinds(b.settle({id_of(1)})) == std::vector<kind>{kind::move});
    REQUIRE_FALSE(difference(b.committed, b.disk));
}

TEST_CASE("only what is looked at is planned for") {
    both b;
    b.committed.put(make(1, root_entry, "a", entry_type::file));
    b.committed.put(make(2, root_entry, "b", entry_type::file));
    REQUIRE(make_plan(b.committed, b.disk, {}, nothing_busy) == plan{});
    REQUIRE(make_plan(b.committed, b.disk, {id_of(2)}, nothing_busy).actions.size() == 1);
}

TEST_CASE("where only the versions are newer they are adopted and the disk is left alone") {
    both b;
    entry f = make(1, root_entry, "f", entry_type::file);
    b.put(f);
    f.content_version = log_index(9);
    b.committed.put(f);
    const plan p = b.settle({f.id});
    REQUIRE(kinds(p) == std::vector<kind>{kind::adopt});
    REQUIRE(p.actions[0].result.content_version == log_index(9));
    REQUIRE(b.settle({f.id}).actions.empty());
}

TEST_CASE("a move takes newer versions of the same content with it") {
    both b;
    entry f = make(1, root_entry, "f", entry_type::file);
    b.put(f);
    f.where.name = "g";
    f.content_version = f.placement_version = log_index(9);
    b.committed.put(f);
    REQUIRE(kinds(b.settle({f.id})) == std::vector<kind>{kind::move});
    REQUIRE_FALSE(difference(b.committed, b.disk));
}

TEST_CASE("attributes alone send no content") {
    both b;
    entry f = make(1, root_entry, "f", entry_type::file);
    b.put(f);
    f.mode = 0600;
    b.committed.put(f);
    REQUIRE(kinds(b.settle({f.id})) == std::vector<kind>{kind::set_attributes});
    REQUIRE_FALSE(difference(b.committed, b.disk));
}

TEST_CASE("a read-only directory is filled before it gets its mode") {
    both b;
    entry d = make(1, root_entry, "d", entry_type::directory);
    d.mode = 0555;
    b.committed.put(d);
    b.committed.put(make(2, d.id, "f", entry_type::file));
    const plan p = b.settle({d.id, id_of(2)});
    REQUIRE(kinds(p) == std::vector<kind>{kind::make_directory, kind::write_content, kind::set_attributes});
    REQUIRE_FALSE(difference(b.committed, b.disk));
}

TEST_CASE("a read-only directory is opened for a change in it and closed again") {
    both b;
    entry d = make(1, root_entry, "d", entry_type::directory);
    d.mode = 0555;
    b.put(d);
    b.committed.put(make(2, d.id, "f", entry_type::file));
    const plan p = b.settle({id_of(2)});
    REQUIRE(kinds(p) == std::vector<kind>{kind::set_attributes, kind::write_content, kind::set_attributes});
    REQUIRE_FALSE(difference(b.committed, b.disk));
}

TEST_CASE("a file gives way to a directory of its name, and the other way round") {
    both b;
    b.put(make(1, root_entry, "x", entry_type::file));
    b.put(make(2, root_entry, "y", entry_type::directory));
    b.put(make(3, id_of(2), "f", entry_type::file));
    b.committed = {};
    b.committed.put(make(4, root_entry, "x", entry_type::directory));
    b.committed.put(make(5, root_entry, "y", entry_type::file));
    b.settle({id_of(4), id_of(5)});
    REQUIRE_FALSE(difference(b.committed, b.disk));
}

TEST_CASE("what is undecided, and what is below it or would take its name, is deferred") {
    both b;
    b.put(make(1, root_entry, "d", entry_type::directory));
    b.put(make(2, root_entry, "busy", entry_type::file));
    b.committed.put(make(3, id_of(1), "below", entry_type::file));
    b.committed.erase(id_of(2));
    b.committed.put(make(4, root_entry, "busy", entry_type::file, 7));
    b.committed.put(make(5, root_entry, "free", entry_type::file));
    const auto busy = [](entry_id id) { return id == id_of(1) || id == id_of(2); };
    const plan p = make_plan(b.committed, b.disk, {id_of(2), id_of(3), id_of(4), id_of(5)}, busy);
    REQUIRE(kinds(p) == std::vector<kind>{kind::write_content});
    REQUIRE(p.actions[0].entry == id_of(5));
    REQUIRE(p.deferred == std::vector<entry_id>{id_of(2), id_of(3), id_of(4)});
    REQUIRE(p.rest.empty());
}

TEST_CASE("a directory with something undecided in it is not removed") {
    both b;
    b.put(make(1, root_entry, "d", entry_type::directory));
    b.put(make(2, id_of(1), "f", entry_type::file));
    b.committed = {};
    const plan p = make_plan(b.committed, b.disk, {id_of(1)}, [](entry_id id) { return id == id_of(2); });
    REQUIRE(p.actions.empty());
    REQUIRE(p.deferred == std::vector<entry_id>{id_of(1), id_of(2)});
}

TEST_CASE("a plan is bounded in steps and bytes, and the rest comes next") {
    both b;
    std::vector<entry_id> all;
    for (std::uint64_t i = 1; i <= 100; ++i) {
        b.committed.put(make(i, root_entry, std::to_string(i), entry_type::file, 10));
        all.push_back(id_of(i));
    }
    const plan by_steps = make_plan(b.committed, b.disk, all, nothing_busy, {7, 1000});
    REQUIRE(by_steps.actions.size() == 7);
    REQUIRE(by_steps.rest.size() == 93);
    const plan by_bytes = make_plan(b.committed, b.disk, all, nothing_busy, {1000, 50});
    REQUIRE(by_bytes.actions.size() == 5);
}

TEST_CASE("a directory left in staging whose entry went meanwhile comes back to be emptied") {
    both b;
    b.put(make(1, root_entry, "d", entry_type::directory));
    b.put(make(2, id_of(1), "f", entry_type::file));
    local_entry parked = *b.disk.find(id_of(1));
    parked.parked = true;
    REQUIRE_FALSE(b.disk.execute({kind::park, parked.id, "d", "", parked}));
    b.committed = {};
    b.settle({id_of(1), id_of(2)});
    REQUIRE_FALSE(difference(b.committed, b.disk));
}

TEST_CASE("any disk becomes any tree by steps that are all possible, in batches of any size") {
    std::size_t parks = 0;
    for (std::uint64_t seed = 0; seed < 4000; ++seed) {
        INFO("seed " << seed);
        random_generator random(seed);
        const std::uint64_t ids = 3 + random.below(25);
        const tree before = random_tree(random, ids);
        tree committed = random_tree(random, ids);
        disk_model disk;
        copy_to_disk(before, root_entry, disk);
        const plan_limits limits{1 + random.below(40), 1 + random.below(100)};
        std::vector<entry_id> todo = everything(committed, disk);
        for (int batch = 0; !todo.empty(); ++batch) {
            REQUIRE(batch < 500);
            // Half of the seeds change their mind between batches.
            if (seed % 2 == 1 && batch == 2) {
                committed = random_tree(random, ids);
                todo = everything(committed, disk);
            }
            const plan p = make_plan(committed, disk, todo, nothing_busy, limits);
            REQUIRE(p.deferred.empty());
            for (const action& a : p.actions) {
                if (a.what == kind::park) ++parks;
                const auto error = disk.execute(a);
                INFO(error.value_or("") << " by " << static_cast<int>(a.what) << " " << a.path << " " << a.to_path);
                REQUIRE_FALSE(error);
            }
            todo = p.rest;
        }
        const auto wrong = difference(committed, disk);
        INFO(wrong.value_or(""));
        REQUIRE_FALSE(wrong);
        REQUIRE(make_plan(committed, disk, everything(committed, disk), nothing_busy) == plan{});
    }
    REQUIRE(parks > 100);
}

TEST_CASE("whatever is undecided, nothing of it is touched, the steps are possible, and the end is the same") {
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        INFO("seed " << seed);
        random_generator random(seed);
        const std::uint64_t ids = 3 + random.below(20);
        const tree before = random_tree(random, ids);
        const tree committed = random_tree(random, ids);
        disk_model disk;
        copy_to_disk(before, root_entry, disk);
        std::set<entry_id> busy;
        for (const auto& [id, unused] : disk.all()) {
            if (random.one_in(4)) busy.insert(id);
        }
        std::vector<entry_id> todo = everything(committed, disk);
        for (int batch = 0; !todo.empty(); ++batch) {
            REQUIRE(batch < 500);
            const auto is_busy = [&](entry_id id) { return busy.count(id) != 0; };
            const plan p = make_plan(committed, disk, todo, is_busy, {9, 100});
            for (const action& a : p.actions) {
                REQUIRE(busy.count(a.entry) == 0);
                const auto error = disk.execute(a);
                INFO(error.value_or("") << " by " << static_cast<int>(a.what) << " " << a.path << " " << a.to_path);
                REQUIRE_FALSE(error);
            }
            todo = p.rest;
            todo.insert(todo.end(), p.deferred.begin(), p.deferred.end());
            if (p.actions.empty() && !busy.empty()) busy.erase(busy.begin());
        }
        const auto wrong = difference(committed, disk);
        INFO(wrong.value_or(""));
        REQUIRE_FALSE(wrong);
    }
}
