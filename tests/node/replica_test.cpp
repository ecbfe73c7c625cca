// The loop round the core with a log and a state machine that are not folders: a sum, compacted and installed.
#include <lockstep/node/replica.hpp>

#include <lockstep/storage/memory_log.hpp>
#include <lockstep/testing/manual_runtime.hpp>
#include <tests/catch.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace lockstep;
using namespace std::chrono_literals;
using testing::manual_runtime;

namespace {

using log_type = storage::memory_log<manual_runtime>;
using replica_type = replica<manual_runtime, log_type>;

struct state {
    log_position at;
    std::uint64_t sum = 0;
};

class group {
public:
    struct member {
        node_id id;
        std::shared_ptr<storage::memory_log_contents> disk = std::make_shared<storage::memory_log_contents>();
        state saved;  // durable, beside the log
        state now;
        std::unique_ptr<log_type> log;
        std::unique_ptr<replica_type> raft;
        std::vector<raft::install_request> asked;
        std::vector<std::uint64_t> applied;
    };

    explicit group(bool numbered = false) : numbered_(numbered) {
        for (std::uint64_t i = 1; i <= 3; ++i) members_[node_id(i)].id = node_id(i);
        for (auto& [id, m] : members_) start(m);
        REQUIRE(reach([this] { return leader() != nullptr; }));
    }

    member& at(std::uint64_t id) { return members_.at(node_id(id)); }
    member* leader() {
        for (auto& [id, m] : members_)
            if (m.raft && m.raft->core().state_role() == raft::role::leader) return &m;
        return nullptr;
    }
    member& follower() {
        for (auto& [id, m] : members_)
            if (m.raft && &m != leader()) return m;
        return at(1);
    }

    void stop(member& m) {
        m.raft = nullptr;
        m.log->close();
        m.log = nullptr;
    }
    void start(member& m) {
        m.log = std::make_unique<log_type>(loop_, m.disk);
        m.log->open([this, &m](recovered_log found, storage_error) {
            raft::initial_state initial;
            initial.self = m.id;
            for (const auto& item : members_) initial.voters.insert(item.first);
            initial.hard = {found.term, found.voted_for};
            initial.base = found.base;
            for (const auto& run : found.runs) initial.runs.push_back({run.first, run.term});
            initial.last_index = found.last_index;
            initial.snapshot = m.saved.at;
            initial.seed = loop_.random();
            m.now = m.saved;
            m.applied.clear();
            replica_hooks hooks;
            hooks.send = [this](const raft::message& message) { deliver(message); };
            hooks.apply = [this, &m](const raft::entry& e) { apply(m, e); };
            hooks.install = [&m](const raft::install_request& what) { m.asked.push_back(what); };
            hooks.event = [](const raft::event&) {};
            hooks.fatal = [](const storage_error&) {};
            hooks.numbered = numbered_;
            m.raft = std::make_unique<replica_type>(loop_, *m.log, raft::options{}, initial, std::move(hooks));
        });
        reach([&] { return m.raft != nullptr; });
    }
    void add(std::uint64_t number) {
        leader()->raft->propose({shared_bytes::copy_of(std::to_string(number))});
        expected_ += number;
    }
    void save(member& m, std::uint64_t kept) {
        m.saved = m.now;
        m.raft->snapshot_saved(m.now.at.index, m.now.at.index - kept);
        loop_.advance(1ms);
    }
    bool equal() {
        for (auto& [id, m] : members_)
            if (m.now.sum != expected_) return false;
        return true;
    }
    void turn() { loop_.advance(1ms); }
    template <class Done>
    bool reach(Done done) {
        for (int i = 0; i < 2000 && !done(); ++i) loop_.advance(5ms);
        return done();
    }

    /// Called in the midst of an application.
    std::function<void(member&, log_index)> meanwhile;

private:
    void deliver(const raft::message& message) {
        loop_.schedule(loop_.now() + 1ms, [this, message] {
            auto& to = members_.at(message.to);
            if (to.raft) to.raft->step(message);
        });
    }
    void apply(member& m, const raft::entry& e) {
        REQUIRE(e.index == m.now.at.index + 1);
        m.now.at = {e.index, e.term};
        m.applied.push_back(e.index.value);
        if (e.kind == raft::entry_kind::command) m.now.sum += std::stoull(std::string(as_text(e.data.view())));
        if (meanwhile) meanwhile(m, e.index);
    }

    const bool numbered_;
    manual_runtime loop_;
    std::map<node_id, member> members_;
    std::uint64_t expected_ = 0;
};

}  // namespace

TEST_CASE("a replica whose leader compacted the log past it installs a state, and its log follows") {
    group g;
    auto& leader = *g.leader();
    auto& away = g.follower();
    g.stop(away);
    for (std::uint64_t i = 1; i <= 50; ++i) g.add(i);
    REQUIRE(g.reach([&] { return leader.now.sum == 1275; }));
    g.save(leader, 3);
    CHECK(leader.disk->base.index == leader.now.at.index - 3);
    CHECK(leader.disk->records.size() == 3);

    g.start(away);
    REQUIRE(g.reach([&] { return !away.asked.empty(); }));
    CHECK(away.asked.front() == raft::install_request{leader.saved.at, leader.id});
    away.raft->install_failed(away.asked.front());
    REQUIRE(g.reach([&] { return away.asked.size() == 2; }));
    away.saved = away.now = leader.saved;
    away.raft->snapshot_installed(away.saved.at);
    g.add(1000);
    REQUIRE(g.reach([&] { return g.equal(); }));
    CHECK(away.applied.back() == away.saved.at.index.value + 1);
    CHECK(away.applied.size() <= 2);  // with what its own log had
    CHECK(away.disk->base == away.saved.at);
    CHECK(away.disk->records.size() == 1);
    CHECK(away.asked.size() == 2);

    g.stop(away);
    g.start(away);
    g.add(1);
    REQUIRE(g.reach([&] { return g.equal(); }));
    CHECK(away.applied.size() == 2);
}

TEST_CASE("a replica that stopped between installing a state and telling its log begins the log anew at its start") {
    group g;
    auto& leader = *g.leader();
    auto& away = g.follower();
    g.add(5);
    REQUIRE(g.reach([&] { return g.equal(); }));
    g.stop(away);
    for (std::uint64_t i = 1; i <= 20; ++i) g.add(i);
    REQUIRE(g.reach([&] { return leader.now.sum == 215; }));
    g.save(leader, 0);
    away.saved = leader.saved;
    CHECK(away.disk->base.index.value == 0);
    g.start(away);
    REQUIRE(g.reach([&] { return g.equal(); }));
    CHECK(away.asked.empty());
    g.add(7);
    REQUIRE(g.reach([&] { return g.equal(); }));
    CHECK(away.disk->base == leader.saved.at);
    CHECK(away.applied.size() == 1);
}

TEST_CASE("entries that a state installed in their midst covers are not applied behind it") {
    group g;
    auto& leader = *g.leader();
    auto& away = g.follower();
    g.stop(away);
    for (std::uint64_t i = 1; i <= 30; ++i) g.add(i);
    REQUIRE(g.reach([&] { return leader.now.sum == 465; }));
    leader.saved = leader.now;
    g.meanwhile = [&](group::member& m, log_index index) {
        if (&m != &away || index.value != 10) return;
        m.saved = m.now = leader.saved;
        m.raft->snapshot_installed(m.saved.at);
    };
    g.start(away);
    REQUIRE(g.reach([&] { return g.equal(); }));
    CHECK(away.applied.back() == 10);
    g.add(1);
    REQUIRE(g.reach([&] { return g.equal(); }));
    CHECK(away.applied.size() == 11);
}

// Swarm seed 1803161: most of the log of a slow cluster was repeated.
TEST_CASE("a command that stands in the leader's log undecided is not taken again, if commands are numbered") {
    const bool numbered = GENERATE(true, false);
    group g(numbered);
    auto& leader = *g.leader();
    auto& origin = g.follower();
    const raft::core& core = leader.raft->core();
    const std::vector<shared_bytes> commands{shared_bytes::copy_of("7"), shared_bytes::copy_of("3")};
    // With nobody beside the leader they stay undecided.
    for (std::uint64_t id = 1; id <= 3; ++id)
        if (&g.at(id) != &leader) g.stop(g.at(id));
    const std::uint64_t before = core.last_index().value;
    leader.raft->propose(commands);
    g.turn();
    REQUIRE(core.last_index().value == before + 2);
    REQUIRE(core.commit_index().value <= before);
    leader.raft->propose(commands);
    g.turn();
    CHECK(core.last_index().value == before + (numbered ? 2 : 4));
    leader.raft->step(raft::message{origin.id, leader.id, term{}, raft::forwarded_proposal{commands}});
    g.turn();
    CHECK(core.last_index().value == before + (numbered ? 2 : 6));
    leader.raft->propose({commands[0], shared_bytes::copy_of("5")});
    g.turn();
    CHECK(core.last_index().value == before + (numbered ? 3 : 8));   // what is new is taken
    REQUIRE(core.state_role() == raft::role::leader);
    for (std::uint64_t id = 1; id <= 3; ++id)
        if (&g.at(id) != &leader) g.start(g.at(id));
    REQUIRE(g.reach([&] { return core.applied_index() == core.last_index() && g.leader() == &leader; }));
    // What was applied, the sessions know: it may come twice.
    const std::uint64_t all = core.last_index().value;
    leader.raft->propose(commands);
    g.turn();
    CHECK(core.last_index().value == all + 2);
}
