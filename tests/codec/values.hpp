// Random values of everything that has a format.
#pragma once

#include <lockstep/base/random.hpp>
#include <lockstep/codec/envelope.hpp>
#include <lockstep/codec/node_messages.hpp>
#include <lockstep/folder/command.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace lockstep::codec_test {

class values {
public:
    explicit values(std::uint64_t seed) : random_(seed) {}

    random_generator& random() noexcept { return random_; }

    /// Often small, sometimes the largest there is.
    std::uint64_t number() {
        switch (random_.below(4)) {
            case 0: return random_.below(3);
            case 1: return random_();
            case 2: return ~std::uint64_t{0} - random_.below(2);
            default: return random_.below(1u << 20);
        }
    }
    bool flag() { return random_.one_in(2); }
    template <class Strong>
    Strong strong() { return Strong(number()); }
    template <class Uuid>
    Uuid uuid() { return Uuid::from(random_(), random_()); }
    /// Any bytes at all: names are bytes.
    std::string text(std::uint64_t most) {
        std::string out(random_.below(most + 1), '\0');
        for (char& c : out) c = static_cast<char>(random_.below(256));
        return out;
    }
    shared_bytes bytes(std::uint64_t most) { return shared_bytes::copy_of(text(most)); }

    content_hash hash() {
        content_hash h;
        for (auto& b : h.bytes) b = static_cast<std::uint8_t>(random_.below(256));
        return h;
    }
    session_id session() { return {strong<node_id>(), number()}; }
    entry_id entry() { return {session(), number()}; }
    log_position position() { return {strong<log_index>(), strong<term>()}; }
    founding_record record() {
        founding_record r{uuid<cluster_id>(), {}};
        for (auto n = random_.below(10); n > 0; --n) r.members.emplace_back(strong<node_id>(), uuid<disk_id>());
        return r;
    }
    std::optional<founding_record> maybe_record() {
        if (flag()) return std::nullopt;
        return record();
    }
    node_identity identity() { return {strong<node_id>(), uuid<disk_id>(), number(), flag(), maybe_record()}; }

    folder::command command(std::uint64_t content_most = 60) {
        folder::command c;
        c.session = session();
        c.sequence = number();
        c.what = static_cast<folder::operation>(random_.below(7));
        c.entry = entry();
        c.where = {entry(), text(20)};
        c.path = text(40);
        c.content_base = strong<log_index>();
        c.placement_base = strong<log_index>();
        c.type = static_cast<folder::entry_type>(1 + random_.below(3));
        c.mode = static_cast<std::uint32_t>(number());
        c.mtime_ns = static_cast<std::int64_t>(number());
        c.hash = hash();
        c.chunked = flag();
        c.size = number();
        c.content = bytes(content_most);
        return c;
    }

    raft::message_body message_body(std::size_t kind) {
        switch (kind) {
            case 0: return raft::vote_request{flag(), strong<log_index>(), strong<term>()};
            case 1: return raft::vote_reply{flag(), flag()};
            case 2: {
                raft::append_request a{strong<log_index>(), strong<term>(), strong<log_index>(), {}};
                for (auto n = random_.below(4); n > 0; --n)
                    a.entries.push_back({strong<log_index>(), strong<term>(),
                                         static_cast<raft::entry_kind>(random_.below(3)), bytes(40)});
                return a;
            }
            case 3: return raft::append_reply{flag(), strong<log_index>(), strong<log_index>(), strong<term>()};
            case 4: return raft::heartbeat{strong<log_index>(), number()};
            case 5: return raft::heartbeat_reply{number()};
            case 6: {
                raft::forwarded_proposal f;
                for (auto n = random_.below(4); n > 0; --n) f.commands.push_back(bytes(40));
                return f;
            }
            case 7: return raft::read_request{number()};
            case 8: return raft::read_reply{number(), flag(), strong<log_index>()};
            default: return raft::snapshot_offer{{strong<log_index>(), strong<term>()}};
        }
    }
    /// `kind` counts the kinds of Raft messages, then those of the node's own.
    envelope_body body(std::size_t kind) {
        if (kind < std::variant_size_v<raft::message_body>)
            return raft::message{strong<node_id>(), strong<node_id>(), strong<term>(), message_body(kind)};
        switch (kind - std::variant_size_v<raft::message_body>) {
            case 0: return founding_query{};
            case 1: return founding_state{flag(), maybe_record()};
            case 2: return synced_query{number(), strong<log_index>()};
            case 3: return synced_report{number(), strong<log_index>(), text(30)};
            case 4: return barrier_query{number(), strong<log_index>()};
            case 5: return barrier_answer{number(), flag(), text(30)};
            case 6: return digest_report{strong<log_index>(), number()};
            case 7: return problem_report{text(30)};
            case 8: {
                chunk_query q{number(), {}};
                for (auto n = random_.below(4); n > 0; --n) q.chunks.push_back({hash(), static_cast<std::uint32_t>(number())});
                return q;
            }
            case 9: {
                chunk_answer a{number(), {}};
                for (auto n = random_.below(4); n > 0; --n) a.chunks.push_back(bytes(40));
                return a;
            }
            case 10: return prepare_query{number(), bytes(40)};
            case 11: return prepare_answer{number()};
            case 12: return snapshot_query{position()};
            default: return snapshot_answer{position(), bytes(40)};
        }
    }
    static constexpr std::size_t kinds =
        std::variant_size_v<raft::message_body> + std::variant_size_v<envelope_body> - 1;

private:
    random_generator random_;
};

}  // namespace lockstep::codec_test
