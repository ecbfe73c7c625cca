#pragma once

#include <sim/trace/messages.hpp>

#include <lockstep/codec/command.hpp>
#include <lockstep/codec/envelope.hpp>

#include <type_traits>
#include <variant>

namespace lockstep::sim {
namespace detail {

inline std::string text_of(log_index i) { return std::to_string(i.value); }
inline std::string text_of(lockstep::term t) { return std::to_string(t.value); }
inline std::string position(log_index i, lockstep::term t) { return text_of(i) + " of term " + text_of(t); }

/// One overload a kind: its words, and what programs want of it beside its type and term.
struct message_speaker {
    trace_values values;

    std::string of(std::string_view type, std::string more) {
        values.add("type", std::string(type));
        return std::string(type) + (more.empty() ? "" : ": ") + more;
    }

    std::string operator()(const raft::vote_request& m) {
        return of(m.pre ? "pre-vote request" : "vote request", "has " + position(m.last_index, m.last_term));
    }
    std::string operator()(const raft::vote_reply& m) {
        return of(m.pre ? "pre-vote reply" : "vote reply", m.granted ? "granted" : "refused");
    }
    std::string operator()(const raft::append_request& m) {
        values.add("prev", m.prev_index.value).add("entries", m.entries.size()).add("commit", m.commit.value);
        const std::string after = "after " + position(m.prev_index, m.prev_term) + ", commit " + text_of(m.commit);
        if (m.entries.empty()) return of("append", "nothing " + after);
        const std::string last = m.entries.size() == 1 ? "" : ".." + text_of(m.entries.back().index);
        return of("append", text_of(m.entries.front().index) + last + " " + after);
    }
    std::string operator()(const raft::append_reply& m) {
        values.add("index", m.index.value);
        if (!m.rejected) return of("append reply", "has up to " + text_of(m.index));
        return of("append reply", "refused after " + text_of(m.rejected_prev) + ", may have " + position(m.index, m.hint_term));
    }
    std::string operator()(const raft::heartbeat& m) {
        values.add("commit", m.commit.value);
        return of("heartbeat", "commit " + text_of(m.commit) + (m.round ? ", round " + std::to_string(m.round) : ""));
    }
    std::string operator()(const raft::heartbeat_reply& m) { return of("heartbeat reply", "round " + std::to_string(m.round)); }
    std::string operator()(const raft::forwarded_proposal& m) {
        return of("proposal", std::to_string(m.commands.size()) + (m.commands.size() == 1 ? " command" : " commands"));
    }
    std::string operator()(const raft::read_request& m) { return of("read request", "number " + std::to_string(m.id)); }
    std::string operator()(const raft::read_reply& m) {
        return of("read reply", "number " + std::to_string(m.id) + (m.ok ? ", at " + text_of(m.index) : ", not possible"));
    }
    std::string operator()(const raft::snapshot_offer& m) { return of("snapshot offer", position(m.at.index, m.at.term)); }

    std::string operator()(const founding_query&) { return of("founding query", {}); }
    std::string operator()(const founding_state& m) {
        return of("founding state", m.record ? "of a cluster" : m.empty ? "empty" : "not empty");
    }
    std::string operator()(const synced_query& m) { return of("synced query", "up to " + text_of(m.index)); }
    std::string operator()(const synced_report& m) {
        return of("synced report", "up to " + text_of(m.synced) + (m.unwritable.empty() ? "" : ", cannot write " + m.unwritable));
    }
    std::string operator()(const barrier_query& m) { return of("barrier query", "at " + text_of(m.index)); }
    std::string operator()(const barrier_answer& m) { return of("barrier answer", m.ok ? "passed" : "missing " + m.missing); }
    std::string operator()(const digest_report& m) { return of("digest report", "at " + text_of(m.index)); }
    std::string operator()(const problem_report& m) { return of("problem report", m.text); }
    std::string operator()(const chunk_query& m) { return of("chunk query", std::to_string(m.chunks.size()) + " chunks"); }
    std::string operator()(const chunk_answer& m) { return of("chunk answer", std::to_string(m.chunks.size()) + " chunks"); }
    std::string operator()(const prepare_query& m) {
        return of("prepare query", "manifest of " + std::to_string(m.manifest.size()) + " bytes");
    }
    std::string operator()(const prepare_answer& m) { return of("prepare answer", "number " + std::to_string(m.id)); }
    std::string operator()(const snapshot_query& m) { return of("snapshot query", position(m.at.index, m.at.term)); }
    std::string operator()(const snapshot_answer& m) {
        return of("snapshot answer", position(m.at.index, m.at.term) + (m.manifest.empty() ? ", not here" : ""));
    }
};

}  // namespace detail

LOCKSTEP_DECL message_words words_of(const raft::message& m) {
    detail::message_speaker speaker;
    std::string text = std::visit(speaker, m.body);
    if (m.term.value != 0) {
        text += ", term " + detail::text_of(m.term);
        speaker.values.add("term", m.term.value);
    }
    return {std::move(text), std::move(speaker.values)};
}

LOCKSTEP_DECL message_words words_of(const shared_bytes& frame) {
    const auto envelope = decode_envelope(frame);
    if (!envelope) return {"a frame that cannot be read", trace_values().add("type", "unreadable")};
    if (const auto* m = std::get_if<raft::message>(&envelope->body)) return words_of(*m);
    detail::message_speaker speaker;
    std::string text = std::visit(
        [&](const auto& body) -> std::string {
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(body)>, raft::message>) return {};
            else return speaker(body);
        },
        envelope->body);
    return {std::move(text), std::move(speaker.values)};
}

LOCKSTEP_DECL std::string words_of(const raft::entry& e) {
    static constexpr std::string_view operations[] = {"a session begins", "create", "write", "move", "remove",
                                                      "set attributes of", "replace"};
    std::string text = "applies " + detail::position(e.index, e.term) + ": ";
    if (e.kind != raft::entry_kind::command) return text + (e.kind == raft::entry_kind::empty ? "nothing" : "a membership");
    const auto command = decode_command(e.data);
    if (!command) return text + std::to_string(e.data.size()) + " bytes";
    text += operations[static_cast<std::size_t>(command->what)];
    if (!command->path.empty()) text += " " + command->path;
    if (command->size != 0) text += ", " + std::to_string(command->size) + " bytes";
    if (command->chunked) text += " in chunks";
    return text + ", by node " + std::to_string(command->session.node.value) + " (" + std::to_string(command->session.number) + "." +
           std::to_string(command->sequence) + ")";
}

}  // namespace lockstep::sim
