#include <tests/catch.hpp>

#include <lockstep/base/random.hpp>
#include <lockstep/content/manifest.hpp>

#include <map>
#include <set>
#include <string>

using namespace lockstep;
using namespace lockstep::content;

namespace {

std::vector<chunk_ref> chunks(std::size_t count, std::uint64_t seed) {
    random_generator next(seed);
    std::vector<chunk_ref> out(count);
    for (auto& ref : out) {
        for (auto& b : ref.hash.bytes) b = static_cast<std::uint8_t>(next());
        ref.bytes = static_cast<std::uint32_t>(1 + next.below(chunk_bytes_max));
    }
    return out;
}

/// All chunks that a manifest speaks of, read through its pieces.
std::vector<chunk_ref> expanded(const built_manifest& built) {
    if (built.what.level == 1) return built.what.refs;
    std::map<content_hash, byte_view> stored;
    for (const auto& piece : built.pieces) stored[piece.ref.hash] = byte_view(piece.bytes);
    std::vector<chunk_ref> all;
    for (const auto& ref : built.what.refs) {
        const auto piece = decode_piece(stored.at(ref.hash));
        REQUIRE(bool(piece));
        all.insert(all.end(), piece->begin(), piece->end());
    }
    return all;
}

}  // namespace

TEST_CASE("a manifest names all chunks in order, through pieces where they are many") {
    const std::size_t counts[] = {0, 1, refs_direct_max, refs_direct_max + 1, piece_refs_max, 70'000};
    for (const std::size_t count : counts) {
        const auto list = chunks(count, count);
        const auto built = build_manifest(list);
        REQUIRE(bool(built));
        std::uint64_t bytes = 0;
        for (const auto& ref : list) bytes += ref.bytes;
        CHECK(built->what.bytes == bytes);
        CHECK(built->what.level == (count <= refs_direct_max ? 1 : 2));
        CHECK(built->what.refs.size() < 300);
        CHECK(well_formed(built->what));
        CHECK(expanded(*built) == list);
        const auto again = decode_manifest(encode(built->what));
        REQUIRE(bool(again));
        CHECK(*again == built->what);
        for (const auto& piece : built->pieces) {
            CHECK(piece.bytes.size() <= chunk_bytes_max);
            CHECK(piece.ref.hash == sha256(byte_view(piece.bytes)));
        }
    }
}

TEST_CASE("a chunk more or less makes few new pieces of the list") {
    const auto before = chunks(60'000, 1);
    std::set<content_hash> known;
    const auto first = build_manifest(before);
    for (const auto& ref : first->what.refs) known.insert(ref.hash);
    for (std::size_t at : {std::size_t{0}, std::size_t{31'000}, std::size_t{59'999}}) {
        auto after = before;
        after.insert(after.begin() + static_cast<std::ptrdiff_t>(at), chunks(1, 99).front());
        const auto second = build_manifest(after);
        std::size_t fresh = 0;
        for (const auto& ref : second->what.refs) fresh += !known.contains(ref.hash);
        CHECK(fresh >= 1);
        CHECK(fresh <= 4);
    }
}

TEST_CASE("what is no list of chunks is refused") {
    const auto good = encode_piece(chunks(3, 2));
    CHECK(bool(decode_piece(good)));
    CHECK_FALSE(bool(decode_piece({})));
    for (std::size_t size = 1; size < good.size(); ++size)
        CHECK(bool(decode_piece(byte_view(good).first(size))) == (size % encoded_ref_bytes == 0));
    auto none = good;
    for (std::size_t i = 32; i < 36; ++i) none[i] = std::byte{0};
    CHECK_FALSE(bool(decode_piece(none)));
    auto large = good;
    large[35] = std::byte{1};
    CHECK_FALSE(bool(decode_piece(large)));
    CHECK_FALSE(bool(decode_piece(byte_buffer((piece_refs_max + 1) * encoded_ref_bytes, std::byte{1}))));
}

TEST_CASE("a manifest that nobody can have built is not well formed") {
    const auto direct = build_manifest(chunks(5, 3))->what;
    auto m = direct;
    m.bytes += 1;
    CHECK_FALSE(well_formed(m));
    m = direct;
    m.level = 3;
    CHECK_FALSE(well_formed(m));
    m = direct;
    m.refs.resize(refs_direct_max + 1, m.refs.front());
    CHECK_FALSE(well_formed(m));
    m = direct;
    m.refs[0].bytes = 0;
    CHECK_FALSE(well_formed(m));
    m = build_manifest(chunks(1000, 4))->what;
    CHECK(well_formed(m));
    m.refs[0].bytes += 1;
    CHECK_FALSE(well_formed(m));
    m.refs.clear();
    CHECK_FALSE(well_formed(m));
}

TEST_CASE("a manifest's bytes are the ones that are specified") {
    manifest m;
    m.bytes = 0x010203;
    m.refs.resize(2);
    m.refs[0].hash.bytes.fill(0xaa);
    m.refs[0].bytes = 0x010000;
    m.refs[1].hash.bytes.fill(0xbb);
    m.refs[1].bytes = 0x0203;
    const std::string expected = std::string("\1\1\3\2\1\0\0\0\0\0\2\0\0\0", 14) + std::string(32, '\xaa') +
                                 std::string("\0\0\1\0", 4) + std::string(32, '\xbb') + std::string("\3\2\0\0", 4);
    CHECK(as_text(byte_view(encode(m))) == expected);
}

TEST_CASE("bytes that are no manifest are refused, whatever is wrong with them") {
    for (const std::size_t count : {std::size_t{0}, std::size_t{3}, std::size_t{1000}}) {
        const auto good = encode(build_manifest(chunks(count, 7))->what);
        REQUIRE(bool(decode_manifest(good)));
        const std::size_t step = count > 100 ? 7 : 1;
        for (std::size_t size = 0; size < good.size(); size += step)
            CHECK(decode_manifest(byte_view(good).first(size)).error() == errc::corrupt);
        auto longer = good;
        longer.push_back(std::byte{0});
        CHECK(decode_manifest(longer).error() == errc::corrupt);
        auto newer = good;
        newer[0] = std::byte{2};
        CHECK(decode_manifest(newer).error() == errc::newer_format);
        auto none = good;
        none[0] = std::byte{0};
        CHECK(decode_manifest(none).error() == errc::corrupt);
        auto level = good;
        level[1] = std::byte{3};
        CHECK(decode_manifest(level).error() == errc::corrupt);
        auto many = good;
        many[13] = std::byte{0xff};
        CHECK(decode_manifest(many).error() == errc::corrupt);
    }
    auto sum = encode(build_manifest(chunks(3, 7))->what);
    sum[2] ^= std::byte{1};
    CHECK(decode_manifest(sum).error() == errc::corrupt);
}
