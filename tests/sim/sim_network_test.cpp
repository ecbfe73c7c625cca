// The simulated network: what every byte_streams promises, and what only a simulated one can be made to do.
#include <tests/catch.hpp>

#include <sim/machine/machine.hpp>

#include <lockstep/testing/byte_streams_conformance.hpp>
#include <lockstep/transport/stream_transport.hpp>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

namespace {

/// Two machines whose programs do nothing: the test uses their streams.
template <std::uint64_t Seed>
struct two_nodes {
    using streams = sim_streams;

    two_nodes() : w(Seed), cables(w), network(w, cables), hub(w, cables),
                  one(w, cables, network, &hub, node_id(1)), two(w, cables, network, &hub, node_id(2)) {
        for (machine* m : {&one, &two}) {
            m->set_program([](node_system&) { return std::make_shared<int>(0); });
            REQUIRE(m->start());
        }
    }
    sim_streams& dialler() { return one.system()->streams; }
    sim_streams& listener() { return two.system()->streams; }
    std::string address() { return "node2:1"; }
    template <class Predicate>
    bool drive(Predicate p, duration most) { return w.run_until(p, w.now() + most); }

    world w;
    links cables;
    sim_network network;
    message_network hub;
    machine one, two;
};

struct connected : two_nodes<7> {
    connected() {
        REQUIRE(listener().listen(address(), [this](std::shared_ptr<sim_stream> s) { there = std::move(s); }));
        dialler().connect(address(), [this](result<std::shared_ptr<sim_stream>> s) { here = s.value(); });
        REQUIRE(drive([&] { return here && there; }, 1s));
    }
    /// Reads from a stream once.
    void read(const std::shared_ptr<sim_stream>& s) {
        s->read(buffer, [this](result<std::size_t> got) { outcome = got; });
    }
    void write(const std::shared_ptr<sim_stream>& s, std::string_view text) {
        s->write({shared_bytes::copy_of(text)}, [this](error_code error) { written = error; });
    }
    std::shared_ptr<sim_stream> here, there;
    std::array<std::byte, 100> buffer{};
    std::optional<result<std::size_t>> outcome;
    std::optional<error_code> written;
};

}  // namespace

TEST_CASE("simulated streams keep what byte_streams promises") {
    CHECK(testing::check_byte_streams<two_nodes<1>>() == std::vector<std::string>{});
    CHECK(testing::check_byte_streams<two_nodes<2>>() == std::vector<std::string>{});
    CHECK(testing::check_byte_streams<two_nodes<3>>() == std::vector<std::string>{});
}

TEST_CASE("a cut link stalls a stream, and mending it lets the bytes through") {
    connected c;
    c.read(c.there);
    c.cables.set(node_id(1), node_id(2), false);
    c.write(c.here, "hello");
    CHECK_FALSE(c.drive([&] { return c.outcome.has_value(); }, 2s));
    c.cables.heal();
    REQUIRE(c.drive([&] { return c.outcome.has_value(); }, 1s));
    CHECK(c.outcome->has_value());
}

TEST_CASE("a connect through a cut link hangs, then fails") {
    two_nodes<1> c;
    REQUIRE(c.listener().listen(c.address(), [](auto) {}));
    c.cables.set(node_id(2), node_id(1), false);
    std::optional<error_code> outcome;
    c.dialler().connect(c.address(), [&](auto s) { outcome = s.error(); });
    CHECK_FALSE(c.drive([&] { return outcome.has_value(); }, 2s));
    REQUIRE(c.drive([&] { return outcome.has_value(); }, 5s));
    CHECK(*outcome == errc::timed_out);
}

TEST_CASE("a process that dies is noticed by the other end at once, a machine without power only by who speaks to it again") {
    {
        connected c;
        c.read(c.here);
        c.two.crash(crash_kind::process);
        REQUIRE(c.drive([&] { return c.outcome.has_value(); }, 1s));
        CHECK(c.outcome->error() == errc::connection_lost);
        c.there = nullptr;
    }
    connected c;
    c.read(c.here);
    c.two.crash(crash_kind::power);
    c.write(c.here, "is anybody there");
    CHECK_FALSE(c.drive([&] { return c.outcome.has_value(); }, 5s));
    c.there = nullptr;
    REQUIRE(c.two.start());
    REQUIRE(c.drive([&] { return c.outcome.has_value(); }, 1s));
    CHECK(c.outcome->error() == errc::connection_lost);
}

TEST_CASE("a reset breaks both ends and loses what was under way") {
    connected c;
    c.read(c.there);
    REQUIRE(c.network.reset_one(node_id(1)));
    CHECK_FALSE(c.network.reset_one(node_id(1)));
    REQUIRE(c.drive([&] { return c.outcome.has_value(); }, 1s));
    CHECK(c.outcome->error() == errc::connection_lost);
    c.write(c.here, "x");
    REQUIRE(c.drive([&] { return c.written.has_value(); }, 1s));
    CHECK(*c.written == errc::connection_lost);
}

TEST_CASE("the shipped transport brings frames in order over simulated streams, through resets too") {
    two_nodes<5> c;
    using transport_type = stream_transport<sim_runtime, sim_streams>;
    std::vector<peer_address> peers{{node_id(1), "node1:1"}, {node_id(2), "node2:1"}};
    transport_type a(c.one.system()->runtime, c.dialler()), b(c.two.system()->runtime, c.listener());
    std::vector<std::string> got;
    transport_callbacks callbacks;
    callbacks.frame = [&](node_id, channel, shared_bytes frame) { got.emplace_back(as_text(frame.view())); };
    REQUIRE(a.start({node_id(1), disk_id::from(1, 1), {}}, "node1:1", peers, {}));
    REQUIRE(b.start({node_id(2), disk_id::from(2, 2), {}}, "node2:1", peers, std::move(callbacks)));
    int sent = 0;
    for (int round = 0; round < 20; ++round) {
        REQUIRE(c.drive([&] { return a.is_connected(node_id(2), channel::control); }, 10s));
        for (int i = 0; i < 50; ++i)
            (void)a.send(node_id(2), channel::control, shared_bytes::copy_of(std::to_string(1000 + sent++)));
        c.w.run_until(c.w.now() + 5ms);
        c.network.reset_one(node_id(1));
        c.w.run_until(c.w.now() + 50ms);
    }
    CHECK(got.size() > 300);
    CHECK(got.size() <= 1000);
    CHECK(std::is_sorted(got.begin(), got.end()));
    CHECK(std::adjacent_find(got.begin(), got.end()) == got.end());
}

TEST_CASE("the message-level transport loses, repeats and reorders, connects again, and refuses another cluster") {
    two_nodes<5> c;
    std::vector<peer_address> peers{{node_id(1), "node1:1"}, {node_id(2), "node2:1"}};
    sim_transport a(c.one.system()->runtime, c.dialler()), b(c.two.system()->runtime, c.listener());
    std::vector<std::string> got;
    int disconnects = 0;
    transport_callbacks quiet;
    quiet.connected = [](const hello&) {};
    quiet.disconnected = [&](node_id) { ++disconnects; };
    transport_callbacks callbacks;
    callbacks.frame = [&](node_id, channel, shared_bytes frame) { got.emplace_back(as_text(frame.view())); };
    callbacks.connected = [](const hello&) {};
    callbacks.disconnected = [](node_id) {};
    REQUIRE(a.start({node_id(1), disk_id::from(1, 1), {}}, "node1:1", peers, std::move(quiet)));
    REQUIRE(b.start({node_id(2), disk_id::from(2, 2), {}}, "node2:1", peers, std::move(callbacks)));
    for (int i = 0; i < 5000; ++i) {
        REQUIRE(c.drive([&] { return a.is_connected(node_id(2), channel::control); }, 10s));
        (void)a.send(node_id(2), channel::control, shared_bytes::copy_of(std::to_string(10000 + i)));
        c.w.run_until(c.w.now() + 100us);
    }
    c.w.run_until(c.w.now() + 1s);
    const std::set<std::string> different(got.begin(), got.end());
    CHECK(different.size() > 4500);
    CHECK(different.size() < 5000);
    CHECK(got.size() > different.size());
    CHECK_FALSE(std::is_sorted(got.begin(), got.end()));
    CHECK(disconnects > 0);
    CHECK(a.queued_bytes(node_id(2), channel::control) == 0);

    a.stop();
    sim_transport other(c.one.system()->runtime, c.dialler());
    b.set_cluster(cluster_id::from(1, 1));
    REQUIRE(other.start({node_id(1), disk_id::from(1, 1), cluster_id::from(2, 2)}, "node1:1", peers, {}));
    CHECK_FALSE(c.drive([&] { return other.is_connected(node_id(2), channel::control); }, 2s));
    CHECK(other.counters().rejected > 0);
}

TEST_CASE("the message-level transport tells that a way broke before it tells of the next one, however late it tells") {
    two_nodes<6> c;
    c.cables.options().delay_max = 60ms;
    c.cables.options().shape = delay_shape::heavy_tailed;
    message_options odds;
    odds.broken_one_in = 2;
    message_network breaking(c.w, c.cables, odds);
    std::vector<peer_address> peers{{node_id(1), "node1:1"}, {node_id(2), "node2:1"}};
    sim_transport a(breaking, c.dialler().who()), b(breaking, c.listener().who());
    bool there = false;
    int disconnects = 0;
    transport_callbacks at_a, at_b;
    at_a.connected = [&](const hello&) { there = true; };
    at_a.disconnected = [&](node_id) {
        there = false;
        ++disconnects;
    };
    at_b.frame = [](node_id, channel, shared_bytes) {};
    at_b.connected = [](const hello&) {};
    at_b.disconnected = [](node_id) {};
    REQUIRE(a.start({node_id(1), disk_id::from(1, 1), {}}, "node1:1", peers, std::move(at_a)));
    REQUIRE(b.start({node_id(2), disk_id::from(2, 2), {}}, "node2:1", peers, std::move(at_b)));
    for (int round = 0; round < 200; ++round) {
        REQUIRE(c.drive([&] { return a.is_connected(node_id(2), channel::control); }, 10s));
        while (a.is_connected(node_id(2), channel::control)) (void)a.send(node_id(2), channel::control, shared_bytes::copy_of("x"));
        REQUIRE(c.drive([&] { return a.is_connected(node_id(2), channel::control); }, 10s));
        c.w.run_until(c.w.now() + 2s);
        CHECK(there);
    }
    CHECK(disconnects == 200);
}

// Seed 1006143: a leader counted what a disk acknowledged before it was told that it is another disk.
TEST_CASE("the message-level transport brings no frame of a disk before it told that the peer is on it") {
    two_nodes<6> c;
    c.cables.options().delay_max = 60ms;
    c.cables.options().shape = delay_shape::heavy_tailed;
    message_network late(c.w, c.cables, {});
    std::vector<peer_address> peers{{node_id(1), "node1:1"}, {node_id(2), "node2:1"}};
    sim_transport b(late, c.listener().who());
    disk_id told;
    int frames = 0;
    transport_callbacks at_b;
    at_b.connected = [&](const hello& peer) { told = peer.disk; };
    at_b.disconnected = [](node_id) {};
    at_b.frame = [&](node_id, channel, shared_bytes frame) {
        ++frames;
        CHECK(as_text(frame.view()) == told.to_string());
    };
    REQUIRE(b.start({node_id(2), disk_id::from(2, 2), {}}, "node2:1", peers, std::move(at_b)));
    for (std::uint64_t disk = 1; disk <= 100; ++disk) {
        sim_transport a(late, c.dialler().who());
        transport_callbacks at_a;
        at_a.connected = [](const hello&) {};
        at_a.disconnected = [](node_id) {};
        at_a.frame = [](node_id, channel, shared_bytes) {};
        REQUIRE(a.start({node_id(1), disk_id::from(1, disk), {}}, "node1:1", peers, std::move(at_a)));
        for (int i = 0; i < 20; ++i) {
            c.w.run_until(c.w.now() + 10ms);
            (void)a.send(node_id(2), channel::control, shared_bytes::copy_of(disk_id::from(1, disk).to_string()));
        }
    }
    CHECK(frames > 500);
}

TEST_CASE("message-level bulk loses, repeats, breaks and queues on its own, and control notices nothing of it") {
    two_nodes<5> c;
    message_options odds;
    odds.lost_one_in = odds.repeated_one_in = odds.broken_one_in = 0;
    message_network calm_control(c.w, c.cables, odds);
    std::vector<peer_address> peers{{node_id(1), "node1:1"}, {node_id(2), "node2:1"}};
    sim_transport a(calm_control, c.dialler().who()), b(calm_control, c.listener().who());
    std::vector<std::string> bulk, control;
    int disconnects = 0, hellos = 0, drains = 0;
    int sent = 0;
    const auto produce = [&] {
        const std::string body(20'000, 'x');
        const auto frame = [&] { return shared_bytes::copy_of(std::to_string(10000 + sent) + body); };
        while (sent < 5000 && a.send(node_id(2), channel::bulk, frame())) ++sent;
        CHECK(a.queued_bytes(node_id(2), channel::bulk) <= odds.bulk_queue_bytes_max + 21'000);
    };
    transport_callbacks at_a, at_b;
    at_a.connected = [&](const hello&) { ++hellos; };
    at_a.disconnected = [&](node_id) { ++disconnects; };
    at_a.drained = [&](node_id) {
        ++drains;
        produce();
    };
    at_b.frame = [&](node_id, channel on, shared_bytes frame) {
        if (on == channel::bulk) bulk.emplace_back(as_text(frame.view().first(5)));
        else control.emplace_back(as_text(frame.view()));
    };
    at_b.connected = [](const hello&) {};
    REQUIRE(a.start({node_id(1), disk_id::from(1, 1), {}}, "node1:1", peers, std::move(at_a)));
    REQUIRE(b.start({node_id(2), disk_id::from(2, 2), {}}, "node2:1", peers, std::move(at_b)));
    REQUIRE(c.drive([&] { return a.is_connected(node_id(2), channel::control); }, 10s));
    c.w.run_until(c.w.now() + 1s);
    CHECK_FALSE(a.is_connected(node_id(2), channel::bulk));
    produce();
    for (std::size_t i = 0; i < 100; ++i) {
        REQUIRE(a.send(node_id(2), channel::control, shared_bytes::copy_of("heartbeat")));
        REQUIRE(c.drive([&] { return control.size() > i; }, 100ms));
        if (i % 10 == 0) {
            (void)calm_control.break_bulk(node_id(1), node_id(2));
            CHECK_FALSE(a.is_connected(node_id(2), channel::bulk));
        }
        c.w.run_until(c.w.now() + 20ms);
    }
    c.w.run_until(c.w.now() + 60s);
    CHECK(sent == 5000);
    CHECK(drains > 5);
    const std::set<std::string> different(bulk.begin(), bulk.end());
    CHECK(different.size() > 4500);
    CHECK(different.size() < 5000);
    CHECK(bulk.size() > different.size());
    CHECK((disconnects == 0 && hellos == 2 && control.size() == 100));
    CHECK(a.queued_bytes(node_id(2), channel::bulk) == 0);
    CHECK(a.counters().bulk_bytes_sent > 5000u * 20'000);
    CHECK(b.counters().bulk_bytes_received > 4500u * 20'000);
}
