// What decides a core's behaviour, told to a sink number by number, so that states can be told apart by a fingerprint. The
// parts of a core have a `fingerprint_into(sink)` each, in which everything that can influence what they do is told, but
// absolute times and the generator. The sink may give the nodes other names: what has an order by node is told in the order
// of the new names, so that two states which differ in names alone can be told alike.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/checksum.hpp>
#include <lockstep/base/random.hpp>
#include <lockstep/raft/message.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

namespace lockstep::raft {

/// `token`: a name that was drawn and is only compared. States that differ in such names alone may count as equal where whoever
/// drives the cores keeps the names apart.
template <class S>
concept fingerprint_sink = requires(S& s, std::uint64_t n, node_id id, byte_view bytes) {
    s.number(n);
    { s.rename(id) } -> std::same_as<node_id>;
    s.node(id);  // number() of the new name
    s.token(n);
    s.bytes(bytes);
};

/// 64 bits, nothing renamed.
class plain_fingerprint {
public:
    void number(std::uint64_t v) noexcept { sum_ = mix64(sum_ ^ v) + v; }
    node_id rename(node_id id) const noexcept { return id; }
    void node(node_id id) noexcept { number(id.value); }
    void token(std::uint64_t v) noexcept { number(v); }
    void bytes(byte_view b) noexcept { number(checksum(b)); }
    std::uint64_t value() const noexcept { return sum_; }

private:
    std::uint64_t sum_ = 0;
};

template <fingerprint_sink Sink>
void fingerprint_into(Sink& sink, const log_position& at) {
    sink.number(at.index.value);
    sink.number(at.term.value);
}

template <fingerprint_sink Sink>
void fingerprint_into(Sink& sink, const hard_state& hard) {
    sink.number(hard.term.value);
    sink.node(hard.voted_for);
}

template <fingerprint_sink Sink>
void fingerprint_into(Sink& sink, const entry& e) {
    sink.number(e.index.value);
    sink.number(e.term.value);
    sink.number(static_cast<std::uint64_t>(e.kind));
    sink.bytes(e.data.view());
}

template <fingerprint_sink Sink>
void fingerprint_into(Sink& sink, const shared_bytes& bytes) {
    sink.bytes(bytes.view());
}

/// Anything in a row, behind how many there are.
template <fingerprint_sink Sink, class Range>
    requires requires(const Range& r) { r.size(); r.begin(); }
void fingerprint_into(Sink& sink, const Range& all) {
    sink.number(all.size());
    for (const auto& one : all) fingerprint_into(sink, one);
}

template <fingerprint_sink Sink>
void fingerprint_into(Sink& sink, const vote_request& v) {
    sink.number(v.pre);
    sink.number(v.last_index.value);
    sink.number(v.last_term.value);
}

template <fingerprint_sink Sink>
void fingerprint_into(Sink& sink, const vote_reply& v) {
    sink.number((v.pre ? 1u : 0u) | (v.granted ? 2u : 0u));
}

template <fingerprint_sink Sink>
void fingerprint_into(Sink& sink, const append_request& a) {
    sink.number(a.prev_index.value);
    sink.number(a.prev_term.value);
    sink.number(a.commit.value);
    fingerprint_into(sink, a.entries);
}

template <fingerprint_sink Sink>
void fingerprint_into(Sink& sink, const append_reply& a) {
    sink.number(a.rejected);
    sink.number(a.index.value);
    sink.number(a.rejected_prev.value);
    sink.number(a.hint_term.value);
}

template <fingerprint_sink Sink>
void fingerprint_into(Sink& sink, const heartbeat& h) {
    sink.number(h.commit.value);
    sink.number(h.round);
}

template <fingerprint_sink Sink>
void fingerprint_into(Sink& sink, const heartbeat_reply& h) {
    sink.number(h.round);
}

template <fingerprint_sink Sink>
void fingerprint_into(Sink& sink, const forwarded_proposal& p) {
    fingerprint_into(sink, p.commands);
}

template <fingerprint_sink Sink>
void fingerprint_into(Sink& sink, const read_request& r) {
    sink.number(r.id);
}

template <fingerprint_sink Sink>
void fingerprint_into(Sink& sink, const read_reply& r) {
    sink.number(r.id);
    sink.number(r.ok);
    sink.number(r.index.value);
}

template <fingerprint_sink Sink>
void fingerprint_into(Sink& sink, const snapshot_offer& s) {
    fingerprint_into(sink, s.at);
}

template <fingerprint_sink Sink>
void fingerprint_into(Sink& sink, const message& m) {
    sink.node(m.from);
    sink.node(m.to);
    sink.number(m.term.value);
    sink.number(m.body.index());
    std::visit([&](const auto& body) { fingerprint_into(sink, body); }, m.body);
}

/// Messages that leave one node together. Their order counts for each receiver alone.
template <fingerprint_sink Sink>
void fingerprint_of_sent_into(Sink& sink, const std::vector<message>& sent) {
    std::vector<std::pair<node_id, std::size_t>> ordered;
    ordered.reserve(sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) ordered.emplace_back(sink.rename(sent[i].to), i);
    std::sort(ordered.begin(), ordered.end());
    sink.number(ordered.size());
    for (const auto& [to, i] : ordered) fingerprint_into(sink, sent[i]);
}

}  // namespace lockstep::raft
