#include <tests/catch.hpp>

#include <lockstep/sync/aside_shelf.hpp>

using namespace lockstep;
using sync::aside_shelf;

namespace {

const time_point now{};
constexpr duration later = std::chrono::seconds(1);

sync::displaced_item thing(const std::string& staged) { return {staged, "path/of/" + staged, {}}; }

}  // namespace

TEST_CASE("what was taken aside is looked at at once, and again when it is due") {
    aside_shelf shelf;
    CHECK_FALSE(shelf.due(now));
    CHECK(shelf.next_due() == never);
    shelf.add(thing("a"), 3, now);
    REQUIRE(shelf.due(now));
    shelf.find("a")->look_at = now + later;
    CHECK_FALSE(shelf.due(now));
    CHECK(shelf.next_due() == now + later);
    CHECK(shelf.due(now + later)->item.staged == "a");
}

TEST_CASE("a barrier waits for what was taken aside, but not for a writer who keeps it open") {
    aside_shelf shelf;
    shelf.add(thing("a"), 3, now);
    shelf.add(thing("b"), 2, now);
    CHECK(shelf.oldest_generation() == 2u);
    shelf.find("b")->open = true;
    CHECK(shelf.oldest_generation() == 3u);

    // He may have closed it since: a later barrier asks.
    shelf.find("b")->look_at = now + later;
    shelf.look_at_open_ones(now);
    CHECK(shelf.oldest_generation() == 2u);
    CHECK(shelf.find("b")->look_at == now);
}

TEST_CASE("what is proposed is not looked at until it is decided, and then it is safe") {
    aside_shelf shelf;
    shelf.add(thing("a"), 1, now);
    shelf.find("a")->proposed = true;
    CHECK_FALSE(shelf.due(now + later));
    CHECK(shelf.oldest_generation() == 1u);
    shelf.release("a", now + later);
    REQUIRE(shelf.due(now + later));
    CHECK(shelf.due(now + later)->safe);
    shelf.erase("a");
    CHECK(shelf.empty());
}

TEST_CASE("what the cluster refuses is kept, told once, and never proposed again") {
    aside_shelf shelf;
    shelf.add(thing("a"), 1, now);
    shelf.find("a")->proposed = true;
    CHECK(shelf.keep("a", never));
    CHECK_FALSE(shelf.keep("a", never));
    CHECK_FALSE(shelf.due(now + 1000 * later));
    CHECK_FALSE(shelf.oldest_generation());
    shelf.look_at_open_ones(now);
    CHECK_FALSE(shelf.due(now + 1000 * later));
    CHECK(shelf.size() == 1);
}
