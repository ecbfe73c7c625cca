// What every simulated cluster has, whatever its machines run: world, network, machines, faults, the checkers of its
// consensus, and the course of a run. A program is what is started on a node_system; its raft::core is all that is asked of
// it here. Kinds of clusters derive from this: folders (simulation.cpp), state machines (replicated/replicated_cluster.hpp).
#pragma once

#include <sim/checkers/consensus_checkers.hpp>
#include <sim/checkers/idle_cluster.hpp>
#include <sim/expectation.hpp>
#include <sim/faults/attendant.hpp>
#include <sim/faults/next_leader.hpp>
#include <sim/machine/machine.hpp>
#include <sim/run_result.hpp>
#include <sim/scenario.hpp>
#include <sim/trace/state_trace.hpp>

#include <lockstep/concepts/observer.hpp>
#include <lockstep/node/start_result.hpp>
#include <lockstep/raft/core.hpp>

#include <algorithm>
#include <concepts>
#include <memory>
#include <optional>
#include <set>
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
          network_(w_, links_, what_.tuned.network), messages_(w_, links_, what_.tuned.frames),
          consensus_(w_, members_of(what_), what_.tuned.node.raft), idle_(w_, consensus_.record(), what_.tuned.node.raft, what_.tuned.transport.ping_interval, what_.tuned.network.split_one_in) {
        message_network* messages = what_.tuned.messages ? &messages_ : nullptr;
        std::vector<machine*> boxes;
        for (std::uint64_t id = 1; id <= what_.nodes; ++id) boxes.push_back(&add_machine(id, messages));
        faults_ = std::make_unique<fault_plan>(w_, links_, network_, messages, std::move(boxes), what_.faults);
        faults_->set_leader([this] { return leader(); });
        faults_->set_election_timers([this](const machine& m) { return election_timer(m); });
        faults_->set_next_leader([this] { return would_lead(); });
        leave_some_out(w_.fork("left out"));
        consensus_.seen().add(idle_);
        faults_->disks().set_founded([this] { return consensus_.record().committed().index != log_index{}; });
        attendant_ = std::make_unique<attendant>(w_, *faults_);
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
        expect(end);
        w_.run_until(end);
        end_workload();
        go_on_without_some();
        const time_point whole = w_.now();
        settle("after the faults");
        const duration time = w_.now() - whole;
        if (w_.fork("idle").one_in(idle_one_in)) stay_idle();
        before_end();
        w_.check_end();
        expect_probes();
        if (w_.failed() && hooks_.trace) hooks_.trace->violation(named(*w_.failed()), w_.failed()->what == exit_class::liveness);
        return result(time);
    }

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
    /// The run is over; what only its end can show is checked next.
    virtual void before_end() {}
    /// What a trace tells of a node.
    virtual standing standing_of(node_id id) {
        const Program* p = program_of(id);
        return {p ? p->core() : nullptr, 0, 0};
    }
    /// Whether a client heard of the operation of that number.
    virtual bool is_answered(std::uint64_t) const { return false; }

    // --- what it uses ---

    /// Where each node keeps its log: what is durable is read there, or told by the log where it is a user's own
    /// (checkers/observed_log.hpp). Before the run.
    void watch_logs(const std::string& state) {
        for (const auto& m : machines_) consensus_.watch(*m, state);
    }
    const raft_record& record() const noexcept { return consensus_.record(); }

    /// Those that a majority has to get along without for a while; most often, none.
    bool is_left_out(node_id id) const { return left_out_.contains(id); }
    /// Whom a node has no way to, in words.
    std::string out_of_reach(node_id from) const {
        std::string text;
        for (const auto& m : machines_)
            if (m->id() != from && !links_.open(from, m->id())) text += " no way to " + std::to_string(m->id().value);
        return text;
    }
    /// A node changed a path that users see.
    void disk_changed(node_id id, const std::string& path) { idle_.disk_changed(id, path); }

    /// An entry was applied, and a state came out of it.
    void applied(node_id id, const raft::entry& e, std::uint64_t state) {
        if (states_) {
            states_->applied(id, e.index);
            hooks_.trace->record(trace_lane::of(id), traced::apply, words_of(e),
                                 trace_values().add("index", e.index.value).add("term", e.term.value),
                                 trace_values().add("applied", e.index.value));
        }
        consensus_.seen().applied(id, e, state);
    }
    /// Another node's state took the place of what was applied.
    void installed(node_id id, log_position at, std::uint64_t state) {
        consensus_.seen().installed(id, at, state);
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

    /// A node may end itself for what befell its machine, in order and with a word: somebody sees to it. For nothing else.
    void stopped(machine& m, const std::string& why) {
        idle_.disturbed();
        if (!attendant_->ended(m, why)) unexpected_end(m, why);
    }
    void begin_anew(machine& m) { attendant_->begin_anew(m); }
    /// What became of a start.
    void started(machine& m, const life& who, const start_result& what) {
        if (!who->alive) return;
        if (!what.code) attendant_->started(m.id());
        else if (!attendant_->refused(m, what.code, what.text)) unexpected_end(m, what.text);
    }

    const scenario what_;
    const run_hooks hooks_;
    world w_;
    links links_;
    sim_network network_;
    message_network messages_;
    std::unique_ptr<fault_plan> faults_;

private:
    static constexpr std::uint64_t left_out_one_in = 4;   ///< of runs: a majority has to get along by itself first
    static constexpr std::uint64_t idle_one_in = 6;       ///< of runs: they are watched for a while when all is done
    static constexpr duration idle_time = std::chrono::seconds(30);

    static std::vector<node_id> members_of(const scenario& what) {
        std::vector<node_id> members;
        for (std::uint64_t id = 1; id <= what.nodes; ++id) members.push_back(node_id(id));
        return members;
    }

    void settle(const std::string& when) {
        const time_point end = w_.now() + what_.calm;
        quiet_since_ = w_.now();
        if (w_.run_until([this] { return is_settled(); }, end)) return;
        w_.fail(exit_class::liveness, "not settled " + to_text(what_.calm) + " " + when + ": " + standings());
    }

    /// The faults are over, and a random majority has nothing but itself: the others stay without power, or cut off. It has to
    /// elect, commit and come to the same. Then the others come back.
    void go_on_without_some() {
        if (left_out_.empty() || w_.failed()) return;
        std::string who;
        for (const node_id id : left_out_) who += (who.empty() ? "node " : ", node ") + std::to_string(id.value);
        settle("after the faults, without " + who + ", as a majority has to");
        left_out_.clear();
        faults_->bring_back();
    }
    /// Not where a majority is left only with them, a disk that was wiped counting for nothing, and one that is damaged may be
    /// wiped yet; nor before there is a cluster: that needs all of them.
    void leave_some_out(random_generator random) {
        if (!random.one_in(left_out_one_in)) return;
        const std::uint64_t count = random.between(0, (what_.nodes - 1) / 2);
        std::set<node_id> some;
        while (some.size() < count) some.insert(node_id(random.between(1, what_.nodes)));
        faults_->leave_out(random.one_in(2), [this, some] {
            std::size_t others = 0;
            for (const auto& m : machines_) others += !some.contains(m->id()) && consensus_.record().counts(m->id()) && !faults_->atlas().is_damaged(m->id());
            const bool founded = consensus_.record().committed().index.value != 0;
            if (founded && consensus_.record().is_majority(others)) left_out_ = some;
            return left_out_;
        });
    }

    void stay_idle() {
        if (w_.failed()) return;
        idle_.begin();
        w_.run_until(w_.now() + idle_time);
        if (!w_.failed()) idle_.end();
    }

    static link_options links_of(const tunables& t) {
        link_options o = t.links;
        o.shape = static_cast<delay_shape>(t.delay_shape);
        return o;
    }

    machine& add_machine(std::uint64_t id, message_network* messages) {
        machine_options mo;
        mo.runtime = what_.tuned.runtime;
        mo.kernel_events = what_.tuned.kernel_events;
        mo.clock = first_clock(w_, what_.tuned, node_id(id));
        mo.transport = what_.tuned.transport;
        clocks_off_ += mo.clock.offset_ns != 0 || mo.clock.drift_ppm != 0;
        machines_.push_back(std::make_unique<machine>(w_, links_, network_, messages, node_id(id), mo));
        programs_.push_back(nullptr);
        machine& m = *machines_.back();
        auto top = m.disk().open_directory(sim_disk::user, "/").value();
        (void)m.disk().make_directory(top, std::string_view(root_path).substr(1), 0755);
        (void)m.disk().sync_directory(top);
        m.disk().close(top);
        m.set_program([this, &m, at = programs_.size() - 1](node_system& s) {
            std::shared_ptr<Program> p = make_program(m, s);
            programs_[at] = p.get();
            return p;
        });
        return m;
    }

    node_id would_lead() const {
        std::vector<running_core> running;
        for (const auto& m : machines_)
            if (const Program* p = program_of(m->id()); p && p->core()) running.push_back({m->id(), p->core()});
        return next_leader(running, leader());
    }

    void trace_states() {
        if (!hooks_.trace) return;
        std::vector<node_id> ids;
        for (const auto& m : machines_) ids.push_back(m->id());
        hooks_.trace->attach(w_);
        states_ = std::make_unique<state_trace>(*hooks_.trace, std::move(ids), [this](node_id id) { return standing_of(id); });
        w_.add_checker(*states_);
    }

    void unexpected_end(machine& m, const std::string& why) {
        w_.fail(exit_class::correctness, "node " + std::to_string(m.id().value) + " stopped: " + why);
    }

    std::optional<duration> election_timer(const machine& m) const {
        const Program* p = program_of(m.id());
        const raft::core* core = p ? p->core() : nullptr;
        if (!core || core->state_role() == raft::role::leader) return std::nullopt;
        return core->deadline() - m.clock().now();
    }

    /// What the scenario says must come to pass, at its times. Those behind the end of the faults are looked at there.
    void expect(time_point end) {
        for (const expectation& e : what_.expected) {
            if (e.of_probe()) continue;
            w_.schedule(std::min(w_.now() + e.at, end), trace_kind::world, nullptr, e.number, [this, &e] {
                const standing now = e.of_operation() ? standing() : standing_of(e.node);
                const bool came = e.of_operation() ? is_answered(e.number) == (e.kind == expectation::what::answered) : holds(e, now.core, now.synced);
                if (!came) missed(e, e.of_operation() ? std::string() : "; " + standing_in_words(now.core, now.synced));
            });
        }
    }
    void expect_probes() {
        for (const expectation& e : what_.expected) {
            if (!e.of_probe()) continue;
            const bool reached = probes_.counts()[static_cast<std::size_t>(e.place)] != 0;
            if (reached != (e.kind == expectation::what::reached)) missed(e, {});
        }
    }
    void missed(const expectation& e, const std::string& instead) {
        w_.fail(exit_class::liveness, "expected" + (e.of_probe() ? "" : " at " + to_text(e.at)) + ": " + to_text(e) + instead);
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
        r.messages = consensus_.seen().frames();
        r.elections = consensus_.record().elections();
        r.committed = consensus_.record().committed().index.value;
        r.chances = {{}, links_.counts(), network_.counts(), messages_.counts(), faults_->partitions(), {}, {}};
        for (const auto& m : machines_) add(r.chances, {m->event_counts(), {}, {}, {}, {}, m->disk().unsynced(), m->jobs()});
        r.clocks_off = clocks_off_;
        r.stops = attendant_->counts();
        r.wiped = faults_->disks().wiped();
        r.refused_damage = faults_->atlas().refused();
        r.settled = settled;
        r.probes = probes_.counts();
        add_to(r);
        return r;
    }

    static constexpr duration look_every = std::chrono::milliseconds(100);
    static constexpr duration quiet_for = std::chrono::seconds(3);

    consensus_checkers consensus_;
    idle_cluster idle_;
    std::set<node_id> left_out_;
    probe_counter probes_;
    std::unique_ptr<attendant> attendant_;
    std::vector<Program*> programs_;
    std::vector<std::unique_ptr<machine>> machines_;
    std::unique_ptr<state_trace> states_;             ///< where a trace is made
    time_point next_look_{};
    time_point quiet_since_{};
    std::uint64_t clocks_off_ = 0;
};

}  // namespace lockstep::sim
