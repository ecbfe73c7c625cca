#include <lockstep/base/assert.hpp>

#include <tests/catch.hpp>

#include <stdexcept>
#include <string>

namespace {

[[noreturn]] void raise(const char* what, const char* file, int line) {
    throw std::logic_error(std::string(what) + " in " + file + ':' + std::to_string(line));
}

}  // namespace

TEST_CASE("a failed assertion tells its handler what failed and where", "[base]") {
    const auto before = lockstep::set_assertion_handler(&raise);
    std::string told;
    const int line = __LINE__ + 2;
    try {
        LOCKSTEP_ASSERT(1 + 1 == 3);
    } catch (const std::logic_error& error) { told = error.what(); }
    lockstep::set_assertion_handler(before);
    CHECK(told == "1 + 1 == 3 in " __FILE__ ":" + std::to_string(line));
}

TEST_CASE("an assertion evaluates its condition once, and says nothing when it holds", "[base]") {
    const auto before = lockstep::set_assertion_handler(&raise);
    int evaluated = 0;
    CHECK_NOTHROW(LOCKSTEP_ASSERT(++evaluated == 1));
    lockstep::set_assertion_handler(before);
    CHECK(evaluated == 1);
}

TEST_CASE("setting a handler returns the one before, and none means the default", "[base]") {
    const auto first = lockstep::set_assertion_handler(&raise);
    CHECK(lockstep::set_assertion_handler(nullptr) == &raise);
    const auto fallback = lockstep::set_assertion_handler(first);
    CHECK(fallback != nullptr);
    CHECK(fallback != &raise);
}
