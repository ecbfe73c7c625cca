// Fields of the plain values in node_messages.hpp, in the order of their bytes.
#pragma once

#include <lockstep/codec/archive.hpp>
#include <lockstep/codec/node_messages.hpp>
#include <lockstep/content/manifest.hpp>

#include <cstdint>
#include <optional>
#include <utility>

namespace lockstep {

namespace codec {
struct member_field {
    std::pair<node_id, disk_id> value;
};
template <class Archive>
void serialize(Archive& ar, member_field& m) { ar(m.value.first, m.value.second); }

struct record_field {
    std::optional<founding_record>& value;
};
}  // namespace codec

inline void save(codec::output_archive& ar, const founding_record& r) {
    ar(r.cluster);
    ar.number(static_cast<std::uint32_t>(r.members.size()));
    for (const auto& member : r.members) ar(codec::member_field{member});
}
inline void load(codec::input_archive& ar, founding_record& r) {
    ar(r.cluster);
    r.members.clear();
    for (std::size_t n = ar.count(codec::members_max, 24); n > 0; --n) {
        codec::member_field member;
        ar(member);
        r.members.push_back(member.value);
    }
}

namespace codec {
inline void save(output_archive& ar, const record_field& r) {
    ar(r.value.has_value());
    if (r.value) ar(*r.value);
}
inline void load(input_archive& ar, record_field& r) {
    bool there = false;
    ar(there);
    r.value.reset();
    if (there) ar(r.value.emplace());
}
}  // namespace codec

template <class Archive>
void serialize(Archive& ar, node_identity& i) {
    ar(i.node, i.disk, i.session, i.marked, codec::record_field{i.founding});
}
template <class Archive>
void serialize(Archive&, founding_query&) {}
template <class Archive>
void serialize(Archive& ar, founding_state& s) { ar(s.empty, codec::record_field{s.record}); }
template <class Archive>
void serialize(Archive& ar, synced_query& q) { ar(q.id, q.index); }
template <class Archive>
void serialize(Archive& ar, synced_report& r) { ar(r.id, r.synced, codec::note_field{r.unwritable}); }
template <class Archive>
void serialize(Archive& ar, barrier_query& q) { ar(q.id, q.index); }
template <class Archive>
void serialize(Archive& ar, barrier_answer& a) { ar(a.id, a.ok, codec::note_field{a.missing}); }
template <class Archive>
void serialize(Archive& ar, digest_report& d) { ar(d.index, d.digest); }
namespace content {
template <class Archive>
void serialize(Archive& ar, chunk_ref& c) { ar(c.hash, c.bytes); }
}  // namespace content
template <class Archive>
void serialize(Archive& ar, chunk_query& q) {
    ar(q.id, codec::sequence_field<content::chunk_ref>{q.chunks, codec::chunks_max, 36});
}
template <class Archive>
void serialize(Archive& ar, chunk_answer& a) {
    ar(a.id, codec::sequence_field<shared_bytes>{a.chunks, codec::chunks_max, 4});
}
template <class Archive>
void serialize(Archive& ar, prepare_query& q) { ar(q.id, q.manifest); }
template <class Archive>
void serialize(Archive& ar, prepare_answer& a) { ar(a.id); }
template <class Archive>
void serialize(Archive& ar, snapshot_query& q) { ar(q.at); }
template <class Archive>
void serialize(Archive& ar, snapshot_answer& a) {
    ar(a.at, codec::bytes_field{a.manifest, content::encoded_manifest_bytes_max});
}
template <class Archive>
void serialize(Archive& ar, problem_report& p) { ar(codec::note_field{p.text}); }

}  // namespace lockstep
