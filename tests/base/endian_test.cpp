#include <lockstep/base/endian.hpp>

#include <tests/catch.hpp>

#include <limits>

TEST_CASE("integers are stored with the lowest byte first", "[base]") {
    lockstep::byte_buffer bytes;
    lockstep::append_le<std::uint32_t>(bytes, 0x04030201u);
    lockstep::append_le<std::uint16_t>(bytes, 0x0605u);
    lockstep::append_le<std::uint8_t>(bytes, 0x07u);
    REQUIRE(bytes.size() == 7);
    for (std::size_t i = 0; i < bytes.size(); ++i) CHECK(bytes[i] == static_cast<std::byte>(i + 1));
}

TEMPLATE_TEST_CASE("what is stored is loaded again", "[base]", std::uint8_t, std::uint16_t, std::uint32_t,
                   std::uint64_t) {
    for (auto value : {TestType{0}, TestType{1}, TestType{0x80}, std::numeric_limits<TestType>::max()}) {
        std::byte bytes[sizeof(TestType) + 1] = {};
        bytes[sizeof(TestType)] = std::byte{0x5a};
        lockstep::store_le(bytes, value);
        CHECK(lockstep::load_le<TestType>(bytes) == value);
        CHECK(bytes[sizeof(TestType)] == std::byte{0x5a});
    }
}
