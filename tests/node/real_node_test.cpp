// Three whole nodes in one process, for what only that shows: a race between the threads of a node or of several, which
// the thread sanitizer sees, and a node that is destroyed in the middle of its work.
#include "real_cluster.hpp"

#include <lockstep/os/asio_streams.hpp>
#include <lockstep/transport/stream_transport.hpp>

#include <tests/catch.hpp>

#include <boost/asio/post.hpp>

#include <thread>

using namespace node_test;

namespace {

void require_barrier(real_cluster& cluster, std::uint64_t id) {
    const auto result = cluster.barrier(id);
    INFO("node " << id << ": " << result.missing);
    REQUIRE(result.ok);
}

/// Stands in for a node: it is connected, and says only what nobody understands, from a thread of its own.
class babbler {
public:
    explicit babbler(const lockstep::node_options& options) : options_(options), thread_([this] { run(); }) {}
    ~babbler() {
        boost::asio::post(rt_.context(), [this] { rt_.stop(); });
        thread_.join();
    }
    babbler(const babbler&) = delete;
    babbler& operator=(const babbler&) = delete;

private:
    void run() {
        const lockstep::hello self{options_.id, lockstep::disk_id::from(1, 2), {}};
        if (transport_.start(self, options_.listen, options_.peers, {})) babble();
        rt_.run();
    }
    void babble() {
        for (const auto& peer : options_.peers)
            transport_.send(peer.node, lockstep::channel::control, lockstep::shared_bytes::copy_of("\xff?"));
        rt_.schedule(rt_.now() + std::chrono::milliseconds(20), [this] { babble(); });
    }

    lockstep::node_options options_;
    lockstep::asio_runtime rt_;
    lockstep::asio_streams streams_{rt_};
    lockstep::stream_transport<lockstep::asio_runtime, lockstep::asio_streams> transport_{rt_, streams_};
    std::thread thread_;
};

std::uint64_t leader_of(real_cluster& cluster, std::uint64_t asked) { return cluster.status(asked).leader.value; }

}  // namespace

TEST_CASE("what is written on one of three real nodes is on the others after a barrier, from every node") {
    real_cluster cluster(3);
    for (std::uint64_t id = 1; id <= 3; ++id) {
        cluster.write(id, "from " + std::to_string(id), std::string(id * 10'000, 'x'));
        require_barrier(cluster, id);
    }
    CHECK(cluster.tree(1).size() == 3);
    CHECK(cluster.tree(2) == cluster.tree(1));
    CHECK(cluster.tree(3) == cluster.tree(1));
}

TEST_CASE("edits on three real nodes at once end as one tree") {
    real_cluster cluster(3);
    std::vector<std::thread> users;
    for (std::uint64_t id = 1; id <= 3; ++id) {
        users.emplace_back([&cluster, id] {
            const std::string own = "of " + std::to_string(id);
            std::filesystem::create_directory(cluster.path(id, own));
            for (int i = 0; i < 100; ++i) cluster.write(id, own + "/" + std::to_string(i % 40), std::to_string(i));
            std::filesystem::rename(cluster.path(id, own), cluster.path(id, own + ", moved"));
        });
    }
    for (auto& user : users) user.join();
    for (std::uint64_t id = 1; id <= 3; ++id) require_barrier(cluster, id);
    CHECK(cluster.tree(1).size() == 3 + 3 * 40);
    CHECK(cluster.tree(1)["of 2, moved/19"] == "99");
    CHECK(cluster.tree(2) == cluster.tree(1));
    CHECK(cluster.tree(3) == cluster.tree(1));
}

TEST_CASE("a real leader that is destroyed while it works is replaced, and has everything once it is back") {
    real_cluster cluster(3);
    cluster.write(1, "first", "1");
    require_barrier(cluster, 1);

    const std::uint64_t leader = leader_of(cluster, 1);
    const std::uint64_t other = leader % 3 + 1, third = other % 3 + 1;
    for (int i = 0; i < 50; ++i) cluster.write(leader, "late " + std::to_string(i), std::string(5'000, 'l'));
    cluster.kill(leader);
    cluster.write(leader, "while down", "kept");
    cluster.write(other, "second", "2");
    std::filesystem::remove(cluster.path(other, "first"));
    require_barrier(cluster, other);
    CHECK(leader_of(cluster, other) != leader);
    CHECK(cluster.tree(third) == cluster.tree(other));

    cluster.start(leader);
    require_barrier(cluster, leader);
    const auto all = cluster.tree(leader);
    CHECK(all.contains("late 49"));
    CHECK(all.at("while down") == "kept");
    CHECK(all.at("second") == "2");
    CHECK_FALSE(all.contains("first"));
    CHECK(cluster.tree(1) == cluster.tree(2));
    CHECK(cluster.tree(1) == cluster.tree(3));
}

TEST_CASE("a peer that sends what nobody understands does not count as reachable, and its frames are counted") {
    real_cluster cluster(3);
    cluster.write(1, "first", "1");
    require_barrier(cluster, 1);
    cluster.kill(3);
    const babbler noise(cluster.options(3));
    while (cluster.status(1).malformed_frames < 50 || cluster.status(2).malformed_frames < 50) std::this_thread::yield();
    cluster.write(1, "second", "2");
    require_barrier(cluster, 1);
    CHECK(cluster.tree(2).size() == 2);
}
