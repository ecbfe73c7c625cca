// The faults of a machine, each seen to bite: pauses, slowness, crash loops, wiped disks; and its clocks.
#include <tests/catch.hpp>

#include <sim/machine/machine.hpp>
#include <sim/machine/older_log.hpp>

#include <lockstep/storage/wal.hpp>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

namespace {

struct bench {
    explicit bench(machine_options options = {})
        : w(1), cables(w), network(w, cables), box(w, cables, network, nullptr, node_id(1), options) {
        box.set_program([this](node_system& s) {
            if (program) program(s);
            return std::make_shared<int>(0);
        });
    }
    void run_for(duration time) { w.run_until(w.now() + time); }
    sim_runtime& runtime() { return box.system()->runtime; }

    world w;
    links cables;
    sim_network network;
    machine box;
    std::function<void(node_system&)> program;
};

time_point at(duration since_start) { return time_point(since_start); }

}  // namespace

TEST_CASE("a clock that drifts shows, and reaches a time, exactly when it must") {
    for (const std::int32_t ppm : {0, 1, -1, 50, -200, 100'000, -999'999, 3'000'000}) {
        world w(1);
        node_clock clock(w, {0, ppm});
        random_generator random(static_cast<std::uint64_t>(ppm + 1'000'000));
        for (int i = 0; i < 1000; ++i) {
            const time_point local = clock.now() + duration(static_cast<std::int64_t>(random.below(10'000'000'000)));
            const time_point when = clock.when(local);
            w.run_until(when - 1ns);
            if (local > clock.now()) CHECK(w.now() < when);
            w.run_until(when);
            CHECK(clock.now() >= local);
            w.run_until(when + duration(static_cast<std::int64_t>(random.below(1'000'000))));
        }
        CHECK(clock.when(never) == never);
    }
    world w(1);
    node_clock clock(w, {5'000, 100});
    w.run_until(at(100s));
    CHECK(clock.now() == at(100s + 10ms));
    CHECK(clock.wall_ns() == world::epoch_ns + 100'010'005'000);
    // A clock is early for nobody: one nanosecond before, it shows less.
    const time_point when = clock.when(at(200s));
    w.run_until(when - 1ns);
    CHECK(clock.now() < at(200s));
    w.run_until(when);
    CHECK(clock.now() >= at(200s));
}

TEST_CASE("the monotonic clock never goes back, whatever is done to either clock") {
    world w(1);
    node_clock clock(w);
    random_generator random(1);
    time_point last{};
    for (int i = 0; i < 10'000; ++i) {
        switch (random.below(4)) {
            case 0: clock.set_drift(static_cast<std::int32_t>(random.below(1'000'000)) - 500'000); break;
            case 1: clock.stall(duration(static_cast<std::int64_t>(random.below(1'000'000)))); break;
            case 2: clock.step(static_cast<std::int64_t>(random.below(2'000'000)) - 1'000'000); break;
            default: w.run_until(w.now() + duration(static_cast<std::int64_t>(random.below(1'000'000)))); break;
        }
        CHECK(clock.now() >= last);
        last = clock.now();
    }
    CHECK(clock.counts().drifts > 2000);
    CHECK(clock.counts().stalls > 2000);
    CHECK(clock.counts().steps > 2000);
}

TEST_CASE("timers fire by their node's clock, through changes of its rate and while it stands still") {
    bench b;
    std::vector<time_point> fired;
    b.program = [&](node_system& s) {
        for (auto after : {1s, 10s, 20s}) s.runtime.schedule(s.runtime.now() + after, [&] { fired.push_back(b.w.now()); });
    };
    REQUIRE(b.box.start());
    b.run_for(2s);
    b.box.set_drift(1'000'000);  // twice as fast
    b.run_for(1s);
    CHECK(b.runtime().now() == at(4s));
    b.box.stall_clock(5s);
    b.run_for(5s);
    CHECK(b.runtime().now() == at(4s));
    b.run_for(3s);
    b.box.set_drift(0);
    b.run_for(11s);
    CHECK(fired == std::vector<time_point>{at(1s), at(11s), at(21s)});
}

TEST_CASE("the wall clock stamps files, and setting it does not touch timers") {
    bench b;
    time_point fired{};
    b.program = [&](node_system& s) { s.runtime.schedule(s.runtime.now() + 10s, [&] { fired = b.w.now(); }); };
    REQUIRE(b.box.start());
    b.run_for(1s);
    auto stamp = [&](const char* name) {
        auto root = b.box.system()->file_system.open_directory("/").value();
        REQUIRE(b.box.system()->file_system.make_directory(root, name, 0755));
        return b.box.system()->file_system.status_at(root, name)->ctime_ns;
    };
    const std::int64_t before = stamp("a");
    b.box.step_clock(-3'600'000'000'000);
    CHECK(stamp("b") == before - 3'600'000'000'000);
    CHECK(b.box.system()->file_system.clock_ns() == before - 3'600'000'000'000);
    b.box.step_clock(7'200'000'000'000);
    CHECK(stamp("c") == before + 3'600'000'000'000);
    b.run_for(10s);
    CHECK(fired == at(10s));
}

TEST_CASE("nothing of a paused node runs; then all that was due comes at once, in order, but what was cancelled") {
    bench b;
    std::string order;
    int ran = 0;
    b.program = [&](node_system& s) {
        s.runtime.schedule(s.runtime.now() + 3s, [&] { order += "c"; });
        s.runtime.schedule(s.runtime.now() + 1s, [&] { order += "a"; });
        const auto unwanted = s.runtime.schedule(s.runtime.now() + 4s, [&] { order += "!"; });
        s.runtime.schedule(s.runtime.now() + 2s, [&, unwanted] {
            order += "b";
            s.runtime.cancel(unwanted);
        });
        s.runtime.offload(lane::files, [&] { ++ran; }, [&] { ++ran; });
    };
    REQUIRE(b.box.start());
    b.box.pause(5s);
    b.run_for(5s - 1ns);
    CHECK(order.empty());
    CHECK(ran == 0);
    b.run_for(1ns);
    CHECK(order == "abc");
    b.run_for(1s);
    CHECK(ran == 2);
    CHECK(b.box.counts().pauses == 1);
}

TEST_CASE("a paused node can be killed, and its next incarnation runs at once") {
    bench b;
    int fired = 0;
    b.program = [&](node_system& s) { s.runtime.schedule(s.runtime.now() + 1s, [&] { ++fired; }); };
    REQUIRE(b.box.start());
    b.box.pause(60s);
    b.box.crash(crash_kind::process);
    b.run_for(1ms);
    REQUIRE(b.box.start());
    b.run_for(2s);
    CHECK(fired == 1);
    b.run_for(100s);
    CHECK(fired == 1);
}

TEST_CASE("the kernel of a paused node takes what comes until its buffers are full, and then the sender waits") {
    bench b;
    network_options narrow;
    narrow.buffer_max = 1000;
    sim_network network(b.w, b.cables, narrow);
    machine one(b.w, b.cables, network, nullptr, node_id(1)), two(b.w, b.cables, network, nullptr, node_id(2));
    for (machine* m : {&one, &two}) {
        m->set_program([](node_system&) { return std::make_shared<int>(0); });
        REQUIRE(m->start());
    }
    std::shared_ptr<sim_stream> here, there;
    REQUIRE(two.system()->streams.listen("node2:1", [&](std::shared_ptr<sim_stream> s) { there = std::move(s); }));
    one.system()->streams.connect("node2:1", [&](result<std::shared_ptr<sim_stream>> s) { here = s.value(); });
    REQUIRE(b.w.run_until([&] { return here && there; }, b.w.now() + 1s));
    std::array<std::byte, 5000> buffer{};
    std::size_t got = 0, written = 0;
    const std::function<void()> read = [&] {
        there->read(buffer, [&](result<std::size_t> n) {
            got += n.value();
            read();
        });
    };
    read();
    const std::function<void()> write = [&] {
        here->write({shared_bytes::copy_of(std::string(500, 'x'))}, [&](error_code) {
            written += 500;
            write();
        });
    };
    write();
    b.run_for(1s);
    CHECK(got > 5000);
    two.pause(10s);
    const std::size_t before = got;
    b.run_for(1s);
    const std::size_t full = written;
    b.run_for(8s);
    CHECK(got == before);
    CHECK(written == full);
    CHECK(written > before + 1000);
    CHECK(written <= before + 5000);
    b.run_for(5s);
    CHECK(got > before + 5000);
}

TEST_CASE("a slow node takes longer for its jobs and its events, and keeps their order") {
    const auto run = [](std::uint64_t slowness) {
        machine_options o;
        o.runtime.stall_one_in = 0;
        bench b(o);
        time_point done{};
        std::string order;
        b.program = [&](node_system& s) {
            for (char c = 'a'; c <= 'z'; ++c) s.runtime.post([&, c] { order += c; });
            for (int i = 0; i < 100; ++i) s.runtime.offload(lane::files, [] {}, [&] { done = b.w.now(); });
        };
        b.box.set_slowness(slowness);
        REQUIRE(b.box.start());
        b.run_for(60s);
        CHECK(order == "abcdefghijklmnopqrstuvwxyz");
        CHECK(b.box.counts().slowdowns == (slowness > 1 ? 1 : 0));
        return done - time_point{};
    };
    CHECK(run(10) > 8 * run(1));
    CHECK(run(10) < 15 * run(1));
}

TEST_CASE("a crash loop crashes so many times, soon after each start, and ends with a node that runs") {
    bench b;
    REQUIRE(b.box.start());
    b.box.crash_loop(7, 20ms, crash_kind::process);
    b.run_for(7 * 25ms);
    CHECK(b.box.counts().crashes == 7);
    CHECK(b.box.counts().crash_loops == 1);
    CHECK(b.box.starts() == 8);
    b.run_for(10s);
    CHECK(b.box.running());
    CHECK(b.box.starts() == 8);
}

TEST_CASE("a disk is wiped only while nothing runs, and is empty for good") {
    bench b;
    b.program = [](node_system& s) {
        auto root = s.file_system.open_directory("/").value();
        if (s.file_system.make_directory(root, "state", 0755)) {
            auto state = s.file_system.open_directory("/state").value();
            REQUIRE(s.file_system.make_directory(state, "d", 0755));
            auto d = s.file_system.open_directory("/state/d").value();
            REQUIRE(s.file_system.open_file(d, "f", open_mode::create_new, 0600).has_value());
            REQUIRE(s.file_system.make_symlink(state, "l", "d"));
        }
    };
    REQUIRE(b.box.start());
    CHECK_FALSE(b.box.wipe("/state"));
    auto root = b.box.disk().open_directory(sim_disk::user, "/").value();
    REQUIRE(b.box.disk().sync_directory(root));
    b.box.crash(crash_kind::process);
    b.run_for(1ms);
    CHECK_FALSE(b.box.wipe("/elsewhere"));
    REQUIRE(b.box.wipe("/state"));
    b.box.disk().lose_power();
    REQUIRE(b.box.disk().find("/state"));
    CHECK(b.box.disk().find("/state")->entries.empty());
    CHECK(b.box.counts().wiped == 1);
}

TEST_CASE("a program that may not use a file or directory is refused by name, as long as that lasts; users are not") {
    bench b;
    auto& disk = b.box.disk();
    auto root = disk.open_directory(sim_disk::user, "/").value();
    REQUIRE(disk.make_directory(root, "d", 0755));
    auto d = disk.open_directory(sim_disk::user, "/d").value();
    disk.close(disk.open_file(sim_disk::user, d, "f", open_mode::create_new, 0644).value());
    REQUIRE(b.box.start());
    auto& fs = b.box.system()->file_system;
    const auto top = fs.open_directory("/").value();
    const auto held = fs.open_directory("/d").value();
    CHECK_FALSE(disk.deny("/nothing"));
    REQUIRE(disk.deny("/d/f"));
    CHECK(fs.open_file(held, "f", open_mode::read, 0).error() == errc::permission_denied);
    CHECK(fs.status_at(held, "f").has_value());
    REQUIRE(disk.deny("/d"));
    CHECK(fs.open_directory("/d").error() == errc::permission_denied);
    CHECK(fs.open_directory_at(top, "d").error() == errc::permission_denied);
    CHECK(fs.status_at(held, "f").error() == errc::permission_denied);
    CHECK(fs.open_file(held, "g", open_mode::create_new, 0644).error() == errc::permission_denied);
    CHECK(fs.rename(held, "f", top, "f", rename_mode::no_replace).error() == errc::permission_denied);
    CHECK(fs.rename(top, "d", top, "e", rename_mode::no_replace));
    CHECK(fs.status_at(top, "e").has_value());
    CHECK(disk.open_file(sim_disk::user, d, "f", open_mode::read, 0).has_value());
    disk.allow_all();
    CHECK(fs.open_file(held, "f", open_mode::read, 0).has_value());
}

TEST_CASE("a log of an older binary is what a newer one finds, whole") {
    using log_type = storage::wal<sim_runtime, sim_file_system>;
    bench b;
    auto root = b.box.disk().open_directory(sim_disk::user, "/").value();
    REQUIRE(b.box.disk().make_directory(root, "state", 0755));
    REQUIRE(b.box.disk().sync_directory(root));
    CHECK_FALSE(make_log_older(b.box.disk(), "/state/wal"));
    log_index last{};
    error_code failed;
    b.box.set_program([&](node_system& s) {
        auto log = std::make_shared<log_type>(s.runtime, s.file_system, "/state", storage::wal_options{65536, 30'000});
        log->open([&, log = log.get()](recovered_log found, storage_error error) {
            failed = error.code;
            last = found.last_index;
            log_batch batch{term(1), node_id(1), {}};
            for (std::uint64_t i = 1; i <= 3; ++i)
                batch.records.push_back({last + i, term(1), 1, shared_bytes::copy_of(std::string(1000, 'x'))});
            log->append(std::move(batch), [](storage_error) {});
        });
        return log;
    });
    const auto version = [&] {
        return b.box.disk().find("/state/wal/" + storage::wal_format::segment_name(1))->content[16];
    };
    for (std::uint64_t round = 0; round < 4; ++round) {
        REQUIRE(b.box.start());
        b.run_for(5s);
        CHECK_FALSE(failed);
        CHECK(last.value == 3 * round);
        b.box.crash(crash_kind::power);
        b.run_for(1ms);
        REQUIRE(make_log_older(b.box.disk(), "/state/wal"));
        CHECK(version() == std::byte{1});
    }
}
