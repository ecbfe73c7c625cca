#include <tests/catch.hpp>

#include <lockstep/node/outbox.hpp>

using namespace lockstep;

namespace {

constexpr duration patience = std::chrono::seconds(2);
const time_point start{};

shared_bytes of(std::size_t bytes, int fill) { return shared_bytes(byte_buffer(bytes, std::byte(fill))); }

}  // namespace

TEST_CASE("commands of one turn leave together and in order") {
    outbox box(patience);
    CHECK(box.add(1, of(10, 1), start));
    CHECK_FALSE(box.add(2, of(10, 2), start));
    const auto pieces = box.take_leaving();
    REQUIRE(pieces.size() == 1);
    REQUIRE(pieces[0].size() == 2);
    CHECK(pieces[0][0].view()[0] == std::byte{1});
    CHECK(box.take_leaving().empty());
    CHECK(box.add(3, of(10, 3), start));
}

TEST_CASE("what is more than one message may hold leaves in pieces, none of them empty") {
    outbox box(patience);
    for (std::uint64_t sequence = 1; sequence <= 5; ++sequence) box.add(sequence, of(outbox::piece_bytes / 2, 1), start);
    const auto pieces = box.take_leaving();
    REQUIRE(pieces.size() == 3);
    CHECK(pieces[0].size() == 2);
    CHECK(pieces[2].size() == 1);
}

TEST_CASE("undecided commands are said again in order after a while, decided ones never") {
    outbox box(patience);
    CHECK_FALSE(box.resend_due(start + patience));
    for (int sequence : {1, 2, 3}) box.add(std::uint64_t(sequence), of(1, sequence), start);
    (void)box.take_leaving();
    CHECK_FALSE(box.resend_due(start + patience / 2));
    box.decided(1, start);
    CHECK(box.resend_due(start + patience));
    const auto pieces = box.take_all(start + patience);
    REQUIRE(pieces.size() == 1);
    REQUIRE(pieces[0].size() == 2);
    CHECK(pieces[0][0].view()[0] == std::byte{2});
    CHECK_FALSE(box.resend_due(start + patience));
    box.decided(2, start);
    box.decided(3, start);
    CHECK_FALSE(box.resend_due(start + 100 * patience));
}

TEST_CASE("what is said again and again is said less and less often, until all is decided") {
    using namespace std::chrono_literals;
    outbox box(1s);
    box.add(1, of(1, 1), start);
    box.add(2, of(1, 2), start);
    time_point now = start;
    duration waited = 1s;
    for (duration next : {2s, 4s, 5s, 5s}) {
        now += waited;
        REQUIRE(box.resend_due(now));
        (void)box.take_all(now);
        CHECK_FALSE(box.resend_due(now + next - 1ms));
        waited = next;
    }
    box.decided(1, now);
    CHECK_FALSE(box.resend_due(now + 1s));
    box.decided(2, now);
    box.add(3, of(1, 3), now);
    CHECK(box.resend_due(now + 1s));
    outbox slow(20s);
    slow.add(1, of(1, 1), start);
    (void)slow.take_all(start + 20s);
    CHECK(slow.resend_due(start + 40s));
}

TEST_CASE("a new leader is told at once, if there is anything to tell") {
    outbox box(patience);
    box.resend_by(start);
    CHECK_FALSE(box.resend_due(start));
    box.add(1, of(1, 1), start);
    box.resend_by(start);
    CHECK(box.resend_due(start));
}
