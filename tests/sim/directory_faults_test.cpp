// What befalls a replicated directory, each seen to bite: on a machine of its own, and in whole runs of the node.
#include <tests/catch.hpp>

#include <sim/features.hpp>
#include <sim/simulation.hpp>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

namespace {

struct bench {
    bench() : w(1), cables(w), network(w, cables), box(w, cables, network, nullptr, node_id(1)), faults(w, "/data") {
        box.set_program([this](node_system& s) -> std::shared_ptr<void> {
            ++started;
            auto control = s.file_system.open_directory("/data/.lockstep");
            if (!control) return std::make_shared<int>(0);
            return std::make_shared<result<sim_file_system::lock>>(s.file_system.lock_file(*control, "lock"));
        });
        auto top = box.disk().open_directory(sim_disk::user, "/").value();
        REQUIRE(box.disk().make_directory(top, "data", 0755));
        auto data = box.disk().open_directory(sim_disk::user, "/data").value();
        for (const char* name : {".lockstep", "d"}) REQUIRE(box.disk().make_directory(data, name, 0755));
        box.disk().close(box.disk().open_file(sim_disk::user, data, "f", open_mode::create_new, 0644).value());
        REQUIRE(box.start());
    }
    void run_for(duration time) { w.run_until(w.now() + time); }
    sim_file_system& fs() { return box.system()->file_system; }
    error_code opens(const std::string& name) {
        auto data = fs().open_directory("/data");
        if (!data) return data.error();
        auto file = fs().open_file(*data, name, open_mode::read, 0);
        return file ? error_code{} : file.error();
    }

    int started = 0;
    world w;
    links cables;
    sim_network network;
    machine box;
    directory_faults faults;
};

/// A whole run that passes.
run_result run(const std::string& text) {
    const auto read = parse_scenario("scenario 1\nfaulty 20s\n" + text);
    REQUIRE(read.wrong == "");
    const run_result result = simulate(read.what);
    INFO(text);
    CHECK(result.outcome.text == "");
    return result;
}

std::string edits(int nodes, int each, int every_ms) {
    std::string text;
    for (int n = 1; n <= each; ++n)
        for (int node = 1; node <= nodes; ++node)
            text += "at " + std::to_string(n * every_ms + node) + "ms edit " + std::to_string(node) + " n" + std::to_string(n) + "\n";
    return text;
}

}  // namespace

TEST_CASE("something in the directory is kept from programs for its time; what a node keeps for itself never is") {
    bench b;
    std::string told;
    b.faults.on_allow = [&](node_id, const std::string& path) { told = path; };
    for (std::uint64_t n = 0; n < 4; ++n) {
        REQUIRE(b.faults.deny(b.box, n, 1s));   // d and f, and round again
        if (n % 2 == 1) CHECK_FALSE(b.faults.deny(b.box, n, 1s));
        CHECK((b.opens("f") == errc::permission_denied) == (n % 2 == 1));
        CHECK(b.fs().open_directory("/data/d").has_error() == (n % 2 == 0));
        CHECK(b.fs().open_directory("/data/.lockstep").has_value());
        b.run_for(2s);
        CHECK(told == (n % 2 == 1 ? "f" : "d"));
        CHECK(!b.opens("f"));
        CHECK(b.fs().open_directory("/data/d").has_value());
    }
    REQUIRE(b.faults.deny(b.box, 1, 1000s));
    b.faults.heal(b.box);
    CHECK(!b.opens("f"));
}

TEST_CASE("a directory is taken away and comes back as it was, also when the power goes meanwhile") {
    for (const stand_in what : {stand_in::nothing, stand_in::empty_directory}) {
        bench b;
        const std::uint64_t serial = b.box.disk().find("/data")->serial;
        REQUIRE(b.faults.take_root(b.box, what, 2s));
        CHECK_FALSE(b.faults.take_root(b.box, what, 2s));
        CHECK(b.faults.lacked_root(node_id(1), b.w.now()));
        const time_point meanwhile = b.w.now() + 1900ms;
        CHECK(b.fs().open_directory("/data").has_value() == (what == stand_in::empty_directory));
        CHECK(b.opens("f") == errc::not_found);
        b.run_for(1s);
        b.box.crash(crash_kind::power);
        b.run_for(1ms);
        // Under a mount that is gone nothing is started; a node that finds no directory may be, and has to refuse.
        CHECK(b.box.start() == (what == stand_in::nothing));
        b.run_for(1500ms);
        CHECK(b.box.disk().find("/data")->serial == serial);
        CHECK(b.box.running());
        CHECK(b.started == 2);
        CHECK(!b.opens("f"));
        CHECK(b.faults.lacked_root(node_id(1), meanwhile));
        CHECK_FALSE(b.faults.lacked_root(node_id(1), b.w.now()));
        CHECK_FALSE(b.w.failed());
    }
}

TEST_CASE("a directory is not unmounted under a node that has not found it yet") {
    bench b;
    auto control = b.box.disk().open_directory(sim_disk::user, "/data/.lockstep").value();
    b.box.crash(crash_kind::process);
    b.run_for(1ms);
    b.box.set_program([](node_system&) { return std::make_shared<int>(0); });   // it has not come to its lock
    REQUIRE(b.box.start());
    CHECK_FALSE(b.faults.take_root(b.box, stand_in::empty_directory, 2s));
    CHECK(b.faults.take_root(b.box, stand_in::nothing, 2s));
    b.box.disk().close(control);
}

TEST_CASE("a node that writes into what stands in for its directory has failed") {
    bench b;
    REQUIRE(b.faults.take_root(b.box, stand_in::empty_directory, 2s));
    auto data = b.fs().open_directory("/data").value();
    REQUIRE(b.fs().make_directory(data, "mine", 0755));
    b.run_for(3s);
    REQUIRE(b.w.failed());
    CHECK(b.w.failed()->text.find("made mine in a directory that stands") != std::string::npos);
}

TEST_CASE("whole runs: what a node may not use it names, and is in step again when it may") {
    std::uint64_t named = 0, denied = 0;
    for (int seed = 1; seed <= 3; ++seed) {
        std::string text = "seed " + std::to_string(seed) + "\nset rescan-interval 5s\n" + edits(3, 30, 400);
        for (int i = 0; i < 12; ++i)
            text += "at " + std::to_string(2 + i) + "s deny " + std::to_string(1 + i % 3) + " by " + std::to_string(i * 7) + " for 3s\n";
        const run_result r = run(text);
        denied += count_of(r.faults, fault_kind::deny);
        named += r.denials_named;
    }
    CHECK(denied > 20);
    CHECK(named >= 3);
}

TEST_CASE("whole runs: a directory that goes is missed, nothing is removed for it, and all goes on when it is back") {
    for (const char* what : {"0", "1"}) {
        const run_result r = run("seed 5\n" + edits(3, 30, 400) + "at 6s root-gone 2 by " + what + " for 3s\nat 12s root-gone leader by " + what +
                                 " for 4s\nat 13s crash leader process down 500ms\nat 14s crash 2 power down 500ms\n");
        INFO(what);
        CHECK(count_of(r.faults, fault_kind::root_gone) == 2);
        CHECK(r.roots_missed > 0);
        CHECK(r.contents > 20);
    }
}

TEST_CASE("whole runs: kernel events that get lost without a word cost a pass over everything, and nothing else") {
    const run_result r = run("seed 3\nset event-dropped-one-in 20\nset event-halved-one-in 4\nset rescan-interval 5s\n" + edits(3, 40, 300));
    CHECK(r.chances.events.dropped > 5);
    CHECK(r.chances.events.halved > 0);
}

TEST_CASE("whole runs: new directories are full before they can be watched, and all in them arrives") {
    std::uint64_t filled = 0;
    for (int seed = 1; seed <= 3; ++seed)
        filled += run("seed " + std::to_string(seed) + "\nset trees-one-in 1\n" + edits(3, 40, 300)).chances.events.filled_before;
    CHECK(filled > 3);
}

TEST_CASE("whole runs: files are written anew to the same size in a moment, nothing passes over everything, and all arrives") {
    std::uint64_t contents = 0;
    for (int seed = 1; seed <= 3; ++seed)
        contents += run("seed " + std::to_string(seed) + "\nset rewrites-one-in 1\nset rescan-interval 0s\n" + edits(3, 40, 300)).contents;
    CHECK(contents > 150);
}

TEST_CASE("whole runs: files that are written on and on show elsewhere as they stood, and whole once they are closed") {
    const run_result r = run("seed 2\nset logs 3\nset open-file-interval 200ms\n" + edits(3, 20, 500) +
                             "at 5s crash 1 power down 1s\nat 9s crash 2 process down 1s\n");
    CHECK(r.log_lines > 100);
    CHECK(r.log_states > 100);
}

TEST_CASE("whole runs: what is written on and on comes to all, while it is open") {
    std::uint64_t open = 0;
    for (int seed = 1; seed <= 4; ++seed) open += run("seed " + std::to_string(seed) + "\nset logs 3\n" + edits(3, 20, 500)).logs_open;
    CHECK(open != 0);
}

TEST_CASE("whole runs: users race for what nodes are at work on") {
    const run_result r = run("seed 4\nset races-one-in 20\n" + edits(3, 30, 400));
    CHECK(r.races > 20);
}

TEST_CASE("whole runs: clocks are wrong from the beginning") {
    const run_result r = run("seed 6\nset clock-offset 3600s\nset clock-drift 20000\n" + edits(3, 20, 500));
    CHECK(r.clocks_off == 3);
}

TEST_CASE("whole runs: faults find who leads, and who would lead next") {
    const run_result none = run("seed 8\n" + edits(3, 10, 1000));
    const run_result both = run("seed 8\n" + edits(3, 10, 1000) + "at 5s crash next process down 3s\nat 6s crash leader process down 1s\n");
    CHECK(count_of(none.faults, fault_kind::crash) == 0);
    CHECK(count_of(both.faults, fault_kind::crash) == 2);
}

TEST_CASE("what a run has and what was left out of it is told") {
    const auto read = parse_scenario("scenario 1\nset lost-one-in 20\nat 1s pause 1 for 1s\nat 2s pause next for 1s\n");
    REQUIRE(read.wrong == "");
    const std::string text = features_of(read.what);
    CHECK(text.find("on: pause x2, ") == 0);
    CHECK(text.find("lost-packets") < text.find("\noff: "));
    CHECK(text.find("root-gone") > text.find("\noff: "));
}
