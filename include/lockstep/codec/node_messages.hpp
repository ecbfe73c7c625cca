// What nodes say to each other beside Raft. Plain values.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/ids.hpp>
#include <lockstep/content/chunk.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

/// Makes a cluster: its id, and the disk of each member. Written once, never changed.
struct founding_record {
    cluster_id cluster;
    std::vector<std::pair<node_id, disk_id>> members;
    friend bool operator==(const founding_record&, const founding_record&) = default;
};

/// Who a state directory belongs to: the durable identity of a node.
struct node_identity {
    node_id node;
    disk_id disk;
    std::uint64_t session = 0;      ///< number of the last session that was begun
    bool marked = false;            ///< the replicated directory carries this disk's marker
    std::optional<founding_record> founding;
    friend bool operator==(const node_identity&, const node_identity&) = default;
};

/// "How do you stand?" Asked by a node that belongs to no cluster yet.
struct founding_query {
    friend bool operator==(const founding_query&, const founding_query&) = default;
};
struct founding_state {
    bool empty = false;             ///< no log, no term, no cluster
    std::optional<founding_record> record;
    friend bool operator==(const founding_state&, const founding_state&) = default;
};

/// The leader asks whether a disk is in step with `index`; answered once it is, or cannot be.
struct synced_query {
    std::uint64_t id = 0;
    log_index index;
    friend bool operator==(const synced_query&, const synced_query&) = default;
};
struct synced_report {
    std::uint64_t id = 0;
    log_index synced;
    std::string unwritable;         ///< a path that keeps it from being in step; empty: none
    friend bool operator==(const synced_report&, const synced_report&) = default;
};

/// A node asks the leader whether every reachable disk is in step with `index`.
struct barrier_query {
    std::uint64_t id = 0;
    log_index index;
    friend bool operator==(const barrier_query&, const barrier_query&) = default;
};
struct barrier_answer {
    std::uint64_t id = 0;
    bool ok = false;
    std::string missing;
    friend bool operator==(const barrier_answer&, const barrier_answer&) = default;
};

/// The digest of the state after applying `index`.
struct digest_report {
    log_index index;
    std::uint64_t digest = 0;
    friend bool operator==(const digest_report&, const digest_report&) = default;
};

/// Asks for chunks; answered on the bulk channel with each of them, or nothing in its place where it is not to be had.
struct chunk_query {
    std::uint64_t id = 0;
    std::vector<content::chunk_ref> chunks;
    friend bool operator==(const chunk_query&, const chunk_query&) = default;
};
struct chunk_answer {
    std::uint64_t id = 0;
    std::vector<shared_bytes> chunks;   ///< in the order of the query; empty: not here
    friend bool operator==(const chunk_answer&, const chunk_answer&) = default;
};

/// Who proposes a large content asks others to have its chunks first; answered once they are durable there.
struct prepare_query {
    std::uint64_t id = 0;
    shared_bytes manifest;
    friend bool operator==(const prepare_query&, const prepare_query&) = default;
};
struct prepare_answer {
    std::uint64_t id = 0;
    friend bool operator==(const prepare_answer&, const prepare_answer&) = default;
};

/// Asks for the snapshot at a position, by whoever lacks entries up to there; answered with its manifest. What that lists
/// is asked for as any chunks are.
struct snapshot_query {
    log_position at;
    friend bool operator==(const snapshot_query&, const snapshot_query&) = default;
};
struct snapshot_answer {
    log_position at;
    shared_bytes manifest;              ///< empty: not here, or not any more
    friend bool operator==(const snapshot_answer&, const snapshot_answer&) = default;
};

/// For a person.
struct problem_report {
    std::string text;
    friend bool operator==(const problem_report&, const problem_report&) = default;
};

}  // namespace lockstep
