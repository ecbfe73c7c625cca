// The checkers of what users see on the disks, each with a story that it lets pass and one that it does not.
#include <tests/catch.hpp>

#include <sim/checkers/chunks_before_apply.hpp>
#include <sim/checkers/confinement.hpp>
#include <sim/checkers/content_checker.hpp>
#include <sim/checkers/nothing_lost.hpp>
#include <sim/checkers/stood_somewhere.hpp>
#include <sim/checkers/trees_equal.hpp>
#include <sim/checkers/visible_files.hpp>

using namespace lockstep;
using namespace lockstep::sim;

namespace {

/// A disk with /data/.lockstep on it, and calls on it by a user or by a node.
struct disk_bench {
    explicit disk_bench(std::uint64_t number = 1) : disk(w, number) {
        make("/", "data");
        make("/data", ".lockstep");
        make("/", "elsewhere");
    }
    std::string verdict() const { return w.failed() ? w.failed()->text : std::string(); }

    void make(const std::string& in, const std::string& name) {
        in_directory(in, [&](auto dir) { REQUIRE(disk.make_directory(dir, name, 0755)); });
    }
    void write(const std::string& in, const std::string& name, std::string_view text, bool at_end = false) {
        in_directory(in, [&](auto dir) {
            const auto file = disk.open_file(sim_disk::user, dir, name, open_mode::create_or_open, 0644).value();
            REQUIRE(disk.write_at(file, at_end ? disk.status(file)->size : 0, as_bytes(text)));
            disk.close(file);
        });
    }
    void rename(const std::string& in, const std::string& name, const std::string& to, const std::string& new_name,
                rename_mode how = rename_mode::replace) {
        in_directory(in, [&](auto from) { in_directory(to, [&](auto dir) { REQUIRE(disk.rename(from, name, dir, new_name, how)); }); });
    }
    void remove(const std::string& in, const std::string& name) {
        in_directory(in, [&](auto dir) { REQUIRE(disk.remove_file(dir, name)); });
    }
    template <class F>
    void as_node(F f) {
        const auto acting = disk.act_as(7);
        f();
    }

    world w{1};
    sim_disk disk;

private:
    template <class F>
    void in_directory(const std::string& path, F f) {
        const auto dir = disk.open_directory(sim_disk::user, path).value();
        f(dir);
        disk.close(dir);
    }
};

struct visible_bench : disk_bench {
    edit_history history;
    std::map<std::string, log_index> placed;
    log_index applied{5};
    std::set<std::uint64_t> committed;
    visible_files checker{w, disk, node_id(1), "/data", history,
                          {[this](const std::string& path) { return placed.contains(path) ? placed.at(path) : log_index(); },
                           [this] { return applied; }, [this](std::uint64_t key) { return committed.contains(key); }}};

    void close(std::string_view text) { history.closed(node_id(2), "f", as_bytes(text), {}, false); }
};

}  // namespace

TEST_CASE("a node changes what it likes in its directory, and nothing outside of it") {
    disk_bench b;
    confinement checker(b.w, b.disk, node_id(1), "/data");
    b.write("/elsewhere", "mine", "of a user");
    b.as_node([&] {
        b.write("/data/.lockstep", "staged", "x");
        b.rename("/data/.lockstep", "staged", "/data", "f");
    });
    CHECK(b.verdict().empty());
    b.as_node([&] { b.write("/elsewhere", "mine", "of a node"); });
    CHECK(b.verdict() == "node 1 changed /elsewhere/mine, outside of its directory /data");
}

TEST_CASE("a directory that was moved away under a node is still its own") {
    disk_bench b;
    confinement checker(b.w, b.disk, node_id(1), "/data");
    b.rename("/", "data", "/elsewhere", "data");
    b.as_node([&] { b.write("/elsewhere/data", "f", "x"); });
    CHECK(b.verdict().empty());
    b.as_node([&] { b.remove("/elsewhere/data", "f"); });
    CHECK(b.verdict().empty());
    b.as_node([&] { b.write("/elsewhere", "f", "x"); });
    CHECK(b.verdict() == "node 1 changed /elsewhere/f, outside of its directory /data");
}

TEST_CASE("a version that was closed or committed may be shown") {
    visible_bench b;
    b.close("closed");
    b.committed.insert(edit_history::key(as_bytes("committed")));
    b.as_node([&] {
        b.write("/data/.lockstep", "1", "clos");   // nobody sees it
        b.write("/data/.lockstep", "1", "ed", true);
        b.rename("/data/.lockstep", "1", "/data", "f");
        b.write("/data/.lockstep", "2", "committed");
        b.rename("/data/.lockstep", "2", "/data", "f");
    });
    CHECK(b.verdict().empty());
    CHECK(b.checker.looks() == 2);
}

TEST_CASE("a part of a version is seen when it is shown") {
    visible_bench b;
    b.close("all of it");
    b.as_node([&] {
        b.write("/data/.lockstep", "1", "all of");
        b.rename("/data/.lockstep", "1", "/data", "f");
    });
    CHECK(b.verdict() == "node 1 shows /data/f with 6 bytes that nobody closed and nobody committed");
}

TEST_CASE("a file that is written in place, where users see it, is seen") {
    visible_bench b;
    b.close("old");
    b.close("old and new");
    b.as_node([&] {
        b.write("/data/.lockstep", "1", "old");
        b.rename("/data/.lockstep", "1", "/data", "f");
    });
    CHECK(b.verdict().empty());
    b.as_node([&] { b.write("/data", "f", " and", true); });
    CHECK(b.verdict() == "node 1 shows /data/f with 7 bytes that nobody closed and nobody committed");
}

TEST_CASE("what a user is still writing may be moved about") {
    visible_bench b;
    b.write("/data", "f", "half of it");
    b.as_node([&] { b.rename("/data", "f", "/data", "g"); });
    CHECK(b.verdict().empty());
}

TEST_CASE("a file that the cluster has where it stands is exchanged, not taken away") {
    visible_bench b;
    b.close("old");
    b.close("new");
    b.write("/data", "f", "old");
    b.placed["f"] = log_index(4);
    b.as_node([&] {
        b.write("/data/.lockstep", "1", "new");
        b.rename("/data/.lockstep", "1", "/data", "f", rename_mode::exchange);
    });
    CHECK(b.verdict().empty());
    b.as_node([&] { b.rename("/data", "f", "/data/.lockstep", "2"); });
    CHECK(b.verdict() == "node 1 took away /data/f, which the cluster has there since index 4, with nothing in its place");
}

TEST_CASE("what the cluster removed or put something else in the place of may be taken away") {
    visible_bench b;
    b.close("old");
    b.write("/data", "f", "old");
    b.as_node([&] { b.remove("/data", "f"); });
    CHECK(b.verdict().empty());
    b.write("/data", "g", "old");
    b.placed["g"] = log_index(9);   // decided since: another file
    b.as_node([&] { b.rename("/data", "g", "/data", "h"); });
    CHECK(b.verdict().empty());
}

TEST_CASE("a file goes with the directory that it is in, and what comes to its old path is another") {
    visible_bench b;
    b.close("old");
    b.make("/data", "d");
    b.placed["d/f"] = b.placed["e/f"] = log_index(4);
    b.as_node([&] {
        b.write("/data/d", "f", "old");
        b.rename("/data", "d", "/data", "e");
    });
    b.make("/data", "d");
    b.write("/data/d", "g", "of a user");
    b.rename("/data/d", "g", "/data/d", "f");
    b.as_node([&] { b.rename("/data/d", "f", "/data/d", "g"); });
    CHECK(b.verdict().empty());
    b.as_node([&] { b.remove("/data/e", "f"); });
    CHECK(b.verdict() == "node 1 took away /data/e/f, which the cluster has there since index 4, with nothing in its place");
}

// Seed 908850.
TEST_CASE("what a node puts where the power took its file away may be a user's") {
    for (const bool power : {true, false}) {
        visible_bench b;
        b.close("old");
        b.make("/data", "d");
        b.make("/data/d", "a");
        b.placed["d/a/f"] = log_index(4);
        b.as_node([&] { b.write("/data/d/a", "f", "old"); });
        if (power) {
            b.disk.lose_power();
            b.make("/", "data");
            b.make("/data", "d");
            b.checker.restarted();
            b.make("/data", "b");
            b.write("/data/b", "f", "of a user");
            b.as_node([&] { b.rename("/data", "b", "/data/d", "a"); });
        } else {
            b.checker.restarted();
        }
        b.as_node([&] { b.rename("/data/d/a", "f", "/data/d/a", "f.conflict"); });
        CHECK(b.verdict().empty() == power);
    }
}

TEST_CASE("disks that differ are named, with what each has") {
    disk_bench a(1), b(2);
    trees_equal checker({{node_id(1), &a.disk}, {node_id(2), &b.disk}}, "/data");
    a.write("/data/.lockstep", "own", "x");
    CHECK(checker.difference().empty());
    a.make("/data", "d");
    CHECK(checker.difference() == "trees differ at /d: node 1 has 2 mode 493, node 2 has nothing");
    CHECK(checker.difference({node_id(2)}).empty());
    checker.at_end(a.w);
    REQUIRE(a.w.failed());
    CHECK(a.w.failed()->what == exit_class::liveness);
}

TEST_CASE("a closed content that is nowhere is lost, unless somebody did away with it") {
    for (const bool given_up : {true, false}) {
        disk_bench b;
        edit_history history;
        history.closed(node_id(2), "a/f", as_bytes("there"), {}, false);
        history.closed(node_id(2), "a/g", as_bytes("not there"), {}, false);
        if (given_up) history.given_up(as_bytes("not there"));
        b.write("/data", "f", "there");
        nothing_lost checker(b.disk, "/data", history);
        checker.at_end(b.w);
        CHECK(b.verdict() == (given_up ? "" : "lost: the content that node 2 closed as a/g (9 bytes, at 0 ns)"));
    }
}

TEST_CASE("what a cluster takes stood in a file, or was left in one by a loss of power") {
    disk_bench b;
    edit_history history;
    bool damaged = false;
    stood_somewhere checker(b.w, history, [&](node_id) { return damaged; });
    const auto applied = [&](std::uint64_t index, std::string_view text) {
        folder::command c;
        c.session = {node_id(1), 1};
        c.what = folder::operation::create;
        c.path = "f";
        c.content = shared_bytes::copy_of(text);
        c.hash = sha256(c.content.view());
        c.size = c.content.size();
        raft::entry e;
        e.index = log_index(index);
        e.kind = raft::entry_kind::command;
        e.data = encode_command(c);
        checker.applied(e);
    };
    history.stood(as_bytes("half"));
    applied(1, "half");
    applied(2, "");
    b.write("/data", "f", "torn");
    note_all(b.disk, history);
    applied(3, "torn");
    damaged = true;
    applied(4, "a bit that is wrong");
    CHECK(b.verdict().empty());
    CHECK(checker.looks() == 2);
    damaged = false;
    applied(4, "told by another node too");
    CHECK(b.verdict().empty());
    applied(5, "half old, half new");
    CHECK(b.verdict() == "node 1 proposed as f, at index 5, what never stood in a file");
}

namespace {

content_hash hash_of(std::string_view text) { return sha256(as_bytes(text)); }

/// A new file of two chunks, "a" and "b".
folder::command chunked_create() {
    const std::vector<content::chunk_ref> refs{{hash_of("a"), 1}, {hash_of("b"), 1}};
    folder::command c;
    c.session = {node_id(1), 1};
    c.what = folder::operation::create;
    c.sequence = 1;
    c.entry = {c.session, c.sequence};
    c.path = "f";
    c.where = {root_entry, "f"};
    c.chunked = true;
    c.hash = hash_of("ab");
    c.size = 2;
    c.content = shared_bytes(content::encode(content::build_manifest(refs).value().what));
    return c;
}

raft::entry entry_of(std::uint64_t index, const folder::command& c) {
    raft::entry e;
    e.index = log_index(index);
    e.kind = raft::entry_kind::command;
    e.data = encode_command(c);
    return e;
}

/// A cluster of three that has opened a session and made a file; what each node has of that can be changed.
struct content_bench {
    explicit content_bench(folder::command file) {
        folder::command open;
        open.session = file.session;
        checker.applied(entry_of(1, open));
        checker.applied(entry_of(2, file));
        for (std::uint64_t n = 1; n <= 3; ++n) views.push_back({node_id(n), true, false, log_index(0), log_index(2), [](const content_hash&) { return true; }});
    }
    std::string verdict() {
        checker.at_end(w);
        return w.failed() ? w.failed()->text : std::string();
    }

    world w{1};
    std::vector<content_view> views;
    content_checker checker{[this] { return views; }};
};

}  // namespace

TEST_CASE("a content in chunks is on a majority while one node lacks one of them, and not when two do") {
    for (const content_hash& missing : {hash_of("a"), hash_of("b"), sha256(chunked_create().content.view())}) {
        content_bench b(chunked_create());
        const auto lacks = [missing](const content_hash& h) { return h != missing; };
        b.views[0].stored = lacks;
        CHECK(b.verdict().empty());
        b.views[2].stored = lacks;
        CHECK(b.verdict() == "the content of f, committed at index 2, is on 1 of 3 nodes");
    }
}

TEST_CASE("a content that stands in the log is there as long as the log is, or once it is stored") {
    folder::command c = chunked_create();
    c.chunked = false;
    c.content = shared_bytes::copy_of("ab");
    content_bench b(c);
    for (content_view& v : b.views) v.stored = [](const content_hash&) { return false; };
    CHECK(b.verdict().empty());
    b.views[0].base = b.views[1].base = log_index(2);   // cut off
    b.views[0].stored = [](const content_hash& h) { return h == hash_of("ab"); };
    CHECK(b.verdict().empty());
    b.views[0].stored = b.views[1].stored;
    CHECK(b.verdict() == "the content of f, committed at index 2, is on 1 of 3 nodes");
}

TEST_CASE("of a node that is down counts what its log had; a damaged one is taken for one of the majority") {
    content_bench b(chunked_create());
    for (content_view& v : b.views) v.stored = [](const content_hash&) { return false; };
    b.views[0].known = false;
    b.views[1].damaged = true;
    CHECK(b.verdict().empty());
    b.views[0].durable = log_index(1);
    CHECK(b.verdict() == "the content of f, committed at index 2, is on 1 of 3 nodes");
}

TEST_CASE("a command that names chunks is applied where all of them are") {
    const folder::command c = chunked_create();
    const raft::entry e = entry_of(3, c);
    const content_hash manifest = sha256(c.content.view());
    for (const content_hash& missing : {content_hash{}, manifest, hash_of("a"), hash_of("b")}) {
        for (const bool damaged : {true, false}) {
            world w{1};
            chunks_before_apply checker(w, [&](node_id, const content_hash& h) { return h != missing; }, [&](node_id) { return damaged; });
            checker.applied(node_id(2), e);
            CHECK(checker.looks() == (damaged ? 0 : 1));
            const bool passes = damaged || missing.empty();
            CHECK((w.failed() ? w.failed()->text : std::string()) == (passes ? "" : "node 2 applies 3 without the chunks of f"));
        }
    }
}
