#include <lockstep/base/unique_function.hpp>

#include <tests/catch.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

using lockstep::unique_function;

static_assert(!std::is_copy_constructible_v<unique_function<void()>>);
static_assert(!std::is_constructible_v<unique_function<int(int)>, void (*)(std::string)>);

TEST_CASE("a unique function holds state that only moves, and moves with it", "[base]") {
    auto owned = std::make_unique<int>(40);
    unique_function<int(int)> add([owned = std::move(owned)](int n) { return *owned + n; });
    CHECK(add(2) == 42);
    const auto moved = std::move(add);
    CHECK(moved(3) == 43);
}

TEST_CASE("an empty unique function says so", "[base]") {
    unique_function<void()> f;
    CHECK_FALSE(f);
    f = [] {};
    CHECK(f);
    f = nullptr;
    CHECK_FALSE(f);
}

TEST_CASE("arguments that only move are passed through", "[base]") {
    const unique_function<int(std::unique_ptr<int>)> read([](std::unique_ptr<int> p) { return *p; });
    CHECK(read(std::make_unique<int>(7)) == 7);
}

TEST_CASE("the target is destroyed with its function", "[base]") {
    const auto alive = std::make_shared<int>(0);
    {
        const unique_function<void()> f([alive] {});
        CHECK(alive.use_count() == 2);
    }
    CHECK(alive.use_count() == 1);
}

namespace {

/// How many targets of one kind stand, and how often one moved.
struct counts {
    int alive = 0;
    int moves = 0;
};

template <std::size_t Bytes>
struct counted {
    explicit counted(counts& c) : all(c) { ++all.alive; }
    counted(counted&& other) noexcept : all(other.all) {
        ++all.alive;
        ++all.moves;
    }
    ~counted() { --all.alive; }
    int operator()() const { return all.alive; }
    counts& all;
    std::byte rest[Bytes] = {};
};

}  // namespace

TEST_CASE("targets that fit into the function and such that do not are called, moved and destroyed once", "[base]") {
    counts small, large;
    {
        unique_function<int()> a{counted<1>(small)};
        unique_function<int()> b{counted<200>(large)};
        CHECK(small.alive == 1);
        CHECK(large.alive == 1);
        const int moves_before = large.moves;
        std::swap(a, b);
        CHECK(large.moves == moves_before);  // it stays where it was made
        CHECK(a() == 1);
        CHECK(b() == 1);
        a = std::move(b);
        CHECK(large.alive == 0);
        CHECK(small.alive == 1);
        CHECK_FALSE(b);
        a = nullptr;
        CHECK(small.alive == 0);
    }
    CHECK(small.alive == 0);
    CHECK(large.alive == 0);
}

TEST_CASE("a small target without a destructor moves as bytes, a pointer to a function too", "[base]") {
    int called = 0;
    unique_function<void(int)> f([&called](int n) { called += n; });
    unique_function<void(int)> g(std::move(f));
    g(3);
    CHECK(called == 3);
    int (*twice)(int) = [](int n) { return 2 * n; };
    unique_function<int(int)> h(twice);
    const auto moved = std::move(h);
    CHECK(moved(4) == 8);
}

TEST_CASE("a function that is replaced holds the new target when the old one is destroyed", "[base]") {
    unique_function<int()> f;
    int seen = 0;
    struct looks {
        ~looks() {
            if (f) *seen = (*f)();
        }
        unique_function<int()>* f;
        int* seen;
    };
    f = [old = std::make_unique<looks>(&f, &seen)] { return 1; };
    f = [] { return 2; };
    CHECK(seen == 2);
}
