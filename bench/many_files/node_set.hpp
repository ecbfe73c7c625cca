// Three nodes, each a process of its own, that can be ended and started again on the same directories; and what the
// kernel says of their memory and time.
#pragma once

#include <bench/replication_latency/child.hpp>

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

namespace bench {

class node_set {
public:
    static constexpr std::size_t count = 3;

    /// Makes a directory for each node below `directory`; starts nothing.
    explicit node_set(const std::filesystem::path& directory);

    const std::filesystem::path& root(std::size_t node) const { return roots_[node]; }
    void start();
    void stop() { nodes_.clear(); }

    boost::json::object status(std::size_t node);
    /// Until all nodes are connected and have `files` files, and every edit made so far is on the disk of each.
    /// Throws `failure` where that takes longer than `limit`.
    void await(std::uint64_t files, clock::duration limit);

    /// Of a process since it was started.
    struct usage {
        std::uint64_t peak_bytes = 0;       ///< resident, at the most
        std::uint64_t resident_bytes = 0;   ///< now
        double cpu_seconds = 0;             ///< in user mode and in the kernel
    };
    usage usage_of(std::size_t node) const;
    /// Of all of them together.
    double cpu_seconds() const;

private:
    bool settled(std::size_t node, std::uint64_t files);

    std::vector<std::filesystem::path> roots_;
    std::vector<std::string> addresses_;
    std::vector<std::unique_ptr<child>> nodes_;
};

}  // namespace bench
