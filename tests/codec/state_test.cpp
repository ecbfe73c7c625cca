#include <lockstep/codec/state.hpp>
#include <lockstep/content/manifest.hpp>

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

TEST_CASE("a snapshot record's bytes are those that the format's page shows, and come back") {
    const snapshot_record record{{log_index(7), term(2)}, {log_index(5), term(1)}, shared_bytes::copy_of("m")};
    const auto bytes = from_hex("01 0700000000000000 0200000000000000 0500000000000000 0100000000000000 01000000 6d");
    CHECK(hex(encode_snapshot_record(record).view()) == hex(bytes.view()));
    const auto decoded = decode_snapshot_record(bytes);
    REQUIRE(decoded.has_value());
    CHECK(*decoded == record);
    CHECK(shares(decoded->manifest, bytes));
    values v(23);
    for (int round = 0; round < 500; ++round) {
        const snapshot_record some{v.position(), v.position(), v.bytes(300)};
        REQUIRE(decode_snapshot_record(encode_snapshot_record(some)).value() == some);
    }
}

TEST_CASE("a snapshot record that is cut off, damaged, newer or too large is refused, or is what its bytes say") {
    const snapshot_record record{{log_index(7), term(2)}, {}, shared_bytes::copy_of("some manifest")};
    torture(encode_snapshot_record(record), decode_snapshot_record, encode_snapshot_record);
    values v(24);
    fuzz(v.random(), encode_snapshot_record(record), 20'000, decode_snapshot_record, encode_snapshot_record);
    snapshot_record large = record;
    large.manifest = shared_bytes(byte_buffer(content::encoded_manifest_bytes_max));
    CHECK(decode_snapshot_record(encode_snapshot_record(large)).has_value());
    large.manifest = shared_bytes(byte_buffer(content::encoded_manifest_bytes_max + 1));
    CHECK(decode_snapshot_record(encode_snapshot_record(large)).error() == errc::too_large);
}
