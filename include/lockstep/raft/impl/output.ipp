#pragma once

#include <lockstep/raft/core.hpp>
#include <lockstep/base/probe.hpp>

#include <algorithm>
#include <iterator>
#include <utility>

namespace lockstep::raft {

LOCKSTEP_DECL output core::take_output() {
    wishes_.clear();
    if (role_ == role::leader) {
        if (reads_.wants_round()) start_round();
        for (auto& p : peers_) replicate_to(p);
    }
    form_write();
    acknowledge();
    hand_out_committed();
    form_fetch();
    return std::exchange(out_, {});
}

/// Everything not yet written goes into one write, if none is under way.
LOCKSTEP_DECL void core::form_write() {
    const bool hard_is_durable = writes_.durable_hard() == hard_;
    if (hard_is_durable) {
        std::move(held_.begin(), held_.end(), std::back_inserter(out_.send));
        held_.clear();
    }
    const bool nothing_new = hard_is_durable && writes_.handed() == log_.last_index() && !begin_anew_;
    if (writes_.outstanding() || nothing_new) return;
    persist_request request;
    request.hard = hard_;
    request.begin_anew = std::exchange(begin_anew_, std::nullopt);
    request.entries = log_.slice(writes_.handed() + 1, log_.last_index(), options_.persist_bytes_max,
                                 static_cast<std::size_t>(-1));
    const log_index last = writes_.handed() + request.entries.size();
    LOCKSTEP_ASSERT(!request.entries.empty() || last == log_.last_index());
    request.send_durable = std::exchange(held_, {});
    request.ticket = writes_.begin(hard_, last, now_);
    out_.persist = std::move(request);
}

/// An acknowledgement names what is durable and agrees with this leader. It rides on the write that it needs, or
/// leaves at once when a write before has done enough.
LOCKSTEP_DECL void core::acknowledge() {
    if (!owes_ack_ || leader_ == no_node) return;
    const log_index now_durable = std::min(verified_, writes_.durable());
    const bool term_is_durable = writes_.durable_hard().term == hard_.term;
    if (term_is_durable && (now_durable > acked_ || now_durable == verified_)) {
        acked_ = now_durable;
        owes_ack_ = acked_ < verified_;
        send(leader_, append_reply{false, acked_, {}, {}});
    }
    if (!owes_ack_ || !out_.persist) return;
    acked_ = std::min(verified_, writes_.handed());
    owes_ack_ = acked_ < verified_;
    out_.persist->send_durable.push_back({self_, leader_, hard_.term, append_reply{false, acked_, {}, {}}});
}

/// Committed entries leave in order, each once, as far as they are durable here and application keeps up.
LOCKSTEP_DECL void core::hand_out_committed() {
    const log_index end = std::min(commit_, writes_.durable());
    sometimes(probe::apply_waited_for_own_disk, end < commit_ && handed_out_ == end);
    while (handed_out_ < end) {
        const log_index from = handed_out_ + 1;
        const std::size_t used = applying_.bytes();
        if (used != 0 && used >= options_.apply_bytes_max) return;
        auto entries = log_.slice(from, end, options_.apply_bytes_max - used, options_.append_entries_max);
        if (entries.empty()) {
            want(no_node, from);
            return;
        }
        std::size_t bytes = 0;
        for (const entry& e : entries) bytes += weight(e);
        handed_out_ = entries.back().index;
        applying_.add(handed_out_, bytes);
        std::move(entries.begin(), entries.end(), std::back_inserter(out_.commit));
    }
}

LOCKSTEP_DECL void core::want(node_id who, log_index from) {
    sometimes(who == no_node ? probe::entries_read_back_to_apply : probe::entries_read_back_for_peer);
    wishes_.push_back({who, from});
}

/// One read of older entries at a time, in turn: a far follower must not starve application, nor the reverse.
LOCKSTEP_DECL void core::form_fetch() {
    if (fetching_) return;
    if (wishes_.empty()) {
        log_.drop_block();
        return;
    }
    if (now_ < fetch_retry_) return;
    const auto by_id = [](const wish& a, const wish& b) { return a.who < b.who; };
    std::sort(wishes_.begin(), wishes_.end(), by_id);
    auto next = std::find_if(wishes_.begin(), wishes_.end(), [&](const wish& w) { return w.who > fetched_for_; });
    if (next == wishes_.end()) next = wishes_.begin();
    fetched_for_ = next->who;
    const log_index to = std::min(writes_.durable(), next->from + options_.append_entries_max - 1);
    LOCKSTEP_ASSERT(next->from <= to);
    fetching_ = fetch_request{next->from, to, options_.append_bytes_max};
    out_.fetch = fetching_;
}

}  // namespace lockstep::raft
