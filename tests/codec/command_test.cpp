#include <lockstep/base/endian.hpp>
#include <lockstep/codec/command.hpp>

#include <tests/codec/hostile.hpp>
#include <tests/codec/values.hpp>

using namespace lockstep;
using namespace lockstep::codec_test;

namespace {

folder::command example() {
    folder::command c;
    c.session = {node_id(1), 2};
    c.sequence = 3;
    c.what = folder::operation::write;
    c.entry = {{node_id(4), 5}, 6};
    c.where = {{{node_id(7), 8}, 9}, "b"};
    c.path = "a/b";
    c.content_base = log_index(10);
    c.placement_base = log_index(11);
    c.type = folder::entry_type::symlink;
    c.mode = 0640;
    c.mtime_ns = -2;
    for (std::size_t i = 0; i < c.hash.bytes.size(); ++i) c.hash.bytes[i] = static_cast<std::uint8_t>(0xa0 + i);
    c.size = 5;
    c.content = shared_bytes::copy_of("hello");
    return c;
}

}  // namespace

TEST_CASE("a command's bytes are those that the format's page shows") {
    const auto golden = from_hex("01"
                                 "0100000000000000 0200000000000000 0300000000000000"
                                 "02"
                                 "0400000000000000 0500000000000000 0600000000000000"
                                 "0700000000000000 0800000000000000 0900000000000000"
                                 "01000000 62"
                                 "03000000 612f62"
                                 "0a00000000000000 0b00000000000000"
                                 "03 a0010000 feffffffffffffff"
                                 "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
                                 "0500000000000000"
                                 "05000000 68656c6c6f");
    CHECK(hex(encode_command(example()).view()) == hex(golden.view()));
    const auto decoded = decode_command(golden);
    REQUIRE(decoded.has_value());
    CHECK(*decoded == example());
}

TEST_CASE("every command comes back as it was") {
    values v(11);
    for (int round = 0; round < 2000; ++round) {
        const auto command = v.command();
        const auto decoded = decode_command(encode_command(command));
        REQUIRE(decoded.has_value());
        REQUIRE(*decoded == command);
    }
}

TEST_CASE("a command's content is shared with the bytes it came from, not copied") {
    auto command = example();
    command.content = shared_bytes(byte_buffer(4u << 20, std::byte{7}));
    const auto bytes = encode_command(command);
    const auto before = bytes_allocated();
    const auto decoded = decode_command(bytes);
    const auto taken = bytes_allocated() - before;
    REQUIRE(decoded.has_value());
    CHECK(decoded->content == command.content);
    CHECK(shares(decoded->content, bytes));
    CHECK(taken < 1024);
}

TEST_CASE("a command that is cut off, damaged or newer is refused, or is what its bytes say") {
    torture(encode_command(example()), decode_command, encode_command, 2);
    values v(12);
    for (int round = 0; round < 3; ++round) torture(encode_command(v.command(20)), decode_command, encode_command, 2);
}

TEST_CASE("random bytes are no danger to the decoder of commands") {
    values v(13);
    for (int round = 0; round < 20; ++round)
        fuzz(v.random(), encode_command(v.command()), 2000, decode_command, encode_command);
}

TEST_CASE("a command with an operation or a type that nobody defined is corrupt") {
    const auto good = encode_command(example());
    const auto with = [&](std::size_t at, unsigned value) {
        byte_buffer bytes(good.view().begin(), good.view().end());
        bytes[at] = static_cast<std::byte>(value);
        return decode_command(shared_bytes(std::move(bytes))).error();
    };
    const std::size_t operation = 25;
    const std::size_t type = 102;
    CHECK(with(operation, 6) == error_code());
    CHECK(with(operation, 7) == errc::corrupt);
    CHECK(with(type, 1) == error_code());
    CHECK(with(type, 0) == errc::corrupt);
    CHECK(with(type, 4) == errc::corrupt);
}

TEST_CASE("a length that a command cannot hold is refused before anything is allocated") {
    auto command = example();
    command.content = {};
    const auto good = encode_command(command);
    byte_buffer bytes(good.view().begin(), good.view().end());
    store_le(bytes.data() + bytes.size() - 4, std::uint32_t{64u << 20});
    shared_bytes beyond_end(bytes);
    store_le(bytes.data() + bytes.size() - 4, std::uint32_t{0xffffffffu});
    shared_bytes beyond_bound(bytes);

    // Here the bytes are there, yet more than a text may have.
    command.path = std::string((64u << 10) + 1, 'p');
    const auto too_long = encode_command(command);

    const auto before = bytes_allocated();
    const auto first = decode_command(beyond_end);
    const auto second = decode_command(beyond_bound);
    const auto third = decode_command(too_long);
    CHECK(bytes_allocated() - before < 4096);
    CHECK(first.error() == errc::truncated);
    CHECK(second.error() == errc::too_large);
    CHECK(third.error() == errc::too_large);
}
