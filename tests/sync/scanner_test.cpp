// What the scanner says of each way in which a disk can differ from what is known of it, and of what changes under it.
#include <tests/sync/disk_fixture.hpp>

#include <algorithm>

using namespace lockstep;
using namespace sync_test;
using namespace std::chrono_literals;
using kind = sync::finding::kind;
using sync::open_file;

namespace {

/// A file, a link, and a directory with a file in it, all known and long unchanged.
struct scan_world : disk_world {
    scan_world() {
        write("f", "content");
        make_symlink("l", "target");
        make_directory("d");
        write("d/g", "below");
        wait(200ms);
        know("f", 1);
        know("l", 2);
        know("d", 3);
        know("d/g", 4, id(3));
        wait(200ms);
    }
    void know(const std::string& path, std::uint64_t n, entry_id parent = root_entry) {
        local.put(record_at(path, n, parent));
    }
    std::vector<sync::finding> look(const std::string& path, bool settled = false, open_file written = open_file::wait) {
        return scan(local, {{path, false, false, settled, written}}).findings;
    }
    std::vector<sync::finding> all() {
        wait(200ms);
        return scan_all(local);
    }
    sync::local_tree local;
};

const sync::finding& only(const std::vector<sync::finding>& found) {
    for (const auto& f : found) INFO(f.path << " " << static_cast<int>(f.what));
    REQUIRE(found.size() == 1);
    return found.front();
}

std::vector<std::pair<std::string, kind>> brief(const std::vector<sync::finding>& found) {
    std::vector<std::pair<std::string, kind>> all;
    for (const auto& f : found) all.emplace_back(f.path, f.what);
    return all;
}

using brief_t = std::vector<std::pair<std::string, kind>>;

}  // namespace

TEST_CASE("a disk that is as known gives no finding, and nothing is read") {
    scan_world w;
    bool read = false;
    w.box().set_before_call([&](sim::fs_call c) { read = read || c == sim::fs_call::open_file; });
    CHECK(w.scan(w.local, {{"f", false, false, false}, {"l", false, false, false}, {"d/g", false, false, false}}).findings.empty());
    w.box().set_before_call({});
    CHECK(w.all().empty());
}

TEST_CASE("a new file, link and directory appear, with what they hold") {
    scan_world w;
    w.write("new", "bytes");
    w.make_symlink("d/link", "there");
    w.make_directory("dir");
    w.write("dir/inside", "too");
    const auto found = w.all();
    CHECK(brief(found) == brief_t{{"dir", kind::appeared}, {"new", kind::appeared}, {"d/link", kind::appeared},
                                  {"dir/inside", kind::appeared}});
    CHECK(text_of(found[1].content) == "bytes");
    CHECK(found[1].hash == sha256(as_bytes("bytes")));
    CHECK(found[1].certain);
    CHECK(text_of(found[2].content) == "there");
}

TEST_CASE("a changed content is told with its bytes, changed attributes without") {
    scan_world w;
    w.write("f", "longer content");
    auto found = w.all();
    CHECK(only(found).what == kind::changed);
    CHECK(only(found).content_changed);
    CHECK(only(found).entry == id(1));
    CHECK(text_of(only(found).content) == "longer content");
    w.know("f", 1);
    w.set_mode("f", 0600);
    found = w.all();
    CHECK(only(found).what == kind::changed);
    CHECK_FALSE(only(found).content_changed);
    CHECK(only(found).content.empty());
    CHECK(only(found).disk.mode == 0600);
}

TEST_CASE("a file that was written with what it held already is only known anew") {
    scan_world w;
    auto known = *w.local.find(id(1));
    w.write("f", "content");
    known.mtime_ns = w.status("f").mtime_ns;
    w.local.put(known);
    const auto found = w.all();
    CHECK(only(found).what == kind::refreshed);
    CHECK(only(found).disk == w.status("f"));
}

TEST_CASE("a renamed file is its entry elsewhere, and what is missing is told last") {
    scan_world w;
    w.rename("f", "h");
    auto found = w.all();
    CHECK(brief(found) == brief_t{{"h", kind::moved}, {"f", kind::vanished}});
    CHECK(found[0].entry == id(1));
    CHECK(found[1].entry == id(1));
    CHECK(found[0].still);
}

TEST_CASE("a renamed directory is one finding, and is looked into under its new name") {
    scan_world w;
    w.rename("d", "e");
    const auto result = w.scan(w.local, {{"", true, true, true}});
    CHECK(brief(result.findings) == brief_t{{"e", kind::moved}, {"d", kind::vanished}});
    REQUIRE(result.directories.size() == 1);
    CHECK(result.directories[0].path == "e");
}

TEST_CASE("a hard link is a new entry, and the old one stays") {
    scan_world w;
    w.make_hard_link("f", "d/same");
    const auto found = w.all();
    std::map<std::string, kind> told;
    for (const auto& f : found) told[f.path] = f.what;
    CHECK(told["d/same"] == kind::appeared);
    if (told.contains("f")) CHECK(told["f"] == kind::refreshed);   // linking changes ctime
    CHECK(told.size() <= 2);
}

TEST_CASE("an inode number that is used again is no rename") {
    scan_world w;
    const auto before = w.status("f");
    w.remove("f");
    w.write("other", "something else");
    if (w.status("other").inode != before.inode) return;   // the disk gave it another one
    CHECK(brief(w.all()) == brief_t{{"other", kind::appeared}, {"f", kind::vanished}});
}

TEST_CASE("an editor's backup with the old inode is a new entry, and the name keeps its own") {
    scan_world w;
    w.rename("f", "f~");
    w.write("f", "saved");
    const auto found = w.all();
    CHECK(brief(found) == brief_t{{"f", kind::changed}, {"f~", kind::appeared}});
    CHECK(found[0].entry == id(1));
    CHECK(text_of(found[0].content) == "saved");
}

TEST_CASE("each change of type is a change of the entry, with the new thing's content") {
    scan_world w;
    w.remove("f");
    SECTION("file to directory") {
        w.make_directory("f");
        const auto found = w.all();
        CHECK(only(found).what == kind::changed);
        CHECK(only(found).content_changed);
        CHECK(only(found).disk.type == file_type::directory);
    }
    SECTION("file to link") {
        w.make_symlink("f", "elsewhere");
        const auto found = w.all();
        CHECK(only(found).disk.type == file_type::symlink);
        CHECK(text_of(only(found).content) == "elsewhere");
    }
    SECTION("directory to file") {
        w.write("f", "content");
        w.know("f", 1);
        w.remove("d/g");
        w.remove("d");
        w.write("d", "a file now");
        const auto found = w.all();
        REQUIRE_FALSE(found.empty());
        CHECK(found[0].path == "d");
        CHECK(found[0].entry == id(3));
        CHECK(found[0].disk.type == file_type::regular);
        CHECK(text_of(found[0].content) == "a file now");
    }
}

TEST_CASE("what was written within the clock's grain of the look is not certain, and is hashed again") {
    scan_world w;
    w.write("f", "CONTENT");
    auto found = w.look("f");
    CHECK_FALSE(only(found).certain);
    CHECK(text_of(only(found).content) == "CONTENT");

    // The same size and times, and other bytes: only a second read tells.
    sync::local_record known = w.record_at("f", 1);
    known.certain = false;
    w.local.put(known);
    w.write("f", "content");
    CHECK(sync::same_state(known.disk, w.status("f")));
    found = w.look("f");
    CHECK(only(found).what == kind::changed);
    CHECK(text_of(only(found).content) == "content");
    known.certain = true;
    w.local.put(known);
    CHECK(w.look("f").empty());
}

TEST_CASE("a time in the future is as good as any: what has it is not hashed again and again") {
    scan_world w;
    w.write("f", "CONTENT");
    w.set_mtime("f", w.fs().clock_ns() + 3'600'000'000'000);
    CHECK_FALSE(only(w.look("f")).certain);
    w.wait(200ms);
    CHECK(only(w.look("f")).certain);
}

TEST_CASE("what is missing is told as it was looked for, and still only where nothing else goes on") {
    scan_world w;
    w.remove("f");
    auto found = w.look("f", false);
    CHECK(only(found).what == kind::vanished);
    CHECK_FALSE(only(found).settled);
    CHECK_FALSE(only(found).still);
    w.wait(200ms);
    found = w.look("f", true);
    CHECK(only(found).settled);
    CHECK(only(found).still);
    w.write("neighbour", "just now");
    CHECK_FALSE(only(w.look("f", true)).still);
}

TEST_CASE("what was written before the clock was set back is not taken for written just now") {
    scan_world w;
    w.remove("f");
    w.wait(200ms);
    w.step_clock(-3'600'000'000'000);
    CHECK(only(w.look("f", true)).still);
}

TEST_CASE("a directory that is gone is told, not what stood in it") {
    scan_world w;
    w.remove("d/g");
    w.remove("d");
    CHECK(brief(w.look("d/g", true)) == brief_t{{"d", kind::vanished}});
    CHECK(brief(w.all()) == brief_t{{"d", kind::vanished}});
}

TEST_CASE("a directory that was made again under its name is the same entry") {
    scan_world w;
    w.remove("d/g");
    w.remove("d");
    w.make_directory("d");
    const auto result = w.scan(w.local, {{"", true, true, true}});
    CHECK(brief(result.findings) == brief_t{{"d", kind::refreshed}});
    REQUIRE(result.directories.size() == 1);
    CHECK(brief(w.scan(w.local, {{"d", true, true, true}}).findings) == brief_t{{"d/g", kind::vanished}});
}

TEST_CASE("what vanishes while it is looked at is gone or looked at again, never told as something") {
    scan_world counts;
    counts.write("f", "changed");
    counts.wait(200ms);
    const auto first = counts.box().calls();
    (void)counts.scan_all(counts.local);
    const auto calls = counts.box().calls() - first;
    using edit = void (*)(scan_world&);
    const edit edits[] = {
        [](scan_world& w) { w.remove("f"); },
        [](scan_world& w) { w.rename("f", "d/moved"); },
        [](scan_world& w) {
            w.remove("d/g");
            w.remove("d");
        },
        [](scan_world& w) {
            w.remove("f");
            w.make_directory("f");
        },
        [](scan_world& w) { w.write("f", "in the midst of it"); },
    };
    for (const edit& act : edits) {
        for (std::uint64_t n = 1; n <= calls; ++n) {
            INFO("edit " << &act - edits << " before call " << n);
            scan_world w;
            w.write("f", "changed");
            w.wait(200ms);
            std::uint64_t call = 0;
            w.box().set_before_call([&](sim::fs_call) {
                if (++call == n) act(w);
            });
            const auto found = w.scan_all(w.local);
            w.box().set_before_call({});
            for (const auto& f : found) {
                INFO(f.path << " " << static_cast<int>(f.what));
                CHECK((f.what != kind::special && f.what != kind::large));
                CHECK((f.what != kind::unreadable || w.status("f").type == file_type::directory));
                if (f.content.empty()) continue;
                const std::string text = text_of(f.content);
                CHECK((text == "changed" || text == "in the midst of it" || text == "below"));
                CHECK(f.hash == sha256(f.content.view()));
            }
            // Nothing stays hidden from the look that the edit's own hint asks for.
            std::set<std::string> told;
            for (const auto& f : w.all()) told.insert(f.path);
            CHECK(told.contains(w.local.find(id(3)) && &act == &edits[2] ? "d" : "f"));
        }
    }
}

TEST_CASE("a root without its marker, at the start of a look or at its end, gives no findings") {
    scan_world w;
    w.remove("f");
    SECTION("at the start") { w.remove(".lockstep/marker"); }
    SECTION("at the end") {
        w.box().set_before_call([&, call = 0](sim::fs_call c) mutable {
            if (c == sim::fs_call::list && ++call == 1) w.write(".lockstep/marker", "another's");
        });
    }
    const auto result = w.scan(w.local, {{"", true, true, true}});
    CHECK(result.root_error == errc::not_found);
    CHECK(result.findings.empty());
}

TEST_CASE("a file that is open for writing waits, is taken between writes, or as it is") {
    scan_world w;
    w.write("f", "content, and more");
    const auto writer = w.hold("f");
    w.wait(100ms);
    CHECK(only(w.look("f")).what == kind::unsettled);
    SECTION("it only grew") { CHECK(text_of(only(w.look("f", false, open_file::between_writes)).content) == "content, and more"); }
    SECTION("it was written in another way") {
        REQUIRE(w.disk().write_at(writer, 0, as_bytes("CONTENT")));
        w.wait(100ms);
        CHECK(only(w.look("f", false, open_file::between_writes)).what == kind::unsettled);
        w.wait(1s);
        CHECK(text_of(only(w.look("f", false, open_file::between_writes)).content) == "CONTENT, and more");
    }
    SECTION("whatever it is") { CHECK(text_of(only(w.look("f", false, open_file::take)).content) == "content, and more"); }
    w.disk().close(writer);
    CHECK(only(w.look("f")).what == kind::changed);
}

TEST_CASE("a large file is named and not read, and a look that found enough hands back the rest") {
    scan_world w;
    w.write("large", std::string(100, 'x'));
    w.write("also new", "y");
    w.wait(200ms);
    const auto small = [](sync::scan_request& r) { r.inline_max = 50; };
    auto result = w.scan(w.local, {{"", true, true, true}}, small);
    CHECK(brief(result.findings) == brief_t{{"also new", kind::appeared}, {"large", kind::large}});
    result = w.scan(w.local, {{"", true, true, true}}, [](sync::scan_request& r) { r.names_max = 2; });
    CHECK(result.names_seen == 2);
    CHECK(result.findings.size() == 1);
    REQUIRE(result.rest.size() == 3);
    for (const auto& rest : result.rest) CHECK(rest.settled);
    const auto more = w.scan(w.local, result.rest).findings;
    CHECK(brief(more) == brief_t{{"large", kind::appeared}});
}

TEST_CASE("what a file that is held open holds is never certain: read again in passing and once it is closed") {
    scan_world w;
    const auto writer = w.hold("f");
    w.wait(1s);
    w.local.put([&] {
        auto record = *w.local.find(id(1));
        record.certain = false;
        return record;
    }());
    CHECK(w.look("f").empty());
    const auto found = w.look("f", false, open_file::between_writes);
    CHECK(only(found).what == kind::refreshed);
    CHECK(only(found).held);
    CHECK(!only(found).certain);
    w.disk().close(writer);
    CHECK(only(w.look("f")).certain);
}

TEST_CASE("a file that is held open is read twice, and counts the looks that found it in the midst of being written") {
    scan_world w;
    w.write("f", "content, and more");
    const auto writer = w.hold("f");
    w.wait(1s);
    w.box().set_before_call([&, reads = 0](sim::fs_call c) mutable {   // the marker, the file, the file
        if (c == sim::fs_call::read && ++reads == 3) REQUIRE(w.disk().write_at(writer, 0, as_bytes("CON")));
    });
    sync::scan_target target{"f", false, false, false, open_file::take, 7};
    const auto found = w.scan(w.local, {target}).findings;
    CHECK(only(found).what == kind::unsettled);
    CHECK(only(found).unsettled == 7);
    w.box().set_before_call({});
    CHECK(text_of(only(w.scan(w.local, {target}).findings).content) == "CONtent, and more");
    w.disk().close(writer);
}

TEST_CASE("a deep look tells which directories are new, or only on its way") {
    scan_world w;
    w.make_directory("new");
    const auto found = w.scan(w.local, {{"", true, true, false}}).directories;
    REQUIRE(found.size() == 2);
    CHECK(found[0].path == "d");
    CHECK(!found[0].fresh);
    CHECK(found[1].fresh);
}
