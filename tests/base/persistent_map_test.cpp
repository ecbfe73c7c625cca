#include <lockstep/base/persistent_map.hpp>
#include <lockstep/base/random.hpp>

#include <tests/catch.hpp>

#include <cmath>
#include <map>
#include <string>

namespace {

using lockstep::persistent_map;
using lockstep::random_generator;
using int_map = persistent_map<int, int>;

/// An order that counts how often keys are compared.
struct counting_less {
    static inline int comparisons = 0;
    bool operator()(int a, int b) const {
        ++comparisons;
        return a < b;
    }
};

bool same_items(const int_map& map, const std::map<int, int>& model) {
    auto expected = model.begin();
    for (const auto& [key, value] : map) {
        if (expected == model.end() || expected->first != key || expected->second != value) return false;
        ++expected;
    }
    return expected == model.end() && map.size() == model.size();
}

}  // namespace

TEST_CASE("a persistent map does what std::map does") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        random_generator random(seed);
        int_map map;
        std::map<int, int> model;
        for (int step = 0; step < 2000; ++step) {
            const int key = static_cast<int>(random.below(300));
            if (random.one_in(3)) {
                REQUIRE(map.erase(key) == (model.erase(key) == 1));
            } else {
                map.assign(key, step);
                model[key] = step;
            }
            const auto* found = map.find(key);
            REQUIRE((found != nullptr) == (model.count(key) == 1));
            if (found) REQUIRE(*found == model[key]);
            const int probe = static_cast<int>(random.below(310));
            const auto at = map.lower_bound(probe);
            const auto expected = model.lower_bound(probe);
            REQUIRE((at == map.end()) == (expected == model.end()));
            if (expected != model.end()) REQUIRE(at->first == expected->first);
        }
        REQUIRE(same_items(map, model));
    }
}

TEST_CASE("a persistent map made of sorted items is as one that got them one by one, and goes on like it") {
    for (int count = 0; count < 70; ++count) {
        std::map<int, int> model;
        for (int i = 0; i < count; ++i) model[2 * i] = 3 * i;
        auto map = int_map::from_sorted(static_cast<std::size_t>(count), [](std::size_t i) {
            return std::pair(2 * static_cast<int>(i), 3 * static_cast<int>(i));
        });
        REQUIRE(same_items(map, model));
        random_generator random(static_cast<std::uint64_t>(count));
        for (int step = 0; step < 100; ++step) {
            const int key = static_cast<int>(random.below(140));
            if (random.one_in(2)) {
                map.assign(key, step);
                model[key] = step;
            } else {
                REQUIRE(map.erase(key) == (model.erase(key) == 1));
            }
        }
        REQUIRE(same_items(map, model));
    }
}

TEST_CASE("a persistent map made of sorted items is balanced, and made without comparing") {
    using map_type = persistent_map<int, int, counting_less>;
    counting_less::comparisons = 0;
    const auto map = map_type::from_sorted(1 << 16, [](std::size_t i) { return std::pair(static_cast<int>(i), 0); });
    REQUIRE(counting_less::comparisons == 0);
    for (int key = 0; key < 1 << 16; key += 97) {
        counting_less::comparisons = 0;
        REQUIRE(map.find(key) != nullptr);
        REQUIRE(counting_less::comparisons <= 2 * 17);
    }
}

TEST_CASE("a copy of a persistent map stays as it was") {
    int_map map;
    for (int i = 0; i < 1000; ++i) map.assign(i, i);
    const int_map copy = map;
    for (int i = 0; i < 1000; i += 2) map.erase(i);
    for (int i = 0; i < 1000; i += 3) map.assign(i, -1);
    REQUIRE(copy.size() == 1000);
    for (int i = 0; i < 1000; ++i) REQUIRE(*copy.find(i) == i);
}

TEST_CASE("a persistent map iterates from any key onwards after keys came in order, and after they came in reverse") {
    int_map rising, falling;
    for (int i = 0; i < 5000; ++i) {
        rising.assign(i, i);
        falling.assign(4999 - i, 4999 - i);
    }
    REQUIRE(rising == falling);
    int expected = 1234;
    for (auto it = falling.lower_bound(1234); it != falling.end(); ++it) REQUIRE(it->first == expected++);
    REQUIRE(expected == 5000);
}

TEST_CASE("the difference of two maps is what was changed, in order of keys") {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        random_generator random(seed);
        int_map before;
        for (int i = 0; i < 500; ++i) before.assign(static_cast<int>(random.below(1000)), i);
        int_map after = before;
        // Half of the seeds compare with a map that shares nothing.
        if (seed % 2 == 1) {
            after.clear();
            for (const auto& [key, value] : before) after.assign(key, value);
        }
        std::map<int, bool> changed;
        for (int i = 0; i < 40; ++i) {
            const int key = static_cast<int>(random.below(1000));
            if (random.one_in(2)) after.erase(key);
            else after.assign(key, static_cast<int>(random.below(500)));
            changed[key] = true;
        }
        int last = -1;
        std::size_t seen = 0;
        diff(before, after, [&](int key, const int* a, const int* b) {
            REQUIRE(key > last);
            last = key;
            REQUIRE(changed.count(key) == 1);
            REQUIRE(a == before.find(key));
            REQUIRE(b == after.find(key));
            ++seen;
        });
        std::size_t expected = 0;
        for (const auto& [key, unused] : changed) {
            const int* a = before.find(key);
            const int* b = after.find(key);
            if ((a != nullptr) != (b != nullptr) || (a && *a != *b)) ++expected;
        }
        REQUIRE(seen == expected);
    }
}

TEST_CASE("the difference of two versions of a large map looks only at what changed") {
    persistent_map<int, int, counting_less> before;
    for (int i = 0; i < 100'000; ++i) before.assign(i, i);
    auto after = before;
    after.assign(50'000, -1);
    after.erase(70'000);
    after.assign(200'000, 1);
    counting_less::comparisons = 0;
    int seen = 0;
    diff(before, after, [&](int, const int*, const int*) { ++seen; });
    REQUIRE(seen == 3);
    REQUIRE(counting_less::comparisons < 300);
}

TEST_CASE("keys can be looked up by another type that compares with them") {
    persistent_map<std::string, int> map;
    map.assign("b", 2);
    map.assign("c", 3);
    REQUIRE(*map.find(std::string_view("b")) == 2);
    REQUIRE(map.find(std::string_view("a")) == nullptr);
    REQUIRE(map.lower_bound(std::string_view("bb"))->first == "c");
    REQUIRE(map.erase(std::string_view("b")));
    REQUIRE_FALSE(map.erase(std::string_view("b")));
}
