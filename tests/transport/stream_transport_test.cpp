// The transport in virtual time, over streams that the test cuts, stalls and damages.
#include <lockstep/testing/loopback_streams.hpp>
#include <lockstep/testing/manual_runtime.hpp>
#include <lockstep/transport/stream_transport.hpp>

#include <tests/catch.hpp>

#include <functional>
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
        c.frame = [this](node_id from, channel on, shared_bytes f) {
            if (on == channel::bulk) bulk.push_back(std::move(f));
            else frames.emplace_back(from, std::move(f));
        };
        c.drained = [this](node_id) {
            ++drained;
            if (on_drained) on_drained();
        };
        c.connected = [this](const hello& h) { hellos.push_back(h); };
        c.disconnected = [this](node_id) { ++lost; };
        c.problem = [this](std::string text) { problems.push_back(std::move(text)); };
        REQUIRE(link.start(identity(id), address_of(id), std::move(list), std::move(c)).has_value());
    }
    bool up(std::uint64_t id, channel on = channel::control) const { return link.is_connected(node_id(id), on); }
    std::size_t queued(std::uint64_t id, channel on = channel::control) const {
        return link.queued_bytes(node_id(id), on);
    }
    bool send(std::uint64_t id, shared_bytes f, channel on = channel::control) {
        return link.send(node_id(id), on, std::move(f));
    }
    network::node streams;
    transport_type link;
    std::vector<std::pair<node_id, shared_bytes>> frames;
    std::vector<shared_bytes> bulk;
    std::vector<hello> hellos;
    std::vector<std::string> problems;
    int lost = 0;
    int drained = 0;
    std::function<void()> on_drained;
};

/// Two nodes that are connected both ways.
struct pair {
    explicit pair(stream_transport_options options = {}) : a(rt, net, 1, {2}, options), b(rt, net, 2, {1}, options) {
        REQUIRE(connected());
    }
    bool connected() {
        return rt.run_until([&] { return a.up(2) && b.up(1); });
    }
    /// From a to b: wanted by its first frame, which is refused.
    void want_bulk() {
        const int before = a.drained;
        REQUIRE_FALSE(a.send(2, shared_bytes::copy_of("first"), channel::bulk));
        REQUIRE(rt.run_until([&] { return a.drained > before; }));
        REQUIRE(a.up(2, channel::bulk));
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

shared_bytes hello_of(std::uint64_t id, std::uint64_t expected, std::uint16_t version = framing::protocol_version,
                      channel on = channel::control) {
    return encode(framing::hello_message{version, identity(id), node_id(expected), on});
}

shared_bytes welcome_of(std::uint64_t id) {
    return encode(framing::welcome_message{framing::protocol_version, identity(id)});
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
        REQUIRE(rt.run_until([&] { return a.up(2) && b.up(1); }));
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
    CHECK(rt.run_until([&] { return a.up(2) && b.up(1); }, 10s));
}

TEST_CASE("a connection whose other end lost power is noticed at both ends in bounded time") {
    for (const bool traffic : {false, true}) {
        pair p;
        const stream_transport_options o;
        p.net.strand();
        const time_point since = p.rt.now();
        while (p.a.lost == 0 && p.rt.now() < since + 1min) {
            if (traffic) p.a.send(2, shared_bytes::copy_of("heartbeat"));
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

TEST_CASE("a large frame on a slow link is no silence, on either channel") {
    const channel on = GENERATE(channel::control, channel::bulk);
    pair p;
    const stream_transport_options o;
    if (on == channel::bulk) p.want_bulk();
    CHECK(p.a.send(2, shared_bytes(byte_buffer(30u << 20)), on));
    // A few reads every 100 ms: the frame takes much longer than the silence that is allowed.
    p.net.read_max = 64 * 1024;
    const time_point since = p.rt.now();
    while (p.b.frames.empty() && p.b.bulk.empty() && p.rt.now() < since + 10min) {
        p.net.stall(false);
        for (int i = 0; i < 4; ++i) p.rt.run_one();
        p.net.stall(true);
        p.rt.advance(100ms);
    }
    p.net.stall(false);
    CHECK(p.rt.now() - since > o.silence_max * 2);
    CHECK(p.b.frames.size() + p.b.bulk.size() == 1);
    CHECK(p.a.lost == 0);
    CHECK(p.a.link.counters().connects == (on == channel::bulk ? 3 : 2));
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
            if (passed < 1000 && a.up(2) && a.queued(2) == 0)
                a.send(2, shared_bytes::copy_of(text));
            return passed >= 1000 && a.up(2) && b.up(1);
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
        CHECK(p.a.send(2, shared_bytes(byte_buffer(i, std::byte{i}))));
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
    CHECK_FALSE(p.a.send(2, shared_bytes(byte_buffer(8'001))));
    // The first is being written at once and counts until it has left.
    CHECK(p.a.send(2, shared_bytes(byte_buffer(8'000))));
    CHECK(p.a.queued(2) == 8'000);
    CHECK_FALSE(p.a.send(2, shared_bytes(byte_buffer(2'001))));
    int small = 0;
    while (p.a.send(2, shared_bytes(byte_buffer(1)))) ++small;
    CHECK(small == 50);
    CHECK(p.a.queued(2) == 8'050);
    CHECK(p.a.link.counters().frames_dropped == 3);
    p.net.cut();
    p.net.stall(false);
    REQUIRE(p.rt.run_until([&] { return p.a.lost == 1; }));
    CHECK(p.a.queued(2) == 0);
    CHECK(p.a.link.counters().frames_dropped == 53);
    REQUIRE(p.connected());
    CHECK(p.a.send(2, shared_bytes(byte_buffer(8'000))));
}

TEST_CASE("bulk has a connection from its first frame on, and nobody is told of it as of a peer") {
    pair p;
    p.rt.advance(10s);
    CHECK(p.net.connections() == 2);
    p.want_bulk();
    CHECK(p.net.connections() == 3);
    CHECK_FALSE(p.b.up(1, channel::bulk));
    CHECK(p.a.send(2, shared_bytes::copy_of("content"), channel::bulk));
    REQUIRE(p.rt.run_until([&] { return !p.b.bulk.empty(); }));
    CHECK((p.a.hellos.size() == 2 && p.b.hellos.size() == 2));
    p.rt.advance(10min);
    CHECK(p.net.connections() == 3);
    CHECK(p.a.link.counters().connects + p.b.link.counters().connects == 6);
}

TEST_CASE("bulk that breaks is made anew while control goes on, and tells who waited") {
    pair p;
    p.want_bulk();
    for (int i = 1; i <= 20; ++i) {
        p.net.stall(true);
        while (p.a.send(2, shared_bytes(byte_buffer(100'000)), channel::bulk)) {}
        p.net.cut_last();
        p.net.stall(false);
        REQUIRE(p.a.send(2, shared_bytes::copy_of("heartbeat")));
        REQUIRE(p.rt.run_until([&] { return p.b.frames.size() == static_cast<std::size_t>(i); }, 0s));
        p.rt.run_until_idle();
        REQUIRE_FALSE(p.a.up(2, channel::bulk));
        CHECK(p.a.queued(2, channel::bulk) == 0);
        CHECK(p.a.drained == i);
        p.rt.advance(30ms);
        CHECK(p.a.up(2, channel::bulk));
        CHECK(p.a.drained == i + 1);
    }
    CHECK(p.a.lost + p.b.lost == 0);
    CHECK((p.a.hellos.size() == 2 && p.b.hellos.size() == 2));
    CHECK(p.a.problems.empty());
}

TEST_CASE("bulk outlives a break of control, and waits for control to be dialled again itself") {
    pair p;
    p.want_bulk();
    p.net.cut_first();
    p.net.cut_first();
    p.rt.run_until_idle();
    CHECK(p.a.lost + p.b.lost == 2);
    CHECK_FALSE(p.a.up(2));
    CHECK(p.a.send(2, shared_bytes::copy_of("content"), channel::bulk));
    REQUIRE(p.connected());
    CHECK(p.a.up(2, channel::bulk));
    CHECK(p.b.bulk.size() == 1);
    // With control gone for long, bulk makes no attempt of its own.
    p.net.cut();
    p.b.link.stop();
    p.rt.advance(5s);
    const std::size_t before = p.net.connects;
    p.rt.advance(30s);
    CHECK(p.net.connects - before <= 61);
    CHECK(p.net.connects - before >= 29);
}

TEST_CASE("bulk that a peer never lets in is tried ever later, and control stands") {
    runtime_type rt;
    network net(rt);
    network::node server(net);
    std::vector<std::unique_ptr<raw>> accepted;
    REQUIRE(server.listen(address_of(2), [&](std::shared_ptr<network::stream> s) {
        accepted.push_back(std::make_unique<raw>(std::move(s)));
    }).has_value());
    node a(rt, net, 1, {2});
    rt.run_until_idle();
    REQUIRE(accepted.size() == 1);
    accepted[0]->write(framing::frame_type::welcome, welcome_of(2));
    rt.run_until_idle();
    REQUIRE(a.up(2));
    CHECK_FALSE(a.send(2, shared_bytes::copy_of("first"), channel::bulk));
    int attempts = 0;
    for (int i = 0; i < 60 * 100; ++i) {
        rt.advance(10ms);
        if (accepted[0]->got.back().type == framing::frame_type::ping) {
            accepted[0]->got.pop_back();
            accepted[0]->write(framing::frame_type::pong, {});
        }
        if (accepted.size() < 2) continue;
        REQUIRE(framing::decode_hello(accepted[1]->got.at(0).payload.view())->on == channel::bulk);
        accepted.pop_back();
        ++attempts;
    }
    CHECK(attempts >= 60);
    CHECK(attempts <= 130);
    CHECK((a.up(2) && a.lost == 0 && a.drained == 0 && a.hellos.size() == 1));
}

TEST_CASE("bulk is bounded by itself, takes one frame of any legal size, and tells when to go on") {
    stream_transport_options o;
    o.bulk_queue_bytes_max = 10'000;
    o.queue_frames_max = 50;
    o.frame_bytes_max = 20'000;
    o.write_bytes = 1000;
    pair p(o);
    p.want_bulk();
    p.net.stall(true);
    const auto send = [&](std::size_t bytes) { return p.a.send(2, shared_bytes(byte_buffer(bytes)), channel::bulk); };
    CHECK_FALSE(send(20'001));
    CHECK(send(20'000));
    CHECK(p.a.queued(2, channel::bulk) == 20'000);
    CHECK_FALSE(send(1));
    CHECK(p.a.send(2, shared_bytes(byte_buffer(20'000))));
    CHECK(p.a.queued(2) == 20'000);
    p.net.stall(false);
    REQUIRE(p.rt.run_until([&] { return p.a.drained == 2; }, 0s));
    CHECK(p.a.queued(2, channel::bulk) == 0);
    for (int i = 0; i < 10; ++i) CHECK(send(1000));
    CHECK_FALSE(send(1000));
    std::size_t left = 0;
    p.a.on_drained = [&] { left = p.a.queued(2, channel::bulk); };
    REQUIRE(p.rt.run_until([&] { return p.a.drained == 3; }, 0s));
    CHECK(left == 5000);
    p.rt.run_until_idle();
    CHECK(p.b.bulk.size() == 11);
    // A frame beyond the frame bound never finds room: nothing is promised to its sender.
    CHECK_FALSE(send(20'001));
    CHECK(send(1));
    p.rt.advance(10s);
    CHECK(p.a.drained == 3);
}

TEST_CASE("a long frame that is refused while a little is queued is taken at last") {
    stream_transport_options o;
    o.bulk_queue_bytes_max = 10'000;
    o.write_bytes = 1000;
    pair p(o);
    p.want_bulk();
    for (int i = 0; i < 4; ++i) CHECK(p.a.send(2, shared_bytes(byte_buffer(1000)), channel::bulk));
    bool taken = false;
    const auto send = [&] { taken = taken || p.a.send(2, shared_bytes(byte_buffer(9'999)), channel::bulk); };
    p.a.on_drained = send;
    send();
    CHECK_FALSE(taken);
    p.rt.run_until_idle();
    CHECK(taken);
    CHECK(p.b.bulk.size() == 5);
    CHECK(p.a.drained <= 6);
}

TEST_CASE("bulk of a peer that lost power is noticed, at both ends, and comes back with the peer") {
    pair p;
    p.want_bulk();
    const stream_transport_options o;
    p.net.strand();
    const time_point since = p.rt.now();
    REQUIRE(p.rt.run_until([&] { return !p.a.up(2, channel::bulk); }, 1min));
    CHECK(p.rt.now() - since <= o.ping_interval + o.silence_max + 100ms);
    REQUIRE(p.rt.run_until([&] { return p.a.up(2, channel::bulk); }, 10s));
    p.rt.advance(o.silence_max * 2);
    CHECK(p.net.connections() == 3);
}

TEST_CASE("bulk of a node that control did not introduce with that disk is closed without an answer") {
    runtime_type rt;
    network net(rt);
    node a(rt, net, 1, {2});
    const auto bulk_hello = [](std::uint64_t disk) {
        hello h = identity(2);
        h.disk = disk_id::from(disk, 5);
        return encode(framing::hello_message{framing::protocol_version, h, node_id(1), channel::bulk});
    };
    const auto knock = [&](const shared_bytes& greeting) {
        auto client = dial(rt, net, 1);
        client->write(framing::frame_type::hello, greeting);
        rt.run_until_idle();
        return client;
    };
    const auto early = knock(bulk_hello(2));
    CHECK((early->ended && early->got.empty()));
    const auto control = knock(hello_of(2, 1));
    const auto other_disk = knock(bulk_hello(7));
    CHECK((other_disk->ended && other_disk->got.empty()));
    const auto bulk = knock(bulk_hello(2));
    REQUIRE(bulk->got.size() == 1);
    CHECK(bulk->got[0].type == framing::frame_type::welcome);
    CHECK_FALSE((control->ended || bulk->ended));
    bulk->write(framing::frame_type::data, shared_bytes::copy_of("content"));
    rt.run_until_idle();
    CHECK(a.bulk.size() == 1);
    CHECK(a.hellos.size() == 1);
    CHECK(a.problems.empty());
    CHECK(a.link.counters().rejected == 2);

    // The same disk again leaves bulk alone; another one is another life of the node.
    const auto again = knock(hello_of(2, 1));
    CHECK((control->ended && !bulk->ended));
    hello wiped = identity(2);
    wiped.disk = disk_id::from(7, 5);
    const auto anew = knock(encode(framing::hello_message{framing::protocol_version, wiped, node_id(1)}));
    CHECK((again->ended && bulk->ended && !anew->ended));
    CHECK(a.hellos.size() == 3);
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
    CHECK(refusal(hello_of(2, 1, 1)) == framing::refusal_reason::protocol);
    CHECK(refusal(hello_of(2, 1, 3)) == framing::refusal_reason::protocol);
    CHECK(refusal(hello_of(2, 1, 2, channel(2))) == framing::refusal_reason::unknown_channel);
    CHECK(a.hellos.empty());
    CHECK(a.link.counters().rejected == 7);
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
    accepted[0]->write(framing::frame_type::welcome, welcome_of(3));
    rt.run_until_idle();
    CHECK(accepted[0]->ended);
    CHECK(a.problems == std::vector<std::string>{"node 2 at node2:1 says that it is node 3"});
    REQUIRE(rt.run_until([&] { return accepted.size() == 2; }));
    rt.run_until_idle();
    accepted[1]->write(framing::frame_type::welcome, welcome_of(2));
    rt.run_until_idle();
    CHECK(a.up(2));
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
            if (a) a->send(2, shared_bytes(byte_buffer(100'000)));
        });
        for (int i = 0; i < steps; ++i)
            if (!rt.run_one()) rt.advance(5ms);
        a = nullptr;
        rt.advance(10s);
        CHECK(net.connections() == 0);
        CHECK_FALSE(b.up(1));
    }
}
