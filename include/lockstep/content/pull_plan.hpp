// Which missing chunks to ask whom for: decisions only. It is told what is wanted, who can be asked and what they
// answered, and says what to ask next. Requests are bounded, so an answer never overruns whoever asked.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/base/time.hpp>
#include <lockstep/content/chunk.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace lockstep::content {

struct pull_options {
    std::size_t query_bytes_max = 1 << 20;    ///< of the chunks of one query, or one chunk
    std::size_t query_chunks_max = 64;
    std::size_t queries_per_peer = 3;         ///< unanswered at a time
    duration answer_within = std::chrono::seconds(10);
    duration ask_again_after = std::chrono::milliseconds(500);  ///< whoever said that it had a chunk not
};

struct pull_query {
    node_id to;
    std::uint64_t id = 0;   ///< the answer names it
    std::vector<chunk_ref> chunks;
    friend bool operator==(const pull_query&, const pull_query&) = default;
};

/// A chunk may be wanted for several reasons at once; it is asked for once. What arrived counts as wanted until the
/// owner says that it is stored, so that a chunk whose write failed is asked for again.
class pull_plan {
public:
    explicit pull_plan(pull_options o = {}) : options_(o) {}

    /// One reason more. `source` probably has it, and is asked first.
    void want(const chunk_ref& chunk, node_id source) {
        auto [at, fresh] = wanted_.try_emplace(chunk.hash);
        item& wanted = at->second;
        ++wanted.reasons;
        if (source != no_node) wanted.source = source;
        if (!fresh) return;
        wanted.chunk = chunk;
        wanted.order = next_order_++;
        open_.emplace(wanted.order, chunk.hash);
        bytes_ += chunk.bytes;
    }
    /// One reason less. An answer that is under way is ignored once there is none.
    void release(const content_hash& hash) {
        const auto at = wanted_.find(hash);
        if (at != wanted_.end() && --at->second.reasons == 0) erase(at);
    }
    /// It is here now, for all who wanted it.
    void stored(const content_hash& hash) {
        const auto at = wanted_.find(hash);
        if (at != wanted_.end()) erase(at);
    }
    /// It arrived and could not be kept: it is asked for again.
    void not_stored(const content_hash& hash) {
        const auto at = wanted_.find(hash);
        if (at != wanted_.end() && at->second.state == progress::arrived) reopen(at->second);
    }
    /// What arrived from there is not what it says that it is: others are asked first, as if that peer had it not.
    void refused(const content_hash& hash, node_id from, time_point now) {
        const auto at = wanted_.find(hash);
        if (at != wanted_.end()) at->second.gone[from] = now + options_.ask_again_after;
        not_stored(hash);
    }
    bool wants(const content_hash& hash) const { return wanted_.contains(hash); }

    void reachable(node_id peer) { peers_[peer]; }
    /// What it was asked for is asked of others.
    void unreachable(node_id peer) {
        const auto at = peers_.find(peer);
        if (at == peers_.end()) return;
        for (const std::uint64_t id : std::exchange(at->second.queries, {})) give_up(id);
        peers_.erase(at);
    }

    /// What a peer answered, in the order of the query: whether it had each chunk. Returns those that arrived and are
    /// still wanted; nothing where the query is not known (any more).
    std::vector<chunk_ref> answered(node_id from, std::uint64_t id, std::span<const bool> had, time_point now) {
        const auto at = queries_.find(id);
        if (at == queries_.end() || at->second.to != from || had.size() != at->second.chunks.size()) return {};
        std::vector<chunk_ref> arrived;
        for (std::size_t i = 0; i < had.size(); ++i) {
            const auto wanted = wanted_.find(at->second.chunks[i].hash);
            if (wanted == wanted_.end() || wanted->second.asked != id) continue;
            if (had[i]) {
                wanted->second.state = progress::arrived;
                wanted->second.asked = 0;
                arrived.push_back(wanted->second.chunk);
            } else {
                wanted->second.gone[from] = now + options_.ask_again_after;
                reopen(wanted->second);
            }
        }
        peers_[from].queries.erase(id);
        queries_.erase(at);
        return arrived;
    }

    /// What to ask now. Oldest wishes first.
    std::vector<pull_query> take_queries(time_point now) {
        expire(now);
        std::map<node_id, pull_query> filling;
        std::vector<pull_query> out;
        look_again_at_ = never;
        for (auto at = open_.begin(); at != open_.end() && has_room(filling);) {
            item& wanted = wanted_.at(at->second);
            const node_id to = choose(wanted, filling, now);
            if (to == no_node) {
                ++at;
                continue;
            }
            pull_query& query = filling[to];
            std::size_t bytes = wanted.chunk.bytes;
            for (const auto& chunk : query.chunks) bytes += chunk.bytes;
            if (!query.chunks.empty() &&
                (bytes > options_.query_bytes_max || query.chunks.size() >= options_.query_chunks_max)) {
                send(to, std::exchange(query, {}), now, out);
                continue;   // the same chunk again: maybe this peer has no room any more
            }
            query.chunks.push_back(wanted.chunk);
            wanted.state = progress::asked;
            at = open_.erase(at);
        }
        for (auto& [to, query] : filling)
            if (!query.chunks.empty()) send(to, std::move(query), now, out);
        return out;
    }

    /// When take_queries() should be called though nothing happened.
    time_point deadline() const {
        time_point at = look_again_at_;
        for (const auto& [id, query] : queries_) at = std::min(at, query.until);
        return at;
    }

    std::size_t chunks() const noexcept { return wanted_.size(); }
    std::uint64_t bytes() const noexcept { return bytes_; }

private:
    enum class progress : std::uint8_t { open, asked, arrived };
    struct item {
        chunk_ref chunk;
        std::uint64_t order = 0;
        std::size_t reasons = 0;
        node_id source;
        progress state = progress::open;
        std::uint64_t asked = 0;                  ///< query
        std::map<node_id, time_point> gone;       ///< who does not have it, and until when that is believed
    };
    struct peer_state {
        std::set<std::uint64_t> queries;
    };
    struct sent_query {
        node_id to;
        std::vector<chunk_ref> chunks;
        time_point until;
    };
    using filling_queries = std::map<node_id, pull_query>;

    bool has_room(const filling_queries& filling) const {
        return std::any_of(peers_.begin(), peers_.end(), [&](const auto& p) { return room_at(p.first, filling); });
    }
    bool room_at(node_id node, const filling_queries& filling) const {
        const auto& queries = peers_.at(node).queries;
        const auto mine = filling.find(node);
        const bool begun = mine != filling.end() && !mine->second.chunks.empty();
        return queries.size() + (begun ? 1 : 0) < options_.queries_per_peer || begun;
    }

    /// The source, or whoever has the least to answer.
    node_id choose(item& wanted, const filling_queries& filling, time_point now) {
        node_id best = no_node;
        for (const auto& [node, p] : peers_) {
            if (const auto gone = wanted.gone.find(node); gone != wanted.gone.end()) {
                if (now < gone->second) {
                    look_again_at_ = std::min(look_again_at_, gone->second);
                    continue;
                }
            }
            if (!room_at(node, filling)) continue;
            if (node == wanted.source) return node;
            if (best == no_node || p.queries.size() < peers_.at(best).queries.size()) best = node;
        }
        return best;
    }

    void send(node_id to, pull_query query, time_point now, std::vector<pull_query>& out) {
        query.to = to;
        query.id = next_query_++;
        for (const auto& chunk : query.chunks) wanted_.at(chunk.hash).asked = query.id;
        peers_[to].queries.insert(query.id);
        queries_.emplace(query.id, sent_query{to, query.chunks, now + options_.answer_within});
        out.push_back(std::move(query));
    }

    void expire(time_point now) {
        std::vector<std::uint64_t> late;
        for (const auto& [id, query] : queries_)
            if (query.until <= now) late.push_back(id);
        for (const std::uint64_t id : late) {
            const sent_query& query = queries_.at(id);
            peers_[query.to].queries.erase(id);
            for (const auto& chunk : query.chunks)
                if (const auto wanted = wanted_.find(chunk.hash); wanted != wanted_.end())
                    wanted->second.gone[query.to] = now + options_.ask_again_after;
            give_up(id);
        }
    }

    void give_up(std::uint64_t id) {
        const auto at = queries_.find(id);
        for (const auto& chunk : at->second.chunks) {
            const auto wanted = wanted_.find(chunk.hash);
            if (wanted != wanted_.end() && wanted->second.asked == id) reopen(wanted->second);
        }
        queries_.erase(at);
    }

    void reopen(item& wanted) {
        wanted.state = progress::open;
        wanted.asked = 0;
        open_.emplace(wanted.order, wanted.chunk.hash);
    }

    void erase(std::map<content_hash, item>::iterator at) {
        bytes_ -= at->second.chunk.bytes;
        open_.erase(at->second.order);
        wanted_.erase(at);
    }

    pull_options options_;
    std::map<content_hash, item> wanted_;
    std::map<std::uint64_t, content_hash> open_;   // not asked for, by order
    std::map<node_id, peer_state> peers_;
    std::map<std::uint64_t, sent_query> queries_;
    std::uint64_t next_order_ = 1;
    std::uint64_t next_query_ = 1;
    std::uint64_t bytes_ = 0;
    time_point look_again_at_ = never;
};

}  // namespace lockstep::content
