// A state machine of one's own on three nodes: the real transport, log and files, in virtual time.
#include <lockstep/node/replicated.hpp>
#include <lockstep/os/posix_file_system.hpp>
#include <lockstep/storage/wal.hpp>
#include <lockstep/testing/archetypes/state_machine.hpp>
#include <lockstep/testing/loopback_streams.hpp>
#include <lockstep/testing/manual_runtime.hpp>
#include <lockstep/transport/stream_transport.hpp>

#include <tests/catch.hpp>
#include <tests/os/temporary_directory.hpp>

#include <filesystem>
#include <map>

using namespace lockstep;
using namespace std::chrono_literals;

namespace {

/// Remembers every command in order.
struct history {
    std::vector<std::string> commands;
    bool astray = false;
    void apply(log_index, const shared_bytes& command) { commands.emplace_back(as_text(command.view())); }
    std::uint64_t digest() const {
        std::uint64_t sum = astray ? 1 : 0;
        for (const auto& c : commands) sum = checksum(as_bytes(c), sum);
        return sum;
    }
};

struct notes {
    std::string text;
    void observe(const report& r) { text += r.text + "\n"; }
    bool tell(std::string_view what) const { return text.find(what) != std::string::npos; }
};

using network = testing::loopback_network<testing::manual_runtime>;

/// Loses frames, as a transport may.
struct lossy_transport : stream_transport<testing::manual_runtime, network::node> {
    lossy_transport(testing::manual_runtime& rt, network::node& streams) : stream_transport(rt, streams), rt_(rt) {}
    bool send(node_id to, channel on, shared_bytes frame) {
        if (lose_one_in != 0 && rt_.random() % lose_one_in == 0) return false;
        return stream_transport::send(to, on, std::move(frame));
    }
    static inline std::uint64_t lose_one_in = 0;

private:
    testing::manual_runtime& rt_;
};

struct small_wal : storage::wal<testing::manual_runtime, os::posix_file_system> {
    small_wal(testing::manual_runtime& rt, os::posix_file_system& fs, std::string directory)
        : wal(rt, fs, std::move(directory), {65536, 65536}) {}
};

struct test_policies {
    using runtime = testing::manual_runtime;
    using file_system = os::posix_file_system;
    using byte_streams = network::node;
    using transport = lossy_transport;
    using log_storage = small_wal;
    using observer = notes;
};
using history_node = replicated<history, test_policies>;

struct cluster {
    struct member {
        explicit member(network& net) : streams(net) {}
        history machine;
        notes observer;
        network::node streams;
        std::optional<start_result> started;
        std::optional<history_node> node;
    };

    explicit cluster(std::uint64_t size = 3) : size_(size) {
        lossy_transport::lose_one_in = 0;
        for (std::uint64_t id = 1; id <= size; ++id) std::filesystem::create_directory(directory(id));
    }
    ~cluster() { members.clear(); }

    std::string directory(std::uint64_t id) const { return base.path() + "/" + std::to_string(id); }
    replicated_options options(std::uint64_t id) const {
        replicated_options o;
        o.id = node_id(id);
        o.directory = directory(id);
        o.listen = "node" + std::to_string(id);
        for (std::uint64_t peer = 1; peer <= size_; ++peer)
            if (peer != id) o.peers.push_back({node_id(peer), "node" + std::to_string(peer)});
        o.digest_interval = 4;
        return o;
    }
    member& start(std::uint64_t id) { return start(id, options(id)); }
    member& start(std::uint64_t id, replicated_options o) {
        members.erase(id);
        auto& m = *members.emplace(id, std::make_unique<member>(net)).first->second;
        m.node.emplace(std::move(o), m.machine, rt, fs, m.streams, m.observer);
        m.node->start([&m](start_result r) { m.started = std::move(r); });
        rt.run_until([&] { return m.started.has_value(); });
        return m;
    }
    void start_all() {
        for (std::uint64_t id = 1; id <= size_; ++id) REQUIRE_FALSE(start(id).started->code);
    }
    member& at(std::uint64_t id) { return *members.at(id); }
    bool propose(std::uint64_t id, const std::string& text) {
        return bool(at(id).node->propose(shared_bytes::copy_of(text), [this](log_index) { ++applied; }));
    }
    /// Every running node has applied that many.
    bool all_have(std::size_t commands) {
        return rt.run_until([&] {
            return std::all_of(members.begin(), members.end(),
                               [&](const auto& m) { return m.second->machine.commands.size() >= commands; });
        });
    }
    std::uint64_t leader() {
        REQUIRE(rt.run_until([&] { return members.begin()->second->node->leader() != no_node; }));
        return members.begin()->second->node->leader().value;
    }

    testing::temporary_directory base;
    testing::manual_runtime rt;
    network net{rt};
    os::posix_file_system fs;
    std::map<std::uint64_t, std::unique_ptr<member>> members;
    std::size_t applied = 0;

private:
    std::uint64_t size_;
};

}  // namespace

static_assert(member_policies<test_policies>);

TEST_CASE("commands of three nodes are applied on all of them, once, in one order") {
    cluster c;
    c.start_all();
    for (int i = 0; i < 20; ++i)
        for (std::uint64_t id : {1u, 2u, 3u}) REQUIRE(c.propose(id, std::to_string(id) + ":" + std::to_string(i)));
    REQUIRE(c.all_have(60));
    REQUIRE(c.rt.run_until([&] { return c.applied == 60; }));
    CHECK(c.at(1).machine.commands.size() == 60);
    CHECK(c.at(2).machine.commands == c.at(1).machine.commands);
    CHECK(c.at(3).machine.commands == c.at(1).machine.commands);
    CHECK(c.at(1).node->waiting_for().empty());
}

TEST_CASE("frames lost and connections that break lose no command, double none and keep the order of each node's") {
    cluster c;
    c.start_all();
    std::map<std::uint64_t, std::vector<std::string>> said;
    for (std::uint64_t id : {1u, 2u, 3u}) {
        said[id].push_back(std::to_string(id) + ":first");
        REQUIRE(c.propose(id, said[id].back()));
    }
    REQUIRE(c.all_have(3));   // the sessions are open: what follows leaves at once
    lossy_transport::lose_one_in = 5;
    random_generator random(5);
    for (int i = 0; i < 150; ++i) {
        const std::uint64_t id = 1 + random.below(3);
        said[id].push_back(std::to_string(id) + ":" + std::to_string(i));
        REQUIRE(c.propose(id, said[id].back()));
        if (random.below(20) == 0) c.net.cut();
        if (random.below(50) == 0) {
            c.net.stall(true);
            c.rt.advance(2s);
            c.net.stall(false);
        }
        c.rt.advance(std::chrono::milliseconds(random.below(40)));
    }
    lossy_transport::lose_one_in = 0;
    REQUIRE(c.all_have(153));
    c.rt.advance(10s);
    CHECK(c.applied == 153);
    for (std::uint64_t id : {1u, 2u, 3u}) {
        CHECK(c.at(id).machine.commands == c.at(1).machine.commands);
        std::vector<std::string> of_id;
        for (const auto& command : c.at(1).machine.commands)
            if (command.front() == char('0' + id)) of_id.push_back(command);
        CHECK(of_id == said[id]);
    }
}

TEST_CASE("a command proposed while there is no leader waits for one") {
    cluster c;
    c.start(1);
    REQUIRE(c.propose(1, "early"));
    bool read = false;
    REQUIRE(c.at(1).node->read_barrier([&] { read = true; }));
    c.rt.advance(5s);
    CHECK(c.applied == 0);
    CHECK_FALSE(read);
    CHECK(c.at(1).node->waiting_for() == "an answer of nodes 2 3");
    c.start(2);
    c.start(3);
    CHECK(c.all_have(1));
    CHECK(c.rt.run_until([&] { return c.applied == 1 && read; }));
}

TEST_CASE("a read barrier on any node sees what was applied on another before it was asked") {
    cluster c;
    c.start_all();
    for (int i = 0; i < 10; ++i) {
        REQUIRE(c.propose(1 + std::uint64_t(i) % 3, std::to_string(i)));
        REQUIRE(c.rt.run_until([&] { return c.applied == std::size_t(i) + 1; }));
        for (std::uint64_t id : {1u, 2u, 3u}) {
            std::optional<std::size_t> seen;
            REQUIRE(c.at(id).node->read_barrier([&, id] { seen = c.at(id).machine.commands.size(); }));
            REQUIRE(c.rt.run_until([&] { return seen.has_value(); }));
            CHECK(*seen == std::size_t(i) + 1);
        }
    }
}

TEST_CASE("a node that starts again applies the log again and proposes in a session of its own") {
    cluster c;
    c.start_all();
    for (int run = 0; run < 3; ++run) {
        for (std::uint64_t id : {1u, 2u, 3u}) REQUIRE(c.propose(id, std::to_string(run)));
        REQUIRE(c.all_have(3 * (std::size_t(run) + 1)));
        const std::uint64_t again = 1 + std::uint64_t(run);
        const auto before = c.at(again).machine.commands;
        REQUIRE_FALSE(c.start(again).started->code);
        REQUIRE(c.all_have(before.size()));
        CHECK(c.at(again).machine.commands == before);
    }
    c.members.clear();
    c.start_all();
    REQUIRE(c.propose(2, "last"));
    REQUIRE(c.all_have(10));
    CHECK(c.at(1).machine.commands.size() == 10);
    CHECK(c.at(1).machine.commands.back() == "last");
}

TEST_CASE("when the leader goes the others go on, and its return changes nothing") {
    cluster c;
    c.start_all();
    REQUIRE(c.propose(1, "a"));
    REQUIRE(c.all_have(1));
    const auto leader = c.leader();
    c.members.erase(leader);
    const auto other = c.members.begin()->first;
    REQUIRE(c.propose(other, "b"));
    REQUIRE(c.all_have(2));
    c.start(leader);
    REQUIRE(c.all_have(2));
    CHECK(c.at(leader).machine.commands == std::vector<std::string>{"a", "b"});
}

TEST_CASE("a node whose disk was wiped follows without voting") {
    cluster c;
    c.start_all();
    REQUIRE(c.propose(1, "a"));
    REQUIRE(c.all_have(1));
    c.members.erase(3);
    std::filesystem::remove_all(c.directory(3));
    std::filesystem::create_directory(c.directory(3));
    REQUIRE_FALSE(c.start(3).started->code);
    REQUIRE(c.all_have(1));
    CHECK(c.at(3).observer.tell("node 3 follows without voting"));

    // It proposes and applies, but is no majority with one of the others.
    REQUIRE(c.propose(3, "b"));
    REQUIRE(c.all_have(2));
    c.members.erase(2);
    REQUIRE(c.propose(1, "c"));
    c.rt.advance(20s);
    CHECK(c.at(1).machine.commands.size() == 2);
    c.start(2);
    CHECK(c.all_have(3));
}

TEST_CASE("a node whose state differs from the majority's stops and says so") {
    cluster c;
    c.start_all();
    c.at(2).machine.astray = true;
    for (int i = 0; i < 8; ++i) REQUIRE(c.propose(2, std::to_string(i)));
    REQUIRE(c.rt.run_until([&] { return c.at(2).node->failed(); }));
    CHECK(c.at(2).observer.tell("differs from the majority's"));
    CHECK(c.at(2).node->propose({}).error() == errc::halted);
    CHECK_FALSE(c.at(1).node->failed());
    CHECK_FALSE(c.at(3).node->failed());
}

TEST_CASE("what waits to be decided is bounded, and what would pass the bound is refused") {
    cluster c;
    auto options = c.options(1);
    options.proposals_max = 3;
    options.proposal_bytes_max = 100;
    options.command_bytes_max = 60;
    options.reads_max = 1;
    auto& node = *c.start(1, options).node;
    CHECK(node.propose(shared_bytes::copy_of(std::string(61, 'x'))).error() == errc::too_large);
    CHECK(node.propose(shared_bytes::copy_of(std::string(60, 'x'))));
    CHECK(node.propose(shared_bytes::copy_of(std::string(41, 'x'))).error() == errc::would_block);
    CHECK(node.propose({}));
    CHECK(node.propose({}));
    CHECK(node.propose({}).error() == errc::would_block);
    CHECK(node.read_barrier([] {}));
    CHECK(node.read_barrier([] {}).error() == errc::would_block);
    // Decided, they make room.
    c.start(2);
    c.start(3);
    REQUIRE(c.all_have(3));
    CHECK(node.propose(shared_bytes::copy_of(std::string(60, 'x'))));
    c.rt.advance(1s);
    CHECK(node.read_barrier([] {}));
}

TEST_CASE("a start on a state that is in use, another node's or another cluster's is refused in one line") {
    cluster c;
    c.start_all();
    REQUIRE(c.propose(1, "a"));
    REQUIRE(c.all_have(1));

    cluster::member second(c.net);
    const auto refused = [&](replicated_options o) {
        std::optional<start_result> result;
        second.node.emplace(std::move(o), second.machine, c.rt, c.fs, second.streams, second.observer);
        second.node->start([&](start_result r) { result = std::move(r); });
        REQUIRE(c.rt.run_until([&] { return result.has_value(); }));
        CHECK(second.node->failed());
        return *result;
    };
    auto options = c.options(1);
    CHECK(refused(options).code == errc::busy);
    c.members.erase(1);
    options.id = node_id(4);
    auto result = refused(options);
    CHECK(result.code == errc::wrong_node);
    CHECK(result.text == c.directory(1) + ": belongs to node 1, not 4");
    options = c.options(1);
    options.peers.pop_back();
    result = refused(options);
    CHECK(result.code == errc::wrong_cluster);
    CHECK(result.text.find("names a cluster of nodes 1 2, and the state in") != std::string::npos);
    options.directory = c.directory(7);
    CHECK(refused(options).code == errc::not_found);
    options = c.options(1);
    options.listen = "node2";
    CHECK(refused(options).code == errc::address_in_use);
    // None of it was in the way of the node itself.
    CHECK_FALSE(c.start(1).started->code);
    CHECK(c.all_have(1));
}

TEST_CASE("a callback may destroy the node that calls it") {
    cluster c(1);
    c.start_all();
    bool applied = false;
    REQUIRE(c.at(1).node->propose(shared_bytes::copy_of("a"), [&](log_index) {
        c.at(1).node.reset();
        applied = true;
    }));
    REQUIRE(c.rt.run_until([&] { return applied; }));
    c.rt.advance(5s);
    CHECK(c.at(1).machine.commands.size() == 1);
}
