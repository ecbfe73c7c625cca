#include <tests/catch.hpp>

#include <lockstep/base/random.hpp>
#include <lockstep/content/manifest.hpp>

#include <map>
#include <set>

using namespace lockstep;
using namespace lockstep::content;

namespace {

std::vector<chunk_ref> chunks(std::size_t count, std::uint64_t seed) {
    random_generator next(seed);
    std::vector<chunk_ref> out(count);
    for (auto& ref : out) {
        for (auto& b : ref.hash.bytes) b = static_cast<std::uint8_t>(next());
        ref.bytes = static_cast<std::uint32_t>(chunking{}.min + next.below(chunk_bytes_max - chunking{}.min));
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
    for (std::size_t count : {std::size_t{0}, std::size_t{1}, refs_direct_max, refs_direct_max + 1, piece_refs_max,
                              std::size_t{70'000}}) {
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

TEST_CASE("a manifest comes out as it went in, and anything else is refused") {
    for (const std::size_t count : {0u, 1u, 64u, 65u, 5000u}) {
        std::vector<chunk_ref> chunks;
        for (std::size_t i = 0; i < count; ++i) {
            chunk_ref ref;
            ref.hash = sha256(as_bytes(std::to_string(i)));
            ref.bytes = static_cast<std::uint32_t>(1 + i);
            chunks.push_back(ref);
        }
        const auto built = build_manifest(chunks);
        REQUIRE(built.has_value());
        const byte_buffer bytes = encode(built->what);
        CHECK(bytes.size() == 9 + built->what.refs.size() * encoded_ref_bytes);
        const auto back = decode_manifest(bytes);
        REQUIRE(back.has_value());
        CHECK(*back == built->what);
        for (std::size_t cut = 0; cut < std::min<std::size_t>(bytes.size(), 100); ++cut)
            if ((cut != 9 || count != 0) && (built->what.level == 1 || cut <= 9 || (cut - 9) % encoded_ref_bytes != 0)) CHECK_FALSE(decode_manifest(byte_view(bytes).first(cut)).has_value());
        byte_buffer wrong = bytes;
        wrong[0] = std::byte{3};
        CHECK_FALSE(decode_manifest(wrong).has_value());
        if (count == 0 || built->what.level == 2) continue;
        wrong = bytes;
        wrong[1] = static_cast<std::byte>(std::to_integer<int>(wrong[1]) ^ 1);   // another size of the content
        CHECK_FALSE(decode_manifest(wrong).has_value());
    }
}
