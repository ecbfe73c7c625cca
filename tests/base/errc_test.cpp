#include <lockstep/base/errc.hpp>
#include <lockstep/base/result.hpp>

#include <tests/catch.hpp>

#include <set>
#include <string>

using lockstep::errc;

namespace {

lockstep::result<int> half(int n) {
    if (n % 2 != 0) return errc::invalid_argument;
    return n / 2;
}

lockstep::result<> twice_even(int n) {
    LOCKSTEP_TRY(half(n));
    LOCKSTEP_TRY(half(n / 2));
    return {};
}

}  // namespace

TEST_CASE("every error has a message of its own", "[base]") {
    std::set<std::string> messages;
    for (int value = 0; value <= static_cast<int>(errc::other); ++value) {
        const lockstep::error_code code = static_cast<errc>(value);
        INFO(value);
        CHECK(messages.insert(code.message()).second);
        CHECK(code.message().back() != '.');
        CHECK(code.failed() == (value != 0));
    }
}

TEST_CASE("an error code compares with its enumerator and names its category", "[base]") {
    const lockstep::error_code code = errc::not_found;
    CHECK(code == errc::not_found);
    CHECK(code != errc::halted);
    CHECK(std::string(code.category().name()) == "lockstep");
}

TEST_CASE("a value that the category does not know still has a message", "[base]") {
    CHECK(lockstep::error_code(9999, lockstep::lockstep_category()).message() == "other error");
}

TEST_CASE("a result holds a value or an error", "[base]") {
    CHECK(*half(8) == 4);
    CHECK(half(7).error() == errc::invalid_argument);
}

TEST_CASE("LOCKSTEP_TRY returns the first error from the enclosing function", "[base]") {
    CHECK(twice_even(8).has_value());
    CHECK(twice_even(6).error() == errc::invalid_argument);
    CHECK(twice_even(5).error() == errc::invalid_argument);
}
