#include <tests/catch.hpp>

#include <lockstep/content/chunker.hpp>

#include <algorithm>
#include <numeric>
#include <set>

using namespace lockstep;
using namespace lockstep::content;

namespace {

constexpr chunking usual;

byte_buffer noise(std::size_t bytes, std::uint64_t seed) {
    random_generator next(seed);
    byte_buffer out(bytes);
    for (auto& b : out) b = static_cast<std::byte>(next());
    return out;
}

/// The chunks, each as where it begins.
std::vector<byte_view> cut(byte_view bytes, const chunking& sizes = {}) {
    std::vector<byte_view> chunks;
    while (!bytes.empty()) {
        const std::size_t size = next_cut(bytes, sizes);
        chunks.push_back(bytes.first(size));
        bytes = bytes.subspan(size);
    }
    return chunks;
}

std::set<content_hash> names(byte_view bytes) {
    std::set<content_hash> out;
    for (const byte_view chunk : cut(bytes)) out.insert(sha256(chunk));
    return out;
}

/// Of the bytes of `after`, those in chunks that `before` does not have.
std::size_t bytes_new(byte_view before, byte_view after) {
    const auto known = names(before);
    std::size_t bytes = 0;
    for (const byte_view chunk : cut(after))
        if (!known.contains(sha256(chunk))) bytes += chunk.size();
    return bytes;
}

}  // namespace

TEST_CASE("chunks are within their bounds and about as large as they should be") {
    for (const chunking& sizes : {usual, chunking{64, 256, 1024}, chunking{16, 32, 200}, chunking{1, 16, 16}}) {
        REQUIRE(well_formed(sizes));
        const auto data = noise(std::size_t{sizes.average} * 512, 1);
        const auto chunks = cut(data, sizes);
        std::size_t outside = 0;
        for (std::size_t i = 0; i + 1 < chunks.size(); ++i)
            outside += chunks[i].size() < sizes.min || chunks[i].size() > sizes.max;
        CHECK(outside == 0);
        const double average = double(data.size()) / double(chunks.size());
        CHECK(average > 0.6 * sizes.average);
        CHECK(average < 1.5 * sizes.average);
    }
}

TEST_CASE("sizes that cannot be cut to are told from those that can") {
    CHECK(well_formed(chunking{}));
    CHECK_FALSE(well_formed(chunking{0, 64, 128}));
    CHECK_FALSE(well_formed(chunking{65, 64, 128}));
    CHECK_FALSE(well_formed(chunking{16, 64, 63}));
    CHECK_FALSE(well_formed(chunking{1, 8, 128}));
    CHECK_FALSE(well_formed(chunking{16, 64, chunk_bytes_max + 1}));
}

TEST_CASE("content that never varies is cut at the greatest size, and what is small is one chunk") {
    const byte_buffer zeros(1 << 20);
    for (const byte_view chunk : cut(zeros)) CHECK(chunk.size() == chunk_bytes_max);
    for (std::size_t size : {std::size_t{1}, std::size_t{usual.min - 1}, std::size_t{usual.min}})
        CHECK(cut(noise(size, 2)).size() == 1);
}

TEST_CASE("where it is cut depends on at most the greatest chunk that could follow") {
    const auto data = noise(4 << 20, 3);
    for (byte_view rest = data; rest.size() > chunk_bytes_max; rest = rest.subspan(next_cut(rest)))
        CHECK(next_cut(rest) == next_cut(rest.first(chunk_bytes_max)));
}

TEST_CASE("an edit anywhere makes few new chunks") {
    const auto before = noise(16 << 20, 4);
    random_generator next(5);
    for (int round = 0; round < 20; ++round) {
        auto after = before;
        const auto at = static_cast<std::ptrdiff_t>(next.below(before.size()));
        switch (round % 4) {
            case 0: after[static_cast<std::size_t>(at)] ^= std::byte{1}; break;
            case 1: after.insert(after.begin() + at, 100, std::byte{7}); break;
            case 2: {
                const auto end = std::min<std::ptrdiff_t>(at + 100, std::ssize(after));
                after.erase(after.begin() + at, after.begin() + end);
                break;
            }
            case 3: after.insert(after.end(), 100, std::byte{7}); break;
        }
        CHECK(bytes_new(before, after) <= 4 * chunk_bytes_max);
        CHECK(bytes_new(before, after) > 0);
    }
}

TEST_CASE("cuts stay where they are from one version of the program to the next") {
    const auto data = noise(1 << 20, 6);
    std::vector<std::size_t> sizes;
    for (const byte_view chunk : cut(data)) sizes.push_back(chunk.size());
    CHECK(sizes == std::vector<std::size_t>{20517, 26384, 49901, 66925, 65792, 68156, 85546, 65814, 143543, 102497,
                                            116517, 72743, 125975, 38266});
}
