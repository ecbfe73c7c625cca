// Embeds Lockstep: a counter of our own, replicated over three nodes. Here all three live in one process and on one
// event loop; on three machines, each runs one `member` and names the others' addresses. Ends with what each counted.
#include <lockstep/default_policies.hpp>
#include <lockstep/node/replicated.hpp>

#include <filesystem>
#include <iostream>
#include <list>
#include <string>

// begin
// What is replicated: any type with apply() and digest(). The same commands in the same order give the same state.
struct counter {
    std::uint64_t value = 0;
    void apply(lockstep::log_index, const lockstep::shared_bytes& command) {
        if (command == lockstep::shared_bytes::copy_of("add one")) ++value;
    }
    std::uint64_t digest() const { return value; }
};

// Where a node tells what a person may want to read: the library itself never logs.
struct console {
    void observe(const lockstep::report& report) { std::cerr << report.text << '\n'; }
};

// One node: TCP to the others, and a write-ahead log in its directory.
struct member {
    member(lockstep::replicated_options options, lockstep::asio_runtime& loop, lockstep::os::posix_file_system& disk)
        : id(options.id.value), network(loop), node(std::move(options), count, loop, disk, network, log) {}
    std::uint64_t id;
    counter count;
    console log;
    lockstep::asio_streams network;
    lockstep::replicated<counter, lockstep::default_policies<console>> node;
};
// end

lockstep::replicated_options options_of(std::uint64_t id, const std::filesystem::path& data, char** addresses) {
    lockstep::replicated_options options;
    options.id = lockstep::node_id(id);
    options.listen = addresses[id - 1];
    options.directory = data / ("node" + std::to_string(id));
    for (std::uint64_t peer : {1u, 2u, 3u})
        if (peer != id) options.peers.push_back({lockstep::node_id(peer), addresses[peer - 1]});
    std::filesystem::create_directories(options.directory);
    return options;
}

int main(int argc, char** argv) {
    if (argc != 5) return std::cerr << "usage: lockstep-embed DIRECTORY HOST:PORT HOST:PORT HOST:PORT\n", 2;
    lockstep::asio_runtime loop;
    lockstep::os::posix_file_system disk;
    std::list<member> members;
    for (std::uint64_t id : {1u, 2u, 3u}) members.emplace_back(options_of(id, argv[1], argv + 2), loop, disk);

    int exit_code = 0, to_apply = 30, to_read = 3;
    const auto read = [&] {
        for (member& m : members) {
            // begin
            m.node.read_barrier([&] {
                // By now this node has applied whatever any node had applied when it was asked.
                std::cout << "node " << m.id << " counts " << m.count.value << '\n';
                if (--to_read == 0) loop.stop();
            });
            // end
        }
    };
    for (member& m : members) {
        // begin
        m.node.start([&](lockstep::start_result started) {
            if (!started.code) return;
            std::cerr << started.text << '\n';
            exit_code = 1;
            loop.stop();
        });
        // At any time: a command waits for a leader, and is applied once on every node, whoever leads.
        for (int i = 0; i < 10; ++i)
            m.node.propose(lockstep::shared_bytes::copy_of("add one"), [&](lockstep::log_index) {
                if (--to_apply == 0) read();
            });
        // end
    }
    loop.run();
    return exit_code;
}
