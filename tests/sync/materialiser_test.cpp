// Every kind of step, killed and failing at every call: what is on the disk afterwards is the old state or the new one of
// each entry, the records never say more than that, and what a user did meanwhile is still there.
#include <tests/sync/disk_fixture.hpp>

#include <algorithm>

using namespace lockstep;
using namespace sync_test;
using namespace std::chrono_literals;
using sync::disk_action;
using status = sync::disk_outcome::status;

namespace {

/// Some of everything, durable and recorded, and a batch that changes all of it.
struct batch_world : disk_world {
    explicit batch_world(std::uint64_t seed = 1, std::uint32_t mode_of_new = 0555) : disk_world(seed), new_mode(mode_of_new) {
        make_directory("d");
        make_directory("e");
        make_directory("locked", 0555);
        write("a", "old a");
        write("d/b", "attributes");
        write("gone", "gone");
        write("m", "moved");
        make_symlink("l", "old target");
        make_durable();
        wait(200ms);
        const std::pair<std::uint64_t, const char*> tops[] = {{1, "a"}, {2, "d"}, {4, "l"}, {5, "gone"}, {6, "e"}, {7, "m"}, {10, "locked"}};
        for (const auto& [n, path] : tops) known[path] = record_at(path, n);
        known["d/b"] = record_at("d/b", 3, id(2));
        std::vector<byte_buffer> records;
        for (const auto& [path, r] : known) records.push_back(sync::encode_record(r));
        REQUIRE(journal().append(records, true).has_value());
        before = picture();
        build();
    }

    static void fill(disk_action& action, const std::string& text) {
        action.content = shared_bytes::copy_of(text);
        action.record.hash = sha256(as_bytes(text));
        action.record.size = text.size();
    }
    disk_action over(disk_action::kind what, const std::string& path) {
        disk_action action;
        action.what = what;
        action.path = path;
        action.expected = action.record = known.at(path);
        action.entry = action.record.id;
        action.record.content_version = log_index(100);
        return action;
    }
    static disk_action fresh(disk_action::kind what, const std::string& path, std::uint64_t n, entry_id parent,
                             folder::entry_type type, std::uint32_t mode) {
        disk_action action;
        action.what = what;
        action.path = path;
        action.entry = action.record.id = id(n);
        action.record.where = {parent, sync::split_path(path).name};
        action.record.type = type;
        action.record.mode = mode;
        action.record.mtime_ns = type == folder::entry_type::file ? 12345 : 0;
        return action;
    }

    void build() {
        using kind = disk_action::kind;
        auto write_a = over(kind::write, "a");
        fill(write_a, "new a");
        write_a.record.mode = 0600;
        actions.push_back(write_a);
        actions.push_back(fresh(kind::make_directory, "n", 8, root_entry, folder::entry_type::directory, new_mode));
        auto inside = fresh(kind::write, "n/f", 9, id(8), folder::entry_type::file, 0640);
        fill(inside, "in a directory that may not be written");
        actions.push_back(inside);
        auto move = over(kind::move, "m");
        move.to_path = "d/m";
        move.record.where = {id(2), "m"};
        actions.push_back(move);
        actions.push_back(over(kind::remove_file, "gone"));
        actions.push_back(over(kind::remove_directory, "e"));
        auto link = over(kind::write, "l");
        fill(link, "new target");
        actions.push_back(link);
        auto attributes = over(kind::set_attributes, "d/b");
        attributes.record.mode = 0600;
        actions.push_back(attributes);
        after = before;
        after["a"] = "file 0600 new a";
        after["n"] = new_mode == 0555 ? "directory 0555 " : "directory 0755 ";
        after["n/f"] = "file 0640 in a directory that may not be written";
        after["d/m"] = after.extract("m").mapped();
        after.erase("gone");
        after.erase("e");
        after["l"] = "link 0000 new target";
        after["d/b"] = "file 0600 attributes";
    }

    std::uint32_t new_mode;   ///< of a directory that the batch makes
    std::map<std::string, sync::local_record> known;
    std::map<std::string, std::string> before, after;
    std::vector<disk_action> actions;
};

std::string shown(const std::map<std::string, std::string>& picture) {
    std::string text;
    for (const auto& [path, what] : picture) text += path + ": " + what + "\n";
    return text;
}

/// What differs from the old picture is as the new one says: no third state, and no child without its directory.
void check_old_or_new(batch_world& w) {
    const auto now = w.picture();
    INFO(shown(now));
    for (const auto& [path, what] : now) {
        const bool old = w.before.contains(path) && w.before.at(path) == what;
        const bool fresh = w.after.contains(path) && w.after.at(path) == what;
        INFO(path);
        CHECK((old || fresh));
    }
    for (const auto& [path, what] : w.before)
        if (w.after.contains(path)) CHECK(now.contains(path));
    CHECK((now.contains("m") != now.contains("d/m")));
}

/// What a run that follows finds. The records may lag behind the disk, never run ahead of it; then the difference is
/// exactly what the batch was to do, so that what is proposed of it is what the cluster holds already.
void check_findings(batch_world& w, const sync::local_tree& local) {
    using kind = sync::finding::kind;
    const auto now = w.picture();
    w.wait(200ms);
    for (const auto& f : w.scan_all(local)) {
        INFO(f.path << ", finding " << static_cast<int>(f.what));
        if (f.what == kind::refreshed) continue;
        const bool removed = f.path == "gone" || f.path == "e" || (f.path == "m" && now.contains("d/m"));
        const bool moved = f.path == "d/m";
        const bool attributes = f.path == "d/b" && !f.content_changed;
        CHECK((removed || moved || attributes));
        if (removed) CHECK(f.what == kind::vanished);
        if (moved) CHECK(f.what == kind::moved);
        if (attributes) CHECK(now.at("d/b") == w.after.at("d/b"));
    }
}

}  // namespace

TEST_CASE("a batch does each of its steps, and the records say so") {
    batch_world w;
    const auto result = w.materialise(w.actions);
    REQUIRE_FALSE(result.fatal);
    for (const auto& outcome : result.outcomes) {
        CHECK(outcome.what == status::done);
        CHECK_FALSE(outcome.displaced);
        CHECK_FALSE(outcome.look_again);
    }
    CHECK(shown(w.picture()) == shown(w.after));
    CHECK(w.staging().empty());
    CHECK(w.status("n/f").mtime_ns == 12345);
    const auto recovered = w.restart();
    CHECK(recovered.state.synced.size() == w.known.size() + 2 - 2);
    CHECK(recovered.state.intents.empty());
    w.wait(200ms);
    for (const auto& f : w.scan_all(recovered.state.synced)) CHECK(f.what == sync::finding::kind::refreshed);
}

TEST_CASE("the power fails once the records of a batch are durable: all that they say is on the disk") {
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        INFO("seed " << seed);
        batch_world w(seed);
        REQUIRE_FALSE(w.materialise(w.actions).fatal);
        REQUIRE(w.journal().append({}, true).has_value());
        w.box().crash(crash_kind::power);
        const auto recovered = w.restart();
        CHECK(shown(w.picture()) == shown(w.after));
        w.wait(200ms);
        for (const auto& f : w.scan_all(recovered.state.synced)) CHECK(f.what == sync::finding::kind::refreshed);
    }
}

TEST_CASE("what a user wrote is recorded once it is durable, and not where it has left its place before that") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        INFO("seed " << seed);
        batch_world w(seed);
        w.write("a", "decided");
        disk_action confirm = w.over(disk_action::kind::confirm, "a");
        confirm.record = w.record_at("a", 1);
        confirm.record.content_version = log_index(100);
        const bool stays = seed % 4 == 0;
        if (!stays) w.rename("a", "d/elsewhere");
        if (seed % 4 == 1) w.write("a", "another file");
        const auto result = w.materialise({confirm});
        REQUIRE_FALSE(result.fatal);
        CHECK(result.outcomes[0].what == (stays ? status::done : status::retry));
        // Whatever makes the journal durable next.
        REQUIRE(w.journal().append({}, true).has_value());
        w.box().crash(crash_kind::power);
        const auto recovered = w.restart();
        const auto* record = recovered.state.synced.find(id(1));
        REQUIRE(record);
        CHECK((record->content_version == log_index(100)) == stays);
        if (stays) CHECK(w.picture().at("a").find("decided") != std::string::npos);
    }
}

TEST_CASE("what a user wrote is durable before a record says where it was moved to") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        INFO("seed " << seed);
        batch_world w(seed);
        w.write("m", "decided, and never synced by its user");
        disk_action move = w.over(seed % 2 == 0 ? disk_action::kind::move : disk_action::kind::park, "m");
        move.expected = move.record = w.record_at("m", 7);
        move.sync_content = true;
        if (move.what == disk_action::kind::move) move.to_path = "d/m", move.record.where = {id(2), "m"};
        else move.record.parked = true;
        REQUIRE(w.materialise({move}).outcomes[0].what == status::done);
        REQUIRE(w.journal().append({}, true).has_value());
        w.box().crash(crash_kind::power);
        const auto recovered = w.restart();
        const auto* record = recovered.state.synced.find(id(7));
        REQUIRE(record);
        const auto inode = w.disk().find(record->parked ? "/r/.lockstep/staging/" + sync::parked_name(id(7)) : "/r/d/m");
        REQUIRE(inode);
        CHECK(as_text(inode->content) == "decided, and never synced by its user");
    }
}

TEST_CASE("killed before any call, a batch leaves the old or the new of each entry, and records that fit") {
    batch_world whole;
    const auto first = whole.box().calls();
    (void)whole.materialise(whole.actions);
    const auto calls = whole.box().calls() - first;
    REQUIRE(calls > 50);
    for (const crash_kind how : {crash_kind::process, crash_kind::power}) {
        for (std::uint64_t n = 1; n <= calls; ++n) {
            for (std::uint64_t seed = 1; seed <= (how == crash_kind::power ? 5u : 1u); ++seed) {
                INFO((how == crash_kind::power ? "power, call " : "process, call ") << n << ", seed " << seed);
                batch_world w(seed);
                w.box().crash_at_call(n, how);
                const auto result = w.materialise(w.actions);
                REQUIRE((result.fatal || result.root_error || result.outcomes.size() == w.actions.size()));
                const auto recovered = w.restart();
                REQUIRE_FALSE(recovered.root_error);
                check_old_or_new(w);
                CHECK(recovered.displaced.empty());
                CHECK(recovered.state.intents.empty());
                CHECK(w.staging().empty());
                check_findings(w, recovered.state.synced);
            }
        }
    }
}

TEST_CASE("whatever call fails, a batch leaves the old or the new of each entry, and says what it did") {
    batch_world whole(1, 0755);
    const auto first = whole.box().calls();
    (void)whole.materialise(whole.actions);
    const auto calls = whole.box().calls() - first;
    for (const errc error : {errc::no_space, errc::io_error, errc::too_many_open_files}) {
        for (std::uint64_t n = 1; n <= calls; ++n) {
            INFO("call " << n << " fails with " << make_error_code(error).message());
            batch_world w(1, 0755);
            w.box().fail_at_call(n, error, [](sim::fs_call) { return true; });
            const auto result = w.materialise(w.actions);
            check_old_or_new(w);
            if (!result.fatal && !result.root_error) {
                for (std::size_t i = 0; i < w.actions.size(); ++i) {
                    INFO("step " << i);
                    const auto& path = w.actions[i].to_path.empty() ? w.actions[i].path : w.actions[i].to_path;
                    const auto now = w.picture();
                    if (result.outcomes[i].what != status::done) continue;
                    CHECK(now.contains(path) == w.after.contains(path));
                    if (now.contains(path) && w.after.contains(path) && path != "n") CHECK(now.at(path) == w.after.at(path));
                }
            }
            const auto recovered = w.restart();
            check_old_or_new(w);
            CHECK(recovered.state.intents.size() == recovered.displaced.size());
            check_findings(w, recovered.state.synced);
        }
    }
}

TEST_CASE("a user's edit between any two calls is still there, on the disk or aside, also where the node is killed then") {
    batch_world whole;
    const auto first = whole.box().calls();
    (void)whole.materialise(whole.actions);
    const auto calls = whole.box().calls() - first;
    using edit = void (*)(batch_world&);
    const edit edits[] = {
        [](batch_world& w) { w.write("a", "a user's"); },
        [](batch_world& w) {
            w.write("a.tmp", "a user's");
            w.rename("a.tmp", "a");
        },
        [](batch_world& w) {
            if (w.picture().contains("gone")) w.write("gone", "a user's");
            else w.write("other", "a user's");
        },
        [](batch_world& w) {
            if (w.picture().contains("e")) w.write("e/x", "a user's");
            else w.write("other", "a user's");
        },
        [](batch_world& w) { w.write(w.picture().contains("m") ? "m" : "d/m", "a user's"); },
    };
    for (const edit& act : edits) {
        for (std::uint64_t n = 1; n <= calls; ++n) {
            for (const std::uint64_t killed_after : {0u, 1u, 2u, 5u, 12u, 30u}) {
                INFO("edit " << &act - edits << " before call " << n << ", killed " << killed_after << " calls later");
                batch_world w;
                std::uint64_t call = 0;
                w.box().set_before_call([&](sim::fs_call) {
                    if (++call != n) return;
                    act(w);
                    if (killed_after != 0) w.box().crash_at_call(killed_after, crash_kind::process);
                });
                const auto result = w.materialise(w.actions);
                w.box().set_before_call({});
                w.box().crash_at_call(0, crash_kind::process);
                std::set<std::string> aside;
                for (const auto& outcome : result.outcomes)
                    if (outcome.displaced) aside.insert(outcome.displaced->staged);
                const auto recovered = w.restart();
                for (const auto& item : recovered.displaced) aside.insert(item.staged);
                std::size_t found = 0;
                for (const auto& [path, what] : w.picture()) found += what.find("a user's") != std::string::npos;
                for (const auto& [name, text] : w.staging()) found += aside.contains(name) && text == "a user's";
                INFO(shown(w.picture()) << "aside: " << shown(w.staging()));
                CHECK(found == 1);
                // And it is seen: by a look at the disk, or as something that was taken aside.
                w.wait(200ms);
                bool seen = false;
                for (const auto& f : w.scan_all(recovered.state.synced)) {
                    seen = seen || text_of(f.content) == "a user's";
                    // What was moved is told first; that it is not what it was shows, and it is looked at again.
                    if (f.what == sync::finding::kind::moved)
                        seen = seen || !sync::same_state(recovered.state.synced.find(f.entry)->disk, f.disk, false);
                }
                for (const auto& item : recovered.displaced) {
                    const auto looked = sync::examine_aside(w.fs(), w.journal(), w.root(), item, false, 1 << 20);
                    seen = seen || (looked.what == sync::aside_result::state::edited && text_of(looked.found.content) == "a user's");
                }
                CHECK(seen);
            }
        }
    }
}

TEST_CASE("a step whose place is not as believed is not done, nor what builds on it") {
    batch_world w;
    w.write("a", "a user's");
    w.write("n", "a user's too");
    const auto result = w.materialise(w.actions);
    REQUIRE_FALSE(result.fatal);
    CHECK(result.outcomes[0].what == status::retry);
    CHECK(result.outcomes[1].what == status::retry);
    CHECK(result.outcomes[2].what == status::held);
    CHECK(result.outcomes[3].what == status::done);
    CHECK(w.picture().at("a") == "file 0644 a user's");
    CHECK(w.picture().at("n") == "file 0644 a user's too");
    CHECK(w.staging().empty());
    CHECK(w.restart().state.intents.empty());
}

TEST_CASE("a directory that its owner may not write is changed all the same, and keeps its mode, wherever it is killed") {
    const auto action_in = [](batch_world&) {
        auto action = batch_world::fresh(disk_action::kind::write, "locked/f", 20, id(10), folder::entry_type::file, 0644);
        batch_world::fill(action, "put into it");
        return action;
    };
    // The simulated disk enforces no permissions: the renames into the locked directory are refused for it.
    const auto refuse = [](batch_world& w) {
        w.box().fail_at_call(1, errc::permission_denied, [](sim::fs_call c) { return c == sim::fs_call::rename; });
    };
    batch_world whole;
    refuse(whole);
    const auto first = whole.box().calls();
    const auto result = whole.materialise({action_in(whole)});
    const auto calls = whole.box().calls() - first;
    REQUIRE(result.outcomes.at(0).what == status::done);
    CHECK(whole.picture().at("locked") == "directory 0555 ");
    CHECK(whole.picture().at("locked/f") == "file 0644 put into it");
    for (const crash_kind how : {crash_kind::process, crash_kind::power}) {
        for (std::uint64_t n = 1; n <= calls; ++n) {
            INFO((how == crash_kind::power ? "power, call " : "process, call ") << n);
            batch_world w;
            refuse(w);
            w.box().crash_at_call(n, how);
            (void)w.materialise({action_in(w)});
            w.box().fail_at_call(0, errc::permission_denied);
            const auto recovered = w.restart();
            CHECK(w.picture().at("locked") == "directory 0555 ");
            CHECK(recovered.state.loosened.empty());
            w.wait(200ms);
            for (const auto& f : w.scan_all(recovered.state.synced)) CHECK(f.what == sync::finding::kind::refreshed);
        }
    }
}

TEST_CASE("a mode that a user gave a directory is found by the next look, whatever was done to the directory meanwhile") {
    using kind = disk_action::kind;
    for (const kind what : {kind::move, kind::park, kind::set_attributes, kind::confirm}) {
        for (const bool locked : {false, true}) {
            INFO("kind " << static_cast<int>(what) << (locked ? ", of a directory that is lent its rights" : ""));
            batch_world w;
            const std::string path = locked ? "locked" : "d";
            auto action = w.over(what, path);
            action.expected = action.record;
            if (what == kind::move) action.to_path = "moved", action.record.where = {root_entry, "moved"};
            if (what == kind::park) action.record.parked = true;
            if (what == kind::set_attributes) action.record.mode = 0775;
            w.set_mode(path, 0700);
            const auto outcome = w.materialise({action}).outcomes.at(0);
            if (what == kind::set_attributes) {
                CHECK(outcome.what == status::retry);
                CHECK(w.picture().at(path) == "directory 0700 ");
                continue;
            }
            REQUIRE(outcome.what == status::done);
            CHECK((outcome.record.disk.mode & 0777) == outcome.record.mode);
            if (what == kind::park) continue;
            sync::local_tree local;
            for (const auto& [known, record] : w.known) local.put(record);
            local.put(outcome.record);
            std::size_t edits = 0;
            for (const auto& f : w.scan_all(local))
                edits += f.what == sync::finding::kind::changed && f.entry == action.entry && (f.disk.mode & 0777) == 0700;
            CHECK(edits == 1);
        }
    }
}

TEST_CASE("what a user saved over a file just as it was parked is at its place again, or at the top where that is taken") {
    for (const bool taken : {false, true}) {
        INFO((taken ? "another one came meanwhile" : "the place is free"));
        batch_world w;
        auto park = w.over(disk_action::kind::park, "a");
        park.record.parked = true;
        int renames = 0;
        w.box().set_before_call([&](sim::fs_call call) {
            if (call != sim::fs_call::rename) return;
            if (++renames == 1) {
                w.write("a.tmp", "saved");
                w.rename("a.tmp", "a");
            } else if (renames == 2 && taken) {
                w.write("a", "another");
            }
        });
        const auto outcome = w.materialise({park}).outcomes.at(0);
        w.box().set_before_call({});
        CHECK(outcome.what != status::done);
        const auto now = w.picture();
        INFO(shown(now) << "aside: " << shown(w.staging()));
        const std::string top = "returned-" + sync::parked_name(park.entry).substr(sync::parked_prefix.size());
        CHECK(now.at(taken ? top : "a").find("saved") != std::string::npos);
        if (taken) CHECK(now.at("a").find("another") != std::string::npos);
        CHECK(w.staging().empty());
    }
}

TEST_CASE("a parked directory that is to go and is not empty comes back under a free name, however often") {
    batch_world w;
    for (int time = 0; time < 3; ++time) {
        auto park = w.over(disk_action::kind::park, "e");
        park.expected = park.record = w.record_at("e", 6);
        park.record.parked = true;
        REQUIRE(w.materialise({park}).outcomes.at(0).what == status::done);
        w.write(".lockstep/staging/" + sync::parked_name(park.entry) + "/new", "put into it");
        auto gone = park;
        gone.what = disk_action::kind::remove_directory;
        gone.path.clear();
        gone.expected = park.record;
        const auto outcome = w.materialise({gone}).outcomes.at(0);
        REQUIRE(outcome.what == status::done);
        CHECK(outcome.returned);
        const std::string name = "returned-" + sync::parked_name(park.entry).substr(sync::parked_prefix.size());
        CHECK(outcome.record.where.name == (time == 0 ? name : name + "-" + std::to_string(time)));
        CHECK(w.picture().contains(outcome.record.where.name + "/new"));
        w.make_directory("e");
    }
}

TEST_CASE("a displaced file that somebody can still write to is kept, and is what its writer leaves in it") {
    batch_world w;
    const auto writer = w.hold("a");
    const auto result = w.materialise({w.actions[0]});
    REQUIRE(result.outcomes[0].what == status::done);
    REQUIRE(result.outcomes[0].displaced);
    const auto item = *result.outcomes[0].displaced;
    CHECK(item.path == "a");
    CHECK(item.expected.id == id(1));
    const auto look = [&] { return sync::examine_aside(w.fs(), w.journal(), w.root(), item, false, 1 << 20); };
    CHECK(look().what == sync::aside_result::state::open);
    REQUIRE(w.disk().write_at(writer, 0, as_bytes("late!")));
    w.disk().close(writer);
    const auto looked = look();
    CHECK(looked.what == sync::aside_result::state::edited);
    CHECK(text_of(looked.found.content) == "late!");
    CHECK(w.picture().at("a") == w.after.at("a"));
    const auto recovered = w.restart();
    REQUIRE(recovered.displaced.size() == 1);
    CHECK(recovered.displaced[0].staged == item.staged);
}
