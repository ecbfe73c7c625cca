// Files: three processes, each a whole node on a directory; from a file's close on one to its bytes on the last of the
// other two.
#pragma once

#include "floor.hpp"
#include "measure.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace bench {

struct file_case {
    std::string name;
    std::size_t files = 1;  ///< of one sample, written one after the other
    std::size_t bytes = 0;  ///< of each
    int times = 1;
    int floor_every = 1;  ///< so many samples the floor is measured once
};

std::vector<file_case> file_cases(bool quick);

std::vector<case_result> measure_files(const std::vector<file_case>& cases,
                                       const std::filesystem::path& directory, floor_probe& probe);

/// One of the processes: ID DIRECTORY LISTEN PEER... (PEER: ID=HOST:PORT).
int run_file_node(const std::vector<std::string>& arguments);

}  // namespace bench
