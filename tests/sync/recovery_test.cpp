// What a start makes of things that a run left in staging.
#include <tests/sync/disk_fixture.hpp>

using namespace lockstep;
using namespace lockstep::sync;
using namespace sync_test;
using namespace std::chrono_literals;

namespace {

constexpr entry_id lost{{node_id(3), 2}, 5};
const std::string staging = ".lockstep/staging/";

/// A committed file of that content.
folder::entry committed_file(const std::string& content) {
    folder::entry e;
    e.id = lost;
    e.where = {root_entry, "c"};
    e.type = folder::entry_type::file;
    e.mode = 0644;
    e.hash = sha256(as_bytes(content));
    e.size = content.size();
    e.content_version = e.placement_version = log_index(48);
    return e;
}

struct parked_world : disk_world {
    recovered_disk recover(const folder::tree& committed) {
        journal_state state;
        auto changes = changed_since(state.synced, committed);
        return disk_recovery<files>(fs(), root(), std::move(state), std::move(changes)).run();
    }
};

}  // namespace

TEST_CASE("names of parked things tell their entries") {
    CHECK(entry_of_parked(parked_name(lost)) == lost);
    for (const char* name : {"", "parked-", "parked-3-2", "parked-3-2-", "parked-3-2-5-", "parked-3-2-x", "parked-03-2-5", "new-3-2-5", "parked-3-2-5-1"}) {
        INFO(name);
        CHECK(!entry_of_parked(name));
    }
}

TEST_CASE("a parked file that no record knows is looked at as an edit of what the cluster has") {
    parked_world w;
    w.write(staging + parked_name(lost), "what was committed, and more");
    folder::tree committed;
    committed.put(committed_file("what was committed"));
    const auto recovered = w.recover(committed);
    REQUIRE(recovered.displaced.size() == 1);
    const displaced_item& item = recovered.displaced.front();
    CHECK(item.staged == parked_name(lost));
    CHECK(item.path == "c");
    CHECK(item.expected.id == lost);
    CHECK(item.expected.content_version == log_index());   // whoever else edited it since does not lose by it
    auto dir = w.fs().open_directory("/r/.lockstep/staging").value();
    CHECK(look_at_displaced(w.fs(), dir, item.staged, item.expected) == displaced_state::edited);
}

TEST_CASE("a parked file that holds what the cluster has is nobody's edit") {
    parked_world w;
    w.write(staging + parked_name(lost), "what was committed");
    folder::tree committed;
    committed.put(committed_file("what was committed"));
    const auto recovered = w.recover(committed);
    REQUIRE(recovered.displaced.size() == 1);
    auto dir = w.fs().open_directory("/r/.lockstep/staging").value();
    CHECK(look_at_displaced(w.fs(), dir, recovered.displaced[0].staged, recovered.displaced[0].expected) == displaced_state::expected);
}

TEST_CASE("parked things that neither a record nor the cluster knows come back to the top level") {
    parked_world w;
    w.write(staging + parked_name(lost), "a user's");
    w.make_directory(staging + "parked-1-1-1");
    w.write(staging + "parked-1-1-1/inside", "also");
    w.write("returned-3-2-5", "came back before");
    const auto recovered = w.recover({});
    CHECK(recovered.displaced.empty());
    CHECK(w.disk().find("/r/returned-3-2-5-1"));
    CHECK(w.disk().find("/r/returned-1-1-1/inside"));
    CHECK(!w.disk().find("/r/" + staging + parked_name(lost)));
}

TEST_CASE("what no intent speaks of is removed from staging, but kept where intents may have been lost") {
    parked_world w;
    w.write(staging + "new-1-1", "being built, or a user's");
    w.write(staging + "new-1-2", "likewise");
    w.write(staging + "kept-1-1", "kept before");
    journal_state state;
    SECTION("after a journal was damaged") {
        state.damaged = true;
        (void)disk_recovery<files>(w.fs(), w.root(), std::move(state)).run();
        CHECK(w.disk().find("/r/" + staging + "kept-1-1-1"));
        CHECK(w.disk().find("/r/" + staging + "kept-1-2"));
        // The next start leaves them alone.
        (void)disk_recovery<files>(w.fs(), w.root(), {}).run();
        CHECK(w.disk().find("/r/" + staging + "kept-1-1-1"));
    }
    SECTION("otherwise") { (void)disk_recovery<files>(w.fs(), w.root(), std::move(state)).run(); }
    CHECK(w.disk().find("/r/" + staging + "kept-1-1"));
    CHECK(!w.disk().find("/r/" + staging + "new-1-1"));
    CHECK(!w.disk().find("/r/" + staging + "new-1-2"));
}

TEST_CASE("a recorded file that stands elsewhere is not what the cluster has instead of it by now") {
    for (const bool newer : {false, true}) {
        parked_world w;
        w.write("c", "recorded");
        local_record record;
        record.id = lost;
        record.where = {root_entry, "c"};
        record.type = folder::entry_type::file;
        record.mode = 0644;
        record.hash = sha256(as_bytes("recorded"));
        record.size = 8;
        record.content_version = record.placement_version = log_index(newer ? 40 : 48);
        record.disk = w.status("c");
        journal_state state;
        state.synced.put(record);
        w.rename("c", "v");
        if (newer) w.write("c", "decided, and not recorded");
        folder::tree committed;
        committed.put(committed_file(newer ? "decided, and not recorded" : "recorded"));
        auto changes = changed_since(state.synced, committed);
        const auto recovered = disk_recovery<files>(w.fs(), w.root(), std::move(state), std::move(changes)).run();
        const local_record* at_v = recovered.state.synced.find_inode(w.status("v"));
        CHECK((at_v == nullptr) == newer);   // else a look takes it for moved
        REQUIRE(recovered.state.synced.find(lost));
        CHECK(recovered.state.synced.find(lost)->certain != newer);
    }
}

TEST_CASE("what a start finds done is on the disk before a record says so") {
    for (const bool removal : {false, true}) {
        parked_world w;
        w.make_directory("d");
        w.write("d/f", "old");
        intent_record intent;
        intent.staged = "new-1-0";
        intent.path = "d/f";
        intent.removal = removal;
        intent.expected = w.record_at("d/f", 1);
        if (!removal) {
            w.write(staging + intent.staged, "new");
            intent.built = w.status(staging + intent.staged);
        }
        w.make_durable();
        if (removal) w.rename("d/f", staging + intent.staged);
        else w.rename(staging + intent.staged, "d/f", rename_mode::exchange);
        REQUIRE_FALSE(w.disk().is_durable_name(*w.disk().find("/r/d"), "f"));   // the run ended here
        journal_state state;
        state.synced.put(*intent.expected);
        state.intents.emplace(intent.staged, intent);
        const auto recovered = disk_recovery<files>(w.fs(), w.root(), std::move(state)).run();
        CHECK_FALSE(recovered.root_error);
        CHECK(w.disk().is_durable_name(*w.disk().find("/r/d"), "f"));
    }
}

// Swarm seed 1008977: a start went round and round.
TEST_CASE("a directory that stands in another than the cluster has there is not believed to be below itself") {
    for (const bool another : {true, false}) {
        parked_world w;
        w.make_directory("b");
        w.make_directory("b/a");
        w.write("b/a/f", "inside");
        constexpr entry_id a{{node_id(1), 1}, 1}, b{{node_id(1), 1}, 2}, f{{node_id(1), 1}, 3};
        journal_state state;
        folder::tree committed;
        const auto stood = [&](entry_id id, folder::placement before, folder::placement now, const std::string& path) {
            local_record record;
            record.id = id;
            record.where = before;
            record.type = id == f ? folder::entry_type::file : folder::entry_type::directory;
            record.disk = w.status(path);
            if (id == b && another) record.disk.inode += 1000;
            state.synced.put(record);
            folder::entry e;
            e.id = id;
            e.where = now;
            e.type = record.type;
            e.placement_version = log_index(7);
            if (id == f) e.hash = sha256(as_bytes("another")), e.content_version = log_index(8);   // so that its path is asked for
            committed.put(e);
        };
        // Once b was in a. In the cluster, a is in b by now.
        stood(a, {root_entry, "a"}, {b, "a"}, "b/a");
        stood(b, {a, "b"}, {root_entry, "b"}, "b");
        stood(f, {a, "f"}, {a, "f"}, "b/a/f");
        auto changes = changed_since(state.synced, committed);
        const auto recovered = disk_recovery<files>(w.fs(), w.root(), std::move(state), std::move(changes)).run();
        const local_tree& known = recovered.state.synced;
        known.for_each([&](const local_record& r) { CHECK(known.is_rooted(r.id)); });
        CHECK(known.path_of(a) == (another ? std::nullopt : std::optional<std::string>("b/a")));
        CHECK(known.path_of(f) == (another ? std::nullopt : std::optional<std::string>("b/a/f")));
    }
}
