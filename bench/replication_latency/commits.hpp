// Commits: three processes, each a replica over the real transport, log and event loop, without folders.
#pragma once

#include "floor.hpp"
#include "measure.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace bench {

constexpr std::size_t entry_bytes = 256;

struct commit_case {
    std::string name;
    std::size_t in_flight = 0;
};

std::vector<commit_case> commit_cases();

/// Runs `cases` on one cluster, each for `time`.
std::vector<case_result> measure_commits(const std::vector<commit_case>& cases, clock::duration time,
                                         int floor_times, const std::filesystem::path& directory,
                                         floor_probe& probe);

/// One of the processes: ID DIRECTORY LISTEN PEER... (PEER: ID=HOST:PORT).
int run_commit_node(const std::vector<std::string>& arguments);

}  // namespace bench
