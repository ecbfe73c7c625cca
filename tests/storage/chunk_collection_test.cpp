#include <tests/catch.hpp>

#include <tests/storage/chunk_store_fixture.hpp>

#include <filesystem>

using namespace lockstep;
using namespace lockstep::testing;
namespace files = std::filesystem;

namespace {

/// Runs a collection step by step; `between` is called before each job with its number.
template <class F>
std::optional<storage_error> collect_with(chunk_store_fixture& f, const std::vector<std::uint64_t>& live, F between) {
    std::vector<content_hash> hashes;
    for (const auto number : live) hashes.push_back(made_chunk(number).hash);
    std::sort(hashes.begin(), hashes.end());
    std::optional<storage_error> answer;
    f.loop().hold(lane::chunks);
    f.store().collect(hashes, [&](storage::collection_report report, storage_error error) {
        f.collected = report;
        answer = error;
    });
    for (int job = 0; !answer && job < 1000; ++job) {
        while (f.loop().jobs_waiting(lane::chunks) == 0 && f.loop().run_one()) {}
        if (answer || f.loop().jobs_waiting(lane::chunks) == 0) break;
        between(job);
        f.loop().run_one_job(lane::chunks);
    }
    f.loop().hold(lane::chunks, false);
    f.loop().run_until_idle();
    return answer;
}

}  // namespace

TEST_CASE("a collection removes dead packs, empties those that are mostly dead, and leaves the others") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 17).code);
    const auto before = f.store().bytes();
    // Pack 1: dead. 2: one of four. 3: three of four. 4: all. 5: appended to.
    REQUIRE_FALSE(f.collect({6, 9, 10, 11, 13, 14, 15, 16}).code);
    CHECK(f.collected.packs_removed == 2);
    CHECK(f.collected.chunks_copied == 1);
    CHECK(f.collected.dropped_bytes == 2 * (64 + 4 * 1064));
    CHECK(f.store().bytes() == before - 2 * (64 + 4 * 1064) + 1064);
    for (int start = 0; start < 2; ++start) {
        for (const std::uint64_t n : {6u, 9u, 10u, 11u, 13u, 14u, 15u, 16u}) CHECK(f.reads(n));
        for (const std::uint64_t n : {1u, 2u, 3u, 4u, 5u, 7u, 8u}) CHECK_FALSE(f.has(n));
        for (const std::uint64_t n : {1u, 2u}) {
            CHECK_FALSE(files::exists(f.pack(n)));
            CHECK_FALSE(files::exists(f.index(n)));
        }
        REQUIRE_FALSE(f.reopen().code);
    }
    REQUIRE_FALSE(f.put_made(1, 4).code);
    for (const std::uint64_t n : {1u, 2u, 3u, 4u}) CHECK(f.reads(n));
}

TEST_CASE("what is used in any way while a collection runs survives it, whichever of its steps that comes between") {
    // Uses of a chunk that is not live by the roots of the collection.
    for (const int use : {0, 1, 2}) {
        for (int at = 0;; ++at) {
            chunk_store_fixture f;
            REQUIRE_FALSE(f.put_made(1, 9).code);
            bool reached = false, relied = false;
            const auto error = collect_with(f, {1, 9}, [&](int job) {
                if (job != at) return;
                reached = true;
                switch (use) {
                    case 0: relied = f.has(2); break;
                    case 1: relied = f.locate(2).found(0); break;
                    case 2:
                        f.store().put({made_chunk(2)}, [](storage_error e) { CHECK_FALSE(e.code); });
                        relied = true;
                        break;
                }
            });
            REQUIRE(error);
            CHECK_FALSE(error->code);
            INFO("use " << use << " before job " << at);
            CHECK(f.reads(1));
            CHECK(f.reads(9));
            if (relied) CHECK(f.reads(2));
            REQUIRE_FALSE(f.reopen().code);
            if (relied) CHECK(f.reads(2));
            if (!reached) {
                CHECK(at >= 4);
                break;
            }
        }
    }
}

TEST_CASE("a put that waits when a collection begins keeps its chunks, though nothing names them yet") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 9).code);
    f.loop().hold(lane::chunks);
    bool done = false;
    f.store().put({made_chunk(2), made_chunk(20)}, [&](storage_error e) { done = !e.code; });
    std::optional<storage_error> collected;
    f.store().collect({}, [&](storage::collection_report, storage_error e) { collected = e; });
    f.loop().hold(lane::chunks, false);
    f.loop().run_until_idle();
    CHECK(done);
    REQUIRE(collected);
    CHECK(f.reads(2));
    CHECK(f.reads(20));
    CHECK_FALSE(f.has(1));
}

TEST_CASE("between a collection's beginning and its roots, what is put or found is kept; after its end it is not") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 9).code);
    REQUIRE(f.store().begin_collection());
    CHECK(f.has(3));
    REQUIRE_FALSE(f.put({made_chunk(4)}).code);
    REQUIRE_FALSE(f.collect({}).code);
    CHECK(f.collected.packs_removed == 2);
    CHECK(f.collected.chunks_copied == 2);
    CHECK(f.reads(9));
    CHECK(f.reads(3));
    CHECK(f.reads(4));
    REQUIRE_FALSE(f.reopen().code);
    REQUIRE_FALSE(f.put_made(30, 36).code);
    REQUIRE_FALSE(f.collect({}).code);
    CHECK_FALSE(f.has(3));
}

TEST_CASE("a second collection is refused while one runs, and it cannot begin either") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 9).code);
    int refused = 0;
    const auto error = collect_with(f, {}, [&](int) {
        CHECK_FALSE(f.store().begin_collection());
        f.store().collect({}, [&](storage::collection_report, storage_error e) { refused += e.code == errc::busy; });
    });
    REQUIRE(error);
    CHECK_FALSE(error->code);
    CHECK(refused > 2);
}

TEST_CASE("what was located stays readable for as long as it is held, and its pack goes afterwards") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 9).code);
    auto where = std::make_optional(f.locate(2));
    REQUIRE_FALSE(f.collect({}).code);
    CHECK_FALSE(f.has(2));
    CHECK(files::exists(f.pack(1)));
    CHECK_FALSE(files::exists(f.pack(2)));
    CHECK(*f.read(*where) == made_chunk(2).bytes);
    const auto copy = *where;
    where.reset();
    REQUIRE_FALSE(f.put_made(20, 20).code);
    CHECK(files::exists(f.pack(1)));
    CHECK(*f.read(copy) == made_chunk(2).bytes);
}

TEST_CASE("a pack that was still read when it was collected is removed at the next put") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 9).code);
    {
        const auto where = f.locate(2);
        REQUIRE_FALSE(f.collect({}).code);
        CHECK(files::exists(f.pack(1)));
    }
    REQUIRE_FALSE(f.put_made(20, 20).code);
    f.loop().run_until_idle();
    CHECK_FALSE(files::exists(f.pack(1)));
    CHECK(f.store().bytes() == 64 + 2 * 1064);
}

TEST_CASE("a full disk while live chunks are copied keeps the pack they are in, and frees the others") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 13).code);
    storage_error told;
    bool failed = false;
    const auto error = collect_with(f, {1}, [&](int job) {
        if (job != 1) return;   // 0 looked at pack 1, 1 copies
        f.files().fail_at(f.files().calls() + 3, errc::no_space, 100);
        failed = true;
    });
    REQUIRE(failed);
    REQUIRE(error);
    CHECK(error->code == errc::no_space);
    CHECK(f.store().works());
    CHECK(f.reads(1));
    CHECK(files::exists(f.pack(1)));
    CHECK_FALSE(files::exists(f.pack(2)));
    REQUIRE_FALSE(f.collect({1}).code);
    CHECK_FALSE(files::exists(f.pack(1)));
    CHECK(f.reads(1));
}

TEST_CASE("a live chunk that is found damaged when it would be copied is not there any more, and not copied") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 9).code);
    auto bytes = slurp(f.pack(1));
    bytes[64 + 64 + 10] ^= 1;
    spit(f.pack(1), bytes);
    REQUIRE_FALSE(f.collect({1}).code);
    CHECK_FALSE(f.has(1));
    CHECK(f.store().status().damaged == 1);
    CHECK(f.collected.chunks_copied == 0);
    CHECK(f.collected.chunks_damaged == 1);   // its owner has to know: it may be that of an edit nobody else has yet
    REQUIRE_FALSE(f.put_made(1, 1).code);
    CHECK(f.reads(1));
}

TEST_CASE("a pack that is damaged, and has no index to tell what stood there, is left alone") {
    chunk_store_fixture f;
    // Synced together: none of their records says that those before it were durable.
    REQUIRE_FALSE(f.put({made_chunk(1), made_chunk(2), made_chunk(3), made_chunk(4)}).code);
    REQUIRE_FALSE(f.put_made(5, 9).code);
    files::remove(f.index(1));
    auto bytes = slurp(f.pack(1));
    bytes[64 + 1064 + 64 + 10] ^= 1;
    spit(f.pack(1), bytes);
    CHECK(f.collect({5, 6, 7, 8}).code == errc::corrupt);
    CHECK(files::exists(f.pack(1)));
    CHECK(f.reads(1));
    CHECK(f.has(2));
    CHECK_FALSE(f.reads(2));
    CHECK(f.reads(3));
}

TEST_CASE("a crash at any call of a collection loses no live chunk") {
    for (std::uint64_t at = 1;; ++at) {
        chunk_store_fixture f;
        REQUIRE_FALSE(f.put_made(1, 13).code);
        f.files().crash_at(f.files().calls() + at, at % 100);
        (void)f.collect({1, 2, 6, 7, 8, 12});
        const bool crashed = f.files().crashed();
        INFO("call " << at);
        REQUIRE_FALSE(f.reopen().code);
        CHECK(f.report.damaged == 0);
        for (const std::uint64_t n : {1u, 2u, 6u, 7u, 8u, 12u, 13u}) CHECK(f.reads(n));
        REQUIRE_FALSE(f.collect({1, 2, 6, 7, 8, 12}).code);
        for (const std::uint64_t n : {1u, 2u, 6u, 7u, 8u, 12u}) CHECK(f.reads(n));
        if (!crashed) {
            CHECK(at > 15);
            break;
        }
    }
}
