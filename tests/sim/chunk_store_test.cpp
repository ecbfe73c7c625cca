// The packs of a chunk store on a disk that crashes, fails and rots: what was said to be stored is there.
#include <lockstep/storage/chunk_store.hpp>

#include <lockstep/base/random.hpp>

#include <tests/sync/disk_fixture.hpp>

#include <map>

using namespace lockstep;
using namespace sync_test;

namespace {

using packs = storage::pack_files<files>;
using chunk_list = std::vector<std::pair<content_hash, shared_bytes>>;

shared_bytes chunk_of(std::uint64_t n, std::size_t bytes) {
    std::string text = "chunk " + std::to_string(n) + " ";
    while (text.size() < bytes) text += std::to_string(text.size() * n);
    return shared_bytes::copy_of(text);
}

chunk_list batch(std::uint64_t from, std::size_t count) {
    chunk_list out;
    for (std::size_t i = 0; i < count; ++i) {
        auto chunk = chunk_of(from + i, 500 + 37 * (from + i) % 1000);
        out.emplace_back(sha256(chunk.view()), chunk);
    }
    return out;
}

struct pack_world : disk_world {
    explicit pack_world(std::uint64_t seed = 1) : disk_world(seed) { make_durable(); }

    packs make() { return packs(fs(), "/s/chunks", 4000); }
    /// Everything that a new start finds, read and compared.
    std::set<content_hash> found() {
        auto store = make();
        auto opened = store.open();
        REQUIRE_FALSE(opened.error.code);
        std::set<content_hash> good;
        typename storage::chunk_reader<files>::located all{"/s/chunks", {}};
        for (const auto& chunk : opened.chunks) all.chunks.emplace_back(chunk);
        storage::chunk_reader<files> reader(fs(), all);
        for (std::size_t i = 0; i < all.chunks.size(); ++i)
            if (reader.read(i)) good.insert(all.chunks[i]->hash);
        return good;
    }
};

/// Three batches, over the end of a pack; those that were acknowledged.
std::vector<content_hash> run(pack_world& w) {
    std::vector<content_hash> stored;
    auto store = w.make();
    if (store.open().error.code) return stored;
    for (const auto& [from, count] : {std::pair{1u, 5u}, std::pair{10u, 4u}, std::pair{20u, 6u}}) {
        const auto chunks = batch(from, count);
        if (!store.append(chunks)) return stored;
        for (const auto& chunk : chunks) stored.push_back(chunk.first);
    }
    return stored;
}

}  // namespace

TEST_CASE("chunks that were stored are found by the next start, over the ends of packs") {
    pack_world w;
    const auto stored = run(w);
    REQUIRE(stored.size() == 15);
    CHECK(w.found() == std::set<content_hash>(stored.begin(), stored.end()));
    CHECK(w.disk().find("/s/chunks")->entries.size() > 1);
    // And it goes on from there.
    auto again = w.make();
    REQUIRE_FALSE(again.open().error.code);
    REQUIRE(again.append(batch(40, 2)).has_value());
    CHECK(w.found().size() == 17);
}

TEST_CASE("killed before any call, all that was acknowledged is there and whole") {
    pack_world whole;
    const auto first = whole.box().calls();
    run(whole);
    const auto calls = whole.box().calls() - first;
    REQUIRE(calls > 15);
    for (const crash_kind how : {crash_kind::process, crash_kind::power})
        for (std::uint64_t n = 1; n <= calls; ++n) {
            INFO((how == crash_kind::power ? "power, call " : "process, call ") << n);
            pack_world w(n);
            w.box().crash_at_call(n, how);
            const auto stored = run(w);
            w.restart();
            const auto found = w.found();
            for (const auto& hash : stored) CHECK(found.contains(hash));
            // What is left of an unfinished write is in nobody's way.
            auto again = w.make();
            REQUIRE_FALSE(again.open().error.code);
            REQUIRE(again.append(batch(40, 3)).has_value());
            const auto after = w.found();
            for (const auto& hash : stored) CHECK(after.contains(hash));
            for (const auto& chunk : batch(40, 3)) CHECK(after.contains(chunk.first));
        }
}

TEST_CASE("a full disk refuses a batch and takes it later, any other failure is the end") {
    pack_world whole;
    const auto first = whole.box().calls();
    run(whole);
    const auto calls = whole.box().calls() - first;
    for (std::uint64_t n = 1; n <= calls; ++n) {
        INFO("call " << n);
        pack_world w(n);
        auto store = w.make();
        REQUIRE_FALSE(store.open().error.code);
        REQUIRE(store.append(batch(1, 5)).has_value());
        w.box().fail_at_call(n, errc::no_space, [](sim::fs_call c) { return c == sim::fs_call::write; });
        const auto refused = store.append(batch(10, 4));
        w.box().fail_at_call(0, errc::no_space);
        if (refused) continue;
        REQUIRE(refused.error() == errc::no_space);
        REQUIRE(store.append(batch(10, 4)).has_value());
        CHECK(w.found().size() == 9);
    }
}

TEST_CASE("a chunk that rotted is not given, and all others are") {
    pack_world w;
    const auto stored = run(w);
    for (const auto& [name, inode] : w.disk().find("/s/chunks")->entries) {
        auto& bytes = inode->content;
        bytes[bytes.size() / 2] = static_cast<std::byte>(std::to_integer<int>(bytes[bytes.size() / 2]) ^ 1);
    }
    const auto packs_damaged = w.disk().find("/s/chunks")->entries.size();
    const auto found = w.found();
    CHECK(found.size() >= stored.size() - packs_damaged);
    CHECK(found.size() < stored.size());
}
