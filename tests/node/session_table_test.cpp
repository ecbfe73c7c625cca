#include <lockstep/node/session_table.hpp>

#include <tests/catch.hpp>

using namespace lockstep;

namespace {

using outcome = session_table::outcome;
constexpr node_id one{1}, two{2}, stranger{9};

numbered_command open(node_id origin, std::uint64_t replaces, std::uint64_t run = 7) {
    return {numbered_command::what::open, origin, log_index(replaces), run, {}};
}
numbered_command command(node_id origin, std::uint64_t session, std::uint64_t number) {
    return {numbered_command::what::command, origin, log_index(session), number, shared_bytes::copy_of("x")};
}

}  // namespace

TEST_CASE("commands of a session apply once, in the order of their numbers") {
    session_table table({one, two});
    CHECK(table.take(log_index(1), open(one, 0)) == outcome::opened);
    CHECK(table.session_of(one) == log_index(1));
    CHECK(table.take(log_index(2), command(one, 1, 1)) == outcome::next);
    CHECK(table.take(log_index(3), command(one, 1, 1)) == outcome::duplicate);
    CHECK(table.take(log_index(4), command(one, 1, 3)) == outcome::gap);
    CHECK(table.take(log_index(5), command(one, 1, 2)) == outcome::next);
    CHECK(table.take(log_index(6), command(one, 1, 3)) == outcome::next);
    CHECK(table.take(log_index(7), command(two, 1, 1)) == outcome::fenced);
}

TEST_CASE("without a session nothing applies, not even in session 0") {
    session_table table({one});
    CHECK(table.take(log_index(1), command(one, 0, 1)) == outcome::fenced);
    CHECK(table.session_of(one) == log_index{});
}

TEST_CASE("a new session fences the one before, and a delayed opening of an earlier run is refused") {
    session_table table({one});
    CHECK(table.take(log_index(3), open(one, 0, 7)) == outcome::opened);
    CHECK(table.take(log_index(5), open(one, 3, 8)) == outcome::opened);
    CHECK(table.take(log_index(6), command(one, 3, 1)) == outcome::fenced);
    CHECK(table.take(log_index(7), open(one, 0, 7)) == outcome::refused);
    CHECK(table.take(log_index(8), open(one, 3, 7)) == outcome::refused);
    CHECK(table.take(log_index(9), command(one, 5, 1)) == outcome::next);
}

TEST_CASE("who is no member opens nothing, so the table cannot grow") {
    session_table table({one});
    const auto before = table.digest(0);
    CHECK(table.take(log_index(1), open(stranger, 0)) == outcome::fenced);
    CHECK(table.take(log_index(2), command(stranger, 0, 1)) == outcome::fenced);
    CHECK(table.digest(0) == before);
}

TEST_CASE("the digest tells apart what is taken differently from now on") {
    session_table a({one}), b({one});
    a.take(log_index(1), open(one, 0));
    CHECK(a.digest(0) != b.digest(0));
    b.take(log_index(1), open(one, 0));
    CHECK(a.digest(0) == b.digest(0));
    CHECK(a.digest(0) != a.digest(1));
    a.take(log_index(2), command(one, 1, 1));
    CHECK(a.digest(0) != b.digest(0));
}

TEST_CASE("a numbered command comes back as it was, and its bytes are those of the page on the format") {
    const auto sent = command(two, 0x0102, 3);
    const auto bytes = encode_numbered(sent);
    const std::uint8_t expected[] = {1, 1, 2, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 'x'};
    CHECK(equal(bytes.view(), std::as_bytes(std::span(expected))));
    CHECK(*decode_numbered(bytes) == sent);
    const auto opening = open(one, 5, 77);
    CHECK(*decode_numbered(encode_numbered(opening)) == opening);
}

TEST_CASE("bytes that are no numbered command are nothing") {
    const auto whole = encode_numbered(command(one, 1, 1));
    for (std::size_t cut = 0; cut < numbered_command_header; ++cut)
        CHECK(decode_numbered(whole.slice(0, cut)).error() == errc::corrupt);
    const auto changed = [&](std::size_t at, int value) {
        byte_buffer bytes(whole.view().begin(), whole.view().end());
        bytes[at] = std::byte(value);
        return decode_numbered(shared_bytes(bytes)).error();
    };
    CHECK(changed(0, 0) == errc::corrupt);
    CHECK(changed(0, 2) == errc::newer_format);
    CHECK(changed(1, 2) == errc::corrupt);
    auto opening = open(one, 0);
    opening.payload = shared_bytes::copy_of("more");
    CHECK(decode_numbered(encode_numbered(opening)).error() == errc::corrupt);
}
