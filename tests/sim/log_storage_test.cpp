// The shipped log keeps what log_storage promises on the simulated disk as well.
#include <tests/catch.hpp>

#include <sim/machine/machine.hpp>

#include <lockstep/storage/wal.hpp>
#include <lockstep/testing/log_storage_conformance.hpp>

using namespace lockstep;
using namespace lockstep::sim;

namespace {

struct log_fixture {
    using storage = lockstep::storage::wal<sim_runtime, sim_file_system>;

    log_fixture() : w(3), cables(w), network(w, cables), box(w, cables, network, nullptr, node_id(1)) {
        auto root = box.disk().open_directory(sim_disk::user, "/").value();
        REQUIRE(box.disk().make_directory(root, "state", 0700));
        REQUIRE(box.disk().sync_directory(root));
        box.set_program([](node_system& s) {
            return std::make_shared<storage>(s.runtime, s.file_system, "/state", lockstep::storage::wal_options{65536, 100'000});
        });
        REQUIRE(box.start());
    }
    storage& log() { return *static_cast<storage*>(box.system()->program.get()); }
    /// Comes back after a power failure: what was acknowledged is all there is to find.
    void reopen() {
        box.crash(crash_kind::power);
        while (!box.start()) w.step();
    }
    template <class Predicate>
    bool drive(Predicate p) { return w.run_until(p, w.now() + std::chrono::minutes(10)); }

    world w;
    links cables;
    sim_network network;
    machine box;
};

}  // namespace

TEST_CASE("the log keeps what log_storage promises on the simulated disk, power failures included") {
    CHECK(testing::check_log_storage<log_fixture>() == std::vector<std::string>{});
}
