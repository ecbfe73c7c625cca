#pragma once

#include <lockstep/codec/state.hpp>

#include <lockstep/codec/impl/node_messages.ipp>

namespace lockstep {

namespace codec {
inline constexpr std::uint8_t identity_version = 1;
}

LOCKSTEP_DECL shared_bytes encode_identity(const node_identity& identity) {
    byte_buffer bytes;
    append_le(bytes, codec::identity_version);
    codec::encode_to(bytes, identity);
    return shared_bytes(std::move(bytes));
}

LOCKSTEP_DECL result<node_identity> decode_identity(const shared_bytes& bytes) {
    return codec::decode_all<node_identity>(bytes, codec::identity_version);
}

}  // namespace lockstep
