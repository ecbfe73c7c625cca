#include <tests/catch.hpp>

#include <lockstep/os/posix_file_system.hpp>
#include <lockstep/testing/fake_kernel_events.hpp>
#include <lockstep/testing/manual_runtime.hpp>
#include <lockstep/watch/selected_watcher.hpp>
#include <tests/os/temporary_directory.hpp>

#include <algorithm>

using namespace lockstep;
using namespace lockstep::testing;

namespace {

using fake = fake_kernel_events<os::posix_file_system>;
using selected = selected_watcher<manual_runtime, os::posix_file_system, fake>;
static_assert(kernel_events<fake, os::posix_file_system::directory>);
static_assert(watcher<selected, os::posix_file_system::directory>);
static_assert(watcher<polling_watcher<manual_runtime>, os::posix_file_system::directory>);

struct world {
    explicit world(watcher_choice choice = watcher_choice::automatic) : watch(rt, fs, kernel, choice) {
        REQUIRE(fs.make_directory(root, "marks", 0700));
        for (const char* name : {"a", "b"}) REQUIRE(fs.make_directory(root, name, 0755));
    }
    result<> try_start() {
        watcher_callbacks callbacks;
        callbacks.hints = [this](std::vector<hint> given) {
            for (auto& h : given) hints.push_back(std::move(h));
            if (told) told();
        };
        callbacks.problem = [this](std::string text) { problems.push_back(std::move(text)); };
        return watch.start(open("marks"), std::move(callbacks));
    }
    void start() {
        REQUIRE(try_start());
        marks = kernel.last_watch();
    }
    os::posix_file_system::directory open(std::string_view path) { return fs.open_directory_at(root, path).value(); }
    /// Watches the directory that stands at `at` under the name `as`.
    watch_id add(const std::string& as, std::string_view at) {
        watch.add(as, open(at));
        return kernel.last_watch();
    }
    void give(watch_id id, event_kind kind, std::string name = {}) {
        kernel.give({id, kind, false, 0, std::move(name)});
    }
    std::vector<hint> delivered() {
        kernel.deliver();
        rt.run_until_idle();
        return std::exchange(hints, {});
    }
    /// A flush whose answer is counted, with how many hints had come by then.
    void flush() {
        watch.flush([this](error_code error) {
            CHECK_FALSE(error);
            flushed_after.push_back(hints.size());
        });
    }

    temporary_directory directory;
    os::posix_file_system fs;
    os::posix_file_system::directory root = fs.open_directory(directory.path()).value();
    manual_runtime rt;
    fake kernel{fs};
    selected watch;
    watch_id marks = 0;
    std::vector<hint> hints;
    std::vector<std::string> problems;
    std::vector<std::size_t> flushed_after;
    unique_function<void()> told;
};

hint name(std::string path, bool open = false) { return {hint::kind::name, std::move(path), open}; }
hint inside(std::string path) { return {hint::kind::directory, std::move(path), false}; }
const hint everything{};
using hints_t = std::vector<hint>;

}  // namespace

TEST_CASE("each event of a thing hints at its name") {
    world w;
    w.start();
    const auto a = w.add("a", "a");
    for (const auto kind : {event_kind::created, event_kind::closed_write, event_kind::attributes, event_kind::moved_from,
                            event_kind::moved_to, event_kind::removed}) {
        w.give(a, kind, "f");
        CHECK(w.delivered() == hints_t{name("a/f")});
    }
    w.give(a, event_kind::modified, "f");
    CHECK(w.delivered() == hints_t{name("a/f", true)});
    const auto root = w.add("", "");
    w.give(root, event_kind::created, "f");
    CHECK(w.delivered() == hints_t{name("f")});
}

TEST_CASE("each event of a directory itself hints at the directory") {
    world w;
    w.start();
    const auto a = w.add("a", "a");
    for (const auto kind : {event_kind::attributes, event_kind::self_moved, event_kind::self_removed, event_kind::ignored}) {
        w.give(a, kind);
        CHECK(w.delivered() == hints_t{inside("a")});
    }
}

TEST_CASE("events of one batch about one path are one hint, which tells whether a writer is still there") {
    world w;
    w.start();
    const auto a = w.add("a", "a");
    for (const auto kind : {event_kind::created, event_kind::modified, event_kind::modified, event_kind::closed_write})
        w.give(a, kind, "f");
    CHECK(w.delivered() == hints_t{name("a/f")});
    for (const auto kind : {event_kind::closed_write, event_kind::modified}) w.give(a, kind, "f");
    CHECK(w.delivered() == hints_t{name("a/f", true)});
}

TEST_CASE("a directory added again under another path is told of there") {
    world w;
    w.start();
    const auto a = w.add("a", "a");
    REQUIRE(w.add("c", "a") == a);
    w.give(a, event_kind::created, "f");
    CHECK(w.delivered() == hints_t{name("c/f")});
    w.watch.remove("a");   // the path it had is nobody's: its watch stays
    CHECK(w.kernel.removed.empty());
    w.give(a, event_kind::created, "g");
    CHECK(w.delivered() == hints_t{name("c/g")});
}

TEST_CASE("another directory at a known path takes the path over") {
    world w;
    w.start();
    const auto old = w.add("a", "a");
    const auto fresh = w.add("a", "b");
    CHECK(w.kernel.removed == std::vector<watch_id>{old});
    w.give(old, event_kind::created, "stale");
    w.give(fresh, event_kind::created, "f");
    CHECK(w.delivered() == hints_t{name("a/f")});
}

TEST_CASE("removing a path ends the watches below it and not those beside it") {
    world w;
    w.start();
    const std::vector<std::string> spare{"d1", "d2", "d3"};
    for (const auto& d : spare) REQUIRE(w.fs.make_directory(w.root, d, 0755));
    const auto a = w.add("a", "a");
    const auto below = w.add("a/x", spare[0]);
    const auto deeper = w.add("a/x/y", spare[1]);
    const auto beside = w.add("a-b", spare[2]);
    w.watch.remove("a");
    CHECK(w.kernel.removed == std::vector<watch_id>{a, below, deeper});
    w.give(beside, event_kind::created, "f");
    CHECK(w.delivered() == hints_t{name("a-b/f")});
}

TEST_CASE("an ignored watch is forgotten, so that its number may stand for another directory") {
    world w;
    w.start();
    const auto a = w.add("a", "a");
    w.give(a, event_kind::ignored);
    CHECK(w.delivered() == hints_t{inside("a")});
    CHECK(w.watch.counters().watches == 0);
    w.give(a, event_kind::created, "f");
    CHECK(w.delivered().empty());
}

TEST_CASE("lost events and an unmounted root hint at everything") {
    world w;
    w.start();
    w.give(-1, event_kind::overflow);
    CHECK(w.delivered() == hints_t{everything});
    CHECK(w.watch.counters().overflows == 1);
    const auto a = w.add("a", "a");
    w.give(a, event_kind::unmounted);
    CHECK(w.delivered() == hints_t{everything});
}

TEST_CASE("a flush is answered by its mark, after the hints before it") {
    world w;
    w.start();
    const auto a = w.add("a", "a");
    w.kernel.batch_max = 1;
    w.flush();
    CHECK(w.fs.list(w.open("marks")).value().empty());
    w.give(a, event_kind::created, "f");
    w.give(w.marks, event_kind::created, "mark-of-somebody-else");
    w.give(a, event_kind::created, "g");
    w.kernel.deliver();
    CHECK(w.flushed_after.empty());
    w.give(w.marks, event_kind::created, "mark-1");
    w.kernel.deliver();
    CHECK(w.flushed_after == std::vector<std::size_t>{2});
}

TEST_CASE("a flush whose mark was lost is answered after a look at everything") {
    world w;
    w.start();
    w.flush();
    SECTION("by an overflow") {
        w.give(-1, event_kind::overflow);
        w.kernel.deliver();
    }
    SECTION("in bounded time") { w.rt.advance(std::chrono::seconds(3)); }
    CHECK(w.flushed_after == std::vector<std::size_t>{1});
    CHECK(w.hints == hints_t{everything});
}

TEST_CASE("without watches left it says so once, polls as well, and keeps what it watches") {
    world w;
    w.start();
    const auto a = w.add("a", "a");
    w.kernel.watches_max = 2;
    w.add("b", "b");
    w.add("b", "b");
    CHECK(w.problems.empty());
    w.rt.run_until_idle();
    REQUIRE(w.problems.size() == 1);
    CHECK(w.problems[0].find("max_user_watches") != std::string::npos);
    CHECK(w.watch.counters().polling);
    w.give(a, event_kind::created, "f");
    CHECK(w.delivered() == hints_t{name("a/f")});
    w.rt.advance(std::chrono::seconds(20));
    CHECK(w.watch.counters().polls == 10);
    w.hints.clear();
    w.flush();
    w.give(w.marks, event_kind::created, "mark-1");
    w.kernel.deliver();
    CHECK(w.flushed_after == std::vector<std::size_t>{1});
    CHECK(w.hints == hints_t{everything});
}

TEST_CASE("kernel events that are broken are told once, everything is looked at, and it polls from then on") {
    world w;
    w.start();
    const auto a = w.add("a", "a");
    w.flush();
    w.give(a, event_kind::created, "f");
    w.give(-1, event_kind::broken);
    CHECK(w.delivered() == hints_t{name("a/f"), everything, everything});   // of the loss, and for the flush
    CHECK(w.flushed_after == std::vector<std::size_t>{3});
    REQUIRE(w.problems.size() == 1);
    CHECK(w.watch.counters().watches == 0);
    const auto last = w.kernel.last_watch();
    w.add("b", "b");
    w.watch.remove("a");
    CHECK(w.kernel.last_watch() == last);
    CHECK(w.kernel.removed.empty());
    w.rt.advance(std::chrono::seconds(20));
    CHECK(w.hints == hints_t(10, everything));
    w.flush();
    w.rt.run_until_idle();
    CHECK(w.flushed_after == std::vector<std::size_t>{3, 11});
    CHECK(w.problems.size() == 1);
}

TEST_CASE("without kernel events it polls where that was left open, and else refuses to start") {
    SECTION("left open") {
        world w;
        w.kernel.start_error = errc::instance_limit;
        REQUIRE(w.try_start());
        w.rt.run_until_idle();
        REQUIRE(w.problems.size() == 1);
        CHECK(w.problems[0].find("polling") != std::string::npos);
        CHECK(w.problems[0].find("fs.inotify.max_user_instances") != std::string::npos);
        CHECK(w.problems[0].find("max_user_watches") == std::string::npos);
        w.rt.advance(std::chrono::seconds(3));
        CHECK(w.hints == hints_t(3, everything));
        w.flush();
        w.rt.run_until_idle();
        CHECK(w.flushed_after == std::vector<std::size_t>{4});
    }
    SECTION("asked for") {
        world w{watcher_choice::inotify};
        w.kernel.start_error = errc::instance_limit;
        CHECK(w.try_start().error() == errc::instance_limit);
    }
}

TEST_CASE("nothing is told once it was stopped") {
    world w;
    w.start();
    const auto a = w.add("a", "a");
    w.flush();
    w.give(a, event_kind::created, "f");
    w.watch.stop();
    w.kernel.deliver();
    w.rt.advance(std::chrono::seconds(10));
    CHECK(w.hints.empty());
    CHECK(w.flushed_after.empty());
}

TEST_CASE("a watcher without kernel events that was stopped at once tells no problem") {
    world w;
    w.kernel.start_error = errc::watch_limit;
    REQUIRE(w.try_start());
    w.watch.stop();
    w.rt.advance(std::chrono::seconds(10));
    CHECK(w.problems.empty());
    CHECK(w.hints.empty());
}

TEST_CASE("nothing is told once it was stopped from within a hint") {
    world w;
    w.start();
    w.told = [&w] { w.watch.stop(); };
    SECTION("of an event") {
        w.give(w.add("a", "a"), event_kind::created, "f");
        w.flush();
        w.kernel.deliver();
    }
    SECTION("of a flush whose mark was lost") {
        w.flush();
        w.rt.advance(std::chrono::seconds(3));
    }
    SECTION("of a poll, where there are no watches left") {
        w.kernel.watches_max = 1;
        w.add("b", "b");
        w.rt.advance(std::chrono::seconds(3));
    }
    REQUIRE(w.hints.size() == 1);
    CHECK(w.rt.next_timer() == never);
    w.rt.advance(std::chrono::seconds(10));
    CHECK(w.hints.size() == 1);
    CHECK(w.flushed_after.empty());
}
