// Some nodes that exchange contents: chunk stores on real directories, and between them a network that is a queue. Messages
// arrive when the loop comes round; connections are cut, answers are forged, and time is moved by the test.
#pragma once

#include <lockstep/node/content_exchange.hpp>

#include <tests/catch.hpp>
#include <tests/storage/chunk_store_fixture.hpp>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace node_test {

using namespace lockstep;
using lockstep::testing::faulty_files;
using lockstep::testing::manual_runtime;

/// A content, as whoever cut it has it.
struct made_content {
    std::vector<storage::named_chunk> chunks;   ///< of the bytes
    std::vector<storage::named_chunk> lists;    ///< pieces of the list, where it has two levels
    shared_bytes manifest;
    content_hash name;

    /// Everything that has to be stored.
    std::vector<storage::named_chunk> all() const {
        std::vector<storage::named_chunk> out = chunks;
        out.insert(out.end(), lists.begin(), lists.end());
        out.push_back({name, manifest});
        return out;
    }
    std::vector<content::chunk_ref> refs() const {
        std::vector<content::chunk_ref> out;
        for (const auto& c : chunks) out.push_back({c.hash, static_cast<std::uint32_t>(c.bytes.size())});
        return out;
    }
};

/// Of `count` chunks, the first of which is made_chunk(first).
inline made_content make_content(std::uint64_t first, std::uint64_t count, std::size_t chunk_bytes = 1000) {
    made_content out;
    for (std::uint64_t i = 0; i < count; ++i) out.chunks.push_back(lockstep::testing::made_chunk(first + i, chunk_bytes));
    auto built = content::build_manifest(out.refs()).value();
    for (auto& piece : built.pieces) out.lists.push_back({piece.ref.hash, shared_bytes(std::move(piece.bytes))});
    out.manifest = shared_bytes(content::encode(built.what));
    out.name = sha256(out.manifest.view());
    return out;
}

class exchange_world {
public:
    class node {
    public:
        using store_type = storage::chunk_store<manual_runtime, faulty_files>;
        using exchange_type = content_exchange<node, manual_runtime, faulty_files, store_type>;

        node(exchange_world& w, std::uint64_t number) : files(base_), w_(w), self_(number) { start(); }

        // --- what the exchange asks of its host ---

        template <class Message>
        void send(node_id to, const Message& m) {
            count(m);
            w_.carry(self_, to, m);
        }
        template <class Message>
        bool send_bulk(node_id to, Message m) {
            if (bulk_is_full) return false;
            if (forge) forge(m);
            ++answers_sent;
            w_.carry(self_, to, m);
            return true;
        }
        void content_failed(const storage_error&) { failed = true; }
        void content_damaged() { ++damaged; }
        void content_room(bool there_is) { room.push_back(there_is); }
        void tick_soon() {
            w_.loop().post([this, alive = std::weak_ptr(alive_)] {
                if (alive.lock()) exchange->turn();
            });
        }
        node_id self() const { return self_; }
        node_id leader() const { return w_.leader; }
        std::set<node_id> voters() const { return w_.voters; }
        bool counts(node_id n) const { return !w_.strangers.contains(n); }

        // --- for tests ---

        /// The process ends; what is durable stays.
        void restart() {
            alive_ = std::make_shared<int>(0);
            exchange = nullptr;
            store = nullptr;
            start();
        }
        bool put(const std::vector<storage::named_chunk>& chunks) {
            bool done = false;
            store->put(chunks, [&](const storage_error& error) { done = !error.code; });
            w_.loop().run_until_idle();
            return done;
        }
        bool has_all(const made_content& c) {
            for (const auto& chunk : c.all())
                if (!store->holds(chunk.hash)) return false;
            return true;
        }
        std::string chunk_directory() const { return directory_.path() + "/chunks"; }

        std::uint64_t chunks_asked = 0;   ///< of others
        std::map<node_id, std::uint64_t> queries_to;
        std::uint64_t answers_sent = 0;
        std::vector<node_id> prepared_for;   ///< prepare_answers that it gave are seen by whom
        bool bulk_is_full = false;
        std::function<void(chunk_answer&)> forge;
        std::function<void()> answering;   ///< that it is prepared
        bool failed = false;
        std::size_t damaged = 0;
        std::vector<bool> room;
        os::posix_file_system base_;
        faulty_files files;
        std::unique_ptr<store_type> store;
        std::unique_ptr<exchange_type> exchange;

    private:
        friend class exchange_world;
        void count(const chunk_query& q) {
            chunks_asked += q.chunks.size();
        }
        void count(const prepare_query&) {}
        void count(const prepare_answer&) {
            if (answering) answering();
        }
        void start() {
            storage::chunk_store_options options;
            options.pack_bytes = 64 << 10;
            store = std::make_unique<store_type>(w_.loop(), files, directory_.path(), options);
            exchange = std::make_unique<exchange_type>(*this, w_.loop(), files, *store);
            bool opened = false;
            store->open([&](storage::chunk_store_report, const storage_error& error) { opened = !error.code; });
            w_.loop().run_until_idle();
            REQUIRE(opened);
        }

        exchange_world& w_;
        node_id self_;
        lockstep::testing::temporary_directory directory_;
        std::shared_ptr<int> alive_ = std::make_shared<int>(0);
    };

    explicit exchange_world(std::uint64_t nodes) {
        for (std::uint64_t i = 1; i <= nodes; ++i) {
            voters.insert(node_id(i));
            nodes_.push_back(std::make_unique<node>(*this, i));
        }
        for (std::uint64_t i = 1; i <= nodes; ++i)
            for (std::uint64_t j = 1; j < i; ++j) connect(i, j);
    }
    ~exchange_world() { nodes_.clear(); }

    node& operator[](std::uint64_t i) { return *nodes_.at(i - 1); }
    manual_runtime& loop() { return loop_; }

    void connect(std::uint64_t a, std::uint64_t b) {
        cut_.erase(way(a, b));
        (*this)[a].exchange->reachable(node_id(b));
        (*this)[b].exchange->reachable(node_id(a));
    }
    void cut(std::uint64_t a, std::uint64_t b) {
        cut_.insert(way(a, b));
        (*this)[a].exchange->unreachable(node_id(b));
        (*this)[b].exchange->unreachable(node_id(a));
    }
    /// Messages vanish, and nobody is told.
    void silence(std::uint64_t from) { silent_.insert(node_id(from)); }

    /// What can happen without time passing; bounded, as something may go round for ever.
    bool settle(std::size_t most = 20000) {
        for (std::size_t i = 0; i < most; ++i)
            if (!loop_.run_one()) return true;
        return false;
    }
    /// Moves time on, with a turn of everybody's each time that one of them wants to be woken.
    bool pass(duration by) {
        const time_point end = loop_.now() + by;
        if (!settle()) return false;
        for (std::size_t turns = 0; turns < 5000; ++turns) {
            time_point next = end;
            for (auto& n : nodes_) next = std::min(next, n->exchange->deadline());
            if (next > loop_.now()) loop_.advance(next - loop_.now());
            for (auto& n : nodes_) n->exchange->turn();
            if (!settle()) return false;
            if (loop_.now() >= end) return true;
        }
        return false;
    }

    node_id leader = node_id(1);
    std::set<node_id> voters;
    std::set<node_id> strangers;   ///< on a disk that is not their founding one

private:
    static std::pair<std::uint64_t, std::uint64_t> way(std::uint64_t a, std::uint64_t b) {
        return {std::min(a, b), std::max(a, b)};
    }
    template <class Message>
    void carry(node_id from, node_id to, const Message& m) {
        if (silent_.contains(from)) return;
        if (cut_.contains(way(from.value, to.value))) return;
        if constexpr (std::is_same_v<Message, chunk_query>) ++(*this)[from.value].queries_to[to];
        loop_.post([this, from, to, m] {
            if constexpr (std::is_same_v<Message, prepare_answer>) (*this)[from.value].prepared_for.push_back(to);
            (*this)[to.value].exchange->handle(from, m);
        });
    }

    manual_runtime loop_;
    std::set<std::pair<std::uint64_t, std::uint64_t>> cut_;
    std::set<node_id> silent_;
    std::vector<std::unique_ptr<node>> nodes_;
};

}  // namespace node_test
