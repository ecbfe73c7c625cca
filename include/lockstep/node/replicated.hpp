// A state machine of one's own on every node of a cluster: transport, log, formation, consensus core and sessions put
// together over a bag of policies. Where to begin for who embeds the library; folder_node is the same for a directory.
//
//   propose() ──► command_origin ──► replica (raft::core, log) ──► session_table ──► Machine::apply() ──► `applied`
#pragma once

#include <lockstep/codec/envelope.hpp>
#include <lockstep/concepts/policies.hpp>
#include <lockstep/concepts/state_machine.hpp>
#include <lockstep/node/command_origin.hpp>
#include <lockstep/node/digest_watch.hpp>
#include <lockstep/node/member_state.hpp>
#include <lockstep/node/membership.hpp>
#include <lockstep/node/replica.hpp>
#include <lockstep/node/replicated_options.hpp>
#include <lockstep/node/session_table.hpp>
#include <lockstep/node/start_result.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace lockstep {

/// On the loop of one runtime. Machine, system models and observer outlive it. No callback comes from inside a call,
/// and each may call this again, stop it or destroy it. Destroying it is like a crash of the process: nothing durable
/// is lost.
/// After a start the whole log is applied again: begin with a Machine as it was in the beginning.
template <state_machine Machine, member_policies P>
class replicated {
    using runtime_type = typename P::runtime;
    using file_system_type = typename P::file_system;
    using state_type = member_state<file_system_type>;
    using replica_type = replica<runtime_type, typename P::log_storage>;
    friend class membership<replicated>;

public:
    replicated(replicated_options options, Machine& machine, runtime_type& rt, file_system_type& fs,
               typename P::byte_streams& streams, typename P::observer& observer)
        : options_(std::move(options)), machine_(machine), rt_(rt), fs_(fs), observer_(observer),
          transport_(rt, streams), log_(rt, fs, options_.directory),
          members_(*this, options_.id, options_.peers, options_.directory), origin_(options_, rt.random()) {}
    replicated(const replicated&) = delete;
    replicated& operator=(const replicated&) = delete;
    ~replicated() { stop(); }

    /// Opens the state, the log and the port. `started` is called once; after an error nothing is left running.
    /// The cluster forms by itself once all its members were started. Precondition: called once.
    void start(unique_function<void(start_result)> started) {
        started_ = std::move(started);
        const std::uint64_t low = rt_.random();   // before the other, whatever the compiler
        offload(rt_, lane::files,
                [&fs = fs_, path = options_.directory, self = options_.id, disk = disk_id::from(rt_.random(), low)] { return state_type::open(fs, path, self, disk); },
                guarded([this](typename state_type::opened opened) { state_opened(std::move(opened)); }));
    }

    /// Ends it: no callback comes after. Durable state is left as it is.
    void stop() {
        if (stopped_) return;
        stopped_ = true;
        alive_.reset();
        rt_.cancel(tick_);
        transport_.stop();
        log_.close();
        state_.reset();
    }

    /// Has the command applied on all nodes, exactly once, in one order. At any time: without a leader it waits.
    /// Commands of one node are applied in the order proposed. `applied` comes once it is durable on a majority and
    /// applied here; if this node ends before that, the command may or may not be applied.
    /// Errors: would_block (proposals_max, proposal_bytes_max), too_large (command_bytes_max), halted (stopped).
    result<> propose(shared_bytes command, unique_function<void(log_index)> applied = {}) {
        if (stopped_) return make_error_code(errc::halted);
        turn_soon();   // commands of one turn of the loop leave together
        return origin_.add(std::move(command), std::move(applied), rt_.now());
    }

    /// `done` once everything that was committed anywhere before this call has been applied here. Without a leader it
    /// waits. Errors: would_block (reads_max), halted.
    result<> read_barrier(unique_function<void()> done) {
        if (stopped_) return make_error_code(errc::halted);
        if (reads_.size() + reads_asked_ >= options_.reads_max) return make_error_code(errc::would_block);
        reads_.push_back(std::move(done));
        turn_soon();
        return {};
    }

    node_id leader() const { return replica_ ? replica_->core().leader() : no_node; }
    /// Empty once it takes part, else what it waits for, in words.
    std::string waiting_for() const {
        if (stopped_) return "nothing: it has stopped";
        if (!members_.is_open()) return "its state to be opened";
        if (!replica_) return members_.waiting_for();
        return leader() == no_node ? "a leader" : "";
    }
    /// It ended itself; the observer was told why.
    bool failed() const noexcept { return failed_; }

    // For checkers and tests.
    const raft::core* core() const noexcept { return replica_ ? &replica_->core() : nullptr; }
    const typename P::transport& transport() const noexcept { return transport_; }
    /// For checkers: each entry once it was applied, leaders' empty ones too.
    std::function<void(const raft::entry&)> on_applied;

private:
    template <class F>
    auto guarded(F f) {
        return [alive = std::weak_ptr<int>(alive_), f = std::move(f)](auto&&... args) mutable {
            if (alive.lock()) f(std::forward<decltype(args)>(args)...);
        };
    }

    void observe(report::level level, std::string text) { observer_.observe({level, std::move(text)}); }

    void fail_start(start_result why) {
        failed_ = true;
        auto started = std::move(started_);
        stop();
        started(std::move(why));
    }

    /// What is durable, or what is true, is in doubt: nothing more is said by this node.
    void fatal(std::string text) {
        if (stopped_) return;
        failed_ = true;
        stop();
        observe(report::level::fatal, std::move(text));
    }

    // --- starting and forming a cluster -----------------------------------------------------------------------------

    void state_opened(typename state_type::opened opened) {
        if (opened.trouble.code) return fail_start(std::move(opened.trouble));
        state_ = std::move(opened.state);
        log_.open(guarded([this](recovered_log recovered, storage_error error) {
            if (error.code) return fail_start({error.code, "the log cannot be opened: " + error.detail});
            log_opened(std::move(recovered));
        }));
    }

    void log_opened(recovered_log recovered) {
        recovered_ = std::move(recovered);
        const auto& identity = state_->identity();
        if (auto wrong = members_.open(identity, recovered_); !wrong.empty())
            return fail_start({errc::wrong_cluster, std::move(wrong)});

        const hello self{options_.id, identity.disk, identity.founding ? identity.founding->cluster : cluster_id{}};
        transport_callbacks callbacks;
        callbacks.frame = guarded([this](node_id from, channel, shared_bytes frame) { received(from, frame); });
        callbacks.connected = guarded([this](const hello& peer) { members_.connected(peer); });
        callbacks.disconnected = guarded([this](node_id peer) {
            if (replica_) replica_->step(raft::input::peer_unreachable{peer});
        });
        callbacks.problem = guarded([this](std::string text) { observe(report::level::warning, std::move(text)); });
        callbacks.another_cluster = guarded([this](node_id peer) { members_.met_another_cluster(peer); });
        if (auto up = transport_.start(self, options_.listen, options_.peers, std::move(callbacks)); !up)
            return fail_start({up.error(), "listening on " + options_.listen + ": " + up.error().message()});
        if (members_.founded()) begin();
        tick();
        std::exchange(started_, {})({});
    }

    // --- what the membership asks of its host -----------------------------------------------------------------------

    void tell(raft::input::peer_standing standing) {
        if (replica_) replica_->step(standing);
    }
    void keep(founding_record record, unique_function<void()> done) {
        auto identity = state_->identity();
        identity.founding = std::move(record);
        offload(rt_, lane::files, [state = state_, identity] { return state->write(identity); },
                guarded([this, identity, done = std::move(done)](result<> written) {
                    if (!written)
                        return fatal("writing " + options_.directory + "/identity failed: " + written.error().message());
                    state_->set_identity(identity);
                    done();
                }));
    }
    cluster_id fresh_cluster() {
        const std::uint64_t low = rt_.random();   // before the other, whatever the compiler
        return cluster_id::from(rt_.random(), low);
    }

    /// The cluster is known: the replica runs.
    void begin() {
        transport_.set_cluster(members_.cluster());
        sessions_ = session_table(members_.voters());
        if (members_.follows_only())
            observe(report::level::warning, "this disk is not the one that the cluster was founded with: " +
                                                nodes_text(std::set{options_.id}) + " follows without voting");
        replica_hooks hooks;
        hooks.numbered = true;
        hooks.send = [this](const raft::message& m) { send(m.to, m); };
        hooks.apply = [this](const raft::entry& e) { apply(e); };
        hooks.event = [this](const raft::event& e) { std::visit([this](const auto& x) { this->on(x); }, e); };
        hooks.fatal = [this](const storage_error& e) {
            fatal("writing the log failed, this node stops (" + e.detail + ": " + e.code.message() + ")");
        };
        hooks.damaged = [this](const storage_error& e) {
            fatal("the log cannot be read, this node stops (" + e.detail + ": " + e.code.message() + ")");
        };
        replica_ = std::make_unique<replica_type>(rt_, log_, options_.raft, members_.initial(recovered_, {}, rt_.random()),
                                                  std::move(hooks));
        members_.tell_all();
        origin_.open({}, rt_.now());
        turn_soon();
    }

    // --- the log ----------------------------------------------------------------------------------------------------

    void apply(const raft::entry& e) {
        if (stopped_) return;
        if (e.kind == raft::entry_kind::command) {
            const auto command = decode_numbered(e.data);
            if (command) apply(e.index, *command);
            else if (command.error() == errc::newer_format)
                fatal("the log holds a command of a newer version of this library");
        }
        if (stopped_) return;
        if (on_applied) on_applied(e);
        if (e.index.value % options_.digest_interval != 0) return;
        const digest_report mine{e.index, sessions_.digest(machine_.digest())};
        digests_.say(options_.id, mine);
        for (const auto& peer : options_.peers) send(peer.node, mine);
        compare_digests();
    }

    void apply(log_index index, const numbered_command& command) {
        using outcome = session_table::outcome;
        const outcome what = sessions_.take(index, command);
        if (what == outcome::next) machine_.apply(index, command.payload);
        if (command.origin != options_.id) return;
        turn_soon();
        if (command.kind == numbered_command::what::open) {
            members_.worked();
            if (!origin_.opening_applied(index, command, sessions_, rt_.now()))
                fatal("another process runs under the id of this node");
        } else if (auto applied = origin_.command_applied(command, what, rt_.now())) {
            rt_.post(guarded([applied = std::move(applied), index] { applied(index); }));
        }
    }

    void on(const raft::role_changed&) {}
    void on(const raft::leader_changed& e) {
        if (e.leader == no_node) return;
        observe(report::level::info,
                nodes_text(std::set{e.leader}) + " leads term " + std::to_string(e.term.value));
        origin_.leader_came(rt_.now());
        turn_soon();
    }
    void on(const raft::proposal_dropped&) { origin_.lost(rt_.now()); }

    void compare_digests() {
        if (auto index = digests_.outvoted(options_.id, members_.voter_count()))
            fatal("this node's state differs from the majority's at index " + std::to_string(index->value) +
                  ": it stops");
    }

    // --- peers ------------------------------------------------------------------------------------------------------

    template <class Body>
    void send(node_id to, const Body& body) {
        if (!stopped_) transport_.send(to, channel::control, encode_envelope(options_.group, body));
    }

    void received(node_id from, const shared_bytes& frame) {
        auto envelope = decode_envelope(frame);
        if (!envelope || envelope->group != options_.group) return;
        std::visit([&](auto& body) { handle(from, body); }, envelope->body);
    }

    void handle(node_id from, raft::message& m) {
        if (replica_ && m.from == from) replica_->step(std::move(m));
    }
    void handle(node_id from, const founding_query& q) { members_.handle(from, q); }
    void handle(node_id from, const founding_state& said) { members_.handle(from, said); }
    void handle(node_id from, const digest_report& d) {
        if (!members_.founded()) return;
        digests_.say(from, d);
        compare_digests();
    }
    /// What only nodes of a folder say.
    template <class Other>
    void handle(node_id, const Other&) {}

    // --- time -------------------------------------------------------------------------------------------------------

    void turn_soon() {
        if (std::exchange(turn_posted_, true)) return;
        rt_.post(guarded([this] {
            turn_posted_ = false;
            turn();
        }));
    }

    void tick() {
        tick_ = rt_.schedule(rt_.now() + options_.formation_interval, guarded([this] { tick(); }));
        turn();
    }

    void turn() {
        members_.turn();
        if (!replica_) return;
        for (auto& piece : origin_.take(rt_.now())) replica_->propose(std::move(piece));
        for (auto& read : std::exchange(reads_, {})) ask(std::move(read));
    }

    /// A read that no leader confirmed is asked again with the next tick.
    void ask(unique_function<void()> done) {
        ++reads_asked_;
        replica_->read_barrier([this, done = std::move(done)](bool ok, log_index) mutable {
            --reads_asked_;
            if (ok) rt_.post(guarded([done = std::move(done)] { done(); }));
            else reads_.push_back(std::move(done));
        });
    }

    replicated_options options_;
    Machine& machine_;
    runtime_type& rt_;
    file_system_type& fs_;
    typename P::observer& observer_;
    typename P::transport transport_;
    typename P::log_storage log_;

    unique_function<void(start_result)> started_;
    std::shared_ptr<state_type> state_;
    recovered_log recovered_;
    membership<replicated> members_;
    digest_watch digests_;

    session_table sessions_;
    command_origin origin_;
    std::vector<unique_function<void()>> reads_;      // to be asked
    std::size_t reads_asked_ = 0;
    std::unique_ptr<replica_type> replica_;

    timer_id tick_ = 0;
    bool turn_posted_ = false;
    bool stopped_ = false;
    bool failed_ = false;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace lockstep
