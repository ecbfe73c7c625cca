#include <tests/catch.hpp>

#include <tests/storage/chunk_store_fixture.hpp>

#include <algorithm>
#include <array>
#include <filesystem>

using namespace lockstep;
using namespace lockstep::testing;
using storage::named_chunk;
namespace files = std::filesystem;

TEST_CASE("chunks that were put read back, also after a start, which reads only the indexes and the last pack") {
    chunk_store_fixture f;
    CHECK_FALSE(f.has(1));
    REQUIRE_FALSE(f.put_made(1, 10).code);
    for (int start = 0; start < 3; ++start) {
        for (std::uint64_t i = 1; i <= 10; ++i) CHECK(f.reads(i));
        CHECK_FALSE(f.has(11));
        CHECK(f.store().status().chunks == 10);
        CHECK(f.store().status().chunk_bytes == 10'000);
        CHECK(f.store().status().packs == 3);
        CHECK(f.store().bytes() == 3 * 64 + 10 * 1064);
        REQUIRE_FALSE(f.reopen().code);
        CHECK(f.report.packs == 3);
        CHECK(f.report.packs_scanned == 1);
        CHECK(f.report.damaged == 0);
        CHECK(f.report.torn_bytes == 0);
    }
    // The last pack is gone on with.
    REQUIRE_FALSE(f.put_made(11, 12).code);
    CHECK(f.store().status().packs == 3);
    REQUIRE_FALSE(f.put_made(13, 13).code);
    CHECK(f.store().status().packs == 4);
    CHECK(files::exists(f.index(3)));
}

TEST_CASE("puts that arrive while one is written share the next write and sync, and a chunk is written once") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 1).code);
    f.loop().hold(lane::chunks);
    int done = 0;
    for (int i = 0; i < 2; ++i)
        for (const std::uint64_t n : {2u, 3u, 1u, 2u, 3u})
            f.store().put({made_chunk(n), made_chunk(n)}, [&](storage_error e) { done += !e.code; });
    CHECK(f.store().status().queued_bytes == 20'000);
    const auto writes = f.files().writes();
    const auto syncs = f.files().syncs();
    f.loop().hold(lane::chunks, false);
    f.loop().run_until_idle();
    CHECK(done == 10);
    CHECK(f.files().writes() - writes == 2);
    CHECK(f.files().syncs() - syncs == 2);
    CHECK(f.store().status().chunks == 3);
    CHECK(f.store().status().queued_bytes == 0);
    CHECK(f.store().bytes() == 64 + 3 * 1064);
    // What is there costs no call at all.
    const auto calls = f.files().calls();
    CHECK_FALSE(f.put({made_chunk(1), made_chunk(3)}).code);
    CHECK(f.files().calls() == calls);
}

TEST_CASE("what cannot be put is refused: empty, too large, too much at once") {
    chunk_store_fixture f;
    CHECK(f.put({named_chunk{}}).code == errc::invalid_argument);
    CHECK(f.put({made_chunk(1, storage::pack_format::chunk_bytes_max + 1)}).code == errc::too_large);
    CHECK(f.put(std::vector<named_chunk>(65, made_chunk(1, 1 << 18))).code == errc::too_large);
    CHECK(f.put({}).code == error_code());
    REQUIRE_FALSE(f.put({made_chunk(1, 1), made_chunk(2, 1 << 18), made_chunk(3)}).code);
    REQUIRE_FALSE(f.reopen().code);
    CHECK(f.store().status().chunks == 3);
}

TEST_CASE("a full disk fails a put and loses nothing; when there is room again the next put succeeds") {
    for (const std::size_t torn : {0u, 1u, 63u, 64u, 500u, 1064u}) {
        // Writing records; removing, making and writing an index; making a pack; writing its header and its records.
        for (const std::uint64_t call : {1u, 3u, 4u, 5u, 8u, 9u, 12u}) {
            chunk_store_fixture f;
            REQUIRE_FALSE(f.put_made(1, 3).code);
            f.files().fail_at(f.files().calls() + call, errc::no_space, torn);
            const auto error = f.put({made_chunk(4), made_chunk(5), made_chunk(6)});
            INFO("torn " << torn << " call " << call << " " << error.detail);
            const bool index_only = call >= 3 && call <= 5;
            CHECK(error.code == (index_only ? error_code() : make_error_code(errc::no_space)));
            REQUIRE(f.store().works());
            CHECK(f.has(4) == (call != 1));
            REQUIRE_FALSE(f.put({made_chunk(5), made_chunk(7)}).code);
            for (const std::uint64_t n : {1u, 2u, 3u, 5u, 7u}) CHECK(f.reads(n));
            REQUIRE_FALSE(f.reopen().code);
            CHECK(f.report.damaged == 0);
            CHECK(f.report.torn_bytes == 0);
            for (const std::uint64_t n : {1u, 2u, 3u, 5u, 7u}) CHECK(f.reads(n));
        }
    }
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 3).code);
    f.files().fail_writes(errc::no_space);
    // Not even cutting works: then it is over, and nobody waits for room.
    CHECK(f.put({made_chunk(4)}).code == errc::io_error);
    CHECK_FALSE(f.store().works());
}

TEST_CASE("a full disk when an index is written costs the next start a look at the pack, and nothing else") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 4).code);
    // Seal: remove, create, write.
    f.files().fail_at(f.files().calls() + 3, errc::no_space);
    REQUIRE_FALSE(f.put_made(5, 5).code);
    CHECK_FALSE(files::exists(f.index(1)));
    REQUIRE_FALSE(f.reopen().code);
    CHECK(f.report.packs_scanned == 2);
    CHECK(files::exists(f.index(1)));
    for (std::uint64_t i = 1; i <= 5; ++i) CHECK(f.reads(i));
}

TEST_CASE("a failed write or sync is final: every later call fails with the first error, and touches nothing") {
    for (std::uint64_t at = 1; at <= 2; ++at) {
        chunk_store_fixture f;
        REQUIRE_FALSE(f.put_made(1, 2).code);
        f.files().fail_at(f.files().calls() + at, errc::io_error);
        std::vector<int> failed;
        for (int i = 3; i <= 5; ++i)
            f.store().put({made_chunk(static_cast<std::uint64_t>(i))}, [&, i](storage_error e) {
                CHECK(e.code == errc::io_error);
                CHECK(e.detail.find("pack-0000000000000001") != std::string::npos);
                failed.push_back(i);
            });
        f.loop().run_until_idle();
        CHECK(failed == std::vector<int>{3, 4, 5});
        const auto calls = f.files().calls();
        CHECK(f.put({made_chunk(6)}).code == errc::io_error);
        CHECK(f.collect({}).code == errc::io_error);
        CHECK_FALSE(f.has(1));
        CHECK_FALSE(f.locate(1).found(0));
        CHECK_FALSE(f.store().begin_collection());
        CHECK(f.files().calls() == calls);
        REQUIRE_FALSE(f.reopen().code);
        CHECK(f.reads(1));
        CHECK(f.reads(2));
    }
}

TEST_CASE("a crash at any call of an open is told, and the next open finds all") {
    for (std::uint64_t at = 1;; ++at) {
        chunk_store_fixture g;
        REQUIRE_FALSE(g.put_made(1, 9).code);
        files::remove(g.index(1));
        files::resize_file(g.pack(3), files::file_size(g.pack(3)) - 1);
        g.crash_next_open_at(at);
        const auto error = g.reopen();
        const bool crashed = g.files().crashed();
        if (crashed) {
            CHECK(error.code == errc::halted);
            CHECK_FALSE(error.detail.empty());
        }
        g.crash_next_open_at(0);
        REQUIRE_FALSE(g.reopen().code);
        for (std::uint64_t i = 1; i <= 8; ++i) CHECK(g.reads(i));
        CHECK_FALSE(g.has(9));
        if (!crashed) {
            CHECK(at > 20);
            break;
        }
    }
}

TEST_CASE("bit rot is found when a chunk is read; forgotten, it can be put again, and then the good copy holds") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 9).code);
    auto bytes = slurp(f.pack(1));
    bytes[64 + 1064 + 64 + 500] ^= 1;   // chunk 2
    spit(f.pack(1), bytes);
    const auto where = f.locate(2);
    CHECK(f.read(where).error() == errc::corrupt);
    CHECK(f.reads(1));
    CHECK(f.reads(3));
    CHECK(f.has(2));
    f.store().forget(where, 0);
    CHECK_FALSE(f.has(2));
    CHECK(f.store().status().damaged == 1);
    REQUIRE_FALSE(f.put_made(2, 2).code);
    CHECK(f.reads(2));
    // Who read the damaged one says so too late.
    f.store().forget(where, 0);
    CHECK(f.reads(2));
    CHECK(f.store().status().damaged == 1);
    REQUIRE_FALSE(f.reopen().code);
    for (std::uint64_t i = 1; i <= 9; ++i) CHECK(f.reads(i));
}

TEST_CASE("a chunk whose data are whole is read though the headers of its pack or record are not, or are another's") {
    for (const std::size_t place : {8u, 40u, 64u, 64u + 20u, 64u + 48u}) {
        chunk_store_fixture f;
        REQUIRE_FALSE(f.put_made(1, 3).code);
        auto bytes = slurp(f.pack(1));
        bytes[place] ^= 1;
        spit(f.pack(1), bytes);
        CHECK(f.reads(1));
        bytes[128] ^= 1;
        spit(f.pack(1), bytes);
        CHECK(f.read(f.locate(1)).error() == errc::corrupt);
        CHECK(f.reads(2));
    }
}

TEST_CASE("a whole record of another chunk is not taken for the one that should stand there") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 1).code);
    auto bytes = slurp(f.pack(1));
    std::array<std::byte, 64> head;
    std::transform(bytes.begin(), bytes.begin() + 64, head.begin(), [](char c) { return static_cast<std::byte>(c); });
    const auto seed = storage::pack_format::pack_seed(*storage::pack_format::decode_header(head));
    byte_buffer record;
    storage::pack_format::append_record(record, 64, seed, 64, made_chunk(2).hash, made_chunk(2).bytes.view());
    std::transform(record.begin(), record.end(), bytes.begin() + 64, [](std::byte b) { return static_cast<char>(b); });
    spit(f.pack(1), bytes);
    CHECK(f.read(f.locate(1)).error() == errc::corrupt);
}

TEST_CASE("a put whose chunk turns out to be damaged while it waits writes it again") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 1).code);
    const auto where = f.locate(1);
    bool done = false;
    f.loop().hold(lane::chunks);
    f.store().put({made_chunk(1), made_chunk(2)}, [&](storage_error e) { done = !e.code; });
    f.store().forget(where, 0);
    f.loop().hold(lane::chunks, false);
    f.loop().run_until_idle();
    CHECK(done);
    CHECK(f.reads(1));
}

TEST_CASE("an answer may close the store") {
    chunk_store_fixture f;
    int answered = 0;
    for (std::uint64_t i = 1; i <= 3; ++i)
        f.store().put({made_chunk(i)}, [&](storage_error) {
            ++answered;
            f.store().close();
        });
    f.loop().run_until_idle();
    CHECK(answered == 1);
    CHECK_FALSE(f.has(1));
}
