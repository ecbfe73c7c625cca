// The numbers that bound and time a core. Every bound has a name here.
#pragma once

#include <lockstep/base/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace lockstep::raft {

struct options {
    duration heartbeat_interval = std::chrono::milliseconds(100);
    duration election_timeout_min = std::chrono::milliseconds(500);
    duration election_timeout_max = std::chrono::milliseconds(1000);
    std::size_t append_bytes_max = 1 << 20;          ///< of one append (one larger entry still goes, alone)
    std::size_t append_entries_max = 1024;           ///< of one append
    std::size_t inflight_messages_max = 64;          ///< appends not acknowledged, per follower
    std::size_t inflight_bytes_max = 16 << 20;       ///< bytes not acknowledged, per follower
    std::size_t uncommitted_bytes_max = 64 << 20;    ///< proposals beyond it are dropped, with an event
    std::size_t window_bytes_max = 32 << 20;         ///< recent entries kept in memory
    std::size_t apply_bytes_max = 16 << 20;          ///< handed out for application and not yet applied
    std::size_t persist_bytes_max = 16 << 20;        ///< of one durable write
    /// Reads by lease: the leader answers without a round for as long as a quorum has promised to elect nobody else. By so
    /// many millionths may any node's monotonic clock run too fast or too slow; one that stands still while its machine is
    /// suspended breaks that. Alike on all nodes, and below 1'000'000; 0: no leases, every read asks a quorum.
    std::uint32_t lease_drift_ppm = 0;
};

}  // namespace lockstep::raft
