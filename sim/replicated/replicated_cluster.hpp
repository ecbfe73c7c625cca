// A state machine of anyone's on every machine of a simulated cluster: the shipped `replicated` with its log and transport,
// clients, faults and checkers. For users of the library; examples/simulate_yours shows it.
//
//     replicated_cluster<my_service> run(draw_scenario(seed, {.workload = workload_kind::consensus}));
//     run.add_checker(mine);                       // any sim::checker
//     const run_result result = run.run();         // a pure function of the scenario
//
// A failing scenario can be made small (shrink.hpp), written down (to_text) and read back (parse_scenario).
#pragma once

#include <sim/checkers/observed_log.hpp>
#include <sim/cluster.hpp>
#include <sim/machine/sim_policies.hpp>
#include <sim/replicated/clients.hpp>
#include <sim/replicated/linearizability_checker.hpp>

#include <lockstep/node/replicated.hpp>

#include <array>
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace lockstep::sim {

namespace detail {

struct report_sink {
    std::function<void(const report&)> tell;
    void observe(const report& r) { tell(r); }
};

/// A log of ours is read from its disk, and any other tells what it acknowledged.
template <class P>
struct observed_policies : P {
    using log = typename P::log_storage;
    using log_storage = std::conditional_t<std::derived_from<log, storage::wal<sim_runtime, sim_file_system>>, log, observed_log<log>>;
};

/// What runs on one machine. A start begins with a new state machine: the log is applied to it again.
template <service S, template <class> class Policies>
struct replicated_program {
    using node_type = replicated<typename S::machine, observed_policies<Policies<report_sink>>>;

    replicated_program(replicated_options o, node_system& s, std::function<void(const report&)> tell)
        : sink{std::move(tell)}, node(std::move(o), state, s.runtime, s.file_system, s.streams, sink) {}
    const raft::core* core() const { return node.core(); }

    typename S::machine state;
    report_sink sink;
    node_type node;
};

}  // namespace detail

/// `Policies<Observer>` is a bag of types as sim_policies is: derive from that to put in a policy of one's own.
template <service S, template <class> class Policies = sim_policies>
class replicated_cluster : public cluster<detail::replicated_program<S, Policies>> {
    using program = detail::replicated_program<S, Policies>;
    using base = cluster<program>;
    using base::w_, base::what_;

public:
    using machine_type = typename S::machine;

    /// Of the scenario, edits are left out, and so is what is tuned of folders.
    explicit replicated_cluster(scenario what, run_hooks hooks = {})
        : base(std::move(what), std::move(hooks)),
          clients_(w_, what_.tuned.clients, what_.operations,
                   [this](node_id node, const auto& in, auto answered) { return ask(node, in, std::move(answered)); }),
          last_asked_(base::machines().size()) {
        base::watch_logs(base::root_path);
        if constexpr (testing::sequential_model<S>) {
            linearizability_ = std::make_unique<linearizability_checker<S>>(clients_.history());
            w_.add_checker(*linearizability_);
        }
    }

    /// The state machine of a node; null where none runs.
    const machine_type* state_of(node_id id) const {
        const program* p = base::program_of(id);
        return p ? &p->state : nullptr;
    }
    /// Of each node that runs.
    template <class F>
    void for_each_state(F f) const {
        for (const auto& m : base::machines())
            if (const machine_type* state = state_of(m->id())) f(m->id(), *state);
    }

private:
    std::shared_ptr<program> make_program(machine& m, node_system& s) override {
        const auto tell = [this, &m, who = s.who](const report& r) { base::reported(m, who, r); };
        auto p = std::make_shared<program>(options_of(m.id()), s, tell);
        p->node.on_applied = [this, id = m.id(), &state = p->state](const raft::entry& e) {
            base::applied(id, e, state.digest());
        };
        p->node.start([this, &m, who = s.who](start_result what) { base::started(m, who, what); });
        return p;
    }

    replicated_options options_of(node_id id) const {
        const node_options& tuned = what_.tuned.node;
        replicated_options o;
        o.id = id;
        o.directory = base::root_path;
        o.listen = base::address_of(id.value);
        o.peers = base::peers_of(id.value);
        o.raft = tuned.raft;
        o.resend_after = tuned.resend_after;
        o.formation_interval = tuned.formation_interval;
        o.proposals_max = tuned.proposals_max;
        o.proposal_bytes_max = tuned.proposal_bytes_max;
        o.digest_interval = tuned.digest_interval;
        return o;
    }

    void begin_workload() override { clients_.start(); }
    void end_workload() override { clients_.stop(); }

    result<> ask(node_id wanted, const typename S::input& in, typename clients<S>::answered answered) {
        for (std::uint64_t i = 0; i < what_.nodes; ++i) {
            const node_id id(1 + (wanted.value - 1 + i) % what_.nodes);
            if (program* p = base::program_of(id)) return ask_of(*p, in, std::move(answered));
        }
        return make_error_code(errc::halted);
    }

    static result<> ask_of(program& p, const typename S::input& in, typename clients<S>::answered answered) {
        auto answer = [&p, in, answered = std::move(answered)](log_index at) { answered(S::answer(p.state, in, at)); };
        if (auto command = S::command(in)) return p.node.propose(std::move(*command), std::move(answer));
        return p.node.read_barrier([answer = std::move(answer)] { answer(log_index{}); });
    }

    /// Each node still takes a command and gives an answer, all have applied the same, and no client waits any more.
    bool is_quiet() override {
        bool quiet = base::leader() != no_node;
        log_index commit;
        for (std::size_t i = 0; i < last_asked_.size(); ++i) {
            const machine& m = *base::machines()[i];
            if (base::is_left_out(m.id())) continue;
            const raft::core* core = m.running() ? base::program_of(m.id())->core() : nullptr;
            quiet = quiet && asked_last(i, m.starts());
            if (!core) return false;
            if (commit == log_index{}) commit = core->commit_index();
            quiet = quiet && core->commit_index() == commit && core->applied_index() == commit;
        }
        return quiet;
    }

    /// A proposal and a read of each incarnation that runs in the end.
    bool asked_last(std::size_t i, std::uint64_t incarnation) {
        last_words& last = last_asked_[i];
        const node_id id(i + 1);
        if (last.incarnation != incarnation) {
            last.incarnation = incarnation;
            const std::uint64_t number = last_numbers + 2 * id.value;
            last.proposed = clients_.ask_now(id, number, operation_kind::propose);
            last.read = clients_.ask_now(id, number + 1, operation_kind::read);
        }
        const auto over = [&](std::optional<std::size_t> place) { return place && clients_.history()[*place].returned; };
        if (over(last.proposed) && over(last.read)) return true;
        if (!last.proposed || !last.read) last.incarnation = 0;   // refused: again
        return false;
    }

    std::string standings() override {
        std::string text;
        for (const auto& m : base::machines()) {
            const program* p = base::program_of(m->id());
            text += "node " + std::to_string(m->id().value) + (base::is_left_out(m->id()) ? " left out" : "") + base::out_of_reach(m->id()) + " ";
            const raft::core* core = p ? p->core() : nullptr;
            if (!core) {
                text += p ? "waits for " + p->node.waiting_for() + "; " : "down; ";
                continue;
            }
            text += standing_in_words(core) + "; ";
        }
        return text + std::to_string(clients_.unanswered()) + " operations unanswered";
    }

    bool is_answered(std::uint64_t number) const override { return clients_.is_answered(number); }

    void add_to(run_result& r) override {
        r.operations = clients_.history().size();
        r.unanswered = clients_.unanswered();
        if constexpr (testing::sequential_model<S>) r.undecided = linearizability_->undecided();
    }

    struct last_words {
        std::uint64_t incarnation = 0;
        std::optional<std::size_t> proposed, read;
    };
    struct nothing {};
    template <class T, bool = testing::sequential_model<T>>
    struct own_checker {
        using type = nothing;
    };
    template <class T>
    struct own_checker<T, true> {
        using type = linearizability_checker<T>;
    };
    static constexpr std::uint64_t last_numbers = std::uint64_t{1} << 48;   ///< of operations behind all that were planned

    clients<S> clients_;
    std::unique_ptr<typename own_checker<S>::type> linearizability_;
    std::vector<last_words> last_asked_;
};

}  // namespace lockstep::sim
