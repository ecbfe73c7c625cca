#include <lockstep/codec/tree_snapshot.hpp>
#include <lockstep/content/cutter.hpp>

#include <tests/codec/hostile.hpp>
#include <tests/folder/random_history.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>

using namespace lockstep;
using namespace lockstep::codec_test;
using folder::entry;
using folder::entry_type;
using folder::tree;

namespace {

entry_id id_of(std::uint64_t n) { return {session_id{node_id(1), 2}, n}; }

/// An entry whose fields are all its own.
entry make(std::uint64_t id, entry_id parent, std::string name, entry_type type = entry_type::file) {
    entry e;
    e.id = id_of(id);
    e.where = {parent, std::move(name)};
    e.type = type;
    e.mode = type == entry_type::symlink ? 0 : 0640;
    if (type != entry_type::directory) {
        e.mtime_ns = static_cast<std::int64_t>(1000 + id);
        e.hash = sha256(as_bytes("content " + std::to_string(id)));
        e.size = 5;
    }
    e.content_version = log_index(3 + id);
    e.placement_version = log_index(4 + id);
    return e;
}

content_hash counting_hash(std::uint8_t from) {
    content_hash h;
    for (std::size_t i = 0; i < h.bytes.size(); ++i) h.bytes[i] = static_cast<std::uint8_t>(from + i);
    return h;
}

/// One of each kind.
tree example() {
    tree t;
    t.put(make(1, root_entry, "d", entry_type::directory));
    t.put(make(2, id_of(1), "f"));
    t.put(make(3, root_entry, "l", entry_type::symlink));
    t.put(make(4, id_of(1), "big"));
    for (std::uint64_t id = 2; id <= 4; ++id) {
        entry e = *t.find(id_of(id));
        e.hash = counting_hash(0xa0);
        e.mtime_ns = -2;
        if (id == 4) e.manifest = counting_hash(0x40);
        t.put(e);
    }
    t.set_session(node_id(1), {2, 4});
    t.set_session(node_id(2), {7, 0});
    return t;
}

/// `count` files in directories of 100.
tree large(std::uint64_t count) {
    folder::tree_builder builder;
    entry_id parent = root_entry;
    for (std::uint64_t i = 1; i <= count; ++i) {
        const bool directory = i % 100 == 1;
        entry e = make(i, directory ? root_entry : parent, "name-" + std::to_string(i) + ".txt",
                       directory ? entry_type::directory : entry_type::file);
        if (directory) parent = e.id;
        LOCKSTEP_ASSERT(builder.add(std::move(e)));
    }
    LOCKSTEP_ASSERT(builder.add_session(node_id(1), {2, count}));
    return builder.finish().value();
}

shared_bytes encode(const tree& t, std::size_t bytes_about = 1 << 20) {
    tree_encoder encoder(t);
    byte_buffer all;
    while (!encoder.done()) {
        const byte_buffer piece = encoder.next(bytes_about);
        REQUIRE_FALSE(piece.empty());
        all.insert(all.end(), piece.begin(), piece.end());
    }
    return shared_bytes(std::move(all));
}
shared_bytes encode_whole(const tree& t) { return encode(t); }

result<tree> decode(byte_view bytes, std::size_t piece) {
    tree_decoder decoder;
    for (std::size_t at = 0; at < bytes.size(); at += piece)
        LOCKSTEP_TRY(decoder.feed(bytes.subspan(at, std::min(piece, bytes.size() - at))));
    return decoder.finish();
}
result<tree> decode_whole(const shared_bytes& bytes) { return decode(bytes.view(), bytes.size() + 1); }

error_code error_of(const tree& t) { return decode_whole(encode(t)).error(); }

/// Where each record of a good encoding begins, and where the last one ends.
std::vector<std::size_t> records_of(const tree& t) {
    std::vector<std::size_t> starts;
    tree_encoder encoder(t);
    std::size_t at = 0;
    while (!encoder.done()) {
        const auto piece = encoder.next(1);   // a record each; before the first the version, with the last the end
        starts.push_back(starts.empty() ? 1 : at);
        at += piece.size();
    }
    starts.push_back(at);
    return starts;
}

std::set<content_hash> chunks_of(const tree& t) {
    std::set<content_hash> chunks;
    content::cutter cut;
    const auto sink = [&](const content::chunk_ref& ref, byte_view) { chunks.insert(ref.hash); };
    tree_encoder encoder(t);
    while (!encoder.done()) cut.feed(encoder.next(100'000), sink);
    cut.finish(sink);
    return chunks;
}

std::size_t new_chunks(const tree& before, const tree& after) {
    const auto had = chunks_of(before);
    const auto now = chunks_of(after);
    return static_cast<std::size_t>(std::count_if(now.begin(), now.end(), [&](const auto& c) { return !had.count(c); }));
}

}  // namespace

TEST_CASE("a snapshot's bytes are those that the format's page shows") {
    const auto golden = from_hex(
        "01"
        "02 0100000000000000 0200000000000000 0100000000000000 000000000000000000000000000000000000000000000000"
        "01000000 64 0400000000000000 0500000000000000 a0010000"
        "01 0100000000000000 0200000000000000 0200000000000000 0100000000000000 0200000000000000 0100000000000000"
        "01000000 66 0500000000000000 0600000000000000 a0010000 feffffffffffffff"
        "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf 0500000000000000"
        "03 0100000000000000 0200000000000000 0300000000000000 000000000000000000000000000000000000000000000000"
        "01000000 6c 0600000000000000 0700000000000000 feffffffffffffff"
        "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf 0500000000000000"
        "04 0100000000000000 0200000000000000 0400000000000000 0100000000000000 0200000000000000 0100000000000000"
        "03000000 626967 0700000000000000 0800000000000000 a0010000 feffffffffffffff"
        "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf 0500000000000000"
        "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"
        "05 0100000000000000 0200000000000000 0400000000000000"
        "05 0200000000000000 0700000000000000 0000000000000000"
        "06 8636d7495f9730ad");
    CHECK(hex(encode(example()).view()) == hex(golden.view()));
    CHECK(hex(encode(tree{}).view()) == "0106afcd1d7b39a820e2");
    const auto decoded = decode_whole(golden);
    REQUIRE(decoded.has_value());
    CHECK(*decoded == example());
}

TEST_CASE("every tree that commands make comes back as it was, and has one encoding") {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        folder::test::history log;
        int step = 0;
        folder::test::run(seed, 120, log, [&](const tree&, const auto&, const auto&, const tree& after) {
            if (++step % 8 != 0) return;
            INFO("seed " << seed << " at " << log.last.value);
            const auto bytes = encode(after);
            const auto decoded = decode_whole(bytes);
            REQUIRE(decoded.has_value());
            REQUIRE(*decoded == after);
            REQUIRE(decoded->digest() == after.digest());
            REQUIRE_FALSE(find_fault(*decoded));
            REQUIRE(encode(*decoded) == bytes);
        });
    }
}

TEST_CASE("a decoded tree takes further commands as the first does") {
    folder::test::history first, second;
    std::vector<folder::command> commands = folder::test::run(7, 300, first, [](auto&&...) {});
    for (std::size_t i = 0; i < commands.size(); ++i) {
        if (i % 50 == 0) second.committed = decode_whole(encode(second.committed)).value();
        second.add(commands[i]);
    }
    CHECK(second.committed == first.committed);
    CHECK(second.committed.digest() == first.committed.digest());
}

TEST_CASE("the bytes do not depend on the pieces in which they are made or taken") {
    folder::test::history log;
    folder::test::run(3, 200, log, [](auto&&...) {});
    const auto whole = encode(log.committed);
    for (const std::size_t about : {0u, 1u, 2u, 150u, 200u, 1000u, 5000u}) {
        CHECK(encode(log.committed, about) == whole);
        tree_encoder encoder(log.committed);
        while (!encoder.done()) {
            const std::size_t piece = encoder.next(about).size();
            if (!encoder.done()) CHECK(piece < about + 500);
        }
        CHECK(encoder.next(about).empty());
    }
    for (std::size_t piece = 1; piece < 700; ++piece) {
        const auto decoded = decode(whole.view(), piece);
        REQUIRE(decoded.has_value());
        REQUIRE(*decoded == log.committed);
    }
}

TEST_CASE("a tree goes on changing while it is encoded, and the bytes are of what it was") {
    tree t = large(500);
    const auto expected = encode(t);
    tree_encoder encoder(t);
    byte_buffer all;
    while (!encoder.done()) {
        const auto piece = encoder.next(2000);
        all.insert(all.end(), piece.begin(), piece.end());
        entry e = make(9999, root_entry, std::to_string(all.size()));
        t.put(e);
        if (t.find(id_of(500))) t.erase(id_of(500));
    }
    CHECK(shared_bytes(std::move(all)) == expected);
}

TEST_CASE("a snapshot that is cut off, damaged or newer is refused, or is what its bytes say") {
    torture(encode(tree{}), decode_whole, encode_whole);
    torture(encode(example()), decode_whole, encode_whole);
    random_generator random(5);
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        folder::test::history log;
        folder::test::run(seed, 30, log, [](auto&&...) {});
        fuzz(random, encode(log.committed), 1000, decode_whole, encode_whole);
    }
}

TEST_CASE("what is refused stays refused") {
    const auto good = encode(example());
    tree_decoder newer;
    const std::byte version{2};
    CHECK(newer.feed(byte_view(&version, 1)).error() == errc::newer_format);
    CHECK(newer.feed(from_hex("00").view()).error() == errc::newer_format);
    CHECK(newer.feed(good.view()).error() == errc::newer_format);
    CHECK(newer.finish().error() == errc::newer_format);

    tree_decoder early;
    CHECK(early.feed({}).has_value());
    CHECK(early.finish().error() == errc::truncated);
    CHECK(early.feed(good.view()).error() == errc::truncated);
    CHECK(early.finish().error() == errc::truncated);
}

TEST_CASE("a tree that no commands make is refused, though its digest is right") {
    const auto with = [](auto change) {
        tree t = example();
        change(t);
        return t;
    };
    CHECK_FALSE(error_of(with([](tree&) {})));
    CHECK(error_of(with([](tree& t) { t.put(make(9, id_of(8), "orphan")); })) == errc::corrupt);
    CHECK(error_of(with([](tree& t) { t.put(make(9, id_of(2), "in a file")); })) == errc::corrupt);
    CHECK(error_of(with([](tree& t) { t.put(make(1, id_of(1), "d", entry_type::directory)); })) == errc::corrupt);
    CHECK(error_of(with([](tree& t) {
              t.put(make(8, id_of(9), "a", entry_type::directory));
              t.put(make(9, id_of(8), "b", entry_type::directory));
          })) == errc::corrupt);
    for (const std::string& name : {std::string(), std::string("."), std::string(".."), std::string("a/b"),
                                    std::string("a\0b", 3), std::string(256, 'a'), std::string(".lockstep")})
        CHECK(error_of(with([&](tree& t) { t.put(make(9, root_entry, name)); })) == errc::corrupt);
    CHECK_FALSE(error_of(with([](tree& t) { t.put(make(9, root_entry, std::string(255, 'a'))); })));

    const auto entry_with = [&](entry_type type, auto change) {
        return error_of(with([&](tree& t) {
            entry e = make(9, root_entry, "x", type);
            change(e);
            t.put(e);
        }));
    };
    CHECK(entry_with(entry_type::file, [](entry& e) { e.mode = 01000; }) == errc::corrupt);
    CHECK(entry_with(entry_type::file, [](entry& e) { e.hash = {}; }) == errc::corrupt);
    CHECK(entry_with(entry_type::file, [](entry& e) { e.content_version = {}; }) == errc::corrupt);
    CHECK(entry_with(entry_type::file, [](entry& e) { e.placement_version = {}; }) == errc::corrupt);
    CHECK(entry_with(entry_type::symlink, [](entry& e) { e.size = 4096; }) == errc::corrupt);
    CHECK(entry_with(entry_type::symlink, [](entry& e) { e.size = 0; }) == errc::corrupt);
    CHECK(entry_with(entry_type::symlink, [](entry& e) { e.mode = 1; }) == errc::corrupt);
    CHECK(entry_with(entry_type::symlink, [](entry& e) { e.manifest = e.hash; }) == errc::corrupt);
    CHECK(entry_with(entry_type::directory, [](entry& e) { e.size = 1; }) == errc::corrupt);
    CHECK(entry_with(entry_type::directory, [](entry& e) { e.manifest.bytes[0] = 1; }) == errc::corrupt);
    CHECK(error_of(with([](tree& t) { t.set_session(node_id(3), {0, 0}); })) == errc::corrupt);
    CHECK(error_of(with([](tree& t) { t.set_session(no_node, {1, 0}); })) == errc::corrupt);
}

TEST_CASE("records in another order, twice or at another place are refused, though the digest is of the same things") {
    const tree t = example();
    const auto good = encode(t);
    const auto at = records_of(t);
    REQUIRE(at.size() == 6);   // four entries, and the two sessions with the end
    const auto put_together = [&](const std::vector<std::pair<std::size_t, std::size_t>>& parts) {
        byte_buffer bytes;
        for (const auto& [from, to] : parts)
            bytes.insert(bytes.end(), good.view().begin() + static_cast<std::ptrdiff_t>(from),
                         good.view().begin() + static_cast<std::ptrdiff_t>(to));
        return decode_whole(shared_bytes(std::move(bytes))).error();
    };
    const std::size_t session = at[4], second = session + 25, end = second + 25, all = at[5];
    REQUIRE(end + 9 == all);
    CHECK_FALSE(put_together({{0, all}}));
    CHECK(put_together({{0, at[1]}, {at[2], at[3]}, {at[1], at[2]}, {at[3], all}}) == errc::corrupt);
    CHECK(put_together({{0, at[1]}, {at[0], at[1]}, {at[1], all}}) == errc::corrupt);
    CHECK(put_together({{0, session}, {second, end}, {session, second}, {end, all}}) == errc::corrupt);
    CHECK(put_together({{0, at[3]}, {session, second}, {at[3], session}, {second, all}}) == errc::corrupt);
    CHECK(put_together({{0, all}, {end, all}}) == errc::corrupt);
    CHECK(put_together({{0, all}, {session, second}}) == errc::corrupt);
    CHECK(put_together({{0, at[3]}, {session, all}}) == errc::corrupt);   // one left out: the digest tells
    CHECK(put_together({{0, session}, {end, all}}) == errc::corrupt);
}

TEST_CASE("a file with a manifest of nothing has another encoding, and this one is refused") {
    tree t;
    entry e = make(1, root_entry, "f");
    t.put(e);
    const auto plain = encode(t);
    byte_buffer bytes(plain.view().begin(), plain.view().end());
    bytes[1] = std::byte{4};
    bytes.insert(bytes.end() - 9, 32, std::byte{0});
    CHECK(decode_whole(shared_bytes(std::move(bytes))).error() == errc::corrupt);
}

TEST_CASE("what is announced costs nothing before it is there") {
    const auto head = from_hex("01 01 0100000000000000 0200000000000000 0100000000000000"
                               "000000000000000000000000000000000000000000000000");
    for (const char* length : {"00010000", "ffffffff", "00000080"}) {
        tree_decoder decoder;
        const auto before = bytes_allocated();
        CHECK(decoder.feed(head.view()).has_value());
        CHECK(decoder.feed(from_hex(length).view()).error() == errc::corrupt);
        CHECK(bytes_allocated() - before < 2048);
    }
    // Entries of which nothing is kept but what was fed.
    const auto good = encode(large(20'000));
    const auto before = bytes_allocated();
    CHECK(decode(good.view(), 100'000).has_value());
    CHECK(bytes_allocated() - before < 8 * good.size());
}

TEST_CASE("trees that differ in one entry share all but a handful of chunks") {
    const tree before = large(20'000);
    const std::size_t chunks = chunks_of(before).size();
    REQUIRE(chunks > 25);
    random_generator random(11);
    for (int round = 0; round < 15; ++round) {
        const auto some = id_of(2 + 100 * random.below(199) + random.below(98));
        tree changed = before, added = before, removed = before, moved = before;
        entry e = *before.find(some);
        e.hash.bytes[5] ^= 1;
        e.size += 1000;
        e.content_version = log_index(1'000'000);
        changed.put(e);
        e = *before.find(some);
        e.where.name = "a name of another length than before";
        moved.put(e);
        entry fresh = make(900'000, root_entry, "new");
        if (round % 2 == 0) fresh.id.session.node = node_id(0);   // before all others
        added.put(fresh);
        removed.erase(some);
        for (tree* after : {&changed, &added, &removed, &moved}) {
            after->set_session(node_id(1), {2, 30'000u + static_cast<unsigned>(round)});
            const auto fresh_chunks = new_chunks(before, *after);
            CHECK(fresh_chunks >= 1);
            CHECK(fresh_chunks <= 5);
        }
    }
    tree told = before;   // nothing but the end of the bytes says that a command was taken
    told.set_session(node_id(1), {2, 40'000});
    CHECK(new_chunks(before, told) == 1);
}

TEST_CASE("a hundred thousand entries are encoded and decoded with nothing that grows faster than they do") {
    using clock = std::chrono::steady_clock;
    const auto begun = clock::now();
    std::array<std::uint64_t, 2> allocated{};
    for (std::size_t i = 0; i < 2; ++i) {
        const tree t = large(50'000 * (i + 1));
        const auto before = bytes_allocated();
        const auto bytes = encode(t, 100'000);
        const auto decoded = decode(bytes.view(), 100'000);
        allocated[i] = bytes_allocated() - before;
        REQUIRE(decoded.has_value());
        REQUIRE(*decoded == t);
    }
    CHECK(allocated[1] < 3 * allocated[0]);
    // About 0.2 s where nothing is in the way; what is quadratic takes minutes.
    CHECK(clock::now() - begun < std::chrono::seconds(20));
}
