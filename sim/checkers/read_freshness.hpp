// A read sees everything that anybody had seen when it was asked for: its index is at least all that any node had applied by
// then. That is what waiting for an entry of the own term and for answers to later heartbeats is for. Of those that go to a leader
// over the network; what a leader answers itself shows in the histories of clients (sim/replicated/linearizability_checker.hpp).
// Source: Ongaro 6.4; traps 32 (etcd #7331), 33 (etcd #20418).
#pragma once

#include <sim/checkers/witness.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace lockstep::sim {

class read_freshness final : public witness {
public:
    explicit read_freshness(world& w) : witness(w) {}

    void applied(const seen_apply& a) override { applied_ = std::max(applied_, a.entry.index); }

    void said(const seen_message& m) override {
        if (const auto* request = m.get<raft::read_request>()) forwarded_.try_emplace({m.what.from, request->id}, applied_);
        const auto* reply = m.get<raft::read_reply>();
        if (!reply || !reply->ok) return;
        const auto asked = forwarded_.find({m.what.to, reply->id});
        if (asked != forwarded_.end()) check(m.what.from, reply->index, asked->second);
    }
    void started(node_id node, log_position) override {
        std::erase_if(forwarded_, [&](const auto& read) { return read.first.first == node; });
    }

private:
    using read_name = std::pair<node_id, std::uint64_t>;

    void check(node_id node, log_index at, log_index floor) {
        if (at < floor) wrong(node, "answers a read that was asked for when index " + std::to_string(floor.value) + " had been applied, with the state", at);
    }

    log_index applied_;                           ///< by anybody
    std::map<read_name, log_index> forwarded_;    ///< to leaders, and what was applied then
};

}  // namespace lockstep::sim
