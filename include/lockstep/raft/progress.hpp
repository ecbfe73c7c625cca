// What a leader knows of one follower: how far its log agrees, what is in flight to it, and when it last answered.
// It decides when an append may be sent, not what is in it.
#pragma once

#include <lockstep/base/time.hpp>
#include <lockstep/raft/byte_ledger.hpp>
#include <lockstep/raft/options.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>

namespace lockstep::raft {

/// probe: one append at a time, to find where the logs part. replicate: pipelined, `next` runs ahead of the answers.
/// snapshot: what it needs is gone; it is offered a snapshot, again and again, until it acknowledges anything new.
enum class progress_state : std::uint8_t { probe, replicate, snapshot };

struct progress {
    explicit progress(node_id id_) noexcept : id(id_) {}

    node_id id;
    bool counts = true;           ///< in quorums; false: it is only replicated to
    log_index match;              ///< known to be durable there; never falls within a term where it counts
    log_index next;               ///< the next entry to send; always above match
    progress_state state = progress_state::probe;
    bool paused = false;          ///< probe, snapshot: one is under way
    bool only_ask = false;        ///< the next append asks without entries: they may be there, not yet durable
    byte_ledger inflight;
    log_index commit_told;        ///< the commit index that it was last told, as far as it may use it
    std::uint64_t round_answered = 0;
    std::uint64_t round_at_send = 0;  ///< the heartbeat round under way when the last append left
    time_point heard;
    std::optional<bool> ballot;   ///< its answer to a candidate

    /// A new leader, or a peer on another disk: nothing is known.
    void reset(log_index last, time_point now) {
        match = log_index{};
        commit_told = log_index{};
        round_answered = round_at_send = 0;
        heard = now;
        probe_from(last + 1);
    }

    void probe_from(log_index from) {
        state = progress_state::probe;
        next = std::max(from, match + 1);
        paused = false;
        only_ask = false;
        inflight.clear();
    }

    bool may_send(const options& o) const noexcept {
        if (state != progress_state::replicate) return !paused;
        return inflight.count() < o.inflight_messages_max && inflight.bytes() < o.inflight_bytes_max;
    }

    /// An append that ends at `last` has left; `bytes` is 0 if it only asks.
    void sent(log_index last, std::size_t bytes, std::uint64_t round) {
        only_ask = false;
        round_at_send = round;
        if (state == progress_state::probe) {
            paused = true;
        } else if (bytes != 0) {
            inflight.add(last, bytes);
            next = last + 1;
        }
    }

    /// What follows `match` or `next` - 1 is gone. A probe under way is still waited for.
    void needs_snapshot() {
        state = progress_state::snapshot;
        only_ask = false;
        inflight.clear();
    }

    void offered(std::uint64_t round) {
        round_at_send = round;
        paused = true;
    }

    /// The follower holds everything up to `index` durably. Returns whether that is news.
    bool accepted(log_index index) {
        const bool news = index > match;
        match = std::max(match, index);
        // Whatever made it reach further, a crash or another leader's snapshot: the end of its log is known again.
        const bool offer_is_over = state == progress_state::snapshot && news;
        if (offer_is_over || (state == progress_state::probe && index + 1 >= next)) {
            probe_from(match + 1);
            state = progress_state::replicate;
        }
        next = std::max(next, match + 1);
        inflight.settle(match);
        return news;
    }

    /// The follower refused an append after `prev`; the logs may agree up to `hint`. A refusal that was overtaken by
    /// an acceptance or by a later probe is stale: acting on it would only send everything twice.
    bool rejected(log_index prev, log_index hint) {
        if (prev <= match || state == progress_state::snapshot) return false;
        if (state == progress_state::probe ? prev + 1 != next : prev >= next) return false;
        probe_from(std::min(prev, hint + 1));
        return true;
    }

    /// It has nothing any more beyond `hint`, though it had.
    void lost(log_index hint) {
        match = std::min(match, hint);
        probe_from(hint + 1);
    }

    /// It answered a heartbeat. What left before that heartbeat and is still not acknowledged was either lost or waits
    /// for its disk: ask from the end, which costs nothing in the second case and is refused in the first.
    void answered(std::uint64_t round) {
        round_answered = std::max(round_answered, round);
        if (round <= round_at_send) return;
        if (state != progress_state::replicate ? paused : !inflight.empty()) {
            paused = false;
            only_ask = state != progress_state::snapshot;
        }
    }

    /// All but when it was heard, and its ballot, which is a candidate's.
    template <class Sink>
    void fingerprint_into(Sink& sink) const {
        for (const log_index i : {match, next, commit_told}) sink.number(i.value);
        sink.number(static_cast<std::uint64_t>(state));
        sink.number((paused ? 1u : 0u) | (only_ask ? 2u : 0u));
        inflight.fingerprint_into(sink);
        sink.number(round_answered);
        sink.number(round_at_send);
    }

    /// Its connection broke. Nothing is sent until it answers a heartbeat.
    void unreachable() {
        probe_from(match + 1);
        paused = true;
        round_at_send = 0;
    }
};

}  // namespace lockstep::raft
