// Messages in a trace: what they say in words, when they left, arrived, or got lost; and entries in words. Nothing is recorded
// where the world has no recorder.
#pragma once

#include <sim/trace/recorder.hpp>

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/checksum.hpp>
#include <lockstep/base/config.hpp>
#include <lockstep/concepts/transport.hpp>
#include <lockstep/raft/message.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep::sim {

/// What a message says, and the same for programs: `type`, `term`, indexes.
struct message_words {
    std::string text;
    trace_values values;
};
LOCKSTEP_DECL message_words words_of(const raft::message& m);
/// Of a frame between nodes; one that cannot be read says so.
LOCKSTEP_DECL message_words words_of(const shared_bytes& frame);
/// Of an entry in a folder's log: what it does.
LOCKSTEP_DECL std::string words_of(const raft::entry& e);

/// A message leaves. Returns the number to give to trace_received() or trace_lost().
template <class Message>
std::uint64_t trace_sent(world& w, node_id from, node_id to, const Message& m) {
    trace_recorder* r = w.recorder();
    if (!r || !r->wants(traced::send)) return 0;
    message_words words = words_of(m);
    words.values.add("to", to.value);
    return r->record(trace_lane::of(from), traced::send, std::move(words.text), std::move(words.values));
}

template <class Message>
void trace_received(world& w, std::uint64_t sent, node_id from, node_id to, const Message& m) {
    trace_recorder* r = w.recorder();
    if (!r || !r->wants(traced::receive)) return;
    message_words words = words_of(m);
    words.values.add("from", from.value);
    if (sent) words.values.add("sent", sent);
    r->record(trace_lane::of(to), traced::receive, std::move(words.text), std::move(words.values), {}, {sent});
}

inline void trace_lost(world& w, std::uint64_t sent, node_id to, std::string_view why) {
    trace_recorder* r = w.recorder();
    if (!r || sent == 0) return;
    r->record({}, traced::lost, std::string(why), trace_values().add("to", to.value).add("sent", sent), {}, {sent});
}

// The same for frames on connections, which carry no numbers.

inline void trace_frame_sent(world& w, node_id from, node_id to, channel on, const shared_bytes& frame) {
    const std::uint64_t id = trace_sent(w, from, to, frame);
    if (id == 0) return;
    const frame_matcher::way way{from, to, static_cast<std::uint64_t>(on)};
    trace_lost(w, w.recorder()->frames().sent(way, id, checksum(frame.view())), to, "nobody took it");
}

inline void trace_frame_received(world& w, node_id from, node_id to, channel on, const shared_bytes& frame) {
    trace_recorder* r = w.recorder();
    if (!r) return;
    const frame_matcher::way way{from, to, static_cast<std::uint64_t>(on)};
    const frame_matcher::match m = r->frames().received(way, checksum(frame.view()));
    for (const std::uint64_t id : m.lost) trace_lost(w, id, to, "its connection broke");
    trace_received(w, m.sent, from, to, frame);
}

/// The process that frames were on their way to ended.
inline void trace_frames_ended(world& w, node_id to) {
    trace_recorder* r = w.recorder();
    if (!r) return;
    for (const std::uint64_t id : r->frames().ended(to)) trace_lost(w, id, to, "the receiver is gone");
}

}  // namespace lockstep::sim

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <sim/trace/impl/messages.ipp>
#endif
