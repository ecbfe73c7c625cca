// What a power failure takes from a simulated disk, and what it must leave.
#include <tests/catch.hpp>

#include <sim/disk/sim_disk.hpp>

#include <set>

using namespace lockstep;
using namespace lockstep::sim;

namespace {

std::string content_of(const sim_disk& disk, std::string_view path) {
    const inode_ptr inode = disk.find(path);
    return inode ? std::string(as_text(inode->content)) : "(none)";
}

struct fixture {
    explicit fixture(std::uint64_t seed) : w(seed), disk(w, 1) { root = disk.open_directory(sim_disk::user, "/").value(); }

    sim_disk::fd make(std::string_view name, std::string_view content) {
        const auto f = disk.open_file(sim_disk::user, root, name, open_mode::create_or_open, 0644).value();
        REQUIRE(disk.write_at(f, 0, as_bytes(content)));
        return f;
    }
    void lose_power() {
        disk.lose_power();
        root = disk.open_directory(sim_disk::user, "/").value();
    }

    world w;
    sim_disk disk;
    sim_disk::fd root = 0;
};

}  // namespace

TEST_CASE("what was synced, with its directory, survives every power failure") {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        fixture f(seed);
        const auto file = f.make("a", "first");
        REQUIRE(f.disk.sync(file, false));
        REQUIRE(f.disk.sync_directory(f.root));
        f.lose_power();
        REQUIRE(content_of(f.disk, "/a") == "first");
        f.lose_power();
        REQUIRE(content_of(f.disk, "/a") == "first");
    }
}

TEST_CASE("a name that was never synced may vanish although its data was synced") {
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        fixture f(seed);
        REQUIRE(f.disk.sync(f.make("a", "first"), true));
        f.lose_power();
        seen.insert(content_of(f.disk, "/a"));
    }
    CHECK(seen == std::set<std::string>{"(none)", "first"});
}

TEST_CASE("an unsynced overwrite is lost, kept or torn at sectors") {
    const std::string old(2048, 'o');
    const std::string fresh(2048, 'n');
    bool lost = false, kept = false, torn = false;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        fixture f(seed);
        const auto file = f.make("a", old);
        REQUIRE(f.disk.sync(file, false));
        REQUIRE(f.disk.sync_directory(f.root));
        REQUIRE(f.disk.write_at(file, 0, as_bytes(fresh)));
        REQUIRE(content_of(f.disk, "/a") == fresh);
        f.lose_power();
        const std::string left = content_of(f.disk, "/a");
        REQUIRE(left.size() == old.size());
        for (std::size_t sector = 0; sector < left.size(); sector += sector_bytes) {
            const auto part = left.substr(sector, sector_bytes);
            REQUIRE((part == old.substr(0, sector_bytes) || part == fresh.substr(0, sector_bytes)));
        }
        lost = lost || left == old;
        kept = kept || left == fresh;
        torn = torn || (left != old && left != fresh);
        const unsynced_counts& counts = f.disk.unsynced();
        CHECK(counts.lost + counts.kept + counts.torn == 1);
        if (left != old && left != fresh) CHECK(counts.torn == 1);
    }
    CHECK((lost && kept && torn));
}

TEST_CASE("a failed sync is final: a later one that succeeds does not bring its data back") {
    bool lost = false;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        fixture f(seed);
        const auto file = f.make("a", "old");
        REQUIRE(f.disk.sync(file, false));
        REQUIRE(f.disk.sync_directory(f.root));
        REQUIRE(f.disk.write_at(file, 0, as_bytes("new")));
        REQUIRE(f.disk.sync_failing(file).error() == errc::io_error);
        REQUIRE(f.disk.write_at(file, 3, as_bytes("+")));
        REQUIRE(f.disk.sync(file, false));
        f.lose_power();
        const auto left = content_of(f.disk, "/a");
        REQUIRE((left == "new+" || left == "old+"));
        lost = lost || left == "old+";
    }
    CHECK(lost);
}

TEST_CASE("an exchange is whole or absent, and never loses either file") {
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        fixture f(seed);
        REQUIRE(f.disk.make_directory(f.root, "d", 0755));
        const auto d = f.disk.open_directory_at(sim_disk::user, f.root, "d").value();
        REQUIRE(f.disk.sync(f.make("a", "A"), true));
        const auto b = f.disk.open_file(sim_disk::user, d, "b", open_mode::create_new, 0644).value();
        REQUIRE(f.disk.write_at(b, 0, as_bytes("B")));
        REQUIRE(f.disk.sync(b, true));
        REQUIRE(f.disk.sync_directory(d));
        REQUIRE(f.disk.sync_directory(f.root));
        REQUIRE(f.disk.rename(f.root, "a", d, "b", rename_mode::exchange));
        f.lose_power();
        seen.insert(content_of(f.disk, "/a") + content_of(f.disk, "/d/b"));
    }
    CHECK(seen == std::set<std::string>{"AB", "BA"});
}

TEST_CASE("a file moved between directories stands in one of them after a power failure") {
    std::set<std::string> seen;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        fixture f(seed);
        REQUIRE(f.disk.sync(f.make("a", "A"), true));
        REQUIRE(f.disk.sync_directory(f.root));
        REQUIRE(f.disk.make_directory(f.root, "d", 0755));
        const auto d = f.disk.open_directory_at(sim_disk::user, f.root, "d").value();
        REQUIRE(f.disk.rename(f.root, "a", d, "b", rename_mode::replace));
        if (seed % 2 == 0) REQUIRE(f.disk.sync_directory(d));
        f.lose_power();
        const bool old_place = content_of(f.disk, "/a") == "A";
        const bool new_place = content_of(f.disk, "/d/b") == "A";
        REQUIRE(old_place != new_place);
        if (seed % 2 == 0) REQUIRE(new_place);
        seen.insert(old_place ? "old" : "new");
    }
    CHECK(seen.size() == 2);
}

TEST_CASE("syncing a directory does not sync the name of the directory itself") {
    bool vanished = false;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        fixture f(seed);
        REQUIRE(f.disk.make_directory(f.root, "d", 0755));
        const auto d = f.disk.open_directory_at(sim_disk::user, f.root, "d").value();
        const auto b = f.disk.open_file(sim_disk::user, d, "b", open_mode::create_new, 0644).value();
        REQUIRE(f.disk.sync(b, true));
        REQUIRE(f.disk.rename(d, "b", d, "c", rename_mode::replace));
        REQUIRE(f.disk.sync_directory(d));
        f.lose_power();
        vanished = vanished || !f.disk.find("/d");
        if (f.disk.find("/d")) REQUIRE(f.disk.find("/d/c"));
    }
    CHECK(vanished);
}

TEST_CASE("a removed directory is not lost before it was emptied") {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        fixture f(seed);
        REQUIRE(f.disk.make_directory(f.root, "d", 0755));
        REQUIRE(f.disk.make_directory(f.root, "e", 0755));
        const auto d = f.disk.open_directory_at(sim_disk::user, f.root, "d").value();
        const auto e = f.disk.open_directory_at(sim_disk::user, f.root, "e").value();
        const auto file = f.disk.open_file(sim_disk::user, d, "f", open_mode::create_new, 0644).value();
        REQUIRE(f.disk.write_at(file, 0, as_bytes("F")));
        REQUIRE(f.disk.sync(file, true));
        REQUIRE(f.disk.sync_directory(d));
        REQUIRE(f.disk.sync_directory(f.root));
        REQUIRE(f.disk.rename(d, "f", e, "f", rename_mode::replace));
        REQUIRE(f.disk.remove_directory(f.root, "d"));
        if (seed % 3 == 0) REQUIRE(f.disk.sync_directory(f.root));
        f.lose_power();
        REQUIRE((content_of(f.disk, "/d/f") == "F") != (content_of(f.disk, "/e/f") == "F"));
        if (seed % 3 == 0) REQUIRE(!f.disk.find("/d"));
    }
}

TEST_CASE("an unlinked file lives while it is open, and its number comes back afterwards") {
    fixture f(1);
    const auto file = f.make("a", "A");
    const auto number = f.disk.status(file)->inode;
    REQUIRE(f.disk.remove_file(f.root, "a"));
    std::array<std::byte, 4> out{};
    CHECK(f.disk.read_at(file, 0, out).value() == 1);
    CHECK(f.disk.status(file)->links == 0);
    f.disk.close(file);
    REQUIRE(f.disk.sync_directory(f.root));
    CHECK(f.disk.status(f.make("b", "B"))->inode == number);
}

TEST_CASE("a full disk refuses to grow a file and keeps what it has") {
    fixture f(1);
    f.disk.set_capacity(10);
    const auto file = f.make("a", "12345678");
    CHECK(f.disk.write_at(file, 8, as_bytes("901")).error() == errc::no_space);
    CHECK(content_of(f.disk, "/a") == "12345678");
    CHECK(f.disk.write_at(file, 8, as_bytes("90")));
    REQUIRE(f.disk.resize(file, 0));
    CHECK(f.disk.available_bytes() == 10);
}
