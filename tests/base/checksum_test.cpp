#include <lockstep/base/checksum.hpp>

#include <tests/catch.hpp>

using lockstep::as_bytes;
using lockstep::checksum;

TEST_CASE("a checksum is XXH3 with 64 bits, which formats depend on", "[base]") {
    CHECK(checksum({}) == 0x2d06800538d394c2u);
}

TEST_CASE("a checksum changes with any bit and with the seed", "[base]") {
    lockstep::byte_buffer bytes(40, std::byte{0});
    const auto before = checksum(bytes);
    for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
        const auto mask = static_cast<std::byte>(1u << (i % 8));
        bytes[i / 8] ^= mask;
        CHECK(checksum(bytes) != before);
        bytes[i / 8] ^= mask;
    }
    CHECK(checksum(bytes) == before);
    CHECK(checksum(bytes, 1) != before);
}
