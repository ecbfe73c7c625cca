// A cluster of three that exists only as what is seen of it: for feeding one checker of the consensus with a story, by hand.
#pragma once

#include <tests/catch.hpp>

#include <sim/checkers/observations.hpp>

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace lockstep::sim {

inline const node_id n1{1}, n2{2}, n3{3};

inline raft::entry entry_at(std::uint64_t index, std::uint64_t t, std::string_view text = "x") {
    return {log_index(index), term(t), raft::entry_kind::command, shared_bytes::copy_of(text)};
}

template <class Checker>
struct consensus_bench {
    explicit consensus_bench(auto&&... more) : seen(w, {n1, n2, n3}), checker(make(std::forward<decltype(more)>(more)...)) { seen.add(checker); }

    /// Says what is wrong; empty: nothing is.
    std::string verdict() const { return w.failed() ? w.failed()->text : std::string(); }

    void say(node_id from, node_id to, std::uint64_t t, raft::message_body body) { seen.said({from, to, term(t), std::move(body)}); }
    void hear(node_id from, node_id to, std::uint64_t t, raft::message_body body) { seen.heard({from, to, term(t), std::move(body)}); }
    void carry(node_id from, node_id to, std::uint64_t t, const raft::message_body& body) {
        say(from, to, t, body);
        hear(from, to, t, body);
    }

    /// A vote and entries reach a disk as one write. The entries are consecutive.
    void write(node_id node, std::uint64_t t, node_id vote, const std::vector<raft::entry>& entries = {}) {
        durable_write what{term(t), vote, entries.empty() ? log_index() : entries.front().index, {}, std::nullopt, false};
        for (const auto& e : entries) what.entries.push_back(mark_of(e));
        seen.persisted(node, what);
    }
    /// Two disks hold a vote for it.
    void elect(node_id node, std::uint64_t t) {
        write(node, t, node);
        write(node == n2 ? n3 : n2, t, node);
    }
    /// Entries `from` to `to` of a term, on these disks, voted for as they are.
    void replicate(const std::vector<node_id>& nodes, std::uint64_t from, std::uint64_t to, std::uint64_t t) {
        std::vector<raft::entry> entries;
        for (std::uint64_t i = from; i <= to; ++i) entries.push_back(entry_at(i, t));
        for (const node_id n : nodes) write(n, t, seen.record().log(n).voted_for(), entries);
    }

    world w{1};
    observations seen;
    Checker checker;

private:
    Checker make(auto&&... more) {
        if constexpr (std::is_constructible_v<Checker, world&>) return Checker(w);
        else return Checker(w, seen.record(), std::forward<decltype(more)>(more)...);
    }
};

}  // namespace lockstep::sim
