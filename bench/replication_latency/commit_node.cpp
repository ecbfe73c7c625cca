// The process that replicates entries of no meaning: what a user of the library without folders would write.
#include "commits.hpp"
#include "node_loop.hpp"

#include <lockstep/codec/envelope.hpp>
#include <lockstep/node/replica.hpp>
#include <lockstep/os/asio_streams.hpp>
#include <lockstep/os/posix_file_system.hpp>
#include <lockstep/storage/wal.hpp>
#include <lockstep/transport/stream_transport.hpp>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <sstream>
#include <variant>

namespace bench {
namespace {

namespace raft = lockstep::raft;

constexpr lockstep::group_id group{1};

class commit_node {
    using log_type = lockstep::storage::wal<lockstep::asio_runtime, lockstep::os::posix_file_system>;
    using replica_type = lockstep::replica<lockstep::asio_runtime, log_type>;

public:
    commit_node(lockstep::asio_runtime& rt, node_arguments arguments)
        : arguments_(std::move(arguments)), rt_(rt), streams_(rt), transport_(rt, streams_),
          log_(rt, fs_, arguments_.directory) {
        log_.open([this](lockstep::recovered_log log, const lockstep::storage_error& error) {
            if (error.code) return say("failed " + error.detail + ": " + error.code.message());
            start(std::move(log));
        });
    }

    /// "run IN_FLIGHT MILLISECONDS": keeps so many entries proposed and not yet applied; the first tenth does not
    /// count.
    void order(const std::string& line) {
        std::istringstream words(line);
        std::string verb;
        long milliseconds = 0;
        words >> verb >> in_flight_ >> milliseconds;
        if (!replica_ || replica_->core().state_role() != raft::role::leader)
            return say("failed not the leader");
        const auto now = clock::now();
        counts_from_ = now + std::chrono::milliseconds(milliseconds) / 10;
        until_ = now + std::chrono::milliseconds(milliseconds);
        times_ = {};
        running_ = true;
        for (std::size_t i = 0; i < in_flight_; ++i) propose_one(now);
    }

private:
    void start(lockstep::recovered_log log) {
        lockstep::transport_callbacks callbacks;
        callbacks.frame = [this](lockstep::node_id from, lockstep::channel, const lockstep::shared_bytes& frame) {
            auto envelope = lockstep::decode_envelope(frame);
            if (!envelope) return;
            auto* m = std::get_if<raft::message>(&envelope->body);
            if (m != nullptr && m->from == from) replica_->step(std::move(*m));
        };
        callbacks.disconnected = [this](lockstep::node_id peer) {
            replica_->step(raft::input::peer_unreachable{peer});
        };
        const lockstep::hello self{arguments_.id, lockstep::disk_id::from(1, arguments_.id.value),
                                   lockstep::cluster_id::from(1, 1)};
        raft::initial_state initial;
        initial.self = arguments_.id;
        initial.voters.insert(arguments_.id);
        for (const auto& peer : arguments_.peers) initial.voters.insert(peer.node);
        initial.hard = {log.term, log.voted_for};
        for (const auto& run : log.runs) initial.runs.push_back({run.first, run.term});
        initial.last_index = log.last_index;
        initial.seed = rt_.random();
        lockstep::replica_hooks hooks;
        hooks.send = [this](const raft::message& m) {
            transport_.send(m.to, lockstep::channel::control, lockstep::encode_envelope(group, m));
        };
        hooks.apply = [this](const raft::entry& e) { applied(e); };
        hooks.event = [this](const raft::event& e) { heard(e); };
        hooks.fatal = [](const lockstep::storage_error& error) { say("failed " + error.detail); };
        replica_ = std::make_unique<replica_type>(rt_, log_, raft::options{}, initial, std::move(hooks));
        const auto listening =
            transport_.start(self, arguments_.listen, arguments_.peers, std::move(callbacks));
        say(listening ? "ready" : "failed " + arguments_.listen + ": " + listening.error().message());
    }

    void heard(const raft::event& e) {
        if (const auto* changed = std::get_if<raft::role_changed>(&e); changed != nullptr) {
            if (changed->role == raft::role::leader) say("leader");
            else abandon("it leads no more");
        }
        if (std::holds_alternative<raft::proposal_dropped>(e)) abandon("a proposal was dropped");
    }

    void abandon(const std::string& why) {
        if (!running_) return;
        running_ = false;
        proposed_.clear();
        say("failed " + why);
    }

    void propose_one(clock::time_point now) {
        lockstep::byte_buffer bytes(entry_bytes, std::byte('x'));
        const std::uint64_t number = ++number_;
        std::memcpy(bytes.data(), &number, sizeof number);
        proposed_.push_back({number, now});
        replica_->propose({lockstep::shared_bytes(std::move(bytes))});
    }

    /// Each entry that is applied makes room for the next, which is proposed on a turn of its own as a client's
    /// would be.
    void applied(const raft::entry& e) {
        if (e.kind != raft::entry_kind::command || !running_) return;
        std::uint64_t number = 0;
        std::memcpy(&number, e.data.data(), sizeof number);
        if (proposed_.empty() || proposed_.front().number != number) return;  // of a run that was abandoned
        const auto now = clock::now();
        if (now >= counts_from_) times_.add(microseconds(now - proposed_.front().at));
        proposed_.pop_front();
        if (now >= until_) return finish(now);
        rt_.post([this] {
            if (running_) propose_one(clock::now());
        });
    }

    void finish(clock::time_point now) {
        if (!proposed_.empty()) return;
        running_ = false;
        const double seconds = microseconds(now - counts_from_) / 1e6;
        const summary all = summarise(times_);
        say("result " + boost::json::serialize(boost::json::object{
                            {"samples", all.count},
                            {"p50_us", all.p50_us},
                            {"p99_us", all.p99_us},
                            {"max_us", all.max_us},
                            {"per_second", seconds > 0 ? static_cast<double>(all.count) / seconds : 0}}));
    }

    struct pending {
        std::uint64_t number;
        clock::time_point at;
    };

    node_arguments arguments_;
    lockstep::asio_runtime& rt_;
    lockstep::os::posix_file_system fs_;
    lockstep::asio_streams streams_;
    lockstep::stream_transport<lockstep::asio_runtime, lockstep::asio_streams> transport_;
    log_type log_;
    std::unique_ptr<replica_type> replica_;

    std::uint64_t number_ = 0;
    std::deque<pending> proposed_;
    std::size_t in_flight_ = 0;
    clock::time_point counts_from_, until_;
    samples times_;
    bool running_ = false;
};

}  // namespace

int run_commit_node(const std::vector<std::string>& arguments) {
    lockstep::asio_runtime rt;
    std::optional<commit_node> node(std::in_place, rt, read_node_arguments(arguments));
    const orders input(rt, [&](const std::string& line) { node->order(line); });
    rt.run();
    return 0;
}

}  // namespace bench
