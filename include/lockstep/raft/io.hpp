// What goes into a core and what comes out of it: plain values, nothing else.
#pragma once

#include <lockstep/raft/entry.hpp>
#include <lockstep/raft/message.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace lockstep::raft {

enum class role : std::uint8_t { follower, pre_candidate, candidate, leader };

/// A run of consecutive entries of one term: [first, next run's first).
struct term_run {
    log_index first;
    lockstep::term term;
    friend bool operator==(const term_run&, const term_run&) = default;
};

/// What a node starts from. If the log does not hold the snapshot's position, a crash came between the installing of
/// that state and the writing of the log: the first output begins the log anew behind it.
struct initial_state {
    node_id self;
    std::set<node_id> voters;
    bool votes = true;                 ///< false: only follows (a disk that the founding record does not list)
    hard_state hard;
    log_position base;                 ///< entries up to here are gone from the log
    std::vector<term_run> runs;        ///< of the durable log behind the base, ascending
    log_index last_index;              ///< of the durable log; the base's where nothing is behind it
    log_position snapshot;             ///< of the state that application begins with; not below the base
    std::uint64_t seed = 0;            ///< of the election time-outs
};

/// A state to be fetched, from that node or from whoever has it.
struct install_request {
    log_position at;
    node_id from;
    friend bool operator==(const install_request&, const install_request&) = default;
};

namespace input {
struct propose { std::vector<shared_bytes> commands; };  ///< at a follower: forwarded to the leader it knows
struct read_barrier { std::uint64_t id = 0; };           ///< answered once in output::reads
struct persisted { std::uint64_t ticket = 0; };          ///< the durable write with that ticket is durable
struct applied { log_index index; };                     ///< everything up to there has been applied
struct fetched { std::vector<entry> entries; };          ///< the answer to output::fetch; empty: could not be read
struct peer_unreachable { node_id peer; };               ///< its connection broke: what was in flight may be lost
/// Not counting: replicate to it, but it is in no quorum. Another disk: what it acknowledged before says nothing.
struct peer_standing { node_id peer; bool counts = true; bool another_disk = false; };
/// The state at `index`, which has been applied, is durable by itself. Entries up to `keep_from`, at most `index`, are
/// not needed any more; what is behind may serve slow followers.
struct snapshot_saved { log_index index; log_index keep_from; };
/// A state fetched from elsewhere took the place of the applied one, durably and at once. Precondition: it is what an
/// output::install named, and the driver had applied nothing behind it.
struct snapshot_installed { log_position at; };
struct install_failed { install_request what; };         ///< it is asked for again once the leader offers it again
struct yield_leadership {};                              ///< another node should lead: this one is slow to stand again
struct wake {};                                          ///< deadline() has come
}  // namespace input

using input_value = std::variant<message, input::propose, input::read_barrier, input::persisted, input::applied,
                                 input::fetched, input::peer_unreachable, input::peer_standing, input::snapshot_saved,
                                 input::snapshot_installed, input::install_failed, input::yield_leadership, input::wake>;

/// One durable unit: hard state and entries together. If `entries` is not empty, they begin at entries.front().index
/// and whatever stood there or behind is truncated first. With `begin_anew`, all that the log held is gone before, and
/// it begins behind that position: durable before the entries, at once with the hard state.
struct persist_request {
    std::uint64_t ticket = 0;
    hard_state hard;
    std::optional<log_position> begin_anew;
    std::vector<entry> entries;
    std::vector<message> send_durable;  ///< to be sent once this is durable, before `persisted` is stepped
};

struct read_result {
    std::uint64_t id = 0;
    bool ok = false;
    log_index index;  ///< the read may be served once this is applied
};

struct fetch_request {
    log_index from;
    log_index to;                ///< inclusive
    std::size_t bytes_max = 0;   ///< answer with a prefix, at least one entry
};

struct role_changed { raft::role role; lockstep::term term; };
struct leader_changed { node_id leader; lockstep::term term; };        ///< no_node: unknown
struct proposal_dropped { std::size_t commands = 0; std::string why; };
using event = std::variant<role_changed, leader_changed, proposal_dropped>;

/// Everything to do before the next step. Each field is handed out once.
struct output {
    std::vector<message> send;               ///< may leave at once
    std::optional<persist_request> persist;  ///< at most one is outstanding
    std::vector<entry> commit;               ///< in order, each once; never beyond what is locally durable
    std::vector<read_result> reads;
    std::optional<fetch_request> fetch;      ///< at most one is outstanding
    /// To be fetched, installed and reported; takes the place of the one before. Given up silently once all that it
    /// holds was applied otherwise.
    std::optional<install_request> install;
    /// What stands up to there is not needed any more. It is durable, and in no write under way.
    std::optional<log_position> drop;
    std::vector<event> events;
};

}  // namespace lockstep::raft
