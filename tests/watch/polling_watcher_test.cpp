#include <tests/catch.hpp>

#include <lockstep/os/posix_file_system.hpp>
#include <lockstep/testing/manual_runtime.hpp>
#include <lockstep/testing/watcher_conformance.hpp>
#include <lockstep/watch/polling_watcher.hpp>
#include <tests/os/temporary_directory.hpp>

using namespace lockstep;
using namespace lockstep::testing;
using namespace std::chrono_literals;

namespace {

/// A watcher that polls every second, and what it said.
struct world {
    world() {
        for (const char* name : {"marks", "tree"}) REQUIRE(files.make_directory(base, name, 0700));
        auto tree = root();
        REQUIRE(files.make_directory(tree, "d", 0755));
        watcher_callbacks callbacks;
        callbacks.hints = [this](std::vector<hint> more) {
            given.insert(given.end(), more.begin(), more.end());
            if (told) told();
        };
        callbacks.problem = [](std::string text) { FAIL_CHECK(text); };
        REQUIRE(poller.start(files.open_directory_at(base, "marks").value(), std::move(callbacks)));
        poller.add("", tree);
        poller.add("d", files.open_directory_at(tree, "d").value());
    }
    polling_watcher<manual_runtime>& watch() { return poller; }
    os::posix_file_system& fs() { return files; }
    os::posix_file_system::directory root() { return files.open_directory_at(base, "tree").value(); }
    const std::vector<hint>& hints() const { return given; }
    template <class Predicate>
    bool drive(Predicate done) {
        return rt.run_until(done, 5s);
    }

    temporary_directory directory;
    os::posix_file_system files;
    os::posix_file_system::directory base = files.open_directory(directory.path()).value();
    manual_runtime rt;
    polling_watcher<manual_runtime> poller{rt};
    std::vector<hint> given;
    unique_function<void()> told;
};

}  // namespace

TEST_CASE("a watcher that polls is a watcher") {
    for (const auto& failure : check_watcher<world>()) FAIL_CHECK(failure);
}

TEST_CASE("a watcher that polls says so, and hints at everything again and again") {
    world w;
    w.rt.advance(3500ms);
    CHECK(w.given == std::vector<hint>(3));
    CHECK(w.poller.counters().polling);
    CHECK(w.poller.counters().polls == 3);
}

TEST_CASE("a watcher that polls can be stopped from within its own hint") {
    world w;
    w.told = [&w] { w.poller.stop(); };
    bool flushed = false;
    SECTION("of its timer") { w.rt.advance(1s); }
    SECTION("of a flush, which is then not answered") {
        w.poller.flush([&](error_code) { flushed = true; });
        w.rt.run_until_idle();
    }
    REQUIRE(w.given.size() == 1);
    CHECK(w.rt.next_timer() == never);
    w.rt.advance(10s);
    CHECK(w.given.size() == 1);
    CHECK_FALSE(flushed);
}
