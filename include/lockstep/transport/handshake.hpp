// What two nodes say to each other before any frame (docs/formats/frames.md), and who is let in. No I/O.
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/concepts/transport.hpp>

#include <cstdint>
#include <string>

namespace lockstep::framing {

inline constexpr std::uint64_t handshake_magic = 0x504554534b434f4cu;  ///< "LOCKSTEP"
inline constexpr std::uint16_t protocol_version = 2;
/// No handshake message is longer; later versions may append fields up to here.
inline constexpr std::size_t handshake_bytes_max = 1024;

/// The dialler's first message.
struct hello_message {
    std::uint16_t version = protocol_version;
    hello from;
    node_id expected;  ///< whom it means to reach
    channel on = channel::control;  ///< any value, where a peer says one that is not known here
};

/// The acceptor's answer.
struct welcome_message {
    std::uint16_t version = protocol_version;
    hello from;
};

enum class refusal_reason : std::uint8_t {
    wrong_node = 1,     ///< somebody else was expected here
    own_id = 2,         ///< the dialler says that it is the acceptor
    wrong_cluster = 3,
    protocol = 4,       ///< a version that the acceptor does not speak
    unknown_node = 5,   ///< not a peer of the acceptor's
    unknown_channel = 6,
};

/// The acceptor's answer instead; it closes after it.
struct refusal_message {
    std::uint16_t version = protocol_version;
    refusal_reason reason = refusal_reason::wrong_node;
    hello from;
};

LOCKSTEP_DECL shared_bytes encode(const hello_message& m);
LOCKSTEP_DECL shared_bytes encode(const welcome_message& m);
LOCKSTEP_DECL shared_bytes encode(const refusal_message& m);

// Errors: corrupt (not a handshake of this library), truncated. Bytes behind the known fields are ignored. What an
// earlier version did not have yet stays at its default, so that such a node is refused by its version and told so.
LOCKSTEP_DECL result<hello_message> decode_hello(byte_view bytes);
LOCKSTEP_DECL result<welcome_message> decode_welcome(byte_view bytes);
LOCKSTEP_DECL result<refusal_message> decode_refusal(byte_view bytes);

/// Two nodes may talk unless both know their cluster and it is not the same.
inline bool same_cluster(cluster_id a, cluster_id b) noexcept { return a.empty() || b.empty() || a == b; }

/// One line about a refusal, for a person. `peer` is whom the dialler at `self` meant to reach at `address`.
LOCKSTEP_DECL std::string describe(const refusal_message& m, const hello& self, const peer_address& peer);

}  // namespace lockstep::framing

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/transport/impl/handshake.ipp>
#endif
