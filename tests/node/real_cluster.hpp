// A cluster of real nodes in one process: real sockets, real disks, a thread for each node's loop.
#pragma once

#include <lockstep/node/options.hpp>
#include <lockstep/node/status.hpp>

#include <tests/os/temporary_directory.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace program {
class real_node;
}

namespace node_test {

/// What lies under a directory, without the node's own: a path, and what stands there.
using listing = std::map<std::string, std::string>;

class real_cluster {
public:
    /// All nodes run when it returns; nobody leads yet.
    explicit real_cluster(std::uint64_t nodes);
    ~real_cluster();
    real_cluster(const real_cluster&) = delete;
    real_cluster& operator=(const real_cluster&) = delete;

    std::filesystem::path path(std::uint64_t id, const std::string& name) const;
    void write(std::uint64_t id, const std::string& name, const std::string& text) const;
    listing tree(std::uint64_t id) const;

    void start(std::uint64_t id);
    /// Ends a node as a crash would: what it had begun and not finished is never finished.
    void kill(std::uint64_t id);
    lockstep::barrier_result barrier(std::uint64_t id);
    lockstep::node_status status(std::uint64_t id);
    const lockstep::node_options& options(std::uint64_t id) const { return options_.at(id); }

private:
    struct running;

    /// Runs `f` on the loop of a node and waits for what it hands over.
    template <class T>
    T ask(std::uint64_t id, std::function<void(program::real_node&, std::function<void(T)>)> f);

    lockstep::testing::temporary_directory base_;
    std::map<std::uint64_t, lockstep::node_options> options_;
    std::map<std::uint64_t, std::unique_ptr<running>> running_;
};

}  // namespace node_test
