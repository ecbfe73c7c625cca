// Reads that wait: at a leader for proof that it still leads, at a follower for the leader's answer.
// It keeps the books; the core asks the peers and hands the answers out.
#pragma once

#include <lockstep/base/time.hpp>
#include <lockstep/raft/entry.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

namespace lockstep::raft {

struct pending_read {
    std::uint64_t id = 0;            ///< as its origin names it
    node_id origin;                  ///< who asked
    time_point deadline;
    std::uint64_t key = 0;           ///< at a follower: the id it used towards the leader
    std::optional<log_index> index;  ///< at a leader: empty until an entry of its own term is committed
    std::uint64_t round = 0;         ///< at a leader: the round that proves it; 0: none has begun since it came
};

class read_barrier {
public:
    static constexpr std::size_t pending_max = 1 << 16;

    bool full() const noexcept { return pending_.size() >= pending_max; }
    bool empty() const noexcept { return pending_.empty(); }
    std::size_t size() const noexcept { return pending_.size(); }
    void add(pending_read read) { pending_.push_back(std::move(read)); }

    bool wants_round() const noexcept { return !pending_.empty() && pending_.back().round == 0; }
    void round_began(std::uint64_t round) noexcept {
        for (auto it = pending_.rbegin(); it != pending_.rend() && it->round == 0; ++it) it->round = round;
    }
    /// The leader committed in its own term: from now on its commit index covers all that was ever committed.
    void give_index(log_index commit) noexcept {
        for (auto& read : pending_)
            if (!read.index) read.index = commit;
    }

    /// Those that a quorum's answers to `round` prove.
    std::vector<pending_read> take_proven(std::uint64_t round) {
        return take([&](const pending_read& r) { return r.index && r.round != 0 && r.round <= round; });
    }
    std::vector<pending_read> take_expired(time_point now) {
        return take([&](const pending_read& r) { return r.deadline <= now; });
    }
    std::vector<pending_read> take_key(std::uint64_t key) {
        return take([&](const pending_read& r) { return r.key == key; });
    }
    std::vector<pending_read> take_all() { return std::exchange(pending_, {}); }

    template <class Sink>
    void fingerprint_into(Sink& sink) const {
        sink.number(pending_.size());
        for (const pending_read& r : pending_) {
            sink.number(r.id);
            sink.node(r.origin);
            sink.token(r.key);
            sink.number(r.index ? r.index->value + 1 : 0);
            sink.number(r.round);
        }
    }

    /// Reads are added with deadlines that do not fall.
    time_point deadline() const noexcept { return pending_.empty() ? never : pending_.front().deadline; }

private:
    template <class Which>
    std::vector<pending_read> take(Which which) {
        std::vector<pending_read> taken;
        auto kept = pending_.begin();
        for (auto it = pending_.begin(); it != pending_.end(); ++it) {
            if (which(*it)) taken.push_back(std::move(*it));
            else if (kept != it) *kept++ = std::move(*it);
            else ++kept;
        }
        pending_.erase(kept, pending_.end());
        return taken;
    }

    std::vector<pending_read> pending_;  // in order of arrival
};

}  // namespace lockstep::raft
