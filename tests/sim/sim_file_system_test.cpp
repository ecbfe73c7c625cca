// The simulated disk, as a node sees it, keeps what file_system promises.
#include <tests/catch.hpp>

#include <sim/machine/machine.hpp>

#include <lockstep/testing/file_system_conformance.hpp>

using namespace lockstep;
using namespace lockstep::sim;

namespace {

struct disk_fixture {
    using file_system = sim_file_system;

    disk_fixture() : w(3), cables(w), network(w, cables), box(w, cables, network, nullptr, node_id(1)) {
        auto top = box.disk().open_directory(sim_disk::user, "/").value();
        REQUIRE(box.disk().make_directory(top, "state", 0700));
        REQUIRE(box.disk().sync_directory(top));
        box.set_program([](node_system&) { return std::make_shared<int>(0); });
        REQUIRE(box.start());
    }
    file_system& fs() { return box.system()->file_system; }
    std::string root() { return "/state"; }

    world w;
    links cables;
    sim_network network;
    machine box;
};

}  // namespace

TEST_CASE("the simulated disk does what every file_system must") {
    CHECK(testing::check_file_system<disk_fixture>() == std::vector<std::string>{});
}
