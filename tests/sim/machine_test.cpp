// Machines and their incarnations: crashes at any call, in jobs and on the loop; and that a run is a pure function of its seed.
#include <tests/catch.hpp>

#include <sim/faults/draw_faults.hpp>
#include <sim/faults/fault_plan.hpp>
#include <sim/workload/sim_user.hpp>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

namespace {

struct bench {
    explicit bench(std::uint64_t seed = 1) : w(seed), cables(w), network(w, cables), box(w, cables, network, nullptr, node_id(1)) {}
    void start(machine::start_function program) {
        box.set_program(std::move(program));
        REQUIRE(box.start());
    }
    void run_for(duration time) { w.run_until(w.now() + time); }

    world w;
    links cables;
    sim_network network;
    machine box;
};

/// Says when it is destroyed.
struct witness {
    explicit witness(int& count) : destroyed(count) {}
    ~witness() { ++destroyed; }
    witness(const witness&) = delete;
    witness& operator=(const witness&) = delete;
    int& destroyed;
};

}  // namespace

TEST_CASE("posts run in order, timers not before their time, and a cancelled timer never") {
    bench b;
    std::string order;
    b.start([&](node_system& s) {
        s.runtime.post([&] { order += "1"; });
        s.runtime.post([&] { order += "2"; });
        const auto unwanted = s.runtime.schedule(s.runtime.now() + 1ms, [&] { order += "!"; });
        s.runtime.schedule(s.runtime.now() + 2ms, [&, at = s.runtime.now() + 2ms] { order += s.runtime.now() >= at ? "3" : "?"; });
        s.runtime.cancel(unwanted);
        return std::make_shared<int>(0);
    });
    CHECK(order.empty());
    b.run_for(10ms);
    CHECK(order == "123");
}

TEST_CASE("jobs of one lane run one after the other, their completions too, and lanes do not wait for each other") {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        bench b(seed);
        std::string log, scan;
        b.start([&](node_system& s) {
            for (char c : {'a', 'b', 'c'}) {
                s.runtime.offload(lane::log, [&log, c] { log += c; }, [&log, c] { log += static_cast<char>(c - 'a' + 'A'); });
                s.runtime.offload(lane::scan, [&scan, c] { scan += c; }, [] {});
            }
            return std::make_shared<int>(0);
        });
        b.run_for(5s);
        CHECK(log == "aAbBcC");
        CHECK(scan == "abc");
    }
}

TEST_CASE("a node that crashes at a call gets halted from then on, changes nothing, and is destroyed at the next event") {
    bench b;
    int destroyed = 0;
    bool completed = false;
    std::vector<error_code> seen;
    b.start([&](node_system& s) {
        s.runtime.offload(
            lane::files,
            [&] {
                auto root = s.file_system.open_directory("/");
                for (int i = 0; i < 4; ++i) seen.push_back(s.file_system.make_directory(*root, std::to_string(i), 0755).error());
                CHECK(destroyed == 0);
            },
            [&] { completed = true; });
        return std::make_shared<witness>(destroyed);
    });
    b.box.crash_at_call(3, crash_kind::process);
    b.run_for(5s);
    REQUIRE(seen.size() == 4);
    CHECK(!seen[0]);
    CHECK(seen[1] == errc::halted);
    CHECK(seen[3] == errc::halted);
    CHECK(b.box.disk().root()->entries.size() == 1);
    CHECK(destroyed == 1);
    CHECK(!completed);
    CHECK(!b.box.running());
    CHECK(b.box.disk().open_descriptors() == 0);
}

TEST_CASE("a crash frees locks and descriptors, and the next incarnation is another one") {
    bench b;
    std::vector<sim_file_system::lock> held;
    b.start([&](node_system& s) {
        auto root = s.file_system.open_directory("/");
        held.push_back(s.file_system.lock_file(*root, "lock").value());
        CHECK(s.file_system.lock_file(*root, "lock").error() == errc::busy);
        return std::make_shared<int>(0);
    });
    b.box.crash(crash_kind::process);
    CHECK_FALSE(b.box.start());  // not buried yet
    b.run_for(1ms);
    bool again = false;
    b.start([&](node_system& s) {
        auto root = s.file_system.open_directory("/");
        again = s.file_system.lock_file(*root, "lock").has_value();
        CHECK(s.who->number == 2);
        return std::make_shared<int>(0);
    });
    CHECK(again);
    held.clear();
}

TEST_CASE("the call that is told to fails, once, and a failed sync is not durable by a later one") {
    bench b;
    b.start([&](node_system& s) {
        auto root = s.file_system.open_directory("/");
        b.box.fail_at_call(2, errc::no_space);
        CHECK(s.file_system.make_directory(*root, "a", 0755));
        CHECK(s.file_system.status_at(*root, "a").has_value());
        CHECK(s.file_system.make_directory(*root, "b", 0755).error() == errc::no_space);
        CHECK(s.file_system.make_directory(*root, "b", 0755));
        b.box.fail_at_call(1, errc::io_error, &is_sync);
        auto file = s.file_system.open_file(*root, "f", open_mode::create_new, 0600);
        CHECK(s.file_system.write_at(*file, 0, as_bytes("x")));
        CHECK(s.file_system.sync_data(*file).error() == errc::io_error);
        CHECK(b.box.disk().find("/f")->durable.has_value());
        return std::make_shared<int>(0);
    });
}

TEST_CASE("watchers learn of edits in order, of an overflow once, and a dead one of nothing") {
    bench b;
    int told = 0;
    b.start([&](node_system& s) {
        REQUIRE(s.kernel_events.start([&] { ++told; }));
        REQUIRE(s.kernel_events.add(*s.file_system.open_directory("/")).has_value());
        return std::make_shared<int>(0);
    });
    auto root = b.box.disk().open_directory(sim_disk::user, "/").value();
    REQUIRE(b.box.disk().make_directory(root, "a", 0755));
    REQUIRE(b.box.disk().remove_directory(root, "a"));
    b.run_for(100ms);
    CHECK(told == 1);
    auto events = b.box.system()->kernel_events.read();
    REQUIRE(events.size() == 3);
    CHECK(events.front().kind == event_kind::created);
    CHECK(events.back().kind == event_kind::removed);

    b.box.system()->kernel_events.set_queue_max(2);
    for (int i = 0; i < 5; ++i) REQUIRE(b.box.disk().make_directory(root, std::to_string(i), 0755));
    b.run_for(100ms);
    CHECK(told == 2);
    events = b.box.system()->kernel_events.read();
    REQUIRE(events.size() == 3);
    CHECK(events.back().kind == event_kind::overflow);

    b.box.crash(crash_kind::process);
    b.run_for(1ms);
    REQUIRE(b.box.disk().make_directory(root, "z", 0755));
    b.run_for(100ms);
    CHECK(told == 2);
}

TEST_CASE("users edit the same on the same seed, and differently on another") {
    const auto run = [](std::uint64_t seed) {
        bench b(seed);
        auto root = b.box.disk().open_directory(sim_disk::user, "/").value();
        REQUIRE(b.box.disk().make_directory(root, "data", 0755));
        b.box.disk().close(root);
        edit_history history;
        sim_user user(b.w, b.box.disk(), node_id(1), history);
        user.start(draw_edits(b.w, node_id(1), {}, 60s));
        b.run_for(70s);
        CHECK(user.idle());
        CHECK(user.edits() > 100);
        CHECK(b.box.disk().open_descriptors() == 0);
        // Without any node beside him, what a user closed and did not give up himself is there.
        std::set<std::uint64_t> there;
        const std::function<void(const disk_inode&)> walk = [&](const disk_inode& d) {
            for (const auto& [name, inode] : d.entries) {
                if (inode->is_directory()) walk(*inode);
                else there.insert(edit_history::key(inode->content));
            }
        };
        walk(*b.box.disk().root());
        std::size_t kept = 0;
        for (const auto& [key, content] : history.contents()) {
            if (content.given_up) continue;
            ++kept;
            CHECK(there.contains(key));
        }
        CHECK(kept > 0);
        return b.w.trace_hash();
    };
    const auto first = run(1);
    CHECK(run(1) == first);
    CHECK(run(2) != first);
}

TEST_CASE("a faulty run is the same twice, starts all machines again, and ends with all of them up") {
    const auto run = [](std::uint64_t seed) {
        world w(seed);
        links cables(w);
        sim_network network(w, cables);
        std::vector<std::unique_ptr<machine>> boxes;
        std::vector<machine*> machines;
        for (std::uint64_t id = 1; id <= 3; ++id) {
            boxes.push_back(std::make_unique<machine>(w, cables, network, nullptr, node_id(id)));
            machines.push_back(boxes.back().get());
            boxes.back()->set_program([](node_system& s) {
                // A program that writes and syncs a little file over and over.
                auto again = std::make_shared<std::function<void()>>();
                *again = [&s, weak = std::weak_ptr(again)] {
                    s.runtime.offload(
                        lane::files,
                        [&s] {
                            auto root = s.file_system.open_directory("/");
                            if (!root) return;
                            auto file = s.file_system.open_file(*root, "f", open_mode::create_or_open, 0600);
                            if (!file || !s.file_system.write_at(*file, 0, as_bytes("0123456789"))) return;
                            if (s.file_system.sync_data(*file)) (void)s.file_system.sync_directory(*root);
                        },
                        [weak] {
                            if (const auto next = weak.lock()) (*next)();
                        });
                };
                (*again)();
                return again;
            });
            REQUIRE(boxes.back()->start());
        }
        fault_plan faults(w, cables, network, nullptr, machines, fault_drawer(w, machines.size(), 60s, {}).draw());
        faults.start(w.now() + 60s);
        w.run_until(w.now() + 61s);
        CHECK(count_of(faults.counts(), fault_kind::crash) > 5);
        CHECK(cables.whole());
        for (const machine* m : machines) {
            CHECK(m->running());
            CHECK(m->starts() > 1);
        }
        return w.trace_hash();
    };
    for (std::uint64_t seed = 0; seed < 5; ++seed) CHECK(run(seed) == run(seed));
}
