// What findings become, and what becomes of what was decided: without a disk. A log of one total order stands for the cluster.
#include <lockstep/sync/edit_tracker.hpp>

#include <tests/catch.hpp>
#include <tests/folder/origin.hpp>

#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace lockstep;
using folder::operation;
using folder::outcome_kind;
using kind = sync::finding::kind;

namespace {

file_status on_disk(std::uint64_t inode, file_type type = file_type::regular, std::uint32_t mode = 0644) {
    return {type, mode, 0, 1, inode, 1, 1000, 1000, static_cast<std::int64_t>(inode)};
}

struct tracked {
    tracked() {
        log.add(other.open());
        folder::command open;
        open.session = mine;
        log.add(open);
        tracker.start(mine, {});
    }

    static sync::finding about(kind what, const std::string& path, const file_status& disk, const std::string& text = {}) {
        sync::finding f;
        f.what = what;
        f.path = path;
        f.disk = disk;
        f.settled = f.still = true;
        if (disk.type == file_type::directory) return f;
        f.content = shared_bytes::copy_of(text);
        f.hash = sha256(f.content.view());
        f.size = f.content.size();
        f.content_changed = what == kind::changed;
        return f;
    }
    void appears(const std::string& path, std::uint64_t inode, const std::string& text) {
        tracker.find(about(kind::appeared, path, on_disk(inode), text), generation);
    }
    void makes(const std::string& path, std::uint64_t inode) {
        tracker.find(about(kind::appeared, path, on_disk(inode, file_type::directory, 0755)), generation);
    }
    void changes(const std::string& path, std::uint64_t inode, const std::string& text) {
        auto f = about(kind::changed, path, on_disk(inode), text);
        f.entry = tracker.local().resolve(path).value();
        tracker.find(f, generation);
    }
    void vanishes(const std::string& path, bool settled = true) {
        sync::finding f;
        f.what = kind::vanished;
        f.path = path;
        f.entry = tracker.local().resolve(path).value();
        f.settled = f.still = settled;
        tracker.find(f, generation);
    }
    void moves(const std::string& path, const std::string& to, bool settled = true) {
        sync::finding f;
        f.what = kind::moved;
        f.path = to;
        f.entry = tracker.local().resolve(path).value();
        f.disk = tracker.local().find(f.entry)->disk;
        f.settled = f.still = settled;
        tracker.find(f, generation);
    }
    /// What is proposed and not in the log yet.
    std::vector<folder::command>& proposed() {
        for (auto& c : tracker.take_commands()) waiting.push_back(std::move(c));
        return waiting;
    }
    /// All that was proposed is decided.
    std::vector<outcome_kind> decide() {
        std::vector<outcome_kind> kinds;
        proposed();
        for (const auto& c : std::exchange(waiting, {})) {
            const auto outcome = log.add(c);
            tracker.decided(log.last, c, outcome, log.committed);
            kinds.push_back(outcome.kind);
        }
        return kinds;
    }
    const sync::local_record& local(const std::string& path) {
        return *tracker.local().find(tracker.local().resolve(path).value());
    }

    const session_id mine{node_id(1), 1};
    folder::test::origin other{2};
    folder::test::history log;
    sync::edit_tracker tracker;
    std::uint64_t generation = 1;
    std::vector<folder::command> waiting;
};

using kinds_t = std::vector<outcome_kind>;

const entry_id known{session_id{node_id(1), 1}, 1};

sync::edit_tracker tracker_with_a_file() {
    sync::local_record record;
    record.id = known;
    record.where = {root_entry, "f"};
    record.type = folder::entry_type::file;
    sync::local_tree local;
    local.put(record);
    sync::edit_tracker tracker;
    tracker.start(session_id{node_id(1), 2}, local);
    return tracker;
}

sync::finding unreadable() {
    sync::finding found;
    found.what = sync::finding::kind::unreadable;
    found.path = "f";
    found.entry = known;
    return found;
}

}  // namespace

TEST_CASE("what appears is created, in a directory that was itself found") {
    tracked t;
    t.makes("d", 10);
    t.appears("d/f", 11, "content");
    REQUIRE(t.proposed().size() == 2);
    CHECK(t.proposed()[0].what == operation::create);
    CHECK(t.proposed()[0].type == folder::entry_type::directory);
    CHECK(t.proposed()[1].where.parent == t.proposed()[0].entry);
    CHECK(t.proposed()[1].path == "d/f");
    CHECK(as_text(t.proposed()[1].content.view()) == "content");
    CHECK(t.proposed()[1].sequence == t.proposed()[0].sequence + 1);
    CHECK(t.tracker.proposal_bytes() == 7);
    CHECK(t.decide() == kinds_t{outcome_kind::applied, outcome_kind::applied});
    CHECK(t.tracker.proposal_bytes() == 0);
    CHECK(t.log.has("d/f"));
    CHECK(t.local("d/f").content_version == t.log.at("d/f").content_version);
    CHECK(t.tracker.take_unconfirmed().size() == 2);
}

TEST_CASE("what appears in a directory that nobody knows is looked for again, from the directory on") {
    tracked t;
    t.appears("d/f", 11, "content");
    CHECK(t.proposed().empty());
    const auto looks = t.tracker.take_looks();
    REQUIRE(looks.size() == 1);
    CHECK(looks[0].target.path == "d");
    CHECK(looks[0].target.deep);
}

TEST_CASE("an entry has one undecided command, and a change that comes meanwhile is looked at once that is decided") {
    tracked t;
    t.appears("f", 10, "one");
    t.changes("f", 10, "two");
    t.changes("f", 10, "three");
    CHECK(t.proposed().size() == 1);
    CHECK(t.tracker.is_busy(t.proposed()[0].entry));
    CHECK(t.tracker.oldest_generation() == 1);
    CHECK(t.tracker.take_looks().empty());
    t.decide();
    CHECK_FALSE(t.tracker.is_busy(t.log.at("f").id));
    const auto looks = t.tracker.take_looks();
    REQUIRE_FALSE(looks.empty());
    for (const auto& l : looks) CHECK(l.target.path == "f");
    CHECK_FALSE(t.tracker.oldest_generation());
    // The look finds the last content, and its base is what was decided.
    t.changes("f", 10, "three");
    REQUIRE(t.proposed().size() == 1);
    CHECK(t.proposed()[0].what == operation::write);
    CHECK(t.proposed()[0].content_base == t.log.at("f").content_version);
    CHECK(t.decide() == kinds_t{outcome_kind::applied});
    CHECK(t.log.committed.size() == 1);
}

TEST_CASE("an edit that lost is a copy, and the next edit of the user's is made from what was decided for the entry") {
    tracked t;
    t.appears("f", 10, "base");
    t.decide();
    t.changes("f", 10, "mine");
    t.proposed();
    t.log.add(t.other.write(t.log.committed, t.log.at("f"), "theirs, first"));
    const auto before = t.log.at("f");
    CHECK(t.decide() == kinds_t{outcome_kind::conflict_copy});
    CHECK(t.log.at("f") == before);
    CHECK(t.log.committed.size() == 2);
    // This disk still has what lost: it keeps its old base, so that the planner overwrites it.
    CHECK(t.local("f").content_version < before.content_version);
    CHECK(t.tracker.take_stale().contains(before.id));

    // A save before the planner came: from the old base too, so it is kept as well.
    t.changes("f", 10, "mine again");
    REQUIRE(t.proposed().size() == 1);
    CHECK(t.proposed()[0].content_base < before.content_version);
    CHECK(t.decide() == kinds_t{outcome_kind::conflict_copy});
    CHECK(t.log.committed.size() == 3);
}

TEST_CASE("a new file that another node made first is a copy of its own, and later edits have the copy as base") {
    tracked t;
    t.appears("f", 10, "mine");
    t.proposed();
    t.log.add(t.other.create(t.log.committed, "f", folder::entry_type::file, "theirs"));
    CHECK(t.decide() == kinds_t{outcome_kind::conflict_copy});
    const auto copy = t.local("f");
    CHECK(copy.id.session == t.mine);
    CHECK(copy.content_version == t.log.last);
    t.changes("f", 10, "mine, saved again");
    CHECK(t.decide() == kinds_t{outcome_kind::applied});
    CHECK(as_text(as_bytes(t.log.committed.path_of(copy.id).value())).find("conflict") != std::string::npos);
    CHECK(t.log.committed.find(copy.id)->size == 17);
}

TEST_CASE("the same directory made on two nodes is one, under the id that came first, with what stands in it here") {
    tracked t;
    t.makes("d", 10);
    t.appears("d/f", 11, "inside");
    t.proposed();
    t.log.add(t.other.create(t.log.committed, "d", folder::entry_type::directory));
    const auto theirs = t.log.at("d").id;
    CHECK(t.decide() == kinds_t{outcome_kind::merged, outcome_kind::applied});
    CHECK(t.local("d").id == theirs);
    CHECK(t.local("d/f").where.parent == theirs);
    CHECK(t.log.has("d/f"));
}

TEST_CASE("what is missing is believed at the second settled look where all is still, or after many") {
    tracked t;
    t.appears("f", 10, "x");
    t.decide();
    t.vanishes("f");
    CHECK(t.proposed().empty());
    auto looks = t.tracker.take_looks();
    REQUIRE_FALSE(looks.empty());
    CHECK(looks.back().target.settled);
    CHECK(looks.back().after > duration{});
    SECTION("still") {
        t.vanishes("f");
        REQUIRE(t.proposed().size() == 1);
        CHECK(t.proposed()[0].what == operation::remove);
        CHECK(t.proposed()[0].content_base == t.log.at("f").content_version);
        CHECK(t.decide() == kinds_t{outcome_kind::applied});
        CHECK_FALSE(t.log.has("f"));
    }
    SECTION("it came back") {
        t.changes("f", 10, "back");
        t.decide();
        t.vanishes("f");
        CHECK(t.proposed().empty());
    }
    SECTION("it moved") {
        t.moves("f", "g");
        REQUIRE(t.proposed().size() == 1);
        CHECK(t.proposed()[0].what == operation::move);
        CHECK(t.proposed()[0].content.empty());
        t.decide();
        CHECK(t.log.has("g"));
        CHECK(t.local("g").placement_version == t.log.at("g").placement_version);
    }
}

// A pass had been through the directory to which a file was moved; the next one found it there, and missed it at its old place again.
TEST_CASE("a look that is not settled does not use up that something was seen elsewhere") {
    tracked t;
    t.appears("f", 10, "x");
    t.decide();
    t.vanishes("f", false);
    t.moves("f", "g", false);
    t.vanishes("f", false);
    t.vanishes("f");
    CHECK(t.proposed().empty());   // it was not looked at there yet
    SECTION("it is there") {
        t.moves("f", "g");
        REQUIRE(t.proposed().size() == 1);
        CHECK(t.proposed()[0].what == operation::move);
    }
    SECTION("it is not any more") {
        t.vanishes("f");
        REQUIRE(t.proposed().size() == 1);
        CHECK(t.proposed()[0].what == operation::remove);
    }
}

TEST_CASE("what differs after a loss of power, and nobody changed since, is kept beside what the cluster has") {
    tracked t;
    t.appears("f", 10, "x");
    t.decide();
    sync::local_tree state = t.tracker.local();
    auto record = t.local("f");
    record.certain = false;
    record.doubted = true;
    state.put(record);
    t.tracker.start(t.mine, state);
    SECTION("under the same") {
        t.changes("f", 10, "y");
        CHECK(t.decide() == kinds_t{outcome_kind::conflict_copy});
        CHECK(t.log.at("f").hash == sha256(as_bytes("x")));
    }
    SECTION("under an older mtime that the power brought back") {
        auto f = tracked::about(kind::changed, "f", on_disk(10), "y");
        f.disk.mtime_ns -= 1;
        f.entry = record.id;
        t.tracker.find(f, t.generation);
        CHECK(t.decide() == kinds_t{outcome_kind::conflict_copy});
    }
    SECTION("under a later ctime") {
        auto f = tracked::about(kind::changed, "f", on_disk(10), "y");
        f.disk.ctime_ns += 1;
        f.entry = record.id;
        t.tracker.find(f, t.generation);
        CHECK(t.decide() == kinds_t{outcome_kind::applied});
    }
    SECTION("not at all") {
        auto f = tracked::about(kind::refreshed, "f", on_disk(10), "x");
        f.entry = record.id;
        t.tracker.find(f, t.generation);
        t.changes("f", 10, "y");
        CHECK(t.decide() == kinds_t{outcome_kind::applied});
    }
}

TEST_CASE("something else in the place of what was seen elsewhere is told after that") {
    tracked t;
    t.appears("f", 1, "first");
    t.decide();
    t.moves("f", "g");   // not believed yet
    (void)t.tracker.take_looks();
    t.changes("f", 2, "second");
    CHECK(t.proposed().empty());
    const auto looks = t.tracker.take_looks();
    REQUIRE(looks.size() == 2);
    CHECK(looks[0].target.path == "g");
    CHECK(looks[1].target.path == "f");
    SECTION("it is there") {
        t.appears("g", 1, "first");
        t.changes("f", 2, "second");
        REQUIRE(t.proposed().size() == 2);
        CHECK(t.proposed()[0].what == operation::create);
        CHECK(t.proposed()[1].what == operation::write);
    }
    SECTION("that it moved is not believed yet") {
        auto f = tracked::about(kind::moved, "g", on_disk(1));
        f.entry = t.tracker.local().resolve("f").value();
        f.settled = false;
        t.tracker.find(f, t.generation);
        t.changes("f", 2, "second");
        REQUIRE(t.proposed().size() == 1);   // it is not looked at for ever
        CHECK(t.proposed()[0].what == operation::write);
    }
}

TEST_CASE("a directory that vanished is removed from below, and waits for what is undecided in it") {
    tracked t;
    t.makes("d", 10);
    t.makes("d/e", 11);
    t.appears("d/e/f", 12, "x");
    t.decide();
    t.appears("d/new", 13, "undecided");
    t.vanishes("d");
    t.vanishes("d");
    CHECK(t.proposed().size() == 1);   // the new file's alone
    t.tracker.take_looks();
    t.decide();
    const auto looks = t.tracker.take_looks();
    REQUIRE_FALSE(looks.empty());
    CHECK(looks[0].target.path == "d");
    t.vanishes("d");
    std::vector<std::string> removed;
    for (const auto& c : t.proposed()) {
        CHECK(c.what == operation::remove);
        removed.push_back(c.path);
    }
    CHECK(removed == std::vector<std::string>{"d/e/f", "d/e", "d/new", "d"});
    t.decide();
    CHECK(t.log.committed.size() == 0);
    CHECK(t.tracker.local().size() == 0);
}

TEST_CASE("a change of type is one command, and a new entry") {
    tracked t;
    t.appears("f", 10, "x");
    t.decide();
    const auto old = t.log.at("f").id;
    auto f = t.about(kind::changed, "f", on_disk(11, file_type::symlink, 0777), "target");
    f.entry = old;
    t.tracker.find(f, 1);
    REQUIRE(t.proposed().size() == 1);
    CHECK(t.proposed()[0].what == operation::replace);
    CHECK(t.proposed()[0].entry == old);
    CHECK(t.tracker.is_busy(old));
    CHECK(t.tracker.is_busy(t.local("f").id));
    CHECK(t.decide() == kinds_t{outcome_kind::applied});
    CHECK(t.log.at("f").type == folder::entry_type::symlink);
    CHECK(t.log.at("f").id == t.local("f").id);
    CHECK_FALSE(t.tracker.is_busy(old));
}

TEST_CASE("changed attributes are a command without content") {
    tracked t;
    t.appears("f", 10, "x");
    t.decide();
    sync::finding f = t.about(kind::changed, "f", on_disk(10, file_type::regular, 0600));
    f.entry = t.log.at("f").id;
    f.content_changed = false;
    f.content = {};
    t.tracker.find(f, 1);
    REQUIRE(t.proposed().size() == 1);
    CHECK(t.proposed()[0].what == operation::set_attributes);
    CHECK(t.proposed()[0].content.empty());
    t.decide();
    CHECK(t.log.at("f").mode == 0600);
    CHECK(t.local("f").hash == t.log.at("f").hash);
}

TEST_CASE("what was read within the clock's grain is looked at again, for a barrier that comes later") {
    tracked t;
    auto f = t.about(kind::appeared, "f", on_disk(10), "x");
    f.certain = false;
    t.tracker.find(f, 5);
    CHECK_FALSE(t.local("f").certain);
    const auto looks = t.tracker.take_looks();
    REQUIRE(looks.size() == 1);
    CHECK(looks[0].after > duration{});
    CHECK(looks[0].generation == 6);
}

TEST_CASE("what cannot be replicated is named, and in the way until a look does not find it again") {
    tracked t;
    t.appears("f", 10, "x");
    t.decide();
    const auto id = t.log.at("f").id;
    for (const kind what : {kind::invalid_name, kind::unreadable}) {
        sync::finding f;
        f.what = what;
        f.path = "f";
        f.entry = id;
        t.tracker.find(f, 1);
        CHECK(t.tracker.is_busy(id));
        CHECK(t.tracker.skipped().contains("f"));
        t.tracker.forget_skipped({"f", false, false, false});
        t.tracker.looked();
        CHECK_FALSE(t.tracker.is_busy(id));
        CHECK(t.tracker.skipped().empty());
    }
    sync::finding special;
    special.what = kind::special;
    special.path = "socket";
    t.tracker.find(special, 1);
    CHECK(t.tracker.skipped().contains("socket"));
    CHECK(t.tracker.blocked().empty());
    CHECK(t.proposed().empty());
}

TEST_CASE("an edit that was taken aside is proposed from what it was made from, and let go once it is safe") {
    tracked t;
    t.appears("f", 10, "base");
    t.decide();
    sync::displaced_item item{"new-1-0", "f", t.local("f")};
    t.log.add(t.other.write(t.log.committed, t.log.at("f"), "the cluster's"));
    const auto edit = t.about(kind::changed, "f", on_disk(10), "a user's");
    REQUIRE(t.tracker.find_displaced(item, edit, 3));
    REQUIRE(t.proposed().size() == 1);
    CHECK(t.proposed()[0].what == operation::write);
    CHECK(t.proposed()[0].content_base == item.expected.content_version);
    // Another edit of the entry waits its turn.
    CHECK_FALSE(t.tracker.find_displaced(item, edit, 3));
    CHECK(t.tracker.take_released().empty());
    CHECK(t.decide() == kinds_t{outcome_kind::conflict_copy});
    CHECK(t.tracker.take_released() == std::vector<std::string>{"new-1-0"});
    CHECK(t.tracker.take_refused().empty());
    CHECK(t.log.committed.size() == 2);
}

TEST_CASE("a decision that comes twice, or of another session, changes nothing") {
    tracked t;
    t.appears("f", 10, "x");
    const auto command = t.proposed().at(0);
    t.decide();
    const auto before = t.local("f");
    t.tracker.take_stale();
    const auto again = t.log.add(command);
    CHECK(again.kind == outcome_kind::duplicate);
    t.tracker.decided(t.log.last, command, again, t.log.committed);
    CHECK(t.local("f") == before);
    CHECK(t.tracker.take_stale().empty());
    CHECK(t.tracker.proposals().empty());
}

TEST_CASE("what could not be read is let go once a look finds nothing in the way") {
    for (const sync::scan_target& look :
         {sync::scan_target{"f", false, false, false}, sync::scan_target{"", true, false, false},
          sync::scan_target{"", true, true, false}}) {
        auto tracker = tracker_with_a_file();
        tracker.find(unreadable(), 1);
        CHECK(tracker.is_busy(known));
        CHECK(tracker.skipped().contains("f"));

        tracker.forget_skipped(look);
        tracker.find(unreadable(), 2);
        tracker.looked();
        CHECK(tracker.is_busy(known));
        CHECK(tracker.take_stale().empty());

        tracker.forget_skipped(look);
        tracker.looked();
        CHECK(!tracker.is_busy(known));
        CHECK(tracker.skipped().empty());
        CHECK(tracker.take_stale() == std::set<entry_id>{known});
    }
}

// Swarm seed 1007892: a node waited for ever for what was gone with its directory.
TEST_CASE("what could not be read and is gone with its directory is in nobody's way") {
    tracked t;
    t.makes("d", 10);
    t.appears("d/f", 11, "x");
    t.decide();
    const entry_id f = t.tracker.local().resolve("d/f").value();
    auto found = tracked::about(kind::unreadable, "d/f", on_disk(11));
    found.entry = f;
    t.tracker.find(found, 1);
    CHECK(t.tracker.is_busy(f));
    SECTION("with it") {
        t.vanishes("d");
        t.vanishes("d");
    }
    SECTION("by a file that is in its place") {
        auto file = tracked::about(kind::changed, "d", on_disk(20), "a file");
        file.entry = t.tracker.local().resolve("d").value();
        t.tracker.find(file, 2);
    }
    t.decide();
    CHECK_FALSE(t.log.committed.find(f));
    CHECK_FALSE(t.tracker.local().find(f));
    CHECK_FALSE(t.tracker.is_busy(f));
}

TEST_CASE("what cannot be read is looked at again, by and by") {
    auto tracker = tracker_with_a_file();
    tracker.find(unreadable(), 7);
    const auto looks = tracker.take_looks();
    REQUIRE(looks.size() == 1);
    CHECK(looks[0].target.path == "f");
    CHECK(looks[0].after >= std::chrono::seconds(5));
    CHECK(looks[0].generation > 7);   // a barrier does not wait for it
}

TEST_CASE("what is being written at so many looks in a row is read as it is") {
    tracked t;
    auto f = tracked::about(kind::unsettled, "log", on_disk(7));
    for (unsigned times = 1; times <= 6; ++times) {
        t.tracker.find(f, 3);
        const auto looks = t.tracker.take_looks();
        REQUIRE(looks.size() == 1);
        CHECK(looks[0].generation == 3);
        CHECK(looks[0].target.unsettled == times);
        CHECK(looks[0].target.written == (times < 5 ? sync::open_file::between_writes : sync::open_file::take));
        f.unsettled = looks[0].target.unsettled;
        f.unsettled_since = looks[0].target.unsettled_since;
    }
}

TEST_CASE("a file that could be read between looks at which it was being written is not read as it is") {
    auto tracker = tracker_with_a_file();
    sync::finding f;
    f.what = kind::unsettled;
    f.path = "f";
    f.unsettled = 4;
    f.unsettled_since = sha256(as_bytes("what it held four looks ago"));
    tracker.find(f, 3);
    const auto looks = tracker.take_looks();
    REQUIRE(looks.size() == 1);
    CHECK(looks[0].target.unsettled == 1);
    CHECK(looks[0].target.written == sync::open_file::between_writes);
}

TEST_CASE("what is held open and not certain is not looked at again by itself") {
    tracked t;
    auto f = tracked::about(kind::appeared, "log", on_disk(7), "text");
    f.certain = false;
    f.held = true;
    t.tracker.find(f, 3);
    CHECK(t.tracker.take_looks().empty());
    CHECK(t.proposed().size() == 1);
    CHECK(!t.local("log").certain);
}

TEST_CASE("what was found as it was recorded is said to be certain once, and what drifted only when it was recorded again") {
    sync::edit_tracker tracker = tracker_with_a_file();
    sync::local_record uncertain = *tracker.local().find(known);
    uncertain.disk = on_disk(7);
    uncertain.certain = false;
    tracker.placed(uncertain);
    sync::finding f;
    f.what = kind::refreshed;
    f.path = "f";
    f.entry = known;
    f.disk = on_disk(7);
    tracker.find(f, 1);
    CHECK(tracker.take_settled() == std::vector<entry_id>{known});
    tracker.find(f, 1);
    CHECK(tracker.take_settled().empty());

    // The same content in another file, that nobody synced: first uncertain, then certain.
    f.disk = on_disk(8);
    f.certain = false;
    tracker.find(f, 1);
    f.certain = true;
    tracker.find(f, 1);
    CHECK(tracker.take_settled().empty());

    tracker.recorded(known);
    f.certain = false;
    tracker.find(f, 1);
    f.certain = true;
    tracker.find(f, 1);
    CHECK(tracker.take_settled() == std::vector<entry_id>{known});
}
