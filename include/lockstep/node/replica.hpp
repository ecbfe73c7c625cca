// The loop round the consensus core: feeds it, does what it says, applies what it commits. It decides nothing and
// knows no folders.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/base/probe.hpp>
#include <lockstep/concepts/log_storage.hpp>
#include <lockstep/concepts/runtime.hpp>
#include <lockstep/node/undecided_commands.hpp>
#include <lockstep/raft/core.hpp>

#include <map>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

namespace lockstep {

struct replica_hooks {
    unique_function<void(const raft::message&)> send;
    /// Each committed entry, in order, once in a run of the process; leaders' empty entries too.
    unique_function<void(const raft::entry&)> apply;
    /// A state to be fetched and installed, in place of the one asked for before; then snapshot_installed() or
    /// install_failed() is called. Once all that it holds was applied otherwise it is to be given up. May be empty:
    /// such a node never comes back from behind a log that was compacted.
    unique_function<void(const raft::install_request&)> install;
    unique_function<void(const raft::event&)> event;
    /// The log failed: what is durable is unknown, nothing more may be said. The replica has stopped.
    unique_function<void(const storage_error&)> fatal;
    /// The log could not be read, twice: it is damaged, and what it promised to keep may be lost. The replica has stopped.
    unique_function<void(const storage_error&)> damaged;
    /// No two commands have the same bytes, as they are numbered: one that its origin says again is not taken as long as it stands in
    /// the leader's log and was not applied.
    bool numbered = false;
};

inline log_record to_record(const raft::entry& e) {
    return {e.index, e.term, static_cast<std::uint8_t>(e.kind), e.data};
}
inline raft::entry to_entry(log_record r) {
    return {r.index, r.term, static_cast<raft::entry_kind>(r.kind), std::move(r.data)};
}

/// Everything on the loop of `runtime`, which like `log` must outlive it. Inputs that come before the loop turns again
/// are one batch. Destroying it drops what is pending.
template <runtime Runtime, log_storage LogStorage>
class replica {
public:
    replica(Runtime& rt, LogStorage& log, const raft::options& o, const raft::initial_state& initial, replica_hooks hooks)
        : rt_(rt), log_(log), core_(o, initial, rt.now()), hooks_(std::move(hooks)) {
        kick();
    }
    replica(const replica&) = delete;
    replica& operator=(const replica&) = delete;
    ~replica() { rt_.cancel(timer_); }

    const raft::core& core() const noexcept { return core_; }

    void step(raft::input_value in) {
        if (stopped_ || !leave_out_repeated(in)) return;
        core_.step(std::move(in), rt_.now());
        kick();
    }

    void propose(std::vector<shared_bytes> commands) {
        if (!commands.empty()) step(raft::input::propose{std::move(commands)});
    }

    /// The applied state at `index` is durable by itself; the log up to `keep_from` may go.
    void snapshot_saved(log_index index, log_index keep_from) { step(raft::input::snapshot_saved{index, keep_from}); }

    /// The state asked for by the install hook took the place of the applied one, durably and at once. The log follows:
    /// by the next write, or after a crash by the first. Entries that the state covers are not applied any more.
    void snapshot_installed(log_position at) { step(raft::input::snapshot_installed{at}); }
    void install_failed(const raft::install_request& what) { step(raft::input::install_failed{what}); }

    /// `done(ok)`: everything committed anywhere before this call has been applied here. Not ok: no leader confirmed it;
    /// ask again.
    void read_barrier(unique_function<void(bool ok, log_index index)> done) {
        const std::uint64_t id = ++next_read_;
        asked_.emplace(id, std::move(done));
        step(raft::input::read_barrier{id});
    }

    /// Committed entries from the log, a prefix of the range.
    void read_log(log_index from, log_index to, std::size_t bytes_max,
                  unique_function<void(std::vector<raft::entry>)> done) {
        read({from, to, bytes_max}, false, std::move(done));
    }

private:
    /// What is still pending when the replica goes is dropped.
    template <class F>
    auto guarded(F f) {
        return [alive = std::weak_ptr<int>(alive_), f = std::move(f)](auto&&... args) mutable {
            if (alive.lock()) f(std::forward<decltype(args)>(args)...);
        };
    }

    /// False: nothing is left of it.
    bool leave_out_repeated(raft::input_value& in) {
        if (!hooks_.numbered || core_.state_role() != raft::role::leader) return true;
        std::vector<shared_bytes>* commands = nullptr;
        if (auto* own = std::get_if<raft::input::propose>(&in)) commands = &own->commands;
        else if (auto* m = std::get_if<raft::message>(&in))
            if (auto* forwarded = std::get_if<raft::forwarded_proposal>(&m->body)) commands = &forwarded->commands;
        if (!commands) return true;
        const auto left_out = std::erase_if(*commands, [&](const shared_bytes& c) { return undecided_.contains(c); });
        return !sometimes(probe::repeated_command_not_taken, left_out != 0) || !commands->empty();
    }

    void kick() {
        if (kicked_) return;
        kicked_ = true;
        rt_.post(guarded([this] { kicked_ = false; pump(); }));
    }

    void pump() {
        if (stopped_) return;
        raft::output out = core_.take_output();
        for (const auto& m : out.send) hooks_.send(m);
        if (out.persist) persist(std::move(*out.persist));
        if (out.drop) log_.drop_prefix(*out.drop);
        for (const auto& e : out.commit) {
            // A state may be installed in the midst of it.
            if (e.index > core_.applied_index()) hooks_.apply(e);
        }
        if (!out.commit.empty()) step(raft::input::applied{out.commit.back().index});
        undecided_.applied(core_.applied_index());
        for (const auto& r : out.reads) answer(r);
        serve_reads();
        if (out.fetch) fetch(*out.fetch);
        if (out.install && hooks_.install) hooks_.install(*out.install);
        for (const auto& e : out.events) hooks_.event(e);
        arm();
    }

    void persist(raft::persist_request request) {
        if (request.begin_anew) {
            // Its failure is told to the append behind it as well.
            log_.reset(*request.begin_anew, request.hard.term, request.hard.voted_for, [](const storage_error&) {});
        }
        if (hooks_.numbered) undecided_.appended(request.entries);
        log_batch batch{request.hard.term, request.hard.voted_for, {}};
        batch.records.reserve(request.entries.size());
        for (const auto& e : request.entries) batch.records.push_back(to_record(e));
        auto written = [this, ticket = request.ticket, send = std::move(request.send_durable)](const storage_error& error) {
            if (error.code) {
                stopped_ = true;
                return hooks_.fatal(error);
            }
            for (const auto& m : send) hooks_.send(m);
            step(raft::input::persisted{ticket});
        };
        log_.append(std::move(batch), guarded(std::move(written)));
    }

    void fetch(const raft::fetch_request& wanted) {
        read({wanted.from, wanted.to, wanted.bytes_max}, false,
             [this](std::vector<raft::entry> entries) { step(raft::input::fetched{std::move(entries)}); });
    }

    struct extent {
        log_index from;
        log_index to;
        std::size_t bytes_max = 0;
    };

    /// A read that fails is made once more: it may have been read wrong. Who went on with a log that cannot be read would keep
    /// for ever from others what only it can give them, or from itself what was committed.
    void read(extent wanted, bool again, unique_function<void(std::vector<raft::entry>)> done) {
        auto answered = [this, wanted, again, done = std::move(done)](std::vector<log_record> records, const storage_error& error) mutable {
            if (stopped_) return;
            if (records.empty() && is_damage(error.code)) {
                if (!again) return read(wanted, true, std::move(done));
                sometimes(probe::log_could_not_be_read);
                stopped_ = true;
                return hooks_.damaged ? hooks_.damaged(error) : hooks_.fatal(error);
            }
            std::vector<raft::entry> entries;
            for (auto& record : records) entries.push_back(to_entry(std::move(record)));
            done(std::move(entries));
        };
        log_.read(wanted.from, wanted.to, wanted.bytes_max, guarded(std::move(answered)));
    }
    static bool is_damage(const error_code& code) noexcept {
        return code == errc::corrupt || code == errc::truncated || code == errc::io_error;
    }

    void answer(const raft::read_result& result) {
        auto at = asked_.find(result.id);
        if (at == asked_.end()) return;
        auto done = std::move(at->second);
        asked_.erase(at);
        if (!result.ok) return done(false, result.index);
        confirmed_.emplace(result.index, std::move(done));
    }

    void serve_reads() {
        while (!confirmed_.empty() && confirmed_.begin()->first <= core_.applied_index()) {
            auto node = confirmed_.extract(confirmed_.begin());
            node.mapped()(true, node.key());
        }
    }

    void arm() {
        const time_point at = core_.deadline();
        if (at == armed_ && timer_ != 0) return;
        rt_.cancel(timer_);
        armed_ = at;
        timer_ = rt_.schedule(at, guarded([this] {
            timer_ = 0;
            step(raft::input::wake{});
        }));
    }

    Runtime& rt_;
    LogStorage& log_;
    raft::core core_;
    replica_hooks hooks_;
    undecided_commands undecided_;   // where commands are numbered
    std::map<std::uint64_t, unique_function<void(bool, log_index)>> asked_;
    std::multimap<log_index, unique_function<void(bool, log_index)>> confirmed_;
    std::uint64_t next_read_ = 0;
    timer_id timer_ = 0;
    time_point armed_{};
    bool kicked_ = false;
    bool stopped_ = false;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace lockstep
