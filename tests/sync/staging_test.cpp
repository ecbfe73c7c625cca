// What is told of a thing that an exchange brought out, and what examining it aside does.
#include <tests/sync/disk_fixture.hpp>

using namespace lockstep;
using namespace sync_test;
using namespace std::chrono_literals;
using sync::displaced_state;
using aside = sync::aside_result::state;

namespace {

/// A file of the user's that now stands in staging, and what was known of it before.
struct aside_world : disk_world {
    explicit aside_world(std::uint64_t seed = 1) : disk_world(seed) {
        write("f", "known");
        wait(200ms);
        item.staged = "new-7-0";
        item.path = "f";
        item.expected = record_at("f", 1);
        rename("f", staged());
    }
    static std::string staged() { return ".lockstep/staging/new-7-0"; }
    displaced_state look() {
        auto root = fs().open_directory("/r/.lockstep/staging").value();
        return sync::look_at_displaced(fs(), root, item.staged, item.expected);
    }
    sync::aside_result examine(bool safe = false, std::uint64_t most = 1000) {
        return sync::examine_aside(fs(), journal(), root(), item, safe, most);
    }
    sync::displaced_item item;
};

}  // namespace

TEST_CASE("paths are cut at their last name, and parked names tell entries apart") {
    CHECK(sync::split_path("a/b/c").parent == "a/b");
    CHECK(sync::split_path("a/b/c").name == "c");
    CHECK(sync::split_path("c").parent.empty());
    CHECK(sync::split_path("c").name == "c");
    CHECK(sync::parked_name(id(1)) != sync::parked_name(id(2)));
    CHECK(sync::parked_name({session_id{node_id(1), 23}, 4}) != sync::parked_name({session_id{node_id(12), 3}, 4}));
}

TEST_CASE("what came out is as expected where only a rename touched it, and else a user's") {
    aside_world w;
    CHECK(w.look() == displaced_state::expected);
    SECTION("touched, with the same bytes") {
        w.write(w.staged(), "known");
        CHECK(w.look() == displaced_state::expected);
    }
    SECTION("other bytes of the same length") {
        w.write(w.staged(), "KNOWN");
        CHECK(w.look() == displaced_state::edited);
    }
    SECTION("the same bytes and times, where times prove nothing") {
        const auto before = w.item.expected;
        w.write(w.staged(), "KNOWN");
        w.item.expected.disk = w.status(w.staged());
        CHECK(w.look() == displaced_state::expected);   // what certain means
        w.item.expected.certain = false;
        CHECK(w.look() == displaced_state::edited);
    }
    // Swarm seed 1406968: the clock came to the very tick that another's had given the file, as a user wrote to it.
    SECTION("a time that lay ahead, and that a write left anew") {
        w.write(w.staged(), "KNOWN");
        w.item.expected.disk = w.status(w.staged());
        w.item.expected.disk.ctime_ns -= 1'000'000'000;
        CHECK(w.look() == displaced_state::edited);
    }
    SECTION("another type") {
        w.remove(w.staged());
        w.make_symlink(w.staged(), "known");
        CHECK(w.look() == displaced_state::edited);
    }
    SECTION("open for writing, whatever it holds") {
        const auto writer = w.hold(w.staged());
        CHECK(w.look() == displaced_state::written);
        w.disk().close(writer);
        CHECK(w.look() == displaced_state::expected);
    }
    SECTION("gone") {
        w.remove(w.staged());
        CHECK(w.look() == displaced_state::gone);
    }
    SECTION("not to be looked at") {
        w.write(w.staged(), "other");
        w.box().fail_at_call(1, errc::io_error, [](sim::fs_call c) { return c == sim::fs_call::read; });
        CHECK(w.look() == displaced_state::unknown);
    }
}

TEST_CASE("an edit aside is given with its bytes, stays until it is safe, and is then deleted and done with") {
    aside_world w;
    w.write(w.staged(), "a user's");
    for (int i = 0; i < 2; ++i) {
        const auto found = w.examine();
        CHECK(found.what == aside::edited);
        CHECK(text_of(found.found.content) == "a user's");
        CHECK(found.found.hash == sha256(as_bytes("a user's")));
        CHECK(found.found.disk.mode == 0644);
        CHECK(w.staging().size() == 1);
    }
    const auto records = w.journal().records();
    CHECK(w.examine(true).what == aside::gone);
    CHECK(w.staging().empty());
    CHECK(w.journal().records() == records + 1);
    CHECK(w.examine().what == aside::gone);
}

TEST_CASE("what is aside and was not edited goes at once, what is large or cannot be read stays") {
    aside_world w;
    SECTION("not edited") {
        CHECK(w.examine().what == aside::gone);
        CHECK(w.staging().empty());
    }
    SECTION("large: it is read in pieces, by others") {
        w.write(w.staged(), std::string(1001, 'x'));
        const auto found = w.examine();
        CHECK(found.what == aside::large);
        CHECK(found.found.what == sync::finding::kind::large);
        CHECK(found.found.disk.size == 1001);
        CHECK(w.staging().size() == 1);
    }
    SECTION("unreadable") {
        w.write(w.staged(), "a user's");
        w.box().fail_at_call(1, errc::io_error, [](sim::fs_call c) { return c == sim::fs_call::read; });
        CHECK(w.examine().root_error == errc::io_error);   // the marker cannot be read either
        w.box().fail_at_call(2, errc::io_error, [](sim::fs_call c) { return c == sim::fs_call::read; });
        CHECK(w.examine().what == aside::stuck);
        CHECK(w.examine().what == aside::edited);
    }
    SECTION("a link") {
        w.remove(w.staged());
        w.make_symlink(w.staged(), "elsewhere");
        CHECK(text_of(w.examine().found.content) == "elsewhere");
    }
}

TEST_CASE("an edit aside is not deleted by a look that is killed or fails at any call") {
    aside_world whole;
    whole.write(whole.staged(), "a user's");
    const auto first = whole.box().calls();
    (void)whole.examine();
    const auto calls = whole.box().calls() - first;
    for (std::uint64_t n = 1; n <= calls; ++n) {
        INFO("call " << n);
        aside_world w;
        w.write(w.staged(), "a user's");
        w.box().fail_at_call(n, errc::io_error, [](sim::fs_call) { return true; });
        const auto found = w.examine();
        CHECK((found.root_error || found.what != aside::gone));
        CHECK(w.staging().at("new-7-0") == "a user's");
        w.box().crash_at_call(n, crash_kind::process);
        (void)w.examine();
        CHECK(w.staging().at("new-7-0") == "a user's");
    }
}
