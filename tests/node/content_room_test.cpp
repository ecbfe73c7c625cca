#include <tests/catch.hpp>
#include <tests/node/memory_store.hpp>

#include <lockstep/node/content_exchange.hpp>
#include <lockstep/os/posix_file_system.hpp>
#include <lockstep/testing/manual_runtime.hpp>

using namespace lockstep;
using namespace std::chrono_literals;

namespace {

constexpr node_id peer{2};

/// A node, and one peer that has whatever it is asked for.
struct fetching {
    using store_type = node_test::memory_store<testing::manual_runtime, os::posix_file_system>;
    using exchange_type = content_exchange<fetching, testing::manual_runtime, os::posix_file_system, store_type>;

    fetching() { exchange.reachable(peer); }

    // --- the host of an exchange ---

    template <class Message>
    void send(node_id, const Message&) {}
    void send(node_id, const chunk_query& q) {
        chunk_answer answer{q.id, {}};
        for (const auto& wanted : q.chunks) {
            answer.chunks.push_back(has.at(wanted.hash));
            asked_bytes += wanted.bytes;
        }
        rt.post([this, answer = std::move(answer)] { exchange.handle(peer, answer); });
    }
    template <class Message>
    bool send_bulk(node_id, const Message&) { return true; }
    void content_failed(const storage_error& error) { failed = error.code; }
    void content_damaged() {}
    void content_room(bool room) { ++(room ? healed : refused); }
    void tick_soon() {
        rt.post([this] { exchange.turn(); });
    }
    node_id self() const { return node_id(1); }
    node_id leader() const { return peer; }
    std::set<node_id> voters() const { return {self(), peer}; }
    bool counts(node_id) const { return true; }

    std::vector<content::chunk_ref> make(std::size_t count) {
        std::vector<content::chunk_ref> refs;
        for (std::size_t i = 0; i < count; ++i) {
            byte_buffer bytes(content::chunk_bytes_max, static_cast<std::byte>(i));
            bytes[0] = static_cast<std::byte>(has.size() / 256);
            shared_bytes chunk(std::move(bytes));
            refs.push_back({sha256(chunk.view()), content::chunk_bytes_max});
            has.emplace(refs.back().hash, chunk);
        }
        return refs;
    }
    void pass(int seconds) {
        for (int i = 0; i < 10 * seconds; ++i) {
            rt.run_until_idle();
            rt.advance(100ms);
            exchange.turn();
        }
        rt.run_until_idle();
    }

    testing::manual_runtime rt;
    os::posix_file_system fs;
    store_type store{rt};
    std::map<content_hash, shared_bytes> has;
    std::uint64_t asked_bytes = 0;
    int refused = 0;
    int healed = 0;
    error_code failed;
    exchange_type exchange{*this, rt, fs, store};
};

}  // namespace

TEST_CASE("while the store is full, no more is fetched than memory may hold, and all of it once there is room") {
    fetching w;
    w.store.full = true;
    const auto chunks = w.make(200);   // 50 MiB
    bool here = false;
    w.exchange.ensure(chunks, peer, [&] { here = true; });
    w.pass(30);
    CHECK_FALSE(here);
    CHECK(w.refused > 10);
    CHECK_FALSE(w.failed);
    CHECK(w.asked_bytes < (20 << 20));
    CHECK(w.exchange.bytes_missing() == 50 << 20);
    w.store.full = false;
    w.pass(5);
    CHECK(here);
    CHECK(w.asked_bytes == 50 << 20);
    CHECK(w.exchange.bytes_missing() == 0);
}

TEST_CASE("what came for somebody who waits no more is let go though the store is full, and others are served") {
    fetching w;
    w.store.full = true;
    const auto ticket = w.exchange.ensure(w.make(200), peer, [] { FAIL("not here"); });
    w.pass(5);
    w.exchange.cancel(ticket);
    w.pass(2);
    const auto refused = w.refused;
    w.pass(5);
    CHECK(w.refused == refused);
    CHECK_FALSE(w.exchange.is_full());
    CHECK(w.exchange.bytes_missing() == 0);

    bool here = false;
    w.store.full = false;
    const auto before = w.asked_bytes;
    w.exchange.ensure(w.make(10), peer, [&] { here = true; });
    w.pass(2);
    CHECK(here);
    CHECK(w.asked_bytes - before == 10 * content::chunk_bytes_max);
}

TEST_CASE("a little is stored though much waits for room") {
    fetching w;
    w.store.refuses = [](const auto& chunks) {
        std::size_t bytes = 0;
        for (const auto& chunk : chunks) bytes += chunk.bytes.size();
        return bytes > 10'000;
    };
    bool here = false;
    w.exchange.ensure(w.make(1), peer, [&] { here = true; });
    w.pass(2);
    REQUIRE(w.exchange.is_full());
    for (int i = 1; i <= 30; ++i) {   // while the large one is tried, too
        w.rt.advance(100ms);
        const shared_bytes little(byte_buffer(5'000, static_cast<std::byte>(i)));
        int stored = 0;
        for (int twice = 0; twice < 2; ++twice) w.exchange.store({{sha256(little.view()), little}}, [&] { ++stored; });
        w.rt.run_until_idle();
        CHECK(stored == 2);
        CHECK(w.exchange.is_full());
    }
    CHECK(w.healed == 0);
    w.store.refuses = {};
    w.pass(2);
    CHECK(here);
    CHECK(w.healed == 1);
    CHECK_FALSE(w.exchange.is_full());
}
