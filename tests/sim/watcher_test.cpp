// The shipped watchers keep what watcher promises on simulated kernel events, also where most of them are lost.
#include <tests/catch.hpp>

#include <sim/machine/machine.hpp>

#include <lockstep/testing/watcher_conformance.hpp>
#include <lockstep/watch/selected_watcher.hpp>

using namespace lockstep;
using namespace lockstep::sim;

namespace {

machine_options with_queue_of(std::size_t events) {
    machine_options options;
    options.kernel_events.queue_max = events;
    return options;
}

template <watcher_choice Choice, std::uint64_t Seed, std::size_t QueueMax>
class watched_machine {
public:
    using watcher_type = selected_watcher<sim_runtime, sim_file_system, sim_kernel_events>;

    watched_machine()
        : w_(Seed), cables_(w_), network_(w_, cables_),
          box_(w_, cables_, network_, nullptr, node_id(1), with_queue_of(QueueMax)) {
        auto top = box_.disk().open_directory(sim_disk::user, "/").value();
        for (const char* name : {"marks", "tree"}) REQUIRE(box_.disk().make_directory(top, name, 0700));
        auto tree = box_.disk().open_directory(sim_disk::user, "/tree").value();
        REQUIRE(box_.disk().make_directory(tree, "d", 0700));
        box_.set_program([this](node_system& s) {
            auto watch = std::make_shared<watcher_type>(s.runtime, s.file_system, s.kernel_events, Choice);
            watcher_callbacks callbacks;
            callbacks.hints = [this](std::vector<hint> more) { hints_.insert(hints_.end(), more.begin(), more.end()); };
            callbacks.problem = [](const std::string&) {};
            auto marks = s.file_system.open_directory("/marks").value();
            REQUIRE(watch->start(marks, std::move(callbacks)));
            auto below = s.file_system.open_directory("/tree/d").value();
            auto whole = s.file_system.open_directory("/tree").value();
            watch->add("", whole);
            watch->add("d", below);
            return watch;
        });
        REQUIRE(box_.start());
    }
    watcher_type& watch() { return *static_cast<watcher_type*>(box_.system()->program.get()); }
    sim_file_system& fs() { return box_.system()->file_system; }
    sim_file_system::directory root() { return fs().open_directory("/tree").value(); }
    const std::vector<hint>& hints() const { return hints_; }
    template <class Predicate>
    bool drive(Predicate p) {
        return w_.run_until(p, w_.now() + std::chrono::seconds(5));
    }

private:
    world w_;
    links cables_;
    sim_network network_;
    machine box_;
    std::vector<hint> hints_;
};

}  // namespace

TEST_CASE("the watcher over simulated kernel events does what every watcher must") {
    CHECK(testing::check_watcher<watched_machine<watcher_choice::inotify, 1, 256>>() == std::vector<std::string>{});
    CHECK(testing::check_watcher<watched_machine<watcher_choice::inotify, 2, 256>>() == std::vector<std::string>{});
}

TEST_CASE("a watcher that loses most of its events does what every watcher must") {
    CHECK(testing::check_watcher<watched_machine<watcher_choice::inotify, 1, 1>>() == std::vector<std::string>{});
    CHECK(testing::check_watcher<watched_machine<watcher_choice::inotify, 2, 2>>() == std::vector<std::string>{});
}

TEST_CASE("a watcher that polls does what every watcher must") {
    CHECK(testing::check_watcher<watched_machine<watcher_choice::polling, 1, 256>>() == std::vector<std::string>{});
}
