// What makes a command apply exactly once although it may be sent again: it is numbered by its origin, within a session
// that is a position of the log. Pure. Format: docs/formats/replicated.md.
#pragma once

#include <lockstep/base/byte_reader.hpp>
#include <lockstep/base/checksum.hpp>
#include <lockstep/base/ids.hpp>
#include <lockstep/base/probe.hpp>
#include <lockstep/base/result.hpp>

#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace lockstep {

/// An entry of the log of a `replicated` state machine.
struct numbered_command {
    enum class what : std::uint8_t { open = 0, command = 1 };
    what kind = what::command;
    node_id origin;
    log_index session;         ///< command: the one it belongs to. open: the one it replaces, 0 where there is none
    std::uint64_t number = 0;  ///< command: 1, 2, … in its session. open: drawn by this run of the origin
    shared_bytes payload;      ///< of a command: what the state machine gets
    friend bool operator==(const numbered_command&, const numbered_command&) = default;
};

inline constexpr std::uint8_t numbered_command_version = 1;
inline constexpr std::size_t numbered_command_header = 26;

inline shared_bytes encode_numbered(const numbered_command& c) {
    byte_buffer bytes;
    bytes.reserve(numbered_command_header + c.payload.size());
    append_le(bytes, numbered_command_version);
    append_le(bytes, static_cast<std::uint8_t>(c.kind));
    append_le(bytes, c.origin.value);
    append_le(bytes, c.session.value);
    append_le(bytes, c.number);
    append_bytes(bytes, c.payload.view());
    return shared_bytes(std::move(bytes));
}

/// The payload shares the given bytes. Errors: newer_format, corrupt.
inline result<numbered_command> decode_numbered(const shared_bytes& bytes) {
    byte_reader reader(bytes.view());
    const auto version = reader.number<std::uint8_t>();
    const auto kind = reader.number<std::uint8_t>();
    numbered_command c;
    c.origin = node_id(reader.number<std::uint64_t>());
    c.session = log_index(reader.number<std::uint64_t>());
    c.number = reader.number<std::uint64_t>();
    if (version > numbered_command_version) return make_error_code(errc::newer_format);
    if (reader.failed() || version != numbered_command_version || kind > 1) return make_error_code(errc::corrupt);
    c.kind = static_cast<numbered_command::what>(kind);
    c.payload = bytes.slice(numbered_command_header, bytes.size() - numbered_command_header);
    if (c.kind == numbered_command::what::open && !c.payload.empty()) return make_error_code(errc::corrupt);
    return c;
}

/// The sessions of all members, changed only by the log, so alike on every node at every index.
///
/// Opening compares and swaps: it names the session that it replaces. An opening that was delayed since an earlier run
/// of its origin finds another session there and is refused, and so is every command of the session before. Hence no
/// node needs a durable number of its runs.
class session_table {
public:
    enum class outcome : std::uint8_t {
        opened,     ///< the session of its origin is now this index
        refused,    ///< another session stands where it expected one
        next,       ///< give it to the state machine
        duplicate,  ///< applied before
        gap,        ///< one before it was lost: its origin says all again
        fenced,     ///< of an earlier session, or of no member
    };

    explicit session_table(std::set<node_id> members = {}) {
        for (node_id member : members) sessions_[member];
    }

    outcome take(log_index at, const numbered_command& c) {
        const auto found = sessions_.find(c.origin);
        if (found == sessions_.end()) return outcome::fenced;
        session& s = found->second;
        if (c.kind == numbered_command::what::open) {
            if (c.session != s.begin) return outcome::refused;
            s = {at, 0};
            return outcome::opened;
        }
        if (sometimes(probe::command_fenced, c.session != s.begin || s.begin == log_index{})) return outcome::fenced;
        if (sometimes(probe::duplicate_command_dropped, c.number <= s.last)) return outcome::duplicate;
        if (sometimes(probe::gap_in_session, c.number != s.last + 1)) return outcome::gap;
        ++s.last;
        return outcome::next;
    }

    /// 0: it has opened none.
    log_index session_of(node_id member) const {
        const auto found = sessions_.find(member);
        return found == sessions_.end() ? log_index{} : found->second.begin;
    }

    std::uint64_t digest(std::uint64_t seed) const {
        byte_buffer bytes;
        for (const auto& [member, s] : sessions_) {
            append_le(bytes, member.value);
            append_le(bytes, s.begin.value);
            append_le(bytes, s.last);
        }
        return checksum(bytes, seed);
    }

private:
    struct session {
        log_index begin;
        std::uint64_t last = 0;
    };
    std::map<node_id, session> sessions_;
};

}  // namespace lockstep
