// The four things that are done with many files, at one number of them, and what they took.
#pragma once

#include <bench/replication_latency/measure.hpp>

#include <array>
#include <cstdint>
#include <filesystem>

namespace bench {

struct many_files_result {
    struct step {
        double seconds = 0;
        double cpu_seconds = 0;                      ///< of the nodes together: other work on the machine does not count
        std::array<std::uint64_t, 3> peak_bytes{};   ///< resident, of each node since it was started
    };
    std::size_t files = 0;
    std::uint64_t bytes = 0;          ///< of all of them; the same again is created live
    step scan;                        ///< first start, with all files on node 1 -> all on all nodes
    step live;                        ///< as many again are created -> all on all nodes
    step restart;                     ///< all nodes started anew, with all that in place -> in step
    std::uint64_t restart_read = 0;   ///< files that a node read to hash them then: the most of any
    summary edit;                     ///< one of them is edited -> visible on the last node
    std::array<std::uint64_t, 3> resident_bytes{};   ///< at the end
    std::uint64_t log_bytes = 0;      ///< on the first node's disk at the end
    std::uint64_t chunk_bytes = 0;
    std::uint64_t tree_bytes = 0;

    double per_file_us(double seconds) const { return seconds * 1e6 / static_cast<double>(files); }
};

/// Everything that it makes stands below `directory`, and is removed before it returns.
many_files_result measure_many_files(std::size_t files, int edits, const std::filesystem::path& directory);

}  // namespace bench
