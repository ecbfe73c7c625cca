// What every simulated cluster has, whatever its machines run: world, network, machines, faults, the checkers of its
// consensus, and the course of a run. A program is what is started on a node_system; its raft::core is all that is asked of
// it here. Kinds of clusters derive from this: folders (simulation.cpp), state machines (replicated/replicated_cluster.hpp).
#pragma once

#include <sim/checkers/consensus_checkers.hpp>
#include <sim/checkers/raft_checker.hpp>
#include <sim/machine/machine.hpp>
#include <sim/run_result.hpp>
#include <sim/scenario.hpp>
#include <sim/trace/state_trace.hpp>

#include <lockstep/concepts/observer.hpp>
#include <lockstep/raft/core.hpp>

#include <concepts>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sim {

/// Null until its log is open.
template <class Program>
concept simulated_program = requires(const Program& p) {
    { p.core() } -> std::same_as<const raft::core*>;
};

template <simulated_program Program>
class cluster {
public:
    /// Precondition of run(): called once.
    cluster(scenario what, run_hooks hooks)
        : what_(std::move(what)), hooks_(std::move(hooks)), w_(what_.seed), links_(w_, links_of(what_.tuned)),
          network_(w_, links_, what_.tuned.network), messages_(w_, links_), raft_([this](std::vector<raft_view>& out) { look(out); }) {
        message_network* messages = what_.tuned.messages ? &messages_ : nullptr;
        std::vector<machine*> boxes;
        for (std::uint64_t id = 1; id <= what_.nodes; ++id) boxes.push_back(&add_machine(id, messages));
        faults_ = std::make_unique<fault_plan>(w_, links_, network_, messages, std::move(boxes), what_.faults);
        faults_->set_leader([this] { return leader(); });
        w_.add_checker(raft_);
        if (hooks_.after_event) w_.set_after_event(hooks_.after_event);
        if (hooks_.prepare) hooks_.prepare(w_);
    }
    virtual ~cluster() { w_.set_recorder(nullptr); }   // what ends with the run is not a part of it
    cluster(const cluster&) = delete;
    cluster& operator=(const cluster&) = delete;

    run_result run() {
        trace_states();
        for (auto& m : machines_) {
            const cause_scope own(w_, 0);
            m->start();
        }
        const time_point end = w_.now() + what_.faulty;
        begin_workload();
        faults_->start(end);
        w_.run_until(end);
        end_workload();
        quiet_since_ = w_.now();
        const bool settled = w_.run_until([this] { return is_settled(); }, end + what_.calm);
        const duration time = w_.now() - end;
        if (!settled) w_.fail(exit_class::liveness, "not settled " + to_text(what_.calm) + " after the faults: " + standings());
        w_.check_end();
        if (w_.failed() && hooks_.trace) hooks_.trace->violation(w_.failed()->text, w_.failed()->what == exit_class::liveness);
        return result(time);
    }

    world& the_world() noexcept { return w_; }
    /// Outlives the run. Its own checkers come first.
    void add_checker(checker& c) { w_.add_checker(c); }

    /// What runs on a machine; null where nothing does.
    Program* program_of(node_id id) const {
        const std::size_t i = static_cast<std::size_t>(id.value - 1);
        return machines_[i]->running() ? programs_[i] : nullptr;
    }
    const std::vector<std::unique_ptr<machine>>& machines() const noexcept { return machines_; }
    /// Any of those that believe to lead.
    node_id leader() const {
        for (const auto& m : machines_) {
            const Program* p = program_of(m->id());
            if (p && p->core() && p->core()->state_role() == raft::role::leader) return m->id();
        }
        return no_node;
    }

protected:
    static constexpr const char* root_path = "/data";   ///< of each machine: durable and empty before the run
    static std::string address_of(std::uint64_t id) { return "node" + std::to_string(id) + ":8000"; }

    // --- what a kind of cluster adds ---

    /// Started by what is returned, on a fresh system. May be destroyed at any later event.
    virtual std::shared_ptr<Program> make_program(machine& m, node_system& s) = 0;
    virtual void begin_workload() = 0;
    virtual void end_workload() = 0;
    /// Nothing is left to be done: once it stays so for a while, the run is over. Looked at rarely.
    virtual bool is_quiet() = 0;
    /// Of a run that does not come to its end: what is stuck.
    virtual std::string standings() = 0;
    virtual void add_to(run_result& r) = 0;
    /// What a trace tells of a node.
    virtual standing standing_of(node_id id) {
        const Program* p = program_of(id);
        return {p ? p->core() : nullptr, 0, 0};
    }

    // --- what it uses ---

    /// The nodes keep the shipped log in that directory: from now on what is durable is read from the disks, and all
    /// checkers of the consensus look on. Of another log only nodes themselves know what is durable. Before the run.
    void watch_logs(const std::string& state) {
        std::vector<node_id> members;
        for (const auto& m : machines_) members.push_back(m->id());
        consensus_ = std::make_unique<consensus_checkers>(w_, members, what_.tuned.node.raft);
        for (const auto& m : machines_) consensus_->watch(*m, state);
    }

    /// An entry was applied, and a state came out of it.
    void applied(node_id id, const raft::entry& e, std::uint64_t state) {
        if (states_) {
            states_->applied(id, e.index);
            hooks_.trace->record(trace_lane::of(id), traced::apply, words_of(e),
                                 trace_values().add("index", e.index.value).add("term", e.term.value),
                                 trace_values().add("applied", e.index.value));
        }
        if (consensus_) return consensus_->seen().applied(id, e, state);
        raft_.applied(w_, id, e);
        raft_.state(w_, id, e.index, state);
    }
    /// Another node's state took the place of what was applied.
    void installed(node_id id, log_position at, std::uint64_t state) {
        if (consensus_) return consensus_->seen().installed(id, at, state);
        raft_.state(w_, id, at.index, state);
    }

    std::vector<peer_address> peers_of(std::uint64_t id) const {
        std::vector<peer_address> peers;
        for (std::uint64_t peer = 1; peer <= what_.nodes; ++peer)
            if (peer != id) peers.push_back({node_id(peer), address_of(peer)});
        return peers;
    }

    /// What a program reports. One that gives up has failed the run.
    void reported(machine& m, const life& who, const report& r) {
        if (!who->alive) return;   // what a dead one says when its calls fail
        if (hooks_.log)
            hooks_.log(std::to_string(w_.now().time_since_epoch().count() / 1'000'000) + " ms, node " + std::to_string(m.id().value) +
                       ": " + r.text);
        if (hooks_.trace) hooks_.trace->record(trace_lane::of(m.id()), traced::report, r.text);
        if (r.severity == report::level::fatal) stopped(m, r.text);
    }

    /// A node may end itself for want of room, in order and with a word: somebody starts it again. For nothing else.
    void stopped(machine& m, const std::string& why) {
        const bool for_room = why.find(error_code(errc::no_space).message()) != why.npos && faults_->lacked_room(m.id());
        if (!for_room) return w_.fail(exit_class::correctness, "node " + std::to_string(m.id().value) + " stopped: " + why);
        ++stops_for_room_;
        w_.schedule(w_.now(), trace_kind::fault, nullptr, m.id().value, [this, &m] {
            m.crash(crash_kind::process);
            start_again(m);
        });
    }

    const scenario what_;
    const run_hooks hooks_;
    world w_;
    links links_;
    sim_network network_;
    message_network messages_;
    raft_checker raft_;
    std::unique_ptr<fault_plan> faults_;

private:
    static link_options links_of(const tunables& t) {
        link_options o = t.links;
        o.shape = static_cast<delay_shape>(t.delay_shape);
        return o;
    }

    machine& add_machine(std::uint64_t id, message_network* messages) {
        machine_options mo;
        mo.runtime = what_.tuned.runtime;
        mo.kernel_events = what_.tuned.kernel_events;
        machines_.push_back(std::make_unique<machine>(w_, links_, network_, messages, node_id(id), mo));
        programs_.push_back(nullptr);
        machine& m = *machines_.back();
        auto top = m.disk().open_directory(sim_disk::user, "/").value();
        (void)m.disk().make_directory(top, std::string_view(root_path).substr(1), 0755);
        (void)m.disk().sync_directory(top);
        m.disk().close(top);
        m.set_tap([this](node_id from, node_id, const shared_bytes& frame) { raft_.sent(w_, from, frame); });
        m.set_program([this, &m, at = programs_.size() - 1](node_system& s) {
            std::shared_ptr<Program> p = make_program(m, s);
            programs_[at] = p.get();
            return p;
        });
        return m;
    }

    void trace_states() {
        if (!hooks_.trace) return;
        std::vector<node_id> ids;
        for (const auto& m : machines_) ids.push_back(m->id());
        hooks_.trace->attach(w_);
        states_ = std::make_unique<state_trace>(*hooks_.trace, std::move(ids), [this](node_id id) { return standing_of(id); });
        w_.add_checker(*states_);
    }

    void start_again(machine& m) {
        w_.after(std::chrono::milliseconds(500), trace_kind::fault, nullptr, m.id().value, [this, &m] {
            if (!m.running() && !m.start()) start_again(m);
        });
    }

    /// After each event: into memory that was there before.
    void look(std::vector<raft_view>& out) const {
        out.clear();
        for (const auto& m : machines_) {
            const Program* p = program_of(m->id());
            out.push_back({m->id(), m->starts(), p ? p->core() : nullptr});
        }
    }

    bool is_settled() {
        if (w_.now() < next_look_) return false;
        next_look_ = w_.now() + look_every;
        if (!is_quiet()) quiet_since_ = w_.now();
        return w_.now() - quiet_since_ > quiet_for;
    }

    run_result result(duration settled) {
        run_result r;
        if (w_.failed()) r.outcome = *w_.failed();
        r.trace_hash = w_.trace_hash();
        r.events = w_.events_executed();
        r.virtual_time = w_.now().time_since_epoch();
        r.faults = faults_->counts();
        r.messages = consensus_ ? consensus_->seen().frames() : raft_.frames();
        r.elections = consensus_ ? consensus_->record().elections() : raft_.elections();
        r.committed = raft_.commit().value;
        r.stops_for_room = stops_for_room_;
        r.settled = settled;
        r.probes = probes_.counts();
        add_to(r);
        return r;
    }

    static constexpr duration look_every = std::chrono::milliseconds(100);
    static constexpr duration quiet_for = std::chrono::seconds(3);

    probe_counter probes_;
    std::vector<Program*> programs_;
    std::vector<std::unique_ptr<machine>> machines_;
    std::unique_ptr<consensus_checkers> consensus_;   ///< before the machines that it looks at
    std::unique_ptr<state_trace> states_;             ///< where a trace is made
    time_point next_look_{};
    time_point quiet_since_{};
    std::uint64_t stops_for_room_ = 0;
};

}  // namespace lockstep::sim
