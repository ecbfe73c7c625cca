// The shipped transport keeps what transport promises over simulated connections as well, with delays of many lengths.
#include <tests/catch.hpp>

#include <sim/machine.hpp>

#include <lockstep/testing/transport_conformance.hpp>
#include <lockstep/transport/stream_transport.hpp>

using namespace lockstep;
using namespace lockstep::sim;

namespace {

/// Three machines whose programs do nothing: the checks use their streams.
template <std::uint64_t Seed>
struct three_machines {
    using transport = stream_transport<sim_runtime, sim_streams>;

    three_machines() : w(Seed), cables(w), network(w, cables) {
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

}  // namespace

TEST_CASE("stream_transport over simulated connections does what every transport must") {
    CHECK(testing::check_transport<three_machines<1>>() == std::vector<std::string>{});
    CHECK(testing::check_transport<three_machines<2>>() == std::vector<std::string>{});
    CHECK(testing::check_transport<three_machines<3>>() == std::vector<std::string>{});
}
