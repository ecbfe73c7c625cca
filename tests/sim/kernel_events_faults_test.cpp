// The faults of kernel events, each seen to bite: dropped, repeated, late and merged ones, renames whose halves come apart or
// alone, refused watches and instances; and that a new directory is full before its watch is there.
#include <tests/catch.hpp>

#include <sim/machine/machine.hpp>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

namespace {

machine_options with(kernel_event_options events) {
    machine_options o;
    o.kernel_events = events;
    return o;
}

/// A machine that watches its root and keeps what it is told.
struct watching {
    explicit watching(kernel_event_options events)
        : w(1), cables(w), network(w, cables), box(w, cables, network, nullptr, node_id(1), with(events)) {
        box.set_program([this](node_system& s) {
            REQUIRE(s.kernel_events.start([this, &s] {
                told = w.now();
                for (auto more = s.kernel_events.read(); !more.empty(); more = s.kernel_events.read())
                    seen.insert(seen.end(), more.begin(), more.end());
            }));
            (void)s.kernel_events.add(*s.file_system.open_directory("/"));
            return std::make_shared<int>(0);
        });
        REQUIRE(box.start());
        root = box.disk().open_directory(sim_disk::user, "/").value();
    }
    /// One event each.
    void make(const std::string& name) { REQUIRE(box.disk().make_symlink(root, name, "x")); }
    void make_directory(const std::string& name) { REQUIRE(box.disk().make_directory(root, name, 0755)); }
    void move(const std::string& from, const std::string& to) {
        REQUIRE(box.disk().rename(root, from, root, to, rename_mode::no_replace));
    }
    void settle() { w.run_until(w.now() + 1s); }
    std::size_t count(event_kind kind) const {
        return static_cast<std::size_t>(std::count_if(seen.begin(), seen.end(), [&](const auto& e) { return e.kind == kind; }));
    }
    const kernel_event_counts& counts() const { return box.event_counts(); }

    world w;
    links cables;
    sim_network network;
    machine box;
    sim_disk::fd root = 0;
    std::vector<kernel_event> seen;
    time_point told{};
};

}  // namespace

TEST_CASE("a dropped event is told by nothing, and counted here") {
    kernel_event_options o;
    o.dropped_one_in = 2;
    o.queue_max = 1000;
    watching b(o);
    for (int i = 0; i < 100; ++i) b.make(std::to_string(i));
    b.settle();
    CHECK(b.seen.size() == 100 - b.counts().dropped);
    CHECK(b.counts().dropped > 30);
    CHECK(b.counts().dropped < 70);
    CHECK(b.count(event_kind::overflow) == 0);
    b.box.system()->kernel_events.calm();
    b.seen.clear();
    for (int i = 100; i < 200; ++i) b.make(std::to_string(i));
    b.settle();
    CHECK(b.seen.size() == 100);
}

TEST_CASE("events are lost from the next one on until the queue was read, and that is said last and once") {
    watching b(kernel_event_options{});
    b.make("before");
    b.box.system()->kernel_events.lose();
    b.make("lost");
    b.make("lost too");
    b.settle();
    REQUIRE(b.seen.size() == 2);
    CHECK(b.seen.front().name == "before");
    CHECK(b.seen.back().kind == event_kind::overflow);
    b.make("after");
    b.settle();
    REQUIRE(b.seen.size() == 3);
    CHECK(b.seen.back().name == "after");
}

TEST_CASE("a repeated event comes twice, an identical one in sequence is merged") {
    kernel_event_options o;
    o.repeated_one_in = 2;
    o.queue_max = 1000;
    watching b(o);
    for (int i = 0; i < 100; ++i) b.make(std::to_string(i));
    b.settle();
    CHECK(b.counts().repeated > 30);
    CHECK(b.seen.size() == 100 + b.counts().repeated);
    CHECK(b.counts().merged == 0);
    b.box.system()->kernel_events.calm();
    auto file = b.box.disk().open_file(sim_disk::user, b.root, "f", open_mode::create_new, 0600).value();
    for (int i = 0; i < 10; ++i) REQUIRE(b.box.disk().write_at(file, 0, as_bytes("x")));
    CHECK(b.counts().merged == 9);
}

TEST_CASE("a late event comes late, and none before it") {
    kernel_event_options o;
    o.late_one_in = 1;
    o.late_max = 500ms;
    watching b(o);
    duration longest{};
    for (int i = 0; i < 20; ++i) {
        const time_point since = b.w.now();
        b.make(std::to_string(i));
        b.settle();
        REQUIRE(b.seen.size() == static_cast<std::size_t>(i) + 1);
        CHECK(b.seen.back().name == std::to_string(i));
        longest = std::max(longest, b.told - since);
    }
    CHECK(longest > 200ms);
    CHECK(longest < 501ms);
    CHECK(b.counts().late == 20);
}

TEST_CASE("the halves of a rename come apart, or alone") {
    kernel_event_options o;
    o.apart_one_in = 1;
    watching b(o);
    b.make("a");
    b.move("a", "b");
    b.make("c");
    b.settle();
    REQUIRE(b.seen.size() == 4);
    CHECK(b.seen[1].kind == event_kind::moved_from);
    CHECK(b.seen[2].name == "c");
    CHECK(b.seen[3].kind == event_kind::moved_to);
    CHECK(b.seen[1].cookie == b.seen[3].cookie);
    // The last of all comes too.
    b.move("b", "a");
    b.settle();
    CHECK(b.seen.back().kind == event_kind::moved_to);
    CHECK(b.counts().apart == 2);

    o.apart_one_in = 0;
    o.halved_one_in = 2;
    watching h(o);
    h.make("a");
    for (int i = 0; i < 50; ++i) {
        h.move("a", "b");
        h.move("b", "a");
        h.settle();
    }
    CHECK(h.counts().halved > 60);
    CHECK(h.count(event_kind::moved_from) + h.count(event_kind::moved_to) == 200 - h.counts().halved);
    CHECK(h.count(event_kind::moved_from) != 100);
    CHECK(h.count(event_kind::moved_to) != 100);
}

TEST_CASE("watches and instances are refused") {
    kernel_event_options o;
    o.refused_one_in = 2;
    watching b(o);
    int refused = 0;
    for (int i = 0; i < 50; ++i) {
        const std::string name = std::to_string(i);
        b.make_directory(name);
        const auto directory = b.box.system()->file_system.open_directory("/" + name);
        const auto added = b.box.system()->kernel_events.add(*directory);
        if (!added) CHECK(added.error() == errc::watch_limit);
        refused += !added;
    }
    CHECK(refused > 10);
    CHECK(refused < 40);
    CHECK(b.counts().refused >= static_cast<std::uint64_t>(refused));

    kernel_event_options none;
    none.fails_to_start = true;
    world w(1);
    links cables(w);
    sim_network network(w, cables);
    machine box(w, cables, network, nullptr, node_id(1), with(none));
    box.set_program([](node_system& s) {
        CHECK(s.kernel_events.start([] {}).error() == errc::instance_limit);
        return std::make_shared<int>(0);
    });
    REQUIRE(box.start());
}

TEST_CASE("what comes into a new directory before it is watched is told by nothing") {
    watching b({});
    b.make_directory("d");
    auto d = b.box.disk().open_directory(sim_disk::user, "/d").value();
    REQUIRE(b.box.disk().make_directory(d, "before", 0755));
    b.settle();
    for (const kernel_event& e : b.seen) CHECK(e.name == "d");
    b.seen.clear();
    REQUIRE(b.box.system()->kernel_events.add(*b.box.system()->file_system.open_directory("/d")).has_value());
    REQUIRE(b.box.disk().make_directory(d, "after", 0755));
    b.settle();
    REQUIRE_FALSE(b.seen.empty());
    CHECK(b.seen.front().name == "after");
}
