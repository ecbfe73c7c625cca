#include <lockstep/transport/frame.hpp>

#include <lockstep/base/checksum.hpp>
#include <lockstep/base/endian.hpp>
#include <lockstep/base/random.hpp>

#include <tests/catch.hpp>

#include <functional>

using namespace lockstep;
using namespace lockstep::framing;

namespace {

shared_bytes pattern(std::size_t count, unsigned seed) {
    byte_buffer bytes(count);
    for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>((i * 37 + i / 255 + seed) & 0xff);
    return shared_bytes(std::move(bytes));
}

byte_buffer joined(batch b) {
    byte_buffer all;
    for (const auto& part : b.take()) all.insert(all.end(), part.view().begin(), part.view().end());
    return all;
}

/// Feeds bytes to a reader in pieces whose sizes `next_size` draws; the frames that came out.
result<std::vector<frame>> feed(frame_reader& reader, byte_view bytes, const std::function<std::size_t()>& next_size) {
    std::vector<frame> out;
    for (;;) {
        for (;;) {
            auto next = reader.next();
            if (!next) return next.error();
            if (!*next) break;
            out.push_back(std::move(**next));
        }
        if (bytes.empty()) return out;
        const auto space = reader.space();
        REQUIRE_FALSE(space.empty());
        const std::size_t count = std::min({space.size(), bytes.size(), next_size()});
        std::copy_n(bytes.begin(), count, space.begin());
        reader.filled(count);
        bytes = bytes.subspan(count);
    }
}

const std::vector<std::size_t> sizes{0, 1, 15, 16, 17, 100, 2047, 2048, 2049, 16383, 16384, 16385, 65536, 300'000, 3};

}  // namespace

TEST_CASE("frames come out as they went in, however the stream is cut") {
    batch b;
    for (std::size_t i = 0; i < sizes.size(); ++i) b.add(frame_type::data, pattern(sizes[i], static_cast<unsigned>(i)));
    b.add(frame_type::ping);
    const std::size_t counted = b.bytes();
    const byte_buffer wire = joined(std::move(b));
    CHECK(wire.size() == counted);
    const auto check = [&](const std::function<std::size_t()>& next_size) {
        frame_reader reader(1 << 20);
        const auto frames = feed(reader, wire, next_size);
        REQUIRE(frames.has_value());
        REQUIRE(frames->size() == sizes.size() + 1);
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            REQUIRE((*frames)[i].type == frame_type::data);
            REQUIRE((*frames)[i].payload == pattern(sizes[i], static_cast<unsigned>(i)));
        }
        CHECK(frames->back().type == frame_type::ping);
        CHECK(frames->back().payload.empty());
    };
    for (const std::size_t piece : {1u, 2u, 3u, 7u, 15u, 16u, 17u, 4096u, 65535u, 65536u, 1u << 20}) {
        INFO(piece);
        check([piece] { return piece; });
    }
    random_generator random(1);
    for (int round = 0; round < 50; ++round) check([&] { return random.between(1, random.one_in(3) ? 40'000 : 30); });
}

TEST_CASE("a short stream of frames may be cut in two at every byte") {
    batch b;
    b.add(frame_type::data, pattern(20, 1));
    b.add(frame_type::data, pattern(0, 2));
    b.add(frame_type::data, pattern(5, 3));
    const byte_buffer wire = joined(std::move(b));
    for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
        INFO(cut);
        frame_reader reader(100);
        const byte_view bytes(wire);
        auto first = feed(reader, bytes.first(cut), [] { return std::size_t(1000); });
        auto rest = feed(reader, bytes.subspan(cut), [] { return std::size_t(1000); });
        REQUIRE((first && rest));
        CHECK(first->size() + rest->size() == 3);
    }
}

TEST_CASE("a byte that was damaged anywhere is found and its frame never comes out") {
    batch b;
    b.add(frame_type::data, pattern(40, 1));
    b.add(frame_type::data, pattern(17, 2));
    const byte_buffer wire = joined(std::move(b));
    for (std::size_t at = 0; at < wire.size(); ++at)
        for (unsigned bit = 0; bit < 8; ++bit) {
            INFO(at << " bit " << bit);
            byte_buffer damaged = wire;
            damaged[at] ^= static_cast<std::byte>(1u << bit);
            frame_reader reader(1 << 20);
            std::vector<frame> out;
            const auto frames = feed(reader, damaged, [] { return std::size_t(10); });
            CHECK(frames.error().failed());
        }
}

TEST_CASE("a length beyond the bound is refused before memory is taken for it") {
    const auto oversized = [](std::uint32_t length) {
        // A header that is right in itself.
        header h = make_header(frame_type::data, {});
        store_le(h.data(), length);
        store_le(h.data() + 6, static_cast<std::uint16_t>(checksum({h.data(), 6})));
        return byte_buffer(h.begin(), h.end());
    };
    frame_reader reader(1000);
    CHECK(feed(reader, oversized(1001), [] { return std::size_t(16); }).error() == errc::too_large);
    frame_reader other(1000);
    CHECK(feed(other, oversized(0xffffffffu), [] { return std::size_t(16); }).error() == errc::too_large);
    frame_reader fitting(1000);
    const auto none = feed(fitting, oversized(1000), [] { return std::size_t(16); });
    REQUIRE(none.has_value());
    CHECK(none->empty());
}

TEST_CASE("a frame of another version or of no known type is refused") {
    const auto with = [](std::size_t at, unsigned value) {
        header h = make_header(frame_type::data, {});
        h[at] = static_cast<std::byte>(value);
        store_le(h.data() + 6, static_cast<std::uint16_t>(checksum({h.data(), 6})));
        store_le(h.data() + 8, checksum({}, load_le<std::uint64_t>(h.data())));
        frame_reader reader(100);
        const auto frames = feed(reader, byte_buffer(h.begin(), h.end()), [] { return std::size_t(16); });
        return frames ? error_code() : frames.error();
    };
    CHECK(with(4, 1) == error_code());
    CHECK(with(4, 2) == errc::newer_format);
    CHECK(with(5, 0) == errc::corrupt);
    CHECK(with(5, 7) == errc::corrupt);
    CHECK(with(5, 6) == error_code());
}

TEST_CASE("a batch shares large payloads instead of copying them") {
    const shared_bytes large = pattern(100'000, 1);
    batch b;
    CHECK(b.empty());
    b.add(frame_type::data, pattern(10, 2));
    b.add(frame_type::data, large);
    b.add(frame_type::data, pattern(10, 3));
    b.add(frame_type::pong);
    const auto parts = b.take();
    REQUIRE(parts.size() == 3);
    CHECK(parts[1].data() == large.data());
    CHECK(b.empty());
    CHECK(b.take().empty());
}

TEST_CASE("the wire bytes of a frame are those that the format's page shows") {
    batch b;
    b.add(frame_type::data, shared_bytes::copy_of("lockstep"));
    const byte_buffer wire = joined(std::move(b));
    std::string hex;
    for (const auto byte : wire) {
        static constexpr char digits[] = "0123456789abcdef";
        hex += digits[std::to_integer<unsigned>(byte) >> 4];
        hex += digits[std::to_integer<unsigned>(byte) & 15];
    }
    CHECK(hex == "0800000001047c6e4e394032d994971e6c6f636b73746570");
}
