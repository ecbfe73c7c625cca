#include <lockstep/base/random.hpp>

#include <tests/catch.hpp>

#include <set>

using lockstep::random_generator;

TEST_CASE("the generator gives the published numbers of xoshiro256** seeded by splitmix64", "[base]") {
    CHECK(lockstep::mix64(0) == 0xe220a8397b1dcdafu);
    random_generator random(0);
    CHECK(random() == 0x99ec5f36cb75f2b4u);
    CHECK(random() == 0xbf6e1f784956452au);
    CHECK(random() == 0x1a5f849d4933e6e0u);
}

TEST_CASE("the same seed gives the same numbers, another seed others", "[base]") {
    random_generator a(7), b(7), c(8);
    bool differs = false;
    for (int i = 0; i < 100; ++i) {
        const auto value = a();
        CHECK(value == b());
        differs |= value != c();
    }
    CHECK(differs);
}

TEST_CASE("a drawn number stays within its bounds and reaches both ends", "[base]") {
    random_generator random(1);
    std::set<std::uint64_t> below, between;
    for (int i = 0; i < 1000; ++i) {
        below.insert(random.below(5));
        between.insert(random.between(10, 12));
    }
    CHECK(below == std::set<std::uint64_t>{0, 1, 2, 3, 4});
    CHECK(between == std::set<std::uint64_t>{10, 11, 12});
    CHECK(random.below(0) == 0);
    CHECK(random.below(1) == 0);
}

TEST_CASE("one_in is true once in so many, and never for zero", "[base]") {
    random_generator random(2);
    int hits = 0;
    for (int i = 0; i < 10000; ++i) {
        hits += random.one_in(10) ? 1 : 0;
        CHECK_FALSE(random.one_in(0));
        CHECK(random.one_in(1));
    }
    CHECK(hits > 800);
    CHECK(hits < 1200);
}

TEST_CASE("a forked generator does not depend on what its parent draws later", "[base]") {
    random_generator a(3), b(3);
    random_generator from_a = a.fork();
    random_generator from_b = b.fork();
    a();
    for (int i = 0; i < 10; ++i) CHECK(from_a() == from_b());
    CHECK(from_a() != b());
}
