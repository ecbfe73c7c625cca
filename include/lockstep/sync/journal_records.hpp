// The durable records of what is in step: synced records, and intents that say what was about to change.
// Format: docs/formats/journal.md.
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/sync/disk_types.hpp>

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace lockstep::sync {

struct erased_record {
    entry_id entry;
};

/// Durable before a name changes. `staged` holds what was built until the exchange, and what came out after it.
struct intent_record {
    std::string staged;
    std::string path;
    bool removal = false;
    file_status built;                      ///< unless a removal: the inode that shall stand at `path`
    local_record record;                    ///< what is true once it is done
    std::optional<local_record> expected;   ///< what stood there
};

/// Durable before a directory that its owner may not write is made writable for a moment.
struct loosened_record {
    std::string key;    ///< ended by an intent_done_record of this name
    std::string path;
    file_status disk;   ///< as it was, and shall be again
};

struct intent_done_record {
    std::string staged;
};

using journal_record = std::variant<local_record, erased_record, intent_record, intent_done_record, loosened_record>;

LOCKSTEP_DECL byte_buffer encode_record(const journal_record& record);
/// corrupt, truncated, newer_format.
LOCKSTEP_DECL result<journal_record> decode_record(byte_view bytes);

/// What a journal says, replayed.
struct journal_state {
    local_tree synced;
    std::map<std::string, intent_record> intents;   ///< outstanding, by staged name
    std::map<std::string, loosened_record> loosened;   ///< outstanding, by key
    bool damaged = false;   ///< some of it is lost: what is in staging without an intent may be worth something
};

/// Replays records in order. corrupt where one cannot be read.
LOCKSTEP_DECL result<journal_state> replay_journal(const std::vector<byte_buffer>& records);

/// Replays what could still be read of a damaged journal, and keeps what may be relied on though others are missing: that
/// something was about to happen, and which directory was made writable. What stood where is not known any more.
LOCKSTEP_DECL journal_state replay_damaged_journal(const std::vector<byte_buffer>& records);

/// The power went: a file may hold newer bytes than the stamps it is known by, or damaged ones. Each is read again at the next
/// look, and what differs under the same stamps is kept beside what the cluster has.
LOCKSTEP_DECL void doubt_contents(journal_state& state);

/// The shortest journal that says the same.
LOCKSTEP_DECL std::vector<byte_buffer> compact_journal(const journal_state& state);

/// The fewest of these records that say what all do.
LOCKSTEP_DECL result<std::vector<byte_buffer>> shorten_journal(const std::vector<byte_buffer>& records);

}  // namespace lockstep::sync

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/sync/impl/journal_records.ipp>
#endif
