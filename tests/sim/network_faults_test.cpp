// The faults of the network, each seen to bite: delays by their distributions, loss, width, bursts, resets in a frame, stalls,
// corrupted bytes; and the links that a partition of each kind cuts.
#include <tests/catch.hpp>

#include <sim/machine/machine.hpp>

#include <lockstep/transport/stream_transport.hpp>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

namespace {

constexpr node_id first(1), second(2);

std::vector<duration> drawn(delay_shape shape, std::size_t many) {
    world w(1);
    link_options o;
    o.delay_min = 1ms;
    o.delay_max = 4ms;
    o.slow_one_in = 0;
    o.slow_max = 1s;
    o.shape = shape;
    links l(w, o);
    std::vector<duration> out(many);
    for (auto& d : out) d = l.delay();
    std::sort(out.begin(), out.end());
    return out;
}

/// Two machines with nothing on them but a shipped transport each, that count what arrives.
struct pair_of_transports {
    using transport_type = stream_transport<sim_runtime, sim_streams>;

    explicit pair_of_transports(link_options lo = {}, network_options no = {})
        : w(3), cables(w, lo), network(w, cables, no), one(w, cables, network, nullptr, first),
          two(w, cables, network, nullptr, second) {
        for (machine* m : {&one, &two}) {
            m->set_program([](node_system&) { return std::make_shared<int>(0); });
            REQUIRE(m->start());
        }
        a = std::make_unique<transport_type>(one.system()->runtime, one.system()->streams);
        b = std::make_unique<transport_type>(two.system()->runtime, two.system()->streams);
        const std::vector<peer_address> peers{{first, "node1:1"}, {second, "node2:1"}};
        transport_callbacks at_a, at_b;
        at_a.disconnected = [this](node_id) { ++disconnects; };
        at_b.frame = [this](node_id, channel, shared_bytes frame) {
            ++arrived;
            wrong += frame != shared_bytes::copy_of(text);
            if (w.now() - sent_at > longest) longest = w.now() - sent_at;
        };
        REQUIRE(a->start({first, disk_id::from(1, 1), {}}, "node1:1", peers, std::move(at_a)));
        REQUIRE(b->start({second, disk_id::from(2, 2), {}}, "node2:1", peers, std::move(at_b)));
        REQUIRE(w.run_until([this] { return a->is_connected(second, channel::control); }, w.now() + 20s));
    }
    /// Says something and waits for a while; false where there is no connection.
    bool say(duration wait) {
        sent_at = w.now();
        const bool accepted = a->send(second, channel::control, shared_bytes::copy_of(text));
        w.run_until(w.now() + wait);
        return accepted;
    }

    const std::string text = std::string(3000, 'x');
    world w;
    links cables;
    sim_network network;
    machine one, two;
    std::unique_ptr<transport_type> a, b;
    int arrived = 0, wrong = 0, disconnects = 0;
    time_point sent_at{};
    duration longest{};
};

cut_links cut(partition_kind kind, std::size_t count, std::uint64_t target, std::uint64_t seed = 1) {
    std::vector<node_id> nodes;
    for (std::uint64_t n = 1; n <= count; ++n) nodes.emplace_back(n);
    random_generator random(seed);
    return partition(kind, nodes, node_id(target), random);
}

/// Itself, and those that it hears and that hear it.
std::set<node_id> seen_by(const cut_links& cut, std::size_t count, std::uint64_t node) {
    std::set<node_id> out;
    for (std::uint64_t n = 1; n <= count; ++n)
        if (!cut.contains({node_id(n), node_id(node)}) && !cut.contains({node_id(node), node_id(n)})) out.emplace(n);
    return out;
}

}  // namespace

TEST_CASE("delays are distributed as their shape says, and the same with every compiler") {
    const auto uniform = drawn(delay_shape::uniform, 10'000);
    CHECK(uniform.front() >= 1ms);
    CHECK(uniform.back() <= 4ms);
    CHECK(std::abs((uniform[5000] - 2500us).count()) < 100'000);

    // Median: the shortest and ln 2 of the mean. One in e^5 is beyond five means.
    const auto exponential = drawn(delay_shape::exponential, 10'000);
    CHECK(exponential.front() >= 1ms);
    CHECK(std::abs((exponential[5000] - 2040us).count()) < 60'000);
    CHECK(std::abs((exponential[9933] - 8500us).count()) < 1'000'000);

    // Median: the root of two. One in 10,000 beyond a hundred times the shortest, which is as long as the longest.
    const auto heavy = drawn(delay_shape::heavy_tailed, 10'000);
    CHECK(heavy.front() >= 1ms);
    CHECK(std::abs((heavy[5000] - 1414us).count()) < 30'000);
    CHECK(std::abs((heavy[9900] - 10ms).count()) < 1'500'000);
    CHECK(heavy.back() > 40ms);

    CHECK(minus_log(~std::uint64_t{0}) == 0);
    CHECK(minus_log(std::uint64_t{1} << 63) == 45'426);
    CHECK(minus_log(1) == 64u * 45'426u);
    CHECK(minus_log(0x5e2d58d8b3bcdf1b) == 65'536);  // 2^64 / e
}

TEST_CASE("a burst slows packet after packet of one link, and ends") {
    world w(1);
    link_options o;
    o.slow_one_in = 0;
    o.burst_one_in = 1000;
    o.burst_packets = 20;
    links l(w, o);
    std::uint64_t slow = 0, after_slow = 0;
    bool last = false;
    for (int i = 0; i < 100'000; ++i) {
        const bool is_slow = *l.travel(first, second, 100) > o.delay_max;
        slow += is_slow;
        after_slow += last && is_slow;
        last = is_slow;
    }
    CHECK(l.counts().bursts > 70);
    CHECK(slow / l.counts().bursts > 14);
    CHECK(slow / l.counts().bursts < 28);
    CHECK(after_slow * 10 > slow * 9);
}

TEST_CASE("a link with a width queues what is too much, loses what is more than its queue, and others do not notice") {
    world w(1);
    link_options o;
    o.slow_one_in = 0;
    o.queue_bytes_max = 10'000;
    links l(w, o);
    l.set_width(first, second, 1'000'000);
    CHECK(*l.travel(first, second, 5000) >= 5ms);
    CHECK(*l.travel(first, second, 5000) >= 10ms);
    CHECK_FALSE(l.travel(first, second, 5000));
    CHECK(l.counts().queue_full == 1);
    CHECK(*l.travel(second, first, 5000) <= 2ms);
    w.run_until(w.now() + 6ms);
    CHECK(l.travel(first, second, 5000));
}

TEST_CASE("a packet that is lost is gone as a message, and late on a connection") {
    world w(1);
    link_options o;
    o.slow_one_in = 0;
    o.lost_one_in = 4;
    links l(w, o);
    int lost = 0, late = 0;
    for (int i = 0; i < 1000; ++i) {
        lost += !l.travel(first, second, 100);
        late += l.travel_surely(first, second, 100) >= links::send_again;
    }
    CHECK(std::abs(lost - 250) < 50);
    CHECK(std::abs(late - 250) < 50);
    CHECK(l.counts().lost > 500);
    CHECK(l.counts().sent_again > 250);
    l.calm();
    for (int i = 0; i < 100; ++i) CHECK(l.travel(first, second, 100));
}

TEST_CASE("frames on a connection whose packets get lost arrive late, whole and all") {
    link_options o;
    o.slow_one_in = 0;
    o.lost_one_in = 10;
    pair_of_transports p(o);
    for (int i = 0; i < 100; ++i) REQUIRE(p.say(4s));
    CHECK(p.arrived == 100);
    CHECK(p.longest > 200ms);
    CHECK(p.cables.counts().sent_again > 5);
}

TEST_CASE("a turned bit is never a frame: the connection breaks and is made anew") {
    network_options o;
    o.corrupted_one_in = 20;
    pair_of_transports p({}, o);
    int accepted = 0;
    for (int i = 0; i < 500; ++i) accepted += p.say(50ms);
    CHECK(p.network.counts().corrupted > 15);
    CHECK(p.wrong == 0);
    CHECK(p.disconnects > 5);
    CHECK(p.arrived < accepted);
    p.network.calm();
    p.w.run_until(p.w.now() + 10s);
    const int before = p.arrived;
    CHECK(p.say(1s));
    CHECK(p.arrived == before + 1);
}

TEST_CASE("a connection that is cut in a frame gives no part of it, and the next one starts at a frame") {
    pair_of_transports p;
    for (int round = 0; round < 50; ++round) {
        REQUIRE(p.network.cut_one_in_frame(first));
        for (int i = 0; i < 20; ++i) (void)p.say(20ms);
    }
    CHECK(p.network.counts().cut_in_frame > 20);
    CHECK(p.wrong == 0);
    CHECK(p.disconnects > 10);
    CHECK(p.arrived > 300);
}

TEST_CASE("a stalled connection gives nothing for its time, and then all") {
    pair_of_transports p;
    while (p.network.counts().stalls < 8) REQUIRE(p.network.stall_one(first, 800ms));
    REQUIRE(p.say(700ms));
    CHECK(p.arrived == 0);
    p.w.run_until(p.w.now() + 1s);
    CHECK(p.arrived == 1);
    CHECK(p.longest >= 790ms);
}

TEST_CASE("a partition of each kind cuts the links that its name says") {
    CHECK(cut(partition_kind::total, 3, 1).size() == 6);
    CHECK(cut(partition_kind::one, 3, 2) == cut_links{{node_id(1), node_id(2)}, {node_id(2), node_id(1)},
                                                       {node_id(2), node_id(3)}, {node_id(3), node_id(2)}});
    CHECK(cut(partition_kind::one_hears_nothing, 3, 2) == cut_links{{node_id(1), node_id(2)}, {node_id(3), node_id(2)}});
    CHECK(cut(partition_kind::one_is_unheard, 3, 2) == cut_links{{node_id(2), node_id(1)}, {node_id(2), node_id(3)}});
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const auto minority = cut(partition_kind::minority, 5, 4, seed);
        CHECK(seen_by(minority, 5, 4).size() == 2);
        const auto bridge = cut(partition_kind::bridge, 5, 4, seed);
        CHECK(seen_by(bridge, 5, 4).size() == 5);
        for (std::uint64_t n : {1u, 2u, 3u, 5u}) CHECK(seen_by(bridge, 5, n).size() == 3);
        for (std::size_t count : {4u, 5u, 6u, 7u, 9u}) {
            const auto ring = cut(partition_kind::ring, count, 1, seed);
            std::set<std::set<node_id>> majorities;
            for (std::uint64_t n = 1; n <= count; ++n) {
                const auto seen = seen_by(ring, count, n);
                CHECK(seen.size() * 2 > count);
                majorities.insert(seen);
            }
            CHECK(majorities.size() == count);
        }
    }
    CHECK(cut(partition_kind::ring, 3, 2) == cut(partition_kind::one, 3, 2));
    for (std::size_t kind = 0; kind < partition_kind_count; ++kind) {
        CHECK(cut(static_cast<partition_kind>(kind), 1, 1).empty());
        CHECK_FALSE(cut(static_cast<partition_kind>(kind), 2, 1).empty());
    }
}

TEST_CASE("of what shape a partition is can be told from what is cut") {
    for (const std::uint64_t count : {5u, 6u, 7u, 9u}) {
        std::vector<node_id> nodes;
        for (std::uint64_t n = 1; n <= count; ++n) nodes.emplace_back(n);
        for (std::size_t k = 0; k < partition_kind_count; ++k) {
            const auto kind = static_cast<partition_kind>(k);
            for (std::uint64_t seed = 0; seed < 20; ++seed) CHECK(shape_of(cut(kind, count, 2, seed), nodes) == kind);
        }
        CHECK_FALSE(shape_of({}, nodes));
        CHECK_FALSE(shape_of({{node_id(1), node_id(2)}}, nodes));
    }
    const std::vector<node_id> three{node_id(1), node_id(2), node_id(3)};
    CHECK(shape_of(cut(partition_kind::minority, 3, 2), three) == partition_kind::one);
    CHECK(shape_of(cut(partition_kind::bridge, 3, 2), three) == partition_kind::bridge);
    const std::vector<node_id> four{node_id(1), node_id(2), node_id(3), node_id(4)};
    CHECK_FALSE(shape_of(apart(std::span(four).first(2), std::span(four).subspan(2)), four));   // halves: none is a minority
}
