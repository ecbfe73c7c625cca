#pragma once

#include <lockstep/codec/envelope.hpp>

#include <lockstep/codec/impl/node_messages.ipp>

#include <tuple>
#include <utility>

namespace lockstep {

namespace raft {
template <class Archive>
void serialize(Archive& ar, entry& e) {
    ar(e.index, e.term, codec::bounded_enum<entry_kind>{e.kind, entry_kind::configuration}, e.data);
}
template <class Archive>
void serialize(Archive& ar, vote_request& v) { ar(v.pre, v.last_index, v.last_term); }
template <class Archive>
void serialize(Archive& ar, vote_reply& v) { ar(v.pre, v.granted); }
template <class Archive>
void serialize(Archive& ar, append_request& a) {
    ar(a.prev_index, a.prev_term, a.commit, codec::sequence_field<entry>{a.entries, codec::entries_max, 21});
}
template <class Archive>
void serialize(Archive& ar, append_reply& a) { ar(a.rejected, a.index, a.rejected_prev, a.hint_term); }
template <class Archive>
void serialize(Archive& ar, heartbeat& h) { ar(h.commit, h.round); }
template <class Archive>
void serialize(Archive& ar, heartbeat_reply& h) { ar(h.round); }
template <class Archive>
void serialize(Archive& ar, forwarded_proposal& f) {
    ar(codec::sequence_field<shared_bytes>{f.commands, codec::commands_max, 4});
}
template <class Archive>
void serialize(Archive& ar, read_request& r) { ar(r.id); }
template <class Archive>
void serialize(Archive& ar, read_reply& r) { ar(r.id, r.ok, r.index); }
template <class Archive>
void serialize(Archive& ar, snapshot_offer& s) { ar(s.at); }
}  // namespace raft

namespace codec {

inline constexpr std::uint8_t envelope_version = 2;

/// The lowest version that can say it, and the only one that it may come in.
inline std::uint8_t version_of(const envelope_body& body) {
    if (std::holds_alternative<snapshot_query>(body) || std::holds_alternative<snapshot_answer>(body)) return 2;
    const auto* const m = std::get_if<raft::message>(&body);
    return m != nullptr && std::holds_alternative<raft::snapshot_offer>(m->body) ? 2 : 1;
}

template <class Variant>
void save_variant(output_archive& ar, const Variant& v) {
    ar.number(static_cast<std::uint8_t>(v.index()));
    std::visit([&](const auto& x) { ar(x); }, v);
}

template <class Variant, std::size_t... I>
void load_alternative(input_archive& ar, Variant& v, std::size_t index, std::index_sequence<I...>) {
    const bool known = ((I == index ? (ar(v.template emplace<I>()), true) : false) || ...);
    if (!known) throw malformed{};
}
template <class Variant>
void load_variant(input_archive& ar, Variant& v) {
    const std::size_t index = ar.number<std::uint8_t>();
    load_alternative(ar, v, index, std::make_index_sequence<std::variant_size_v<Variant>>{});
}

}  // namespace codec

namespace raft {
inline void save(codec::output_archive& ar, const message& m) {
    ar(m.from, m.to, m.term);
    codec::save_variant(ar, m.body);
}
inline void load(codec::input_archive& ar, message& m) {
    ar(m.from, m.to, m.term);
    codec::load_variant(ar, m.body);
}
}  // namespace raft

inline void save(codec::output_archive& ar, const envelope& e) {
    ar(e.group);
    codec::save_variant(ar, e.body);
}
inline void load(codec::input_archive& ar, envelope& e) {
    ar(e.group);
    codec::load_variant(ar, e.body);
}

namespace codec {
/// About what a message takes, so that a buffer need not grow while it is filled.
inline std::size_t size_hint(const envelope_body& body) {
    std::size_t bytes = 128;
    if (const auto* a = std::get_if<chunk_answer>(&body))
        for (const auto& chunk : a->chunks) bytes += 8 + chunk.size();
    if (const auto* a = std::get_if<snapshot_answer>(&body)) bytes += a->manifest.size();
    const auto* m = std::get_if<raft::message>(&body);
    if (!m) return bytes;
    if (const auto* a = std::get_if<raft::append_request>(&m->body))
        for (const auto& e : a->entries) bytes += 32 + e.data.size();
    if (const auto* f = std::get_if<raft::forwarded_proposal>(&m->body))
        for (const auto& c : f->commands) bytes += 8 + c.size();
    return bytes;
}
}  // namespace codec

LOCKSTEP_DECL shared_bytes encode_envelope(group_id group, const envelope_body& body) {
    byte_buffer bytes;
    bytes.reserve(codec::size_hint(body));
    append_le(bytes, codec::version_of(body));
    codec::output_archive ar(bytes);
    ar(group);
    codec::save_variant(ar, body);
    return shared_bytes(std::move(bytes));
}

LOCKSTEP_DECL result<envelope> decode_envelope(const shared_bytes& bytes) {
    auto decoded = codec::decode_all<envelope>(bytes, codec::envelope_version);
    if (!decoded) return decoded;
    if (std::to_integer<std::uint8_t>(bytes.view().front()) != codec::version_of(decoded->body))
        return make_error_code(errc::corrupt);
    return decoded;
}

}  // namespace lockstep
