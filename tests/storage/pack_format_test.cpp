#include <tests/catch.hpp>

#include <lockstep/base/checksum.hpp>
#include <lockstep/base/endian.hpp>
#include <lockstep/storage/pack_format.hpp>

using namespace lockstep;
using namespace lockstep::storage;
using namespace lockstep::storage::pack_format;

TEST_CASE("names of packs and indexes are read back, and others are not taken for them") {
    CHECK(pack_name(0x1f) == "pack-000000000000001f");
    CHECK(index_name(1) == "pack-0000000000000001.index");
    CHECK(number_of_pack(pack_name(77)) == 77);
    CHECK(number_of_index(index_name(77)) == 77);
    for (const auto* other : {"", "pack-", "pack-000000000000001F", "pack-00000000000000001", "pack_0000000000000001",
                              "pack-0000000000000001.inde"}) {
        CHECK_FALSE(number_of_pack(other));
        CHECK_FALSE(number_of_index(other));
    }
    CHECK_FALSE(number_of_pack(index_name(1)));
    CHECK_FALSE(number_of_index(pack_name(1)));
}

TEST_CASE("a header of a pack is read back; one that is damaged or newer is refused") {
    const pack_header header{7, 0x0123456789abcdef};
    const auto bytes = encode_header(header);
    REQUIRE(bytes.size() == header_size);
    CHECK(decode_header(bytes).value() == header);
    CHECK(decode_header(byte_view(bytes).first(63)).error() == errc::truncated);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        auto damaged = bytes;
        damaged[i] ^= std::byte{1};
        CHECK(decode_header(damaged).error() == errc::corrupt);
    }
    auto newer = bytes;
    newer[16] = std::byte{2};
    store_le(newer.data() + 8, checksum(byte_view(newer).subspan(16)));
    CHECK(decode_header(newer).error() == errc::newer_format);
}

TEST_CASE("a record counts at its place in its pack only, and a changed byte is found in header and data") {
    const auto data = as_bytes("some data");
    const std::uint64_t seed = pack_seed({3, 4});
    byte_buffer bytes;
    append_record(bytes, 128, seed, 100, sha256(data), data);
    REQUIRE(bytes.size() == record_size(data.size()));
    const auto header = read_record_header(bytes, 128, seed);
    REQUIRE(bool(header));
    CHECK(header->hash == sha256(data));
    CHECK(header->length == data.size());
    CHECK(header->durable == 100);
    CHECK(is_data_of(*header, byte_view(bytes).subspan(record_header_size, data.size()), 128, seed));
    CHECK_FALSE(read_record_header(bytes, 136, seed));
    CHECK_FALSE(read_record_header(bytes, 128, pack_seed({3, 5})));
    CHECK_FALSE(read_record_header(byte_view(bytes).first(63), 128, seed));
    for (std::size_t i = 0; i < record_header_size + data.size(); ++i) {
        auto damaged = bytes;
        damaged[i] ^= std::byte{0x10};
        const auto read = read_record_header(damaged, 128, seed);
        CHECK(bool(read) == (i >= record_header_size));
        const auto there = byte_view(damaged).subspan(record_header_size, data.size());
        if (read) CHECK_FALSE(is_data_of(*read, there, 128, seed));
    }
}

TEST_CASE("an index is read back; whatever is damaged, cut short or impossible in it is refused") {
    pack_index index;
    index.pack = {5, 6};
    index.entries = {{sha256(as_bytes("a")), 64, 100}, {sha256(as_bytes("b")), 64 + 168, 1}};
    index.pack_bytes = 64 + 168 + 72;
    const auto bytes = encode_index(index);
    const auto read = decode_index(bytes);
    REQUIRE(bool(read));
    CHECK(read->pack == index.pack);
    CHECK(read->pack_bytes == index.pack_bytes);
    CHECK(read->entries == index.entries);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        auto damaged = bytes;
        damaged[i] ^= std::byte{1};
        CHECK(decode_index(damaged).error() == errc::corrupt);
        CHECK_FALSE(bool(decode_index(byte_view(bytes).first(i))));
    }
    const auto refused = [&](auto change) {
        auto other = index;
        change(other);
        return decode_index(encode_index(other)).error() == errc::corrupt;
    };
    CHECK(refused([](pack_index& i) { i.pack_bytes -= 8; }));
    CHECK(refused([](pack_index& i) { i.entries[0].length = 0; }));
    CHECK(refused([](pack_index& i) { i.entries[0].length = chunk_bytes_max + 1; }));
    CHECK(refused([](pack_index& i) { i.entries[0].offset = 60; }));
    CHECK(refused([](pack_index& i) { i.entries[1].offset = 65; }));
    CHECK(refused([](pack_index& i) { i.entries[1].offset = 224; }));
}
