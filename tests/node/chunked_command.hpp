// Log entries that name large contents, told apart by a number.
#pragma once

#include <lockstep/codec/command.hpp>
#include <lockstep/content/manifest.hpp>
#include <lockstep/raft/entry.hpp>

#include <string>

namespace test {

using namespace lockstep;

/// A well-formed manifest of a content of one chunk that no other number has.
inline shared_bytes manifest_of(std::uint64_t number) {
    const std::string text = "content " + std::to_string(number);
    const content::chunk_ref ref{sha256(as_bytes(text)), 70000};
    return shared_bytes(content::encode(content::build_manifest({&ref, 1}).value().what));
}

inline shared_bytes chunked(std::uint64_t number) {
    folder::command c;
    c.session = {node_id(1), 1};
    c.sequence = number;
    c.what = folder::operation::create;
    c.entry = {c.session, number};
    c.where = {root_entry, "f" + std::to_string(number)};
    c.path = c.where.name;
    c.mode = 0644;
    c.chunked = true;
    c.content = manifest_of(number);
    c.size = 70000;
    c.hash = sha256(as_bytes("content " + std::to_string(number)));
    return encode_command(c);
}

inline raft::entry plain(std::uint64_t index) { return {log_index(index), term(1), raft::entry_kind::empty, {}}; }
inline raft::entry naming(std::uint64_t index, std::uint64_t number) {
    return {log_index(index), term(1), raft::entry_kind::command, chunked(number)};
}

}  // namespace test
