#include <lockstep/base/bytes.hpp>

#include <tests/catch.hpp>

#include <stdexcept>

using lockstep::as_bytes;
using lockstep::as_text;
using lockstep::shared_bytes;

namespace {

/// Turns a failed assertion into an exception while it lives.
class assertions_throw {
public:
    assertions_throw() : before_(lockstep::set_assertion_handler(&raise)) {}
    ~assertions_throw() { lockstep::set_assertion_handler(before_); }

private:
    [[noreturn]] static void raise(const char* what, const char*, int) { throw std::logic_error(what); }
    lockstep::assertion_handler before_;
};

}  // namespace

TEST_CASE("text and bytes are two views of the same", "[base]") {
    const std::string text("a\0b", 3);
    CHECK(as_bytes(text).size() == 3);
    CHECK(as_text(as_bytes(text)) == text);
}

TEST_CASE("equal compares lengths and every byte", "[base]") {
    CHECK(lockstep::equal({}, {}));
    CHECK(lockstep::equal(as_bytes("ab"), as_bytes("ab")));
    CHECK_FALSE(lockstep::equal(as_bytes("ab"), as_bytes("ac")));
    CHECK_FALSE(lockstep::equal(as_bytes("ab"), as_bytes("abc")));
}

TEST_CASE("a buffer is taken over, not copied", "[base]") {
    lockstep::byte_buffer buffer(100, std::byte{1});
    const auto* data = buffer.data();
    const shared_bytes bytes(std::move(buffer));
    CHECK(bytes.data() == data);
    CHECK(shared_bytes(bytes).data() == data);
    CHECK(bytes.slice(10, 5).data() == data + 10);
}

TEST_CASE("a slice keeps the bytes alive after their first owner is gone", "[base]") {
    shared_bytes tail;
    {
        const auto whole = shared_bytes::copy_of("hello, world");
        tail = whole.slice(7, 5).slice(0, 3);
    }
    CHECK(as_text(tail.view()) == "wor");
}

TEST_CASE("a slice may be empty at either end but never reaches outside", "[base]") {
    const auto bytes = shared_bytes::copy_of("abc");
    CHECK(bytes.slice(0, 0).empty());
    CHECK(bytes.slice(3, 0).empty());
    CHECK(bytes.slice(0, 3) == bytes);
    const assertions_throw guard;
    CHECK_THROWS_AS(bytes.slice(4, 0), std::logic_error);
    CHECK_THROWS_AS(bytes.slice(1, 3), std::logic_error);
    CHECK_THROWS_AS(bytes.slice(1, static_cast<std::size_t>(-1)), std::logic_error);
}

TEST_CASE("shared bytes compare by content", "[base]") {
    CHECK(shared_bytes::copy_of("x") == shared_bytes::copy_of("x"));
    CHECK_FALSE(shared_bytes::copy_of("x") == shared_bytes::copy_of("y"));
    CHECK(shared_bytes() == shared_bytes::copy_of(""));
}
