#include <tests/catch.hpp>

#include <lockstep/content/cutter.hpp>

using namespace lockstep;
using namespace lockstep::content;

namespace {

byte_buffer noise(std::size_t bytes, std::uint64_t seed) {
    random_generator next(seed);
    byte_buffer out(bytes);
    for (auto& b : out) b = static_cast<std::byte>(next());
    return out;
}

struct cut_content {
    std::vector<chunk_ref> chunks;
    byte_buffer joined;
    content_hash whole;

    auto sink() {
        return [this](const chunk_ref& ref, byte_view bytes) {
            CHECK(ref.bytes == bytes.size());
            CHECK(ref.hash == sha256(bytes));
            chunks.push_back(ref);
            joined.insert(joined.end(), bytes.begin(), bytes.end());
        };
    }
};

/// Fed in pieces of at most `most` bytes; all of it at once for 0.
cut_content cut(cutter& with, byte_view bytes, std::size_t most, std::uint64_t seed = 1) {
    random_generator next(seed);
    cut_content out;
    while (!bytes.empty()) {
        const auto size = most == 0 ? bytes.size() : static_cast<std::size_t>(next.between(0, most));
        const byte_view piece = bytes.first(std::min(size, bytes.size()));
        with.feed(piece, out.sink());
        bytes = bytes.subspan(piece.size());
    }
    out.whole = with.finish(out.sink());
    return out;
}

}  // namespace

TEST_CASE("content is cut alike however it comes, and its chunks are all of it") {
    const chunking sizes{64, 256, 1024};
    cutter with(sizes);
    for (const std::size_t size : {0u, 1u, 63u, 64u, 1023u, 1024u, 1025u, 50'000u}) {
        const auto data = noise(size, size);
        std::vector<std::size_t> expected;
        for (byte_view rest = data; !rest.empty(); rest = rest.subspan(expected.back()))
            expected.push_back(next_cut(rest, sizes));
        for (const std::size_t most : {0u, 1u, 100u, 1024u, 5000u}) {
            const auto got = cut(with, data, most);
            CHECK(equal(got.joined, data));
            CHECK(got.whole == sha256(byte_view(data)));
            std::vector<std::size_t> found;
            for (const auto& ref : got.chunks) found.push_back(ref.bytes);
            CHECK(found == expected);
        }
    }
}

TEST_CASE("a cutter counts the bytes of the content at hand and starts anew behind its end") {
    cutter with;
    const auto data = noise(300'000, 5);
    std::size_t chunks = 0;
    const auto sink = [&](const chunk_ref&, byte_view) { ++chunks; };
    with.feed(data, sink);
    CHECK(with.bytes() == data.size());
    CHECK(chunks >= 1);
    with.finish(sink);
    CHECK(with.bytes() == 0);
    CHECK(with.finish(sink) == sha256({}));
}
