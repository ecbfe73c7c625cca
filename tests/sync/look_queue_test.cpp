// What the queue of looks promises about looks that ask for one place at different times.
#include <lockstep/sync/look_queue.hpp>

#include <tests/catch.hpp>

using namespace lockstep;
using sync::look_queue;
using sync::open_file;
using sync::scan_target;

namespace {

time_point at(int ms) { return time_point{} + std::chrono::milliseconds(ms); }

scan_target settled(const std::string& path) { return {path, false, false, true}; }

}  // namespace

TEST_CASE("looks at one place become one, that asks for all of it, for the oldest of them") {
    look_queue queue;
    queue.add({"a", true, false, false}, 3);
    queue.add({"a", true, true, false}, 2);
    queue.add({"a", false, false, false, open_file::between_writes}, 4);
    const auto batch = queue.take(10);
    REQUIRE(batch.targets.size() == 2);
    CHECK(batch.targets[0].deep);
    CHECK(batch.targets[1].written == open_file::between_writes);
    CHECK(batch.generation == 2);
    CHECK(queue.idle());
}

TEST_CASE("a look for later comes when it is due, or as it is when a barrier is in a hurry") {
    look_queue queue;
    queue.add_at(at(30), settled("a"), 1);
    queue.add_at(at(90), {"b", false, false, false, open_file::between_writes}, 2);
    queue.turn(at(29), {});
    CHECK(queue.idle());
    queue.turn(at(30), {});
    CHECK(queue.take(10).targets.size() == 1);
    queue.turn(at(31), 1);
    CHECK(queue.idle());
    queue.turn(at(31), 2);
    const auto batch = queue.take(10);
    REQUIRE(batch.targets.size() == 1);
    CHECK(batch.targets[0].settled);
    CHECK(batch.targets[0].written == open_file::take);
}

// A file was read, and was to be looked at again for the grain of its stamps, when it was missed: that look was believed.
TEST_CASE("a look that somebody else asked for is not settled, and the settled one comes at its time") {
    look_queue queue;
    const bool settled_first = GENERATE(true, false);
    const auto ask = [&](bool is_settled) {
        if (is_settled) queue.add_at(at(200), settled("a"), 1);
        else queue.add_at(at(60), {"a", false, false, false}, 2);
    };
    ask(settled_first);
    ask(!settled_first);
    CHECK(queue.size() == 1);
    queue.turn(at(60), {});
    const auto earlier = queue.take(10);
    REQUIRE(earlier.targets.size() == 1);
    CHECK_FALSE(earlier.targets[0].settled);
    CHECK(queue.next_due() == at(200));
    CHECK(queue.oldest_generation() == 1);
    SECTION("at its time") {
        queue.turn(at(200), {});
        const auto later = queue.take(10);
        REQUIRE(later.targets.size() == 1);
        CHECK(later.targets[0].settled);
        CHECK(queue.next_due() == never);
    }
    SECTION("or not, as something happened there") {
        queue.add_changed({"a", false, false, false}, 3);
        queue.turn(at(200), {});
        const auto later = queue.take(10);
        REQUIRE(later.targets.size() == 1);
        CHECK_FALSE(later.targets[0].settled);
    }
    SECTION("or at once for a barrier") {
        queue.turn(at(61), 1);
        const auto later = queue.take(10);
        REQUIRE(later.targets.size() == 1);
        CHECK(later.targets[0].settled);
        CHECK(queue.next_due() == never);
    }
}

TEST_CASE("an earlier settled look stands for a later one of any kind") {
    look_queue queue;
    queue.add_at(at(30), settled("a"), 1);
    queue.add_at(at(60), {"a", false, false, false}, 1);
    queue.turn(at(30), {});
    CHECK(queue.take(10).targets.at(0).settled);
    CHECK(queue.next_due() == never);
}

TEST_CASE("what happens at a place starts its settling anew") {
    look_queue queue;
    queue.add_at(at(30), settled("a"), 1);
    queue.add_changed({"a", false, false, false}, 5);
    auto batch = queue.take(10);
    REQUIRE(batch.targets.size() == 1);
    CHECK(!batch.targets[0].settled);
    CHECK(batch.generation == 1);  // whoever waits for the first look waits for this one
    queue.add_at(at(50), settled("a"), 5);
    CHECK(queue.next_due() == at(50));

    // Due, but not taken yet.
    queue.turn(at(50), {});
    queue.add_changed({"a", false, false, false}, 5);
    CHECK(!queue.take(10).targets.at(0).settled);
}

TEST_CASE("an open file's next look stays when it is, whatever happens at its place") {
    look_queue queue;
    queue.add_at(at(1000), {"log", false, false, true, open_file::between_writes}, 1);
    queue.add_changed({"log", false, false, false}, 1);
    CHECK(queue.next_due() == at(1000));
    CHECK(queue.take(10).targets.at(0).written == open_file::wait);
    queue.turn(at(1000), {});
    const auto batch = queue.take(10);
    CHECK(batch.targets.at(0).written == open_file::between_writes);
    CHECK(!batch.targets.at(0).settled);
}

TEST_CASE("everything is looked at in passing again and again, one pass at a time") {
    look_queue queue;
    queue.pass_by(at(0), std::chrono::seconds(60));
    queue.pass_by(at(500), std::chrono::seconds(60));
    CHECK(queue.next_due() == at(60000));
    CHECK(queue.size() == 0);
    queue.turn(at(60000), {});
    REQUIRE(!queue.idle());
    auto batch = queue.take(10);
    REQUIRE(batch.targets.size() == 1);
    CHECK(batch.targets[0].deep);
    CHECK(batch.targets[0].written == open_file::between_writes);
    CHECK(batch.generation == look_queue::in_passing);
    queue.add({"d", true, true, false}, look_queue::in_passing);
    queue.pass_by(at(61000), std::chrono::seconds(60));
    CHECK(queue.next_due() == never);  // not at its end yet
    CHECK(queue.take(10).targets.size() == 1);
    queue.pass_by(at(62000), std::chrono::seconds(60));
    CHECK(queue.next_due() == at(122000));

    look_queue idle;
    idle.pass_by(at(0), {});
    CHECK(idle.next_due() == never);
}

TEST_CASE("a look in passing comes behind all others, holds up no barrier, and is one with what is asked for as well") {
    look_queue queue;
    queue.pass_by(at(0), std::chrono::seconds(60));
    queue.turn(at(10), 1000);
    CHECK(queue.idle());  // a barrier does not hurry it
    queue.add({"a", true, true, false}, look_queue::in_passing);
    queue.add({"b", true, true, false}, look_queue::in_passing);
    CHECK(*queue.oldest_generation() == look_queue::in_passing);
    queue.add({"x", false, false, false}, 7);
    queue.add({"b", true, false, false}, 7);
    const auto batch = queue.take(10);
    REQUIRE(batch.targets.size() == 2);
    CHECK(batch.targets[0].path == "x");
    CHECK(batch.targets[1].path == "b");
    CHECK(batch.targets[1].deep);
    CHECK(batch.generation == 7);
    const auto passing = queue.take(10);
    REQUIRE(passing.targets.size() == 1);
    CHECK(passing.targets[0].path == "a");
    CHECK(queue.take(10).targets.empty());
}

TEST_CASE("a barrier that waits does not have all looks gone through at each turn") {
    constexpr std::uint64_t count = 1000;
    look_queue queue;
    for (std::uint64_t i = 0; i < count; ++i) queue.add({"ready " + std::to_string(i), false, false, false}, 1);
    for (std::uint64_t i = 0; i < count; ++i)
        queue.add_at(at(1000), {"later " + std::to_string(i), false, false, false}, 3);
    for (int turn = 0; turn < 1000; ++turn) queue.turn(at(turn), 2);
    CHECK(queue.walked() <= 3 * count);
    CHECK(queue.oldest_generation() == 1);
    for (std::uint64_t taken = 0; taken < count; taken += 100)
        for (const auto& target : queue.take(100).targets) CHECK(target.settled);
    CHECK(queue.oldest_generation() == 3);
    CHECK(queue.idle());
}

TEST_CASE("what is asked for while a barrier is in a hurry is hurried if it is old enough") {
    look_queue queue;
    queue.turn(at(0), 2);
    queue.add({"old", false, false, false}, 2);
    queue.add({"new", false, false, false}, 3);
    queue.add({"older than it looked", false, false, false}, 3);
    queue.add({"older than it looked", false, false, false}, 1);
    const auto batch = queue.take(10);
    REQUIRE(batch.targets.size() == 3);
    CHECK(batch.targets[0].settled);
    CHECK(!batch.targets[1].settled);
    CHECK(batch.targets[2].settled);
    queue.turn(at(1), {});
    queue.add({"old", false, false, false}, 2);
    CHECK(!queue.take(10).targets.at(0).settled);
    CHECK(!queue.oldest_generation());
}

TEST_CASE("the oldest generation is known whatever becomes of the looks") {
    look_queue queue;
    queue.add_at(at(10), {"a", false, false, false}, 4);
    queue.add_at(at(20), {"a", false, false, false}, 2);
    queue.add({"b", false, false, false}, 5);
    queue.add({"b", false, false, false}, 3);
    CHECK(queue.oldest_generation() == 2);
    queue.add_changed({"a", false, false, false}, 9);
    CHECK(queue.oldest_generation() == 2);
    CHECK(queue.next_due() == never);
    CHECK(queue.take(1).generation == 3);
    CHECK(queue.take(1).generation == 2);
    CHECK(!queue.oldest_generation());
}
