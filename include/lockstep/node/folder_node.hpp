// One node of a cluster that keeps a directory identical: everything below put together over a bag of policies.
//
//   transport ──► frames ──► payload gate ──► replica (raft::core, log) ──► folder::apply ──► folder_sync ──► the disk
//   watcher ──► hints ──► folder_sync ──► commands ──► replica
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/codec/command.hpp>
#include <lockstep/codec/envelope.hpp>
#include <lockstep/node/barriers.hpp>
#include <lockstep/node/catch_up.hpp>
#include <lockstep/node/collection.hpp>
#include <lockstep/node/compaction.hpp>
#include <lockstep/node/content_cache.hpp>
#include <lockstep/node/content_exchange.hpp>
#include <lockstep/node/digest_watch.hpp>
#include <lockstep/node/folder_sync.hpp>
#include <lockstep/node/membership.hpp>
#include <lockstep/node/outbox.hpp>
#include <lockstep/node/payload_gate.hpp>
#include <lockstep/node/replica.hpp>
#include <lockstep/node/start_result.hpp>
#include <lockstep/node/state_directory.hpp>
#include <lockstep/node/tree_store.hpp>
#include <lockstep/node/undelivered.hpp>
#include <lockstep/storage/chunk_store.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace lockstep {

/// On the loop of one runtime. The system models and the observer outlive the node. Destroying it is like a crash of the
/// process, but for its descriptors: nothing durable is lost.
template <policies P>
class folder_node {
    using runtime_type = typename P::runtime;
    using file_system_type = typename P::file_system;
    using directory = typename file_system_type::directory;
    using state_type = state_directory<file_system_type>;
    using journal_type = typename state_type::journal_type;
    using store_type = storage::chunk_store<runtime_type, file_system_type>;
    using exchange_type = content_exchange<folder_node, runtime_type, file_system_type, store_type>;
    using gate_type = payload_gate<folder_node, typename exchange_type::id>;
    using sync_type = folder_sync<runtime_type, file_system_type, typename P::watcher, journal_type, exchange_type>;
    using replica_type = replica<runtime_type, typename P::log_storage>;
    friend class barriers<folder_node>;
    friend class membership<folder_node>;
    using undelivered_type = undelivered<folder_node, typename exchange_type::id>;
    friend exchange_type;
    friend gate_type;
    friend undelivered_type;
    using trees_type = tree_store<runtime_type, exchange_type>;
    using log_contents_type = log_contents<folder_node, runtime_type, exchange_type>;
    using compaction_type = compaction<folder_node, runtime_type, exchange_type>;
    using catch_up_type = catch_up<folder_node, runtime_type, file_system_type, exchange_type>;
    using collection_type = collection<folder_node, runtime_type, exchange_type, store_type>;
    friend log_contents_type;
    friend compaction_type;
    friend catch_up_type;
    friend collection_type;

public:
    folder_node(node_options options, runtime_type& rt, file_system_type& fs, typename P::byte_streams& streams,
                typename P::kernel_events& kernel, typename P::observer& observer)
        : options_(std::move(options)), rt_(rt), fs_(fs), observer_(observer), transport_(rt, streams),
          log_(rt, fs, state_path(options_)), watcher_(rt, fs, kernel, options_.watcher),
          store_(rt, fs, state_path(options_), {options_.pack_bytes}), members_(*this, options_.id, options_.peers, state_path(options_)),
          contents_(options_.content_cache_bytes), exchange_(*this, rt, fs, store_), gate_(*this), undelivered_(*this),
          trees_(rt, exchange_, options_.cuts, options_.piece_bytes),
          log_contents_(*this, rt, exchange_, options_.piece_bytes),
          compaction_(*this, rt, exchange_, trees_, log_contents_,
                      {options_.log_bytes_max, options_.log_tail_bytes, options_.retry_after}),
          catch_up_(*this, rt, exchange_, trees_, log_contents_),
          collection_(*this, rt, exchange_, store_, {options_.collect_after_bytes, options_.piece_bytes}),
          outbox_(options_.resend_after),
          barriers_(*this, options_.formation_interval) {}
    folder_node(const folder_node&) = delete;
    folder_node& operator=(const folder_node&) = delete;
    ~folder_node() { stop(); }

    /// Opens the state, the log and the port. `started` is called once; after an error nothing is left running.
    /// The node works as soon as its cluster has a leader; it goes on by itself from there.
    void start(unique_function<void(start_result)> started) {
        started_ = std::move(started);
        offload(rt_, lane::files,
                [&fs = fs_, options = options_, hi = rt_.random(), lo = rt_.random()] {
                    auto opened = state_type::open(fs, options, disk_id::from(hi, lo));
                    if (!opened.code) refuse_without_log(opened, fs, state_path(options));
                    return opened;
                },
                guarded([this](typename state_type::opened opened) { state_opened(std::move(opened)); }));
    }

    /// Ends it: no callback comes after. Durable state is left as it is.
    void stop() {
        if (stopped_) return;
        stopped_ = true;
        alive_.reset();
        rt_.cancel(tick_);
        if (sync_) sync_->stop();
        watcher_.stop();
        transport_.stop();
        log_.close();
        store_.close();
    }

    /// `done` once every edit closed below this node's directory before the call is committed and on the disk of every
    /// reachable node, or with what is missing after `timeout`.
    void barrier(duration timeout, unique_function<void(barrier_result)> done) {
        barriers_.add(rt_.now() + timeout, std::move(done));
    }

    node_status status() const {
        node_status s;
        s.id = options_.id;
        s.state = state_text();
        s.waiting_for = waiting_for();
        s.role = "follower";
        if (replica_) {
            const auto& core = replica_->core();
            s.role = core.state_role() == raft::role::leader     ? "leader"
                     : core.state_role() == raft::role::follower ? "follower"
                                                                 : "candidate";
            s.term = core.current_term();
            s.leader = core.leader();
            s.commit = core.commit_index();
            s.applied = core.applied_index();
            s.synced = synced_index();
        }
        s.files = committed_.files();
        s.bytes = committed_.bytes();
        for (const auto& peer : options_.peers) s.peers.push_back(status_of(peer));
        const auto net = transport_.counters();
        s.bytes_sent = net.bytes_sent;
        s.bytes_received = net.bytes_received;
        s.malformed_frames = malformed_frames_;
        const auto watch = watcher_.counters();
        s.overflows = watch.overflows;
        s.watches = watch.watches;
        s.polling = watch.polling;
        s.commands = commands_;
        s.conflicts = conflicts_;
        s.log_bytes = log_.bytes();
        s.snapshot = newest_.at.index;
        s.compactions = compactions_;
        s.installs = installs_;
        s.collections = collections_;
        s.chunk_bytes = store_.status().bytes;
        s.tree_bytes = committed_.bytes();
        s.fetching = exchange_.bytes_missing();
        if (sync_) sync_->fill(s);
        return s;
    }

    // For checkers and tests.
    const folder::tree& committed() const noexcept { return committed_; }
    const raft::core* core() const noexcept { return replica_ ? &replica_->core() : nullptr; }
    const sync_type* sync() const noexcept { return sync_.get(); }
    const store_type& chunks() const noexcept { return store_; }
    bool failed() const noexcept { return failed_; }
    /// Called with each applied entry, before anything else learns of it.
    std::function<void(const raft::entry&, const folder::tree&)> on_applied;
    /// Called when a state from elsewhere has taken the place of what was applied.
    std::function<void(log_position, const folder::tree&)> on_installed;
    const gate_type& gate() const noexcept { return gate_; }
    const typename P::transport& transport() const noexcept { return transport_; }

private:
    static std::string state_path(const node_options& o) {
        return o.state_directory.empty() ? o.directory + "/.lockstep" : o.state_directory;
    }

    template <class F>
    auto guarded(F f) {
        return [alive = std::weak_ptr<int>(alive_), f = std::move(f)](auto&&... args) mutable {
            if (alive.lock()) f(std::forward<decltype(args)>(args)...);
        };
    }

    void observe(report::level level, std::string text) { observer_.observe({level, std::move(text)}); }

    void fail_start(error_code code, std::string text) {
        failed_ = true;
        stop();
        if (started_) std::exchange(started_, {})({code, std::move(text)});
    }

    /// A log is made before a cluster is founded or joined. Where it is gone, so is what this node promised and acknowledged:
    /// with an empty one it would vote against its own votes, and lack what it said that it has.
    static void refuse_without_log(typename state_type::opened& opened, file_system_type& fs, const std::string& state) {
        if constexpr (requires { P::log_storage::exists(fs, state); }) {
            if (!opened.state->identity().founding || P::log_storage::exists(fs, state)) return;
            opened.code = make_error_code(errc::corrupt);
            opened.text = "the log in " + state + " is gone: it was lost (a node that is to begin anew needs an empty state directory)";
        }
    }

    /// What is durable, or what is true, is in doubt: nothing more is said by this node.
    void fatal(std::string text) {
        if (stopped_) return;
        failed_ = true;
        stop();
        observe(report::level::fatal, std::move(text));
    }

    // --- starting ---------------------------------------------------------------------------------------------------

    void state_opened(typename state_type::opened opened) {
        if (opened.code) return fail_start(opened.code, std::move(opened.text));
        state_ = std::make_shared<state_type>(std::move(*opened.state));
        disk_state_ = std::move(opened.disk);
        if (!opened.warning.empty()) observe(report::level::warning, std::move(opened.warning));
        if (opened.snapshot) {
            newest_ = {opened.snapshot->at, opened.snapshot->manifest, {}};
            log_base_ = opened.snapshot->log_base;
        }
        store_.open(guarded([this](storage::chunk_store_report found, storage_error error) {
            if (error.code) return fail_start(error.code, "the chunk store cannot be opened: " + error.detail);
            for (auto& text : found.damage) observe(report::level::warning, std::move(text));
            if (found.damaged != 0) content_damaged();
            open_log();
        }));
    }

    void open_log() {
        log_.open(guarded([this](recovered_log recovered, storage_error error) {
            if (error.code) return fail_start(error.code, "the log cannot be opened: " + error.detail);
            recovered_ = std::move(recovered);
            forget_before(recovered_, log_base_);
            read_snapshot();
        }));
    }

    /// The tree that the log leads on from.
    void read_snapshot() {
        if (recovered_.base.index > newest_.at.index)
            return fail_start(errc::corrupt, "the log begins behind index " + std::to_string(recovered_.base.index.value) +
                                                 ", and the state of that index is lost");
        if (newest_.manifest.empty()) return log_opened();
        trees_.read(newest_.manifest, guarded([this](std::optional<folder::tree> tree) {
                        if (!tree) return fail_start(errc::corrupt, "the snapshot of index " + std::to_string(newest_.at.index.value) + " cannot be read from the chunk store");
                        newest_.tree = committed_ = std::move(*tree);
                        applied_ = newest_.at;
                        kept_ = newest_.at.index;
                        log_opened();
                    }));
    }

    void log_opened() {
        const auto& identity = state_->identity();
        if (recovered_.torn_bytes > 0)
            observe(report::level::warning, "the log ended in a write that never completed: " + std::to_string(recovered_.torn_bytes) + " bytes cut");
        if (auto wrong = members_.open(identity, recovered_); !wrong.empty())
            return fail_start(errc::wrong_cluster, "--peer: " + wrong);

        const hello self{options_.id, identity.disk, identity.founding ? identity.founding->cluster : cluster_id{}};
        transport_callbacks callbacks;
        callbacks.frame = guarded([this](node_id from, channel, shared_bytes frame) { received(from, std::move(frame)); });
        callbacks.connected = guarded([this](const hello& peer) { peer_connected(peer); });
        callbacks.drained = guarded([this](node_id peer) { exchange_.drained(peer); });
        callbacks.disconnected = guarded([this](node_id peer) { peer_gone(peer); });
        callbacks.problem = guarded([this](std::string text) { observe(report::level::warning, std::move(text)); });
        callbacks.another_cluster = guarded([this](node_id peer) { members_.met_another_cluster(peer); });
        if (auto listening = transport_.start(self, options_.listen, options_.peers, std::move(callbacks)); !listening)
            return fail_start(listening.error(), "--listen " + options_.listen + ": " + listening.error().message());

        watcher_callbacks watch;
        watch.hints = guarded([this](std::vector<hint> hints) {
            if (sync_) sync_->hinted(hints);
        });
        watch.problem = guarded([this](std::string text) { observe(report::level::warning, std::move(text)); });
        if (auto watching = watcher_.start(state_->marks(), std::move(watch)); !watching)
            return fail_start(watching.error(), "--watcher inotify: cannot watch " + options_.directory + ": " + watching.error().message());

        std::exchange(started_, {})({});
        tick();
        if (members_.founded()) begin();
    }

    /// The cluster is known: the replica runs.
    void begin() {
        transport_.set_cluster(members_.cluster());
        if (members_.follows_only())
            observe(report::level::warning, "this disk is not the one that the cluster was founded with: node " +
                                                std::to_string(options_.id.value) + " follows without voting");
        replica_hooks hooks;
        hooks.numbered = true;
        hooks.send = [this](const raft::message& m) { send(m.to, m); };
        hooks.apply = [this](const raft::entry& e) { apply(e); };
        hooks.install = [this](const raft::install_request& wanted) { catch_up_.begin(wanted); };
        hooks.event = [this](const raft::event& e) { std::visit([this](const auto& x) { this->on(x); }, e); };
        hooks.fatal = [this](const storage_error& e) {
            fatal("writing the log failed, this node stops (" + e.detail + ": " + e.code.message() + ")");
        };
        hooks.damaged = [this](const storage_error& e) {
            fatal("the log cannot be read, this node stops (" + e.detail + ": " + e.code.message() + ")");
        };
        replica_ = std::make_unique<replica_type>(rt_, log_, options_.raft, members_.initial(recovered_, newest_.at, rt_.random()),
                                                  std::move(hooks));
        members_.tell_all();
        ask_for_start();
    }

    /// Nothing is proposed or written before what was committed before this start has been applied.
    void ask_for_start() {
        replica_->read_barrier([this](bool ok, log_index) {
            if (ok) return open_session();
            sometimes(probe::start_waited_for_leader);
            start_again_at_ = rt_.now() + options_.formation_interval;
        });
    }

    /// A new session fences the commands of the run before, wherever they may still be.
    void open_session() {
        members_.worked();
        const auto seen = committed_.session(options_.id);
        auto identity = state_->identity();
        identity.session = std::max(identity.session, seen ? seen->number : 0) + 1;
        write_identity(identity, [this] {
            session_ = {options_.id, state_->identity().session};
            folder::command command;
            command.session = session_;
            command.what = folder::operation::open_session;
            submit(command);
        });
    }

    /// The session is open in the log: look at everything, then write what is missing.
    void session_opened() {
        folder_sync_hooks hooks;
        hooks.submit = [this](const folder::command& command) { submit(command); };
        hooks.read_content = [this](log_index index, const content::chunk_ref& content, auto done) {
            read_content(index, content, std::move(done));
        };
        hooks.observe = [this](report r) { observer_.observe(r); };
        hooks.fatal = [this](std::string text) { fatal(std::move(text)); };
        hooks.progress = [this] { tick_soon(); };
        sync_ = std::make_unique<sync_type>(rt_, fs_, watcher_, state_->journal(), exchange_, root_location(), options_, committed_, std::move(hooks));
        recover();
    }

    sync::root_location root_location() const {
        return {options_.directory, sync::marker_text(state_->identity().disk)};
    }

    void recover() {
        offload(rt_, lane::files,
                [&fs = fs_, state = state_, root = root_location(), known = disk_state_,
                 changes = sync::changed_since(disk_state_.synced, committed_)]() mutable {
                    auto recovered =
                        sync::disk_recovery<file_system_type>(fs, root, std::move(known), std::move(changes)).run();
                    if (recovered.root_error) return recovered;
                    auto written = state->journal()->rewrite(sync::compact_journal(recovered.state));
                    if (written) written = state->remember_boot();
                    if (!written) {
                        recovered.root_error = written.error();
                        recovered.final = bool(state->journal()->failed());
                    }
                    return recovered;
                },
                guarded([this](sync::recovered_disk recovered) {
                    if (recovered.final && recovered.root_error != errc::halted)
                        return fatal("writing " + state_path(options_) + " failed, this node stops (" + recovered.root_error.message() + ")");
                    if (recovered.root_error) {
                        if (recover_error_ != recovered.root_error && recovered.root_error != errc::halted)
                            observe(report::level::error, "nothing is read or written yet: " + recovery_trouble(recovered.root_error));
                        recover_error_ = recovered.root_error;
                        recover_again_at_ = rt_.now() + options_.retry_after;
                        return;
                    }
                    if (recover_error_) observe(report::level::info, "its directory and its state can be used again");
                    recover_error_ = {};
                    sync_running_ = true;
                    sync_->start(session_, std::move(recovered));
                    barriers_.begin_all();
                }));
    }

    void write_identity(node_identity identity, unique_function<void()> done) {
        offload(rt_, lane::files, [state = state_, identity] { return state->write(identity); },
                guarded([this, identity, done = std::move(done)](result<> written) {
                    if (!written) return fatal("writing " + state_path(options_) + "/identity failed, this node stops (" + written.error().message() + ")");
                    state_->set_identity(identity);
                    done();
                }));
    }

    // --- the log ----------------------------------------------------------------------------------------------------

    void apply(const raft::entry& e) {
        applied_ = {e.index, e.term};
        compaction_.applied(e.index, e.data.size());
        if (e.kind == raft::entry_kind::command) {
            auto command = decode_command(e.data);
            if (command) apply_command(e.index, *command);
        }
        if (on_applied) on_applied(e, committed_);
        if (e.index.value % options_.digest_interval == 0) {
            const digest_report mine{e.index, committed_.digest()};
            digests_.say(options_.id, mine);
            for (const auto& peer : options_.peers) send(peer.node, mine);
            compare_digests();
        }
        tick_soon();
    }

    void apply_command(log_index index, const folder::command& command) {
        const auto outcome = folder::apply(committed_, index, command);
        ++commands_;
        if (outcome.kind == folder::outcome_kind::conflict_copy) ++conflicts_;
        if (command.chunked) exchange_.applied(command.content);
        else if (!command.content.empty()) contents_.put(index, command.content);
        if (sync_ && sync_running_ && !outcome.touched.empty()) sync_->stale(outcome.touched, index);
        if (command.session != session_) {
            if (session_.number != 0 && command.what == folder::operation::open_session &&
                command.session.node == options_.id && command.session.number > session_.number)
                fatal("another process runs under the id of this node");
            return;
        }
        if (command.what == folder::operation::open_session) {
            outbox_.decided(0, rt_.now());
            if (!sync_) session_opened();
            return;
        }
        if (outcome.kind == folder::outcome_kind::gap) return outbox_.resend_by(rt_.now() + options_.formation_interval);
        if (outcome.kind == folder::outcome_kind::duplicate) return;
        outbox_.decided(command.sequence, rt_.now());
        if (sync_) sync_->decided(index, command, outcome);
    }

    /// Commands of one turn of the loop leave together, in order.
    void submit(const folder::command& command) {
        if (!outbox_.add(command.sequence, encode_command(command), rt_.now())) return;
        rt_.post(guarded([this] { propose(outbox_.take_leaving()); }));
    }

    void propose(std::vector<outbox::piece> pieces) {
        for (auto& piece : pieces) replica_->propose(std::move(piece));
    }

    /// A moment ago it was committed, or it stands in the log, or behind a snapshot in the chunk store.
    void read_content(log_index index, const content::chunk_ref& content,
                      unique_function<void(std::optional<shared_bytes>)> done) {
        if (content.bytes == 0) return done(shared_bytes{});
        if (auto found = contents_.find(index)) return done(std::move(found));
        if (index <= newest_.at.index) return read_stored(content, std::move(done));
        read_log(index, index, 0, [this, content, done = std::move(done)](std::vector<raft::entry> entries) mutable {
            if (entries.empty()) return read_stored(content, std::move(done));
            auto command = decode_command(entries.front().data);
            if (!command) return done(std::nullopt);
            done(command->content);
        });
    }

    /// One that was found damaged is fetched from others first.
    void read_stored(const content::chunk_ref& content, unique_function<void(std::optional<shared_bytes>)> done) {
        if (!exchange_.has(content.hash)) exchange_.ensure(std::vector{content}, no_node, [] {});
        exchange_.read_chunks({content.hash}, [done = std::move(done)](std::vector<std::optional<shared_bytes>> read) {
            done(std::move(read.front()));
        });
    }

    void on(const raft::role_changed& e) {
        if (e.role == raft::role::leader) observe(report::level::info, "leader of term " + std::to_string(e.term.value));
    }
    void on(const raft::leader_changed& e) {
        if (e.leader == no_node) return;
        sometimes(probe::election_while_change_undecided, sync_ && !sync_->tracker().proposals().empty());
        observe(report::level::info, "node " + std::to_string(e.leader.value) + " leads term " + std::to_string(e.term.value));
        outbox_.resend_by(rt_.now());
        tick_soon();
    }
    void on(const raft::proposal_dropped&) {
        outbox_.resend_by(rt_.now() + options_.formation_interval);
    }

    void compare_digests() {
        if (auto index = digests_.outvoted(options_.id, members_.voter_count()))
            fatal("this node's state differs from the majority's at index " + std::to_string(index->value) + ": it stops");
    }

    // --- peers ------------------------------------------------------------------------------------------------------

    template <class Body>
    void send(node_id to, const Body& body) {
        transport_.send(to, channel::control, encode_envelope(folder_group, body));
    }
    template <class Body>
    bool send_bulk(node_id to, const Body& body) {
        return transport_.send(to, channel::bulk, encode_envelope(folder_group, body));
    }

    void received(node_id from, shared_bytes frame) {
        auto envelope = decode_envelope(frame);
        if (!envelope || envelope->group != folder_group) {
            ++malformed_frames_;
            return;
        }
        heard_[from] = rt_.now();   // whoever sends what nobody understands answers nothing
        std::visit([&](auto& body) { handle(from, body); }, envelope->body);
    }

    void handle(node_id from, raft::message& m) {
        if (replica_ && m.from == from) gate_.pass(std::move(m));
    }
    void handle(node_id from, const founding_query& q) { members_.handle(from, q); }
    void handle(node_id from, const founding_state& said) { members_.handle(from, said); }
    void handle(node_id from, const chunk_query& q) { exchange_.handle(from, q); }
    void handle(node_id from, const chunk_answer& a) { exchange_.handle(from, a); }
    void handle(node_id from, const prepare_query& q) { exchange_.handle(from, q); }
    void handle(node_id from, const prepare_answer& a) { exchange_.handle(from, a); }
    void handle(node_id from, const snapshot_query& q) {
        send(from, snapshot_answer{q.at, q.at == newest_.at ? newest_.manifest : shared_bytes{}});
    }
    void handle(node_id from, const snapshot_answer& a) { catch_up_.handle(from, a); }
    void handle(node_id from, const synced_query& q) { barriers_.handle(from, q); }
    void handle(node_id from, const synced_report& r) { barriers_.handle(from, r); }
    void handle(node_id from, const barrier_query& q) { barriers_.handle(from, q); }
    void handle(node_id from, const barrier_answer& a) { barriers_.handle(from, a); }
    void handle(node_id from, const digest_report& d) {
        if (!members_.founded()) return;
        digests_.say(from, d);
        compare_digests();
    }
    void handle(node_id from, const problem_report& p) {
        observe(report::level::warning, "node " + std::to_string(from.value) + " says: " + p.text);
    }

    void peer_connected(const hello& peer) {
        exchange_.reachable(peer.node);
        members_.connected(peer);
    }
    void peer_gone(node_id peer) {
        exchange_.unreachable(peer);
        if (replica_) replica_->step(raft::input::peer_unreachable{peer});
    }
    // --- what the membership asks of its host -----------------------------------------------------------------------

    void tell(raft::input::peer_standing standing) {
        if (replica_) replica_->step(standing);
    }
    void keep(founding_record record, unique_function<void()> done) {
        auto identity = state_->identity();
        identity.founding = std::move(record);
        write_identity(std::move(identity), std::move(done));
    }
    cluster_id fresh_cluster() {
        const std::uint64_t low = rt_.random();   // before the other, whatever the compiler
        return cluster_id::from(rt_.random(), low);
    }

    // --- what the gate and the exchange of contents ask of their host -----------------------------------------------

    void let_through(raft::message m) {
        if (replica_) replica_->step(std::move(m));
    }
    bool has_content(const shared_bytes& manifest) const { return exchange_.complete(manifest); }
    typename exchange_type::id want_content(const shared_bytes& manifest, node_id source, unique_function<void()> done) {
        return exchange_.ensure(manifest, source, std::move(done));
    }
    void cancel_wish(typename exchange_type::id wish) { exchange_.cancel(wish); }
    void hint_content(const shared_bytes& manifest, node_id source) { exchange_.hint(manifest, source); }
    void content_failed(const storage_error& error) {
        fatal("writing the chunk store failed, this node stops (" + error.detail + ": " + error.code.message() + ")");
    }
    /// What is needed of it is fetched from others by a look through all that is.
    void content_damaged() {
        collection_.hurry();
        undelivered_.doubt();
        compaction_.doubt_newest();
        rt_.post(guarded([this] {
            if (sync_) sync_->content_damaged();
        }));
    }
    /// What nobody needs any more may be all that is in the way.
    void content_room(bool room) {
        if (!room) {
            compaction_.hurry();   // what the log lets go of, the next collection removes
            collection_.hurry();
        }
        if (std::exchange(told_full_, !room) == !room) return;
        if (room) observe(report::level::info, "the disk of " + state_path(options_) + " has room for contents again");
        else observe(report::level::error, full_store() + ": contents of large files wait until there is room");
    }
    std::string full_store() const { return "the disk of " + state_path(options_) + ": " + error_code(errc::no_space).message(); }
    std::set<node_id> voters() const { return members_.founded() ? members_.voters() : std::set<node_id>{}; }
    bool counts(node_id node) const { return members_.proven(node); }

    // --- what compaction, catching up and collections ask of their host ----------------------------------------------

    const tree_snapshot& newest_snapshot() const noexcept { return newest_; }
    log_position applied() const noexcept { return applied_; }
    log_index commit_index() const { return replica_->core().commit_index(); }
    void yield_leadership() { replica_->step(raft::input::yield_leadership{}); }
    log_index log_end() const { return replica_ ? replica_->core().last_index() : recovered_.last_index; }
    log_index log_durable() const { return replica_ ? replica_->core().durable_index() : recovered_.last_index; }
    log_index log_base() const { return replica_ ? replica_->core().base().index : recovered_.base.index; }
    void read_log(log_index from, log_index to, std::size_t bytes_max, unique_function<void(std::vector<raft::entry>)> done) {
        replica_->read_log(from, to, bytes_max, std::move(done));
    }

    /// What a start begins with: never an older one than was kept before. From where on the log counts is said with it, since
    /// the log itself forgets rarely, and chunks that only older entries name are collected before it does.
    void keep_snapshot(tree_snapshot snapshot, log_index drop_to, unique_function<void(bool)> done) {
        if (snapshot.at.index <= kept_) return rt_.post(guarded([done = std::move(done)] { done(false); }));
        kept_ = snapshot.at.index;
        const auto& core = replica_->core();
        const log_position base = drop_to > core.base().index ? log_position{drop_to, *core.term_at(drop_to)} : core.base();
        offload(rt_, lane::files,
                [state = state_, record = snapshot_record{snapshot.at, base, snapshot.manifest}] { return state->write(record); },
                guarded([this, snapshot, done = std::move(done)](result<> written) {
                    if (!written && written.error() == errc::no_space) {
                        kept_ = newest_.at.index;
                        return done(false);
                    }
                    if (!written) return fatal("writing " + state_path(options_) + "/snapshot failed, this node stops (" + written.error().message() + ")");
                    newest_ = snapshot;
                    done(true);
                }));
    }
    void log_is_covered(log_index snapshot, log_index keep_from) {
        ++compactions_;
        replica_->snapshot_saved(snapshot, keep_from);
    }
    void compaction_failed(const std::string& why) {
        observe(report::level::warning, "the log could not be shortened: " + why);
    }
    auto source(std::vector<sync::source_file> files) {
        return std::make_shared<sync::local_source<file_system_type>>(fs_, root_location(), std::move(files),
                                                                      options_.cuts, options_.piece_bytes);
    }
    void install_failed(const raft::install_request& wanted) { replica_->install_failed(wanted); }

    /// The newest snapshot takes the place of what was applied. How commands of this run were decided in it is not known.
    void install(log_position at) {
        if (at.index <= applied_.index) return replica_->snapshot_saved(at.index, {});
        std::vector<entry_id> changed;
        diff(committed_, newest_.tree, [&](entry_id id, const folder::entry*, const folder::entry*) { changed.push_back(id); });
        committed_ = newest_.tree;
        applied_ = at;
        ++installs_;
        compaction_.installed(at.index);
        replica_->snapshot_installed(at);
        sometimes(probe::snapshot_installed_while_append_waits, gate_.waiting() != 0);
        gate_.covered(at.index);
        if (on_installed) on_installed(at, committed_);
        observe(report::level::info, "caught up by the state of index " + std::to_string(at.index.value));
        const auto mine = committed_.session(options_.id).value_or(folder::session_state{});
        if (session_.number != 0 && mine.number > session_.number) return fatal("another process runs under the id of this node");
        const bool ours = session_.number != 0 && mine.number == session_.number;
        if (ours) outbox_.decided_up_to(mine.last, rt_.now());
        if (ours && !sync_) session_opened();
        else if (sync_ && sync_running_) {
            sometimes(probe::own_edits_decided_in_snapshot, ours && !sync_->tracker().proposals().empty());
            sync_->installed(changed, at.index, ours ? mine.last : 0);
        }
        tick_soon();
    }

    /// What must stay in the chunk store, beside what stands in the log.
    void add_roots(content_roots& roots) {
        roots.add(committed_);
        roots.add_saved(newest_);
        roots.add(compaction_.saving());
        roots.add(catch_up_.fetching());
        trees_.add_roots(roots.chunks);
        gate_.add_roots(roots.manifests);
        if (sync_) sync_->add_roots(roots.manifests, roots.chunks);
    }
    void collected(const storage::collection_report& report) {
        ++collections_;
        if (report.chunks_damaged != 0) content_damaged();
    }

    // --- what barriers ask of their host ----------------------------------------------------------------------------

    void flush_edits(unique_function<void()> done) { sync_->flush(std::move(done)); }
    void confirm_committed(unique_function<void(bool, log_index)> done) { replica_->read_barrier(std::move(done)); }
    template <class F>
    void later(F f) {
        rt_.post(guarded(std::move(f)));
    }
    node_id self() const { return options_.id; }
    node_id leader() const { return replica_ ? replica_->core().leader() : no_node; }
    bool is_leader() const { return replica_ && replica_->core().state_role() == raft::role::leader; }
    bool can_sync() const { return sync_ && sync_running_; }
    time_point now() { return rt_.now(); }
    std::string unwritable_at(log_index index) const {
        if (exchange_.is_full() && index > synced_index()) return full_store();
        if (sync_running_) return sync_->unwritable_at(index);
        return is_disk_trouble(recover_error_) ? state_path(options_) + ": " + recover_error_.message() : std::string{};
    }

    log_index synced_index() const {
        if (!replica_ || !sync_running_) return {};
        const log_index applied = replica_->core().applied_index();
        const auto first = sync_->first_behind();
        return first && *first <= applied ? *first - 1 : applied;
    }

    std::set<node_id> peers() const {
        std::set<node_id> nodes;
        for (const auto& peer : options_.peers) nodes.insert(peer.node);
        return nodes;
    }

    /// This node, and those that were heard within an election time-out.
    std::set<node_id> reachable() {
        std::set<node_id> nodes{options_.id};
        for (const auto& [node, at] : heard_)
            if (rt_.now() - at <= options_.raft.election_timeout_max) nodes.insert(node);
        return nodes;
    }

    // --- time -------------------------------------------------------------------------------------------------------

    /// Runs tick() once when the loop comes round.
    void tick_soon() {
        if (tick_posted_) return;
        tick_posted_ = true;
        rt_.post(guarded([this] {
            tick_posted_ = false;
            turn();
        }));
    }

    void tick() {
        turn();
        tick_ = rt_.schedule(rt_.now() + options_.formation_interval, guarded([this] { tick(); }));
    }

    void turn() {
        const time_point now = rt_.now();
        exchange_.turn();
        // A barrier may be asked for while the state is still being opened.
        if (!members_.is_open()) return barriers_.expire(waiting_for());
        members_.turn();
        if (start_again_at_ <= now) {
            start_again_at_ = never;
            ask_for_start();
        }
        if (recover_again_at_ <= now) {
            recover_again_at_ = never;
            recover();
        }
        if (!replica_) return barriers_.expire(waiting_for());
        // Without the state that it fetches this node could not hear what became of them: the log would grow by them again and
        // again, be cut behind a newer state each time, and that would have to be fetched.
        if (!catch_up_.under_way() && sometimes(probe::commands_said_again, outbox_.resend_due(now)))
            propose(outbox_.take_all(now));
        if (exchange_.is_full() && is_leader() && yield_again_at_ <= now) {
            // No large content is committed before the leader has it.
            yield_again_at_ = now + yield_pause;
            yield_leadership();
        }
        undelivered_.turn(now);
        catch_up_.turn();
        compaction_.turn();
        collection_.turn();
        barriers_.turn();
    }

    // --- status -----------------------------------------------------------------------------------------------------

    std::string state_text() const {
        if (stopped_) return "stopped";
        if (!replica_) return members_.is_open() ? "waiting" : "starting";
        if (const error_code why = disk_trouble()) return why == errc::no_space ? "disk_full" : "disk_failing";
        if (!sync_running_) return recover_error_ ? "root_missing" : "starting";
        if (sync_->root_missing()) return "root_missing";
        return members_.follows_only() ? "following" : "ready";
    }

    /// Why a disk of this node takes nothing; none where it does, or where more than that is wrong.
    error_code disk_trouble() const {
        if (sync_running_ && sync_->root_missing()) return {};
        const error_code why = sync_running_ ? sync_->disk_trouble() : recover_error_;
        if (is_disk_trouble(why)) return why;
        return exchange_.is_full() ? make_error_code(errc::no_space) : error_code{};
    }

    /// Before anything else a start writes its journal anew: a full disk shows there first.
    std::string recovery_trouble(error_code why) const {
        return (is_disk_trouble(why) ? "the disk of " + state_path(options_) : "its directory") + ": " + why.message();
    }

    std::string waiting_for() const {
        if (!members_.is_open()) return "its state to be opened";
        if (!replica_) return members_.waiting_for();
        if (recover_error_) return recovery_trouble(recover_error_);
        if (exchange_.is_full()) return full_store();
        if (const error_code why = disk_trouble()) return "the disk of " + options_.directory + ": " + why.message();
        if (catch_up_.under_way()) return "the state of another node, for what its log lacks";
        if (!sync_running_) return replica_->core().leader() == no_node ? "a leader" : "what was committed before it started";
        if (sync_->root_missing()) return "its directory, which is gone";
        return {};
    }

    peer_status status_of(const peer_address& peer) const {
        peer_status s;
        s.id = peer.node;
        s.address = peer.address;
        s.connected = transport_.is_connected(peer.node, channel::control);
        s.queued_bytes = transport_.queued_bytes(peer.node, channel::control) +
                         transport_.queued_bytes(peer.node, channel::bulk);
        s.counts = members_.counts(peer.node);
        if (is_leader())
            for (const auto& progress : replica_->core().peers())
                if (progress.id == peer.node) s.match = progress.match;
        return s;
    }

    static constexpr group_id folder_group{1};
    static constexpr duration yield_pause = std::chrono::seconds(30);

    node_options options_;
    runtime_type& rt_;
    file_system_type& fs_;
    typename P::observer& observer_;
    typename P::transport transport_;
    typename P::log_storage log_;
    typename P::watcher watcher_;
    store_type store_;

    unique_function<void(start_result)> started_;
    std::shared_ptr<state_type> state_;
    sync::journal_state disk_state_;
    recovered_log recovered_;
    membership<folder_node> members_;

    folder::tree committed_;
    log_position applied_;           ///< of it
    tree_snapshot newest_;           ///< what a start begins with
    log_position log_base_;          ///< said with it, at the start: nothing up to there in the log counts
    log_index kept_;                 ///< of the newest that is kept, or is being kept
    content_cache contents_;
    exchange_type exchange_;
    gate_type gate_;
    undelivered_type undelivered_;
    trees_type trees_;
    log_contents_type log_contents_;
    compaction_type compaction_;
    catch_up_type catch_up_;
    collection_type collection_;
    digest_watch digests_;
    session_id session_;
    outbox outbox_;
    std::unique_ptr<replica_type> replica_;
    std::unique_ptr<sync_type> sync_;
    bool sync_running_ = false;
    error_code recover_error_;

    std::map<node_id, time_point> heard_;
    barriers<folder_node> barriers_;

    timer_id tick_ = 0;
    bool tick_posted_ = false;
    time_point start_again_at_ = never;
    time_point recover_again_at_ = never;
    time_point yield_again_at_{};
    std::uint64_t commands_ = 0;
    std::uint64_t conflicts_ = 0;
    std::uint64_t malformed_frames_ = 0;
    std::uint64_t compactions_ = 0;
    std::uint64_t installs_ = 0;
    std::uint64_t collections_ = 0;
    bool told_full_ = false;
    bool stopped_ = false;
    bool failed_ = false;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace lockstep
