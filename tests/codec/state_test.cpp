#include <lockstep/codec/state.hpp>

#include <tests/codec/hostile.hpp>
#include <tests/codec/values.hpp>

using namespace lockstep;
using namespace lockstep::codec_test;

namespace {

node_identity example() {
    node_identity i;
    i.node = node_id(2);
    i.disk = disk_id::from(0x0706050403020100, 0x0f0e0d0c0b0a0908);
    i.session = 9;
    i.marked = true;
    i.founding.emplace();
    i.founding->cluster = cluster_id::from(0x1716151413121110, 0x1f1e1d1c1b1a1918);
    i.founding->members.emplace_back(node_id(1), disk_id::from(0, 0));
    i.founding->members.emplace_back(node_id(2), i.disk);
    return i;
}

}  // namespace

TEST_CASE("an identity's bytes are those that the format's page shows") {
    CHECK(hex(encode_identity(example()).view()) ==
          hex(from_hex("01 0200000000000000 000102030405060708090a0b0c0d0e0f 0900000000000000 01"
                       "01 101112131415161718191a1b1c1d1e1f 02000000"
                       "0100000000000000 00000000000000000000000000000000"
                       "0200000000000000 000102030405060708090a0b0c0d0e0f")
                  .view()));
    auto fresh = example();
    fresh.marked = false;
    fresh.founding.reset();
    CHECK(hex(encode_identity(fresh).view()) ==
          hex(from_hex("01 0200000000000000 000102030405060708090a0b0c0d0e0f 0900000000000000 00 00").view()));
}

TEST_CASE("every identity comes back as it was") {
    values v(21);
    for (int round = 0; round < 2000; ++round) {
        const auto identity = v.identity();
        const auto decoded = decode_identity(encode_identity(identity));
        REQUIRE(decoded.has_value());
        REQUIRE(*decoded == identity);
    }
}

TEST_CASE("an identity that is cut off, damaged or newer is refused, or is what its bytes say") {
    torture(encode_identity(example()), decode_identity, encode_identity);
    torture(encode_identity(node_identity{}), decode_identity, encode_identity);
    values v(22);
    for (int round = 0; round < 20; ++round)
        fuzz(v.random(), encode_identity(v.identity()), 2000, decode_identity, encode_identity);
}

TEST_CASE("an identity with more members than a cluster has is too large") {
    auto crowd = example();
    crowd.founding->members.resize(64);
    CHECK(decode_identity(encode_identity(crowd)).has_value());
    crowd.founding->members.resize(65);
    CHECK(decode_identity(encode_identity(crowd)).error() == errc::too_large);
}
