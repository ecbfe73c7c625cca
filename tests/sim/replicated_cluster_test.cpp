// Simulated clusters of state machines of anyone's: runs are pure functions, and each thing that is checked bites.
#include <tests/catch.hpp>

#include <examples/simulate_your_storage/one_file_log.hpp>
#include <sim/replicated/registers.hpp>
#include <sim/replicated/replicated_cluster.hpp>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

namespace {

scenario drawn(std::uint64_t seed) { return draw_scenario(seed, {.workload = workload_kind::consensus, .faulty = 5s}); }

/// What the first seed that fails ends with.
template <class Cluster>
failure first_failure(std::uint64_t seeds) {
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        const failure outcome = Cluster(drawn(seed)).run().outcome;
        if (outcome.what != exit_class::passed) return outcome;
    }
    return {};
}
bool says(const failure& f, std::string_view text) { return f.text.find(text) != std::string::npos; }

template <class Observer>
struct simple_storage : sim_policies<Observer> {
    using log_storage = one_file_log<sim_runtime, sim_file_system>;
};

/// Says that an append is durable when it has not even been written.
struct hasty_log : one_file_log<sim_runtime, sim_file_system> {
    using one_file_log::one_file_log;
    void append(log_batch batch, appended_handler done) {
        one_file_log::append(std::move(batch), [](storage_error) {});
        rt_.post([done = std::move(done), alive = std::weak_ptr(alive_)] {
            if (alive.lock()) done({});
        });
    }
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};
template <class Observer>
struct hasty_storage : sim_policies<Observer> {
    using log_storage = hasty_log;
};

/// Not the same on all nodes.
struct wayward_registers : registers {
    struct machine : registers::machine {
        inline static std::uint64_t machines = 0;
        std::uint64_t own = ++machines;
        std::uint64_t digest() const { return registers::machine::digest() + (own % 7 == 0 ? 1 : 0); }
    };
    static std::optional<output> answer(const machine& m, const input& in, log_index at) {
        return registers::answer(m, in, at);
    }
};

/// Answers what the first read of a register told, now and then.
struct stale_registers : registers {
    struct machine : registers::machine {
        mutable std::map<std::uint64_t, std::uint64_t> first;
        mutable std::uint64_t reads = 0;
    };
    static std::optional<output> answer(const machine& m, const input& in, log_index at) {
        if (in.what != verb::get) return registers::answer(m, in, at);
        const auto first = m.first.try_emplace(in.key, m.value(in.key)).first->second;
        return ++m.reads % 3 == 0 ? first : m.value(in.key);
    }
};

class counting_checker : public checker {
public:
    void after_event(world&) override { ++events; }
    void at_end(world&) override { ++ends; }
    std::uint64_t events = 0, ends = 0;
};

}  // namespace

TEST_CASE("a run of replicated registers is a pure function of its scenario") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const auto run = [&](const scenario& s) { return replicated_cluster<registers>(s).run(); };
        const run_result first = run(drawn(seed)), second = run(drawn(seed));
        CHECK(first.outcome.text == "");
        CHECK(first.trace_hash == second.trace_hash);
        CHECK(first.events == second.events);
        const parsed_scenario read = parse_scenario(to_text(drawn(seed)));
        REQUIRE(read.wrong == "");
        CHECK(run(read.what).trace_hash == first.trace_hash);
        CHECK(run(drawn(seed + 1000)).trace_hash != first.trace_hash);
    }
}

TEST_CASE("clients are answered while machines crash and links are cut") {
    run_result sum;
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        const run_result r = replicated_cluster<registers>(drawn(seed)).run();
        CHECK(r.outcome.text == "");
        CHECK(r.undecided == 0);
        sum.operations += r.operations;
        sum.unanswered += r.unanswered;
        sum.committed += r.committed;
        for (std::size_t k = 0; k < fault_kind_count; ++k) sum.faults[k] += r.faults[k];
    }
    CHECK(sum.operations > 500);
    CHECK(sum.unanswered > 0);
    CHECK(sum.unanswered < sum.operations / 4);
    CHECK(sum.committed > 300);
    for (const fault_kind kind : {fault_kind::crash, fault_kind::cut, fault_kind::pause, fault_kind::drift})
        CHECK(count_of(sum.faults, kind) > 0);
}

TEST_CASE("a checker of one's own sees every event and the end") {
    replicated_cluster<registers> nodes(drawn(1));
    counting_checker mine;
    nodes.add_checker(mine);
    const run_result r = nodes.run();
    CHECK(r.outcome.text == "");
    CHECK(mine.events == r.events);
    CHECK(mine.ends == 1);
}

TEST_CASE("a log_storage of one's own takes the place of the shipped one") {
    CHECK(first_failure<replicated_cluster<registers, simple_storage>>(50).text == "");
}

TEST_CASE("a log_storage that acknowledges before it has written is found out") {
    const failure found = first_failure<replicated_cluster<registers, hasty_storage>>(50);
    CHECK(found.what == exit_class::correctness);
    INFO(found.text);
    CHECK(says(found, "acknowledged"));
}

TEST_CASE("a state machine that differs from node to node is found out") {
    const failure found = first_failure<replicated_cluster<wayward_registers>>(20);
    CHECK(found.what == exit_class::correctness);
    CHECK(says(found, "came to another state"));
}

TEST_CASE("reads that are stale are found out by what clients heard") {
    const failure found = first_failure<replicated_cluster<stale_registers>>(100);
    CHECK(found.what == exit_class::correctness);
    CHECK(says(found, "not linearizable"));
    CHECK(says(found, "get register"));
}

TEST_CASE("a scenario that does not get where it says that it gets fails") {
    const std::string head = "scenario 1\nworkload consensus\nfaulty 6s\nquiet\nset election-min 1.5s\nset election-max 4s\n"
                             "at 1s campaign 2\nat 2s propose 1 o7\n";
    const auto outcome = [&](const std::string& more) {
        const parsed_scenario read = parse_scenario(head + more);
        CHECK(read.wrong == "");
        CHECK(to_text(read.what) == to_text(parse_scenario(to_text(read.what)).what));
        return replicated_cluster<registers>(read.what).run().outcome;
    };
    CHECK(outcome("at 2s expect 2 leads\nat 2s expect 2 term 1\nat 3s expect o7 answered\nat 3s expect 1 committed 5\n"
                  "expect reached proposal_forwarded\nexpect not-reached tail_truncated\nat 2s expect 1 follows\n").text == "");
    for (const std::string wrong : {"at 2s expect 1 leads", "at 2s expect 2 follows", "at 2s expect 2 down", "at 2s expect 2 term 2",
                                    "at 2s expect 2 last-term 2", "at 2s expect 2 committed 500", "at 3s expect o7 unanswered",
                                    "at 3s expect o8 answered", "expect reached tail_truncated", "expect not-reached proposal_forwarded"}) {
        const failure found = outcome(wrong + "\n");
        CHECK(found.what == exit_class::liveness);
        CHECK(says(found, "expected"));
    }
}
