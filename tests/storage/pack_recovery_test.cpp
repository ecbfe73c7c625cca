#include <tests/catch.hpp>

#include <lockstep/base/checksum.hpp>
#include <lockstep/base/endian.hpp>
#include <tests/storage/chunk_store_fixture.hpp>

#include <filesystem>

using namespace lockstep;
using namespace lockstep::testing;
namespace files = std::filesystem;

namespace {

constexpr std::size_t record = 1064;
constexpr std::size_t at_of(std::size_t nth) { return 64 + nth * record; }

void flip(const std::string& path, std::size_t at) {
    auto bytes = slurp(path);
    bytes.at(at) ^= 1;
    spit(path, bytes);
}

}  // namespace

TEST_CASE("an index that is missing, damaged, cut short or another pack's: the pack is read and gets a new one") {
    for (int how = 0; how < 5; ++how) {
        chunk_store_fixture f;
        REQUIRE_FALSE(f.put_made(1, 9).code);
        const auto good = slurp(f.index(1));
        switch (how) {
            case 0: files::remove(f.index(1)); break;
            case 1: flip(f.index(1), 100); break;
            case 2: files::resize_file(f.index(1), 60); break;
            case 3: files::copy_file(f.index(2), f.index(1), files::copy_options::overwrite_existing); break;
            case 4: spit(f.index(1), ""); break;
        }
        REQUIRE_FALSE(f.reopen().code);
        CHECK(f.report.packs_scanned == 2);
        CHECK(f.report.damaged == 0);
        for (std::uint64_t i = 1; i <= 9; ++i) CHECK(f.reads(i));
        CHECK(slurp(f.index(1)) == good);
    }
}

TEST_CASE("a pack shorter than its index says is read; what it still has is there") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 9).code);
    files::resize_file(f.pack(1), at_of(3) + 100);
    REQUIRE_FALSE(f.reopen().code);
    for (std::uint64_t i = 1; i <= 9; ++i) CHECK(f.has(i) == (i != 4));
}

TEST_CASE("a tail that was never finished is cut, wherever it ends, and the pack is gone on with") {
    for (std::size_t cut = 1; cut <= record; cut += cut < 70 ? 1 : 50) {
        chunk_store_fixture f;
        REQUIRE_FALSE(f.put_made(1, 3).code);
        files::resize_file(f.pack(1), at_of(3) - cut);
        REQUIRE_FALSE(f.reopen().code);
        CHECK(f.report.damaged == 0);
        CHECK(f.report.torn_bytes == (cut == record ? 0 : record - cut));
        CHECK(f.reads(1));
        CHECK(f.reads(2));
        CHECK_FALSE(f.has(3));
        REQUIRE_FALSE(f.put_made(4, 4).code);
        REQUIRE_FALSE(f.reopen().code);
        CHECK(f.report.torn_bytes == 0);
        CHECK(f.reads(4));
    }
}

TEST_CASE("damage in the middle costs the chunk that stood there, and is told by file, offset and name") {
    for (std::size_t byte = 0; byte < record; byte += byte < 70 ? 1 : 97) {
        chunk_store_fixture f;
        REQUIRE_FALSE(f.put_made(1, 4).code);
        flip(f.pack(1), at_of(1) + byte);
        REQUIRE_FALSE(f.reopen().code);
        INFO("byte " << byte);
        REQUIRE(f.report.damaged == 1);
        const std::string& said = f.report.damage.at(0);
        CHECK(said.find("pack-0000000000000001: at offset 1128") != std::string::npos);
        const bool named = said.find(made_chunk(2).hash.to_string()) != std::string::npos;
        CHECK(named == (byte >= 64));
        for (std::uint64_t i = 1; i <= 4; ++i) CHECK(f.has(i) == (i != 2));
        REQUIRE_FALSE(f.put_made(2, 2).code);
        REQUIRE_FALSE(f.put_made(5, 6).code);
        REQUIRE_FALSE(f.reopen().code);
        for (std::uint64_t i = 1; i <= 6; ++i) CHECK(f.reads(i));
    }
}

TEST_CASE("records written together of which only the later ones arrived are no damage") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 1).code);
    REQUIRE_FALSE(f.put({made_chunk(2), made_chunk(3)}).code);
    auto bytes = slurp(f.pack(1));
    std::fill_n(bytes.begin() + at_of(1), record, '\0');
    spit(f.pack(1), bytes);
    REQUIRE_FALSE(f.reopen().code);
    CHECK(f.report.damaged == 0);
    CHECK(f.reads(1));
    CHECK_FALSE(f.has(2));
    CHECK(f.reads(3));
}

TEST_CASE("a pack without a sound header is read by its index, or dropped and told") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 9).code);
    flip(f.pack(1), 30);
    REQUIRE_FALSE(f.reopen().code);
    CHECK(f.report.damaged == 0);
    for (std::uint64_t i = 1; i <= 9; ++i) CHECK(f.reads(i));
    files::remove(f.index(1));
    REQUIRE_FALSE(f.reopen().code);
    CHECK(f.report.damaged == 1);
    CHECK_FALSE(files::exists(f.pack(1)));
    for (std::uint64_t i = 1; i <= 9; ++i) CHECK(f.has(i) == (i > 4));
}

TEST_CASE("a pack that was never finished being made is dropped without a word, and an index without a pack too") {
    for (const std::size_t size : {0u, 1u, 63u, 64u}) {
        chunk_store_fixture f;
        REQUIRE_FALSE(f.put_made(1, 5).code);
        spit(f.pack(3), std::string(size, '\0'));
        spit(f.index(7), "left over");
        REQUIRE_FALSE(f.reopen().code);
        CHECK(f.report.damaged == 0);
        CHECK_FALSE(files::exists(f.pack(3)));
        CHECK_FALSE(files::exists(f.index(7)));
        REQUIRE_FALSE(f.put_made(6, 9).code);
        REQUIRE_FALSE(f.reopen().code);
        for (std::uint64_t i = 1; i <= 9; ++i) CHECK(f.reads(i));
    }
}

TEST_CASE("packs of a newer version are refused, and nothing is touched") {
    chunk_store_fixture f;
    REQUIRE_FALSE(f.put_made(1, 2).code);
    auto bytes = slurp(f.pack(1));
    bytes[16] = 2;
    const auto sum = checksum(as_bytes(bytes).subspan(16, 48));
    store_le(reinterpret_cast<std::byte*>(bytes.data()) + 8, sum);
    spit(f.pack(1), bytes);
    const auto error = f.reopen();
    CHECK(error.code == errc::newer_format);
    CHECK(error.detail.find("pack-0000000000000001") != std::string::npos);
    CHECK(slurp(f.pack(1)) == bytes);
}

TEST_CASE("a pack that is kept as content is never taken for one") {
    chunk_store_fixture f(storage::chunk_store_options{});
    REQUIRE_FALSE(f.put_made(1, 2).code);
    const std::string inner = slurp(f.pack(1));
    REQUIRE_FALSE(f.put({chunk_of(byte_buffer(as_bytes(inner).begin(), as_bytes(inner).end()))}).code);
    REQUIRE_FALSE(f.put_made(3, 3).code);
    // Its record's header is damaged, so that whoever looks for the next record looks through its data.
    flip(f.pack(1), at_of(2) + 20);
    REQUIRE_FALSE(f.reopen().code);
    CHECK(f.store().status().chunks == 3);
    for (std::uint64_t i = 1; i <= 3; ++i) CHECK(f.reads(i));
}
