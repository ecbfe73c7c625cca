#pragma once

#include <lockstep/transport/handshake.hpp>

#include <lockstep/base/endian.hpp>

#include <algorithm>

namespace lockstep::framing {
namespace detail {

inline void append_hello(byte_buffer& to, const hello& h) {
    append_le(to, h.node.value);
    for (const auto b : h.disk.bytes) to.push_back(static_cast<std::byte>(b));
    for (const auto b : h.cluster.bytes) to.push_back(static_cast<std::byte>(b));
}

inline byte_buffer begin_message(std::uint16_t version) {
    byte_buffer to;
    append_le(to, handshake_magic);
    append_le(to, version);
    return to;
}

/// Takes fields off the front; the caller has checked that they are there.
class field_reader {
public:
    explicit field_reader(byte_view bytes) : rest_(bytes) {}
    template <class T>
    T number() {
        const T value = load_le<T>(rest_.data());
        rest_ = rest_.subspan(sizeof(T));
        return value;
    }
    hello who() {
        hello h;
        h.node = node_id(number<std::uint64_t>());
        for (auto& b : h.disk.bytes) b = number<std::uint8_t>();
        for (auto& b : h.cluster.bytes) b = number<std::uint8_t>();
        return h;
    }

private:
    byte_view rest_;
};

inline constexpr std::uint16_t first_version_with_channels = 2;
inline constexpr std::size_t prefix_bytes = 8 + 2;
inline constexpr std::size_t hello_bytes = 8 + 16 + 16;

inline result<> check_message(byte_view bytes, std::size_t fields) {
    if (bytes.size() < prefix_bytes) return error_code(errc::truncated);
    if (load_le<std::uint64_t>(bytes.data()) != handshake_magic) return error_code(errc::corrupt);
    if (bytes.size() < prefix_bytes + fields) return error_code(errc::truncated);
    return {};
}

}  // namespace detail

LOCKSTEP_DECL shared_bytes encode(const hello_message& m) {
    byte_buffer to = detail::begin_message(m.version);
    detail::append_hello(to, m.from);
    append_le(to, m.expected.value);
    if (m.version >= detail::first_version_with_channels) append_le(to, static_cast<std::uint8_t>(m.on));
    return shared_bytes(std::move(to));
}

LOCKSTEP_DECL shared_bytes encode(const welcome_message& m) {
    byte_buffer to = detail::begin_message(m.version);
    detail::append_hello(to, m.from);
    return shared_bytes(std::move(to));
}

LOCKSTEP_DECL shared_bytes encode(const refusal_message& m) {
    byte_buffer to = detail::begin_message(m.version);
    detail::append_hello(to, m.from);
    append_le(to, static_cast<std::uint8_t>(m.reason));
    return shared_bytes(std::move(to));
}

LOCKSTEP_DECL result<hello_message> decode_hello(byte_view bytes) {
    LOCKSTEP_TRY(detail::check_message(bytes, detail::hello_bytes + 8));
    detail::field_reader in(bytes.subspan(8));
    hello_message m;
    m.version = in.number<std::uint16_t>();
    m.from = in.who();
    m.expected = node_id(in.number<std::uint64_t>());
    if (m.version < detail::first_version_with_channels) return m;
    LOCKSTEP_TRY(detail::check_message(bytes, detail::hello_bytes + 8 + 1));
    m.on = static_cast<channel>(in.number<std::uint8_t>());
    return m;
}

LOCKSTEP_DECL result<welcome_message> decode_welcome(byte_view bytes) {
    LOCKSTEP_TRY(detail::check_message(bytes, detail::hello_bytes));
    detail::field_reader in(bytes.subspan(8));
    welcome_message m;
    m.version = in.number<std::uint16_t>();
    m.from = in.who();
    return m;
}

LOCKSTEP_DECL result<refusal_message> decode_refusal(byte_view bytes) {
    LOCKSTEP_TRY(detail::check_message(bytes, detail::hello_bytes + 1));
    detail::field_reader in(bytes.subspan(8));
    refusal_message m;
    m.version = in.number<std::uint16_t>();
    m.from = in.who();
    m.reason = static_cast<refusal_reason>(in.number<std::uint8_t>());
    return m;
}

LOCKSTEP_DECL std::string describe(const refusal_message& m, const hello& self, const peer_address& peer) {
    const std::string who = "node " + std::to_string(peer.node.value) + " at " + peer.address;
    const std::string me = "node " + std::to_string(self.node.value);
    switch (m.reason) {
        case refusal_reason::own_id:
            if (m.from.disk == self.disk) return "the address of " + who + " is this node's own";
            return who + " answers with this node's own id " + std::to_string(self.node.value);
        case refusal_reason::wrong_cluster:
            return who + " belongs to another cluster";
        case refusal_reason::protocol:
            return who + " speaks protocol version " + std::to_string(m.version) + ", this node speaks version " +
                   std::to_string(protocol_version);
        case refusal_reason::unknown_node:
            return who + " does not have " + me + " among its peers";
        case refusal_reason::unknown_channel:
            return who + " does not know the kind of connection that " + me + " makes";
        case refusal_reason::wrong_node:
            break;
    }
    if (m.from.node == peer.node) return who + " refuses " + me;
    return who + " says that it is node " + std::to_string(m.from.node.value);
}

}  // namespace lockstep::framing
