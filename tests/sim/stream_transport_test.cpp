// The shipped transport keeps what transport promises over simulated connections as well, with delays of many lengths.
#include <tests/catch.hpp>

#include <sim/machine/machine.hpp>

#include <lockstep/base/endian.hpp>
#include <lockstep/testing/transport_conformance.hpp>
#include <lockstep/transport/stream_transport.hpp>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

namespace {

/// Three machines whose programs do nothing: the checks use their streams.
template <std::uint64_t Seed>
struct three_machines {
    using transport = stream_transport<sim_runtime, sim_streams>;

    explicit three_machines(link_options delays = {}, network_options width = {})
        : w(Seed), cables(w, delays), network(w, cables, width) {
        for (std::uint64_t id = 1; id <= 3; ++id) {
            auto& box = boxes[node_id(id)];
            box = std::make_unique<machine>(w, cables, network, nullptr, node_id(id));
            box->set_program([](node_system&) { return std::make_shared<int>(0); });
            REQUIRE(box->start());
        }
    }
    std::unique_ptr<transport> make(node_id id) {
        node_system& s = *boxes.at(id)->system();
        return std::make_unique<transport>(s.runtime, s.streams);
    }
    std::string address(node_id id) { return "node" + std::to_string(id.value) + ":1"; }
    template <class Predicate>
    bool drive(Predicate p, duration most) {
        return w.run_until(p, w.now() + most);
    }

    world w;
    links cables;
    sim_network network;
    std::map<node_id, std::unique_ptr<machine>> boxes;
};

/// Nodes 1 and 2: number 1 sends bulk without end, in numbered frames of 32 KiB, whenever it may.
struct busy_pair : three_machines<9> {
    /// A connection moves 4 KiB at a time, about 4 MB in a second.
    busy_pair() : three_machines({.slow_one_in = 0}, {.buffer_max = 4096}) {
        const std::vector<peer_address> peers{{node_id(1), address(node_id(1))}, {node_id(2), address(node_id(2))}};
        transport_callbacks at_a, at_b;
        at_a.drained = [this](node_id) { produce(); };
        at_a.disconnected = [this](node_id) { ++lost; };
        at_b.frame = [this](node_id, channel on, shared_bytes frame) {
            if (on == channel::bulk) bulk.push_back(load_le<std::uint64_t>(frame.data()));
            else arrived.push_back(w.now());
        };
        REQUIRE(a->start({node_id(1), disk_id::from(1, 1), {}}, address(node_id(1)), peers, std::move(at_a)));
        REQUIRE(b->start({node_id(2), disk_id::from(2, 2), {}}, address(node_id(2)), peers, std::move(at_b)));
        REQUIRE(drive([&] { return a->is_connected(node_id(2), channel::control); }, 1s));
        produce();
    }
    void produce() {
        for (bool taken = true; taken; sent += taken) {
            byte_buffer frame(32 * 1024);
            store_le(frame.data(), sent);
            taken = a->send(node_id(2), channel::bulk, shared_bytes(std::move(frame)));
            most_queued = std::max(most_queued, a->queued_bytes(node_id(2), channel::bulk));
        }
    }
    std::unique_ptr<transport> a = make(node_id(1)), b = make(node_id(2));
    std::uint64_t sent = 0;
    std::size_t most_queued = 0;
    int lost = 0;
    std::vector<std::uint64_t> bulk;
    std::vector<time_point> arrived;
};

}  // namespace

TEST_CASE("stream_transport over simulated connections does what every transport must") {
    CHECK(testing::check_transport<three_machines<1>>() == std::vector<std::string>{});
    CHECK(testing::check_transport<three_machines<2>>() == std::vector<std::string>{});
    CHECK(testing::check_transport<three_machines<3>>() == std::vector<std::string>{});
}

TEST_CASE("control takes a few milliseconds over slow connections while megabytes of bulk wait") {
    busy_pair p;
    REQUIRE(p.drive([&] { return p.most_queued > 7'500'000; }, 1s));
    duration longest{};
    for (std::size_t i = 0; i < 200; ++i) {
        const time_point since = p.w.now();
        REQUIRE(p.a->send(node_id(2), channel::control, shared_bytes::copy_of("heartbeat")));
        REQUIRE(p.drive([&] { return p.arrived.size() > i; }, 5s));
        longest = std::max(longest, p.arrived.back() - since);
        p.w.run_until(p.w.now() + 25ms);
        CHECK(p.a->queued_bytes(node_id(2), channel::bulk) > 3'000'000);
    }
    CHECK(longest < 10ms);
    CHECK(p.most_queued <= stream_transport_options{}.bulk_queue_bytes_max);
    // What stands before a new frame of bulk takes longer than that by far.
    CHECK(p.bulk.size() > 300);
    CHECK(p.lost == 0);
}

TEST_CASE("bulk keeps its order through resets, and its producer goes on by what drained tells") {
    busy_pair p;
    for (int round = 0; round < 40; ++round) {
        p.w.run_until(p.w.now() + 250ms);
        p.network.reset_one(node_id(1));
    }
    p.w.run_until(p.w.now() + 5s);
    CHECK(p.bulk.size() > 500);
    CHECK(p.bulk.size() < p.sent);
    CHECK(std::is_sorted(p.bulk.begin(), p.bulk.end()));
    CHECK(std::adjacent_find(p.bulk.begin(), p.bulk.end()) == p.bulk.end());
    CHECK(p.a->queued_bytes(node_id(2), channel::bulk) > 3'000'000);
    CHECK(p.lost > 0);
    CHECK(p.lost < 40);
}
