// Swaps in a policy of our own: a log_storage. First it has to do what every log_storage must, on a real disk and on a
// simulated one that loses its power; then clusters that keep their logs in it go through simulated disasters.
#include <examples/simulate_your_storage/one_file_log.hpp>

#include <sim/replicated/registers.hpp>
#include <sim/replicated/replicated_cluster.hpp>

#include <lockstep/os/posix_file_system.hpp>
#include <lockstep/testing/log_storage_conformance.hpp>
#include <lockstep/testing/manual_runtime.hpp>

#include <charconv>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>

namespace sim = lockstep::sim;

// What nodes of a simulated cluster are made of: as always, but for the log.
template <class Observer>
struct my_policies : sim::sim_policies<Observer> {
    using log_storage = one_file_log<sim::sim_runtime, sim::sim_file_system>;
};

// An empty log for each check of the conformance suite, and how it comes back when the process is gone.
struct real_log {
    using storage = one_file_log<lockstep::testing::manual_runtime, lockstep::os::posix_file_system>;
    static inline std::string directory;
    real_log() {
        std::filesystem::remove(directory + "/log");
        reopen();
    }
    storage& log() { return *log_; }
    void reopen() { log_ = std::make_unique<storage>(loop_, disk_, directory); }
    template <class Predicate>
    bool drive(Predicate done) { return loop_.run_until(done); }

    lockstep::testing::manual_runtime loop_;
    lockstep::os::posix_file_system disk_;
    std::unique_ptr<storage> log_;
};

// The same where the power fails each time that it is opened again.
struct simulated_log {
    using storage = my_policies<int>::log_storage;
    simulated_log() {
        machine_.set_program([](sim::node_system& s) { return std::make_shared<storage>(s.runtime, s.file_system, "/"); });
        machine_.start();
    }
    storage& log() { return *static_cast<storage*>(machine_.system()->program.get()); }
    void reopen() {
        machine_.crash(sim::crash_kind::power);
        while (!machine_.start()) world_.step();
    }
    template <class Predicate>
    bool drive(Predicate done) { return world_.run_until(done, world_.now() + std::chrono::minutes(10)); }

    sim::world world_{7};
    sim::links links_{world_};
    sim::sim_network network_{world_, links_};
    sim::machine machine_{world_, links_, network_, nullptr, lockstep::node_id(1)};
};

template <class Fixture>
bool conforms(std::string_view where) {
    const auto failures = lockstep::testing::check_log_storage<Fixture>();
    for (const std::string& f : failures) std::cout << where << ": " << f << '\n';
    return failures.empty();
}

int main(int argc, char** argv) {
    const std::string_view wanted = argc > 2 ? argv[2] : "200";
    std::uint64_t seeds = 0;
    if (argc < 2 || std::from_chars(wanted.begin(), wanted.end(), seeds).ptr != wanted.end() || seeds == 0)
        return std::cerr << "usage: lockstep-simulate-your-storage DIRECTORY [SEEDS]\n", 1;
    real_log::directory = argv[1];
    if (!conforms<real_log>("on the real disk") || !conforms<simulated_log>("on the simulated disk")) return 1;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        const sim::drawing how{.workload = sim::workload_kind::consensus, .faulty = std::chrono::seconds(10)};
        const sim::scenario what = sim::draw_scenario(seed, how);
        const sim::failure outcome = sim::replicated_cluster<sim::registers, my_policies>(what).run().outcome;
        if (outcome.what == sim::exit_class::passed) continue;
        std::cout << "# seed " << seed << ": " << outcome.text << '\n' << sim::to_text(what);
        return static_cast<int>(outcome.what);
    }
    std::cout << "conforms, and " << seeds << " seeds passed\n";
}
