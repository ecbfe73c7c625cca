// The one translation unit that instantiates the simulated node.
#include <sim/simulation.hpp>

#include <sim/checkers/content_checker.hpp>
#include <sim/checkers/consensus_checkers.hpp>
#include <sim/checkers/raft_checker.hpp>
#include <sim/machine/sim_policies.hpp>
#include <sim/trace/state_trace.hpp>
#include <sim/workload/sim_user.hpp>
#include <sim/checkers/tree_checker.hpp>

#include <lockstep/node/folder_node.hpp>

namespace lockstep::sim {
namespace {

const std::string root_path = "/data";

struct reporter {
    std::function<void(const report&)> tell;
    void observe(const report& r) { tell(r); }
};

using node_type = folder_node<sim_policies<reporter>>;

/// What runs on a machine: the node, and what it reports to.
struct program {
    program(node_options o, node_system& s, std::function<void(const report&)> tell)
        : observer{std::move(tell)}, node(std::move(o), s.runtime, s.file_system, s.streams, s.kernel_events, observer) {}
    reporter observer;
    node_type node;
};

/// Of the run that is under way.
std::array<std::uint64_t, probe_count> probes_reached{};
void count_probe(probe p) noexcept { ++probes_reached[static_cast<std::size_t>(p)]; }

std::string address_of(std::uint64_t id) { return "node" + std::to_string(id) + ":8000"; }

class cluster {
public:
    cluster(const scenario& what, const run_hooks& hooks)
        : what_(what), hooks_(hooks), w_(what.seed), links_(w_, links_of(what.tuned)), network_(w_, links_, what.tuned.network),
          messages_(w_, links_), consensus_(w_, members_of(what), what.tuned.node.raft), raft_([this] { return views(); }), contents_([this] { return content_views(); }) {
        message_network* messages = what_.tuned.messages ? &messages_ : nullptr;
        for (std::uint64_t id = 1; id <= what_.nodes; ++id) add_machine(id, messages);
        std::map<node_id, const sim_disk*> disks;
        std::vector<machine*> boxes;
        std::vector<node_id> ids;
        for (auto& m : machines_) {
            disks.emplace(m->id(), &m->disk());
            boxes.push_back(m.get());
            ids.push_back(m->id());
        }
        trees_ = std::make_unique<tree_checker>(std::move(disks), root_path, history_);
        faults_ = std::make_unique<fault_plan>(w_, links_, network_, messages, std::move(boxes), what_.faults);
        faults_->set_leader([this] { return leader(); });
        w_.add_checker(raft_);
        w_.add_checker(*trees_);
        w_.add_checker(contents_);
        if (hooks_.after_event) w_.set_after_event(hooks_.after_event);
        if (hooks_.prepare) hooks_.prepare(w_);
        if (!hooks_.trace) return;
        hooks_.trace->attach(w_);
        states_ = std::make_unique<state_trace>(*hooks_.trace, ids, [this](node_id id) { return standing_of(id); });
        w_.add_checker(*states_);
    }

    run_result run() {
        for (auto& m : machines_) {
            const cause_scope own(w_, 0);
            m->start();
        }
        const time_point end = w_.now() + what_.faulty;
        for (auto& u : users_) u->start(what_.edits);
        faults_->start(end);
        w_.run_until(end);
        for (auto& u : users_) u->stop();
        const bool settled = w_.run_until([this] { return is_settled(); }, end + what_.calm);
        const duration time = w_.now() - end;
        if (!settled) w_.fail(exit_class::liveness, "not settled " + to_text(what_.calm) + " after the faults: " + standings());
        w_.check_end();
        if (w_.failed() && hooks_.trace) hooks_.trace->violation(w_.failed()->text, w_.failed()->what == exit_class::liveness);
        return result(time);
    }

private:
    static std::vector<node_id> members_of(const scenario& what) {
        std::vector<node_id> members;
        for (std::uint64_t id = 1; id <= what.nodes; ++id) members.push_back(node_id(id));
        return members;
    }

    static link_options links_of(const tunables& t) {
        link_options o = t.links;
        o.shape = static_cast<delay_shape>(t.delay_shape);
        return o;
    }

    void add_machine(std::uint64_t id, message_network* messages) {
        machine_options mo;
        mo.runtime = what_.tuned.runtime;
        mo.kernel_events = what_.tuned.kernel_events;
        machines_.push_back(std::make_unique<machine>(w_, links_, network_, messages, node_id(id), mo));
        machine& m = *machines_.back();
        auto top = m.disk().open_directory(sim_disk::user, "/").value();
        (void)m.disk().make_directory(top, root_path.substr(1), 0755);
        (void)m.disk().sync_directory(top);
        m.disk().close(top);
        users_.push_back(std::make_unique<sim_user>(w_, m.disk(), node_id(id), history_, what_.tuned.user));
        sim_user& user = *users_.back();
        m.set_power_lost([&user] { user.power_lost(); });
        auto chance = std::make_shared<random_generator>(w_.fork("calls with users", id));
        m.set_before_call([this, &user, chance](fs_call) {
            if (chance->one_in(what_.tuned.users_at_calls_one_in)) user.act();
        });
        consensus_.watch(m, root_path + "/.lockstep");
        m.set_program([this, id](node_system& s) { return start_node(id, s); });
    }

    std::shared_ptr<void> start_node(std::uint64_t id, node_system& s) {
        node_options o = what_.tuned.node;
        o.id = node_id(id);
        o.directory = root_path;
        o.listen = address_of(id);
        for (std::uint64_t peer = 1; peer <= what_.nodes; ++peer)
            if (peer != id) o.peers.push_back({node_id(peer), address_of(peer)});
        const auto tell = [this, id, who = s.who](const report& r) {
            if (!who->alive) return;  // what a dead one says when its calls fail
            if (hooks_.log) hooks_.log(std::to_string(w_.now().time_since_epoch().count() / 1'000'000) + " ms, node " + std::to_string(id) + ": " + r.text);
            if (hooks_.trace) hooks_.trace->record(trace_lane::of(node_id(id)), traced::report, r.text);
            if (r.severity == report::level::fatal) stopped(id, r.text);
        };
        auto p = std::make_shared<program>(std::move(o), s, tell);
        p->node.on_applied = [this, id](const raft::entry& e, const folder::tree& tree) {
            trace_applied(id, e);
            consensus_.seen().applied(node_id(id), e, tree.digest());
            contents_.applied(e);
            if (e.kind != raft::entry_kind::command) return;
            accepted(e, tree);
            check_chunks(id, e);
        };
        p->node.on_installed = [this, id](log_position at, const folder::tree& tree) {
            ++installed_;
            consensus_.seen().installed(node_id(id), at, tree.digest());
        };
        p->node.start([this, id, who = s.who](start_result started) {
            if (started.code && who->alive) stopped(id, started.text);
        });
        programs_[id] = p.get();
        return p;
    }

    standing standing_of(node_id id) {
        node_type* node = node_of(*machines_[id.value - 1]);
        if (!node || !node->core()) return {};
        const node_status s = node->status();
        return {node->core(), s.synced.value, s.conflicts};
    }

    void trace_applied(std::uint64_t id, const raft::entry& e) {
        if (!states_) return;
        states_->applied(node_id(id), e.index);
        hooks_.trace->record(trace_lane::of(node_id(id)), traced::apply, words_of(e), trace_values().add("index", e.index.value).add("term", e.term.value),
                             trace_values().add("applied", e.index.value));
    }

    /// A node may end itself for want of room, in order and with a word: somebody starts it again. For nothing else.
    void stopped(std::uint64_t id, const std::string& why) {
        const bool room = why.find(error_code(errc::no_space).message()) == why.npos || !faults_->lacked_room(node_id(id));
        if (room) return w_.fail(exit_class::correctness, "node " + std::to_string(id) + " stopped: " + why);
        ++stops_for_room_;
        machine& m = *machines_[id - 1];
        w_.schedule(w_.now(), trace_kind::fault, nullptr, id, [this, &m] {
            m.crash(crash_kind::process);
            start_again(m);
        });
    }
    void start_again(machine& m) {
        w_.after(std::chrono::milliseconds(500), trace_kind::fault, nullptr, m.id().value, [this, &m] {
            if (!m.running() && !m.start()) start_again(m);
        });
    }

    /// What the tree took of a user's content is the cluster's to keep.
    void accepted(const raft::entry& e, const folder::tree& tree) {
        const auto command = decode_command(e.data);
        if (!command || command->content.empty()) return;
        for (entry_id id : {command->entry, entry_id{command->session, command->sequence}}) {
            const folder::entry* now = tree.find(id);
            if (now && now->hash == command->hash) return history_.committed(command->hash);
        }
    }

    /// No entry is in a log without the chunks that it names.
    void check_chunks(std::uint64_t id, const raft::entry& e) {
        if (!is_chunked_command(e.data.view())) return;
        const auto command = decode_command(e.data);
        const auto list = command ? content::decode_manifest(command->content.view()) : make_error_code(errc::corrupt);
        if (!list) return;
        const auto& chunks = programs_.at(id)->node.chunks();
        bool all = chunks.holds(sha256(command->content.view()));
        for (const auto& ref : list->refs) all = all && chunks.holds(ref.hash);
        ++chunked_;
        if (!all) w_.fail(exit_class::correctness, "node " + std::to_string(id) + " applies " + std::to_string(e.index.value) + " without the chunks of " + command->path);
    }

    node_type* node_of(const machine& m) {
        return m.running() ? &programs_.at(m.id().value)->node : nullptr;
    }

    std::vector<raft_view> views() {
        std::vector<raft_view> out;
        out.reserve(machines_.size());
        for (auto& m : machines_) {
            node_type* node = node_of(*m);
            out.push_back({m->id(), m->starts(), node ? node->core() : nullptr});
        }
        return out;
    }

    std::vector<content_view> content_views() {
        std::vector<content_view> out;
        for (auto& m : machines_) {
            const node_type* node = node_of(*m);
            content_view v;
            v.node = m->id();
            v.known = node && node->core() && node->chunks().works();
            v.durable = v.known ? node->core()->durable_index() : raft_.durable(m->id());
            if (v.known) {
                v.base = node->core()->base().index;
                v.stored = [node](const content_hash& hash) { return node->chunks().holds(hash); };
            }
            out.push_back(std::move(v));
        }
        return out;
    }

    node_id leader() {
        for (const raft_view& v : views())
            if (v.core && v.core->state_role() == raft::role::leader) return v.node;
        return no_node;
    }

    /// Looked at rarely: everything found, decided, and written everywhere, for a while.
    bool is_settled() {
        if (w_.now() < next_look_) return false;
        next_look_ = w_.now() + std::chrono::milliseconds(100);
        std::uint64_t commit = 0;
        bool quiet = leader() != no_node;
        for (std::size_t i = 0; i < machines_.size() && quiet; ++i) {
            node_type* node = node_of(*machines_[i]);
            if (!node || !users_[i]->idle()) quiet = false;
            else {
                const node_status s = node->status();
                if (commit == 0) commit = s.commit.value;
                quiet = s.state == "ready" && s.hints == 0 && s.proposals == 0 && s.to_write == 0 && s.displaced == 0 &&
                        s.commit.value == commit && s.applied.value == commit && s.synced.value == commit;
            }
        }
        if (!quiet || !trees_->equal()) {
            quiet_since_ = w_.now();
            return false;
        }
        return w_.now() - quiet_since_ > std::chrono::seconds(3);
    }

    std::string standings() {
        std::string text;
        for (auto& m : machines_) {
            node_type* node = node_of(*m);
            text += "node " + std::to_string(m->id().value) + " ";
            if (!node) { text += "down; "; continue; }
            const node_status s = node->status();
            text += s.role + " " + s.state + " " + s.waiting_for + " term " + std::to_string(s.term.value) + " commit " +
                    std::to_string(s.commit.value) + " applied " + std::to_string(s.applied.value) + " synced " +
                    std::to_string(s.synced.value) + " hints " + std::to_string(s.hints) + " proposals " +
                    std::to_string(s.proposals) + " to write " + std::to_string(s.to_write) + " displaced " +
                    std::to_string(s.displaced);
            for (const auto& u : s.unwritable.first) text += " [" + u.path + ": " + u.why + "]";
            if (node->sync() && s.synced != s.commit) text += " (" + node->sync()->explain() + ")";
            text += "; ";
        }
        return text + trees_->difference();
    }

    run_result result(duration settled) {
        run_result r;
        if (w_.failed()) r.outcome = *w_.failed();
        r.trace_hash = w_.trace_hash();
        r.events = w_.events_executed();
        for (auto& u : users_) r.edits += u->edits();
        r.virtual_time = w_.now().time_since_epoch();
        r.faults = faults_->counts();
        r.probes = probes_reached;
        for (auto& m : machines_) {
            if (node_type* node = node_of(*m)) {
                const node_status s = node->status();
                r.compactions += s.compactions;
                r.collections += s.collections;
            }
        }
        r.committed = raft_.commit().value;
        if (node_type* node = node_of(*machines_.front())) r.conflicts = node->status().conflicts;
        r.contents = history_.contents().size();
        r.chunked = chunked_;
        r.installed = installed_;
        r.stops_for_room = stops_for_room_;
        r.content_looks = contents_.looks();
        r.settled = settled;
        return r;
    }

    const scenario& what_;
    const run_hooks& hooks_;
    world w_;
    links links_;
    sim_network network_;
    message_network messages_;
    edit_history history_;
    consensus_checkers consensus_;
    raft_checker raft_;
    content_checker contents_;
    std::unique_ptr<tree_checker> trees_;
    std::unique_ptr<fault_plan> faults_;
    std::unique_ptr<state_trace> states_;   ///< where a trace is made
    std::vector<std::unique_ptr<sim_user>> users_;
    std::map<std::uint64_t, program*> programs_;
    std::vector<std::unique_ptr<machine>> machines_;
    time_point next_look_{};
    time_point quiet_since_{};
    std::uint64_t chunked_ = 0;
    std::uint64_t installed_ = 0;
    std::uint64_t stops_for_room_ = 0;
};

}  // namespace

run_result simulate(const scenario& what, const run_hooks& hooks) {
    probes_reached = {};
    const probe_handler before = set_probe_handler(&count_probe);
    run_result result = cluster(what, hooks).run();
    set_probe_handler(before);
    return result;
}

}  // namespace lockstep::sim
