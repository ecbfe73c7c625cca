// The transport in virtual time, over streams that the test cuts, stalls and damages.
#include <lockstep/testing/loopback_streams.hpp>
#include <lockstep/testing/manual_runtime.hpp>
#include <lockstep/transport/stream_transport.hpp>

#include <tests/catch.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace lockstep;
using namespace std::chrono_literals;

namespace {

using runtime_type = testing::manual_runtime;
using network = testing::loopback_network<runtime_type>;
using transport_type = stream_transport<runtime_type, network::node>;

std::string address_of(std::uint64_t id) { return "node" + std::to_string(id) + ":1"; }

hello identity(std::uint64_t id) { return {node_id(id), disk_id::from(id, 5), {}}; }

struct node {
    node(runtime_type& rt, network& n, std::uint64_t id, std::vector<std::uint64_t> peers,
         stream_transport_options options = {})
        : streams(n), link(rt, streams, options) {
        std::vector<peer_address> list;
        for (const auto p : peers) list.push_back({node_id(p), address_of(p)});
        transport_callbacks c;
        c.frame = [this](node_id from, shared_bytes f) { frames.emplace_back(from, std::move(f)); };
        c.connected = [this](const hello& h) { hellos.push_back(h); };
        c.disconnected = [this](node_id) { ++lost; };
        c.problem = [this](std::string text) { problems.push_back(std::move(text)); };
        REQUIRE(link.start(identity(id), address_of(id), std::move(list), std::move(c)).has_value());
    }
    network::node streams;
    transport_type link;
    std::vector<std::pair<node_id, shared_bytes>> frames;
    std::vector<hello> hellos;
    std::vector<std::string> problems;
    int lost = 0;
};

/// Two nodes that are connected both ways.
struct pair {
    explicit pair(stream_transport_options options = {}) : a(rt, net, 1, {2}, options), b(rt, net, 2, {1}, options) {
        REQUIRE(connected());
    }
    bool connected() {
        return rt.run_until([&] { return a.link.is_connected(node_id(2)) && b.link.is_connected(node_id(1)); });
    }
    runtime_type rt;
    network net{rt};
    node a;
    node b;
};

/// A hand-made client or server: what it reads, and writing any frames.
struct raw {
    explicit raw(std::shared_ptr<network::stream> s) : stream(std::move(s)) { read(); }
    void read() {
        stream->read(reader.space(), [this](result<std::size_t> count) {
            if (!count) {
                ended = true;
                return;
            }
            reader.filled(*count);
            for (auto f = reader.next(); f.has_value() && *f; f = reader.next()) got.push_back(std::move(**f));
            read();
        });
    }
    void write(framing::frame_type type, shared_bytes payload) {
        framing::batch b;
        b.add(type, payload);
        stream->write(b.take(), [](error_code) {});
    }
    std::shared_ptr<network::stream> stream;
    framing::frame_reader reader{1 << 20};
    std::vector<framing::frame> got;
    bool ended = false;
};

std::unique_ptr<raw> dial(runtime_type& rt, network& net, std::uint64_t to) {
    network::node client(net);
    std::unique_ptr<raw> made;
    client.connect(address_of(to), [&](result<std::shared_ptr<network::stream>> s) {
        REQUIRE(s.has_value());
        made = std::make_unique<raw>(*s);
    });
    rt.run_until_idle();
    REQUIRE(made);
    return made;
}

shared_bytes hello_of(std::uint64_t id, std::uint64_t expected, std::uint16_t version = framing::protocol_version) {
    return encode(framing::hello_message{version, identity(id), node_id(expected)});
}

}  // namespace

TEST_CASE("a peer that is away is dialled again after 25 ms, then ever later, up to once a second") {
    runtime_type rt;
    network net(rt);
    node a(rt, net, 1, {2});
    rt.run_until_idle();
    REQUIRE(net.connects == 1);
    duration expected = 25ms;
    for (int i = 0; i < 12; ++i) {
        const std::size_t before = net.connects;
        const time_point since = rt.now();
        while (net.connects == before) rt.advance(1ms);
        const duration waited = rt.now() - since;
        INFO(i);
        CHECK(waited >= expected / 2);
        CHECK(waited <= expected + 1ms);
        expected = std::min<duration>(expected * 2, 1s);
    }
    CHECK(a.link.counters().connects == 0);
}

TEST_CASE("after a success the back-off starts anew") {
    pair p;
    for (int i = 0; i < 20; ++i) {
        p.net.cut();
        p.rt.advance(30ms);
        REQUIRE(p.connected());
    }
    CHECK(p.a.lost == 20);
    CHECK(p.b.lost == 20);
    CHECK(p.a.problems.empty());
}

TEST_CASE("a peer that comes back and dials is dialled at once") {
    for (int i = 0; i < 10; ++i) {
        runtime_type rt;
        network net(rt);
        node a(rt, net, 1, {2});
        rt.advance(10s + 100ms * i);
        node b(rt, net, 2, {1});
        const time_point since = rt.now();
        REQUIRE(rt.run_until([&] { return a.link.is_connected(node_id(2)) && b.link.is_connected(node_id(1)); }));
        CHECK(rt.now() == since);
    }
}

TEST_CASE("an attempt that nobody answers is given up and made again") {
    runtime_type rt;
    network net(rt);
    node b(rt, net, 2, {1});
    net.stall(true);
    node a(rt, net, 1, {2});
    rt.advance(stream_transport_options{}.handshake_timeout + 1s);
    CHECK(net.connects >= 3);
    net.stall(false);
    CHECK(rt.run_until([&] { return a.link.is_connected(node_id(2)) && b.link.is_connected(node_id(1)); }, 10s));
}

TEST_CASE("a connection whose other end lost power is noticed at both ends in bounded time") {
    for (const bool traffic : {false, true}) {
        pair p;
        const stream_transport_options o;
        p.net.strand();
        const time_point since = p.rt.now();
        while (p.a.lost == 0 && p.rt.now() < since + 1min) {
            if (traffic) p.a.link.send(node_id(2), shared_bytes::copy_of("heartbeat"));
            p.rt.advance(50ms);
        }
        CHECK(p.a.lost == 1);
        CHECK(p.rt.now() - since <= o.ping_interval + o.silence_max + 100ms);
        CHECK(p.connected());
        p.rt.advance(o.silence_max * 2);
        CHECK(p.net.connections() == 2);
        CHECK(p.connected());
    }
}

TEST_CASE("an idle connection lives as long as it is answered") {
    pair p;
    p.rt.advance(10min);
    CHECK(p.a.lost + p.b.lost == 0);
    CHECK(p.a.link.counters().connects == 2);
    CHECK(p.a.frames.empty());
}

TEST_CASE("a large frame on a slow link is no silence") {
    pair p;
    const stream_transport_options o;
    p.a.link.send(node_id(2), shared_bytes(byte_buffer(30u << 20)));
    // A few reads every 100 ms: the frame takes much longer than the silence that is allowed.
    p.net.read_max = 64 * 1024;
    const time_point since = p.rt.now();
    while (p.b.frames.empty() && p.rt.now() < since + 10min) {
        p.net.stall(false);
        for (int i = 0; i < 4; ++i) p.rt.run_one();
        p.net.stall(true);
        p.rt.advance(100ms);
    }
    p.net.stall(false);
    CHECK(p.rt.now() - since > o.silence_max * 2);
    CHECK(p.b.frames.size() == 1);
    CHECK(p.a.lost == 0);
}

TEST_CASE("a byte damaged anywhere on the wire is never delivered, and the connection is made anew") {
    const std::string text = "a frame that is quite short";
    std::uint64_t found = 0;
    for (std::size_t target = 0; target < 400; target += 3) {
        runtime_type rt;
        network net(rt);
        std::size_t passed = 0;
        net.damage = [&](std::span<std::byte> bytes) {
            if (target >= passed && target < passed + bytes.size()) bytes[target - passed] ^= std::byte{0x10};
            passed += bytes.size();
        };
        node a(rt, net, 1, {2}), b(rt, net, 2, {1});
        const auto good = [&] {
            if (passed < 1000 && a.link.is_connected(node_id(2)) && a.link.queued_bytes(node_id(2)) == 0)
                a.link.send(node_id(2), shared_bytes::copy_of(text));
            return passed >= 1000 && a.link.is_connected(node_id(2)) && b.link.is_connected(node_id(1));
        };
        INFO(target);
        REQUIRE(rt.run_until(good, 1min));
        for (const auto& [from, f] : b.frames) CHECK((from == node_id(1) && as_text(f.view()) == text));
        CHECK(a.frames.empty());
        for (const auto* n : {&a, &b}) found += n->link.counters().malformed;
    }
    CHECK(found == 134);
}

TEST_CASE("frames of one connection keep their order when they are read in crumbs") {
    pair p;
    p.net.read_max = 5;
    for (std::uint8_t i = 0; i < 200; ++i)
        CHECK(p.a.link.send(node_id(2), shared_bytes(byte_buffer(i, std::byte{i}))));
    REQUIRE(p.rt.run_until([&] { return p.b.frames.size() == 200; }));
    for (std::uint8_t i = 0; i < 200; ++i) CHECK(p.b.frames[i].second == shared_bytes(byte_buffer(i, std::byte{i})));
}

TEST_CASE("the queue to a peer is bounded in bytes and in frames, and is empty after a break") {
    stream_transport_options o;
    o.queue_bytes_max = 10'000;
    o.queue_frames_max = 50;
    o.frame_bytes_max = 8'000;
    pair p(o);
    p.net.stall(true);
    CHECK_FALSE(p.a.link.send(node_id(2), shared_bytes(byte_buffer(8'001))));
    // The first is being written at once and counts until it has left.
    CHECK(p.a.link.send(node_id(2), shared_bytes(byte_buffer(8'000))));
    CHECK(p.a.link.queued_bytes(node_id(2)) == 8'000);
    CHECK_FALSE(p.a.link.send(node_id(2), shared_bytes(byte_buffer(2'001))));
    int small = 0;
    while (p.a.link.send(node_id(2), shared_bytes(byte_buffer(1)))) ++small;
    CHECK(small == 50);
    CHECK(p.a.link.queued_bytes(node_id(2)) == 8'050);
    CHECK(p.a.link.counters().frames_dropped == 3);
    p.net.cut();
    p.net.stall(false);
    REQUIRE(p.rt.run_until([&] { return p.a.lost == 1; }));
    CHECK(p.a.link.queued_bytes(node_id(2)) == 0);
    CHECK(p.a.link.counters().frames_dropped == 53);
    REQUIRE(p.connected());
    CHECK(p.a.link.send(node_id(2), shared_bytes(byte_buffer(8'000))));
}

TEST_CASE("every refusal says why") {
    runtime_type rt;
    network net(rt);
    node a(rt, net, 1, {2});
    const auto refusal = [&](shared_bytes greeting) {
        auto client = dial(rt, net, 1);
        client->write(framing::frame_type::hello, greeting);
        rt.run_until_idle();
        CHECK(client->ended);
        REQUIRE(client->got.size() == 1);
        REQUIRE(client->got[0].type == framing::frame_type::refusal);
        const auto m = framing::decode_refusal(client->got[0].payload.view());
        REQUIRE(m.has_value());
        CHECK(m->from == identity(1));
        return m->reason;
    };
    CHECK(refusal(hello_of(2, 3)) == framing::refusal_reason::wrong_node);
    CHECK(refusal(hello_of(1, 1)) == framing::refusal_reason::own_id);
    CHECK(refusal(hello_of(9, 1)) == framing::refusal_reason::unknown_node);
    CHECK(refusal(hello_of(0, 1)) == framing::refusal_reason::unknown_node);
    CHECK(refusal(hello_of(2, 1, 2)) == framing::refusal_reason::protocol);
    CHECK(a.hellos.empty());
    CHECK(a.link.counters().rejected == 5);
}

TEST_CASE("a dialler that meets itself, or another protocol, says so") {
    runtime_type rt;
    network net(rt);
    network::node streams(net);
    transport_type self(rt, streams);
    std::vector<std::string> problems;
    transport_callbacks c;
    c.problem = [&](std::string text) { problems.push_back(std::move(text)); };
    REQUIRE(self.start(identity(1), address_of(1), {{node_id(2), address_of(1)}}, std::move(c)).has_value());
    rt.advance(5s);
    CHECK(problems == std::vector<std::string>{"the address of node 2 at node1:1 is this node's own"});
    rt.advance(2min);
    CHECK(problems.size() == 3);
}

TEST_CASE("an accepted connection that does not greet, or greets with nonsense, is closed and tells nothing") {
    runtime_type rt;
    network net(rt);
    node a(rt, net, 1, {2});
    const stream_transport_options o;
    auto silent = dial(rt, net, 1);
    auto data_first = dial(rt, net, 1);
    data_first->write(framing::frame_type::data, shared_bytes::copy_of("x"));
    auto ping_first = dial(rt, net, 1);
    ping_first->write(framing::frame_type::ping, {});
    auto foreign = dial(rt, net, 1);
    foreign->stream->write({shared_bytes::copy_of("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")}, [](error_code) {});
    auto too_long = dial(rt, net, 1);
    too_long->write(framing::frame_type::hello, shared_bytes(byte_buffer(framing::handshake_bytes_max + 1)));
    rt.run_until_idle();
    for (const auto* c : {&data_first, &ping_first, &foreign, &too_long}) CHECK((*c)->ended);
    CHECK(a.link.counters().malformed == 4);
    CHECK_FALSE(silent->ended);
    rt.advance(o.handshake_timeout + 1ms);
    CHECK(silent->ended);
    CHECK((a.frames.empty() && a.hellos.empty() && a.problems.empty()));
}

TEST_CASE("strangers are bounded, and leave room again when they go") {
    runtime_type rt;
    network net(rt);
    stream_transport_options o;
    o.strangers_max = 3;
    node a(rt, net, 1, {2}, o);
    std::vector<std::unique_ptr<raw>> crowd;
    for (int i = 0; i < 5; ++i) crowd.push_back(dial(rt, net, 1));
    rt.run_until_idle();
    CHECK((!crowd[2]->ended && crowd[3]->ended && crowd[4]->ended));
    crowd.clear();
    rt.run_until_idle();
    CHECK_FALSE(dial(rt, net, 1)->ended);
}

TEST_CASE("a second connection of the same peer replaces the first") {
    runtime_type rt;
    network net(rt);
    node a(rt, net, 1, {2});
    auto first = dial(rt, net, 1);
    first->write(framing::frame_type::hello, hello_of(2, 1));
    rt.run_until_idle();
    REQUIRE(first->got.size() == 1);
    CHECK(first->got[0].type == framing::frame_type::welcome);
    auto second = dial(rt, net, 1);
    CHECK_FALSE(first->ended);
    second->write(framing::frame_type::hello, hello_of(2, 1));
    rt.run_until_idle();
    CHECK(first->ended);
    CHECK_FALSE(second->ended);
    second->write(framing::frame_type::data, shared_bytes::copy_of("hi"));
    rt.run_until_idle();
    REQUIRE(a.frames.size() == 1);
    CHECK(a.hellos.size() == 2);
}

TEST_CASE("an accepted connection answers pings, and is closed when it falls silent or greets twice") {
    runtime_type rt;
    network net(rt);
    node a(rt, net, 1, {2});
    const stream_transport_options o;
    auto client = dial(rt, net, 1);
    client->write(framing::frame_type::hello, hello_of(2, 1));
    rt.run_until_idle();
    for (std::size_t i = 0; i < 10; ++i) {
        rt.advance(o.silence_max - 1ms);
        client->write(framing::frame_type::ping, {});
        rt.run_until_idle();
        REQUIRE(client->got.size() == 2 + i);
        CHECK(client->got.back().type == framing::frame_type::pong);
    }
    rt.advance(o.silence_max + 1ms);
    CHECK(client->ended);
    auto twice = dial(rt, net, 1);
    twice->write(framing::frame_type::hello, hello_of(2, 1));
    rt.run_until_idle();
    twice->write(framing::frame_type::hello, hello_of(2, 1));
    rt.run_until_idle();
    CHECK(twice->ended);
    CHECK(a.problems.size() == 1);
}

TEST_CASE("an acceptor that sends frames, or welcomes as somebody else, is no peer") {
    runtime_type rt;
    network net(rt);
    network::node server(net);
    std::vector<std::unique_ptr<raw>> accepted;
    REQUIRE(server.listen(address_of(2), [&](std::shared_ptr<network::stream> s) {
        accepted.push_back(std::make_unique<raw>(std::move(s)));
    }).has_value());
    node a(rt, net, 1, {2});
    rt.run_until_idle();
    REQUIRE((accepted.size() == 1 && accepted[0]->got.size() == 1));
    CHECK(framing::decode_hello(accepted[0]->got[0].payload.view())->expected == node_id(2));
    accepted[0]->write(framing::frame_type::welcome, encode(framing::welcome_message{1, identity(3)}));
    rt.run_until_idle();
    CHECK(accepted[0]->ended);
    CHECK(a.problems == std::vector<std::string>{"node 2 at node2:1 says that it is node 3"});
    REQUIRE(rt.run_until([&] { return accepted.size() == 2; }));
    rt.run_until_idle();
    accepted[1]->write(framing::frame_type::welcome, encode(framing::welcome_message{1, identity(2)}));
    rt.run_until_idle();
    CHECK(a.link.is_connected(node_id(2)));
    accepted[1]->write(framing::frame_type::data, shared_bytes::copy_of("intruder"));
    rt.run_until_idle();
    CHECK(accepted[1]->ended);
    CHECK(a.lost == 1);
    CHECK(a.frames.empty());
    // A pong that nobody asked for is no answer either.
    REQUIRE(rt.run_until([&] { return accepted.size() == 3; }));
    rt.run_until_idle();
    accepted[2]->write(framing::frame_type::pong, {});
    rt.run_until_idle();
    CHECK(accepted[2]->ended);
    CHECK(a.hellos.size() == 1);
}

TEST_CASE("stopping drops everything that waits and calls nothing back, whenever it comes") {
    for (int steps = 0; steps < 60; ++steps) {
        runtime_type rt;
        network net(rt);
        node b(rt, net, 2, {1});
        auto a = std::make_unique<node>(rt, net, 1, std::vector<std::uint64_t>{2});
        rt.schedule(rt.now() + 20ms, [&] {
            if (a) a->link.send(node_id(2), shared_bytes(byte_buffer(100'000)));
        });
        for (int i = 0; i < steps; ++i)
            if (!rt.run_one()) rt.advance(5ms);
        a = nullptr;
        rt.advance(10s);
        CHECK(net.connections() == 0);
        CHECK_FALSE(b.link.is_connected(node_id(1)));
    }
}
