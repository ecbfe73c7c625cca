#include "consumer.hpp"

std::uint64_t digest_elsewhere(const std::vector<lockstep::raft::entry>& log) { return digest_here(log); }
