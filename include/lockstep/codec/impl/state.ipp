#pragma once

#include <lockstep/codec/state.hpp>

#include <lockstep/codec/impl/node_messages.ipp>
#include <lockstep/content/manifest.hpp>

namespace lockstep {

namespace codec {
inline constexpr std::uint8_t identity_version = 1;
inline constexpr std::uint8_t snapshot_record_version = 1;
}

template <class Archive>
void serialize(Archive& ar, snapshot_record& r) {
    ar(r.at, r.log_base, codec::bytes_field{r.manifest, content::encoded_manifest_bytes_max});
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

LOCKSTEP_DECL shared_bytes encode_snapshot_record(const snapshot_record& record) {
    byte_buffer bytes;
    bytes.reserve(32 + record.manifest.size());
    append_le(bytes, codec::snapshot_record_version);
    codec::encode_to(bytes, record);
    return shared_bytes(std::move(bytes));
}

LOCKSTEP_DECL result<snapshot_record> decode_snapshot_record(const shared_bytes& bytes) {
    return codec::decode_all<snapshot_record>(bytes, codec::snapshot_record_version);
}

}  // namespace lockstep
