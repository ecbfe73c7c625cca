#include <sim/event_queue.hpp>

#include <lockstep/base/random.hpp>

#include <tests/catch.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace lockstep;
using sim::event_key;

namespace {

using queue = sim::event_queue<std::string>;

time_point at(std::int64_t ms) { return time_point(std::chrono::milliseconds(ms)); }

std::string drained(queue& q) {
    std::string all;
    while (q.first()) all += q.take_first();
    return all;
}

}  // namespace

TEST_CASE("events come in order of time, and those of one time in the order in which they were added", "[sim]") {
    queue q;
    q.add(at(2), "c");
    q.add(at(1), "a");
    q.add(at(2), "d");
    q.add(at(1), "b");
    REQUIRE(q.first());
    CHECK(q.first()->at == at(1));
    CHECK(q.front() == "a");
    CHECK(drained(q) == "abcd");
    CHECK(q.first() == nullptr);
}

TEST_CASE("an event that was removed does not come, and its key names no other one", "[sim]") {
    queue q;
    const event_key a = q.add(at(1), "a");
    q.add(at(1), "b");
    q.remove(a);
    const event_key c = q.add(at(1), "c");
    CHECK(c.slot == a.slot);  // its place is used again
    q.remove(a);
    q.remove(event_key{});
    CHECK(q.size() == 2);
    CHECK(drained(q) == "bc");
    q.remove(c);
    CHECK(q.size() == 0);
}

TEST_CASE("an event that is put off goes behind what is scheduled for that time", "[sim]") {
    queue q;
    const event_key a = q.add(at(1), "a");
    q.add(at(2), "b");
    REQUIRE(q.first());
    q.put_off_first(at(2));
    q.remove(a);  // its key is another one now
    CHECK(drained(q) == "ba");
}

TEST_CASE("events that are taken out by a rule are given in their order", "[sim]") {
    queue q;
    for (const char* text : {"d4", "a1", "x2", "c3", "b2"}) q.add(at(text[1] - '0'), text);
    const auto taken = q.take_if([](const std::string& s) { return s[0] != 'x'; });
    CHECK(taken == std::vector<std::string>{"a1", "b2", "c3", "d4"});
    CHECK(q.size() == 1);
    CHECK(drained(q) == "x2");
}

TEST_CASE("an event may add and remove others when it is destroyed", "[sim]") {
    struct event {
        std::shared_ptr<void> held;
    };
    sim::event_queue<event> q;
    const event_key last = q.add(at(3), {});
    const auto reaction = [&](void*) {
        q.remove(last);
        for (int i = 0; i < 100; ++i) q.add(at(2), {});
    };
    const event_key first = q.add(at(1), {std::shared_ptr<void>(&q, reaction)});
    q.remove(first);
    CHECK(q.size() == 100);
}

TEST_CASE("a queue does as a sorted map does, whatever is added, removed and put off", "[sim]") {
    random_generator random(7);
    queue q;
    std::map<std::pair<time_point, std::uint64_t>, std::string> model;
    std::vector<event_key> keys;
    for (int i = 0; i < 20'000; ++i) {
        const time_point when = at(static_cast<std::int64_t>(random.below(1000)));
        const auto what = random.below(8);
        if (what < 4) {
            const event_key key = q.add(when, std::to_string(i));
            keys.push_back(key);
            model.emplace(std::pair(key.at, key.sequence), std::to_string(i));
        } else if (what < 6 && !keys.empty()) {
            const event_key key = keys[random.below(keys.size())];
            q.remove(key);
            model.erase({key.at, key.sequence});
        } else if (!model.empty()) {
            REQUIRE(q.first());
            REQUIRE(q.first()->at == model.begin()->first.first);
            REQUIRE(q.first()->sequence == model.begin()->first.second);
            const std::string text = model.begin()->second;
            model.erase(model.begin());
            if (what == 6) {
                REQUIRE(q.take_first() == text);
            } else {
                q.put_off_first(when);
                const event_key next = q.add(when, "behind");
                keys.push_back(next);
                model.emplace(std::pair(when, next.sequence - 1), text);
                model.emplace(std::pair(when, next.sequence), "behind");
            }
        }
        REQUIRE(q.size() == model.size());
    }
    while (q.first()) {
        REQUIRE(q.take_first() == model.begin()->second);
        model.erase(model.begin());
    }
    CHECK(model.empty());
}
