#include <lockstep/base/unique_function.hpp>

#include <tests/catch.hpp>

#include <memory>
#include <string>
#include <type_traits>

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
