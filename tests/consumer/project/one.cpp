// Three consensus cores elect a leader and commit two commands; each node's log makes the same directory.
#include "consumer.hpp"

#include <cstdio>
#include <deque>

namespace raft = lockstep::raft;
namespace folder = lockstep::folder;

namespace {

struct node {
    raft::core core;
    std::vector<raft::entry> log;
};

struct three_nodes {
    three_nodes() {
        for (std::uint64_t id : {1u, 2u, 3u}) {
            raft::initial_state initial;
            initial.self = lockstep::node_id(id);
            initial.voters = {lockstep::node_id(1), lockstep::node_id(2), lockstep::node_id(3)};
            initial.seed = id;
            nodes.push_back({raft::core({}, initial, now), {}});
        }
    }

    void take(node& n) {
        raft::output out = n.core.take_output();
        for (auto& message : out.send) network.push_back(std::move(message));
        if (out.persist) {
            for (auto& message : out.persist->send_durable) network.push_back(std::move(message));
            n.core.step(raft::input::persisted{out.persist->ticket}, now);
        }
        for (auto& entry : out.commit) {
            n.core.step(raft::input::applied{entry.index}, now);
            if (entry.kind == raft::entry_kind::command) n.log.push_back(std::move(entry));
        }
    }

    /// Every message arrives, and a millisecond passes.
    void turn() {
        now += std::chrono::milliseconds(1);
        for (auto& n : nodes) {
            if (n.core.deadline() <= now) n.core.step(raft::input::wake{}, now);
            take(n);
        }
        for (; !network.empty(); network.pop_front()) {
            node& to = nodes[network.front().to.value - 1];
            to.core.step(network.front(), now);
            take(to);
        }
    }

    lockstep::time_point now{};
    std::vector<node> nodes;
    std::deque<raft::message> network;
};

std::vector<lockstep::shared_bytes> two_commands() {
    folder::command open;
    open.session = {lockstep::node_id(1), 1};
    folder::command create;
    create.session = open.session;
    create.sequence = 1;
    create.what = folder::operation::create;
    create.entry = {create.session, create.sequence};
    create.type = folder::entry_type::directory;
    create.where = {lockstep::root_entry, "docs"};
    create.path = "docs";
    return {lockstep::encode_command(open), lockstep::encode_command(create)};
}

}  // namespace

int main() {
    three_nodes cluster;
    bool proposed = false;
    for (int turns = 0; turns < 10'000; ++turns) {
        cluster.turn();
        if (!proposed && cluster.nodes[0].core.leader() != lockstep::no_node) {
            cluster.nodes[0].core.step(raft::input::propose{two_commands()}, cluster.now);
            proposed = true;
        }
    }
    const std::uint64_t nothing = folder::tree().digest();
    for (const auto& n : cluster.nodes) {
        const std::uint64_t digest = digest_here(n.log);
        std::printf("node %d: %zu commands, digest %016llx\n", int(n.core.self().value), n.log.size(),
                    static_cast<unsigned long long>(digest));
        if (n.log.size() != 2 || digest == nothing) return 1;
        if (digest != digest_here(cluster.nodes[0].log) || digest != digest_elsewhere(n.log)) return 1;
    }
    std::puts("committed by three nodes, alike in both translation units");
}
