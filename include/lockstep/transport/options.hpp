// The times and bounds of stream_transport.
#pragma once

#include <lockstep/base/time.hpp>

#include <cstddef>

namespace lockstep {

struct stream_transport_options {
    /// Between attempts to reach a peer: doubled each time, of which a random part, at least half, is waited.
    duration back_off_min = std::chrono::milliseconds(25);
    duration back_off_max = std::chrono::seconds(1);
    /// An attempt may take this long until the handshake has passed; so may a stranger's handshake here.
    duration handshake_timeout = std::chrono::seconds(4);
    /// How often a connection that this node dialled is pinged.
    duration ping_interval = std::chrono::seconds(1);
    /// A connection without an answer for so long, or one accepted and silent for so long, is closed.
    duration silence_max = std::chrono::seconds(5);

    std::size_t frame_bytes_max = 65u << 20;   ///< longer ones are neither sent nor taken
    std::size_t queue_bytes_max = 96u << 20;   ///< to each peer, on control
    /// To each peer, on bulk. A longer frame is taken when nothing else is queued.
    std::size_t bulk_queue_bytes_max = 8u << 20;
    std::size_t queue_frames_max = 8192;       ///< to each peer, on each channel
    std::size_t write_bytes = 1u << 20;        ///< frames are gathered into one write up to here
    std::size_t strangers_max = 32;            ///< accepted connections that have not identified themselves
    /// The same problem is told once in this time, and this many different ones.
    duration problem_interval = std::chrono::minutes(1);
    std::size_t problems_max = 64;
};

}  // namespace lockstep
