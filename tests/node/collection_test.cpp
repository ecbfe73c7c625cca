// What a collection keeps, what it removes, and what it does when something cannot be read meanwhile.
#include <tests/node/keeper_fixture.hpp>

using namespace node_test;
using namespace std::chrono_literals;

namespace {

collection_options always() {
    collection_options o;
    o.grown_bytes = 1;
    o.retry_after = 30s;
    return o;
}

struct collecting {
    explicit collecting(collection_options o = always(), std::uint64_t nodes = 1) : w(nodes), k(w, 1, {}, o) {
        REQUIRE(w[1].put(rubbish.chunks));
    }

    /// Runs the one that is due. Whether it came to its end.
    bool run() {
        const int before = k.collections;
        k.collect.turn();
        while (w.loop().run_one() || k.collect.under_way()) k.collect.turn();
        return k.collections > before;
    }
    bool has_rubbish() {
        for (std::size_t i = 0; i < 50; ++i)   // of the first pack, which nothing else is in
            if (w[1].store->holds(rubbish.chunks[i].hash)) return true;
        return false;
    }

    made_content rubbish = make_content(1000, 100);
    exchange_world w;
    keeper k;
};

/// Flips a byte of a chunk where it stands in a pack.
void damage_chunk(exchange_world::node& n, byte_view chunk) {
    for (const auto& file : std::filesystem::directory_iterator(n.chunk_directory())) {
        if (file.path().extension() == ".index") continue;
        std::string bytes = lockstep::testing::slurp(file.path().string());
        const auto at = bytes.find(std::string(as_text(chunk)));
        if (at == std::string::npos) continue;
        bytes[at + 7] = static_cast<char>(bytes[at + 7] ^ 0x55);
        std::fstream(file.path(), std::ios::in | std::ios::out | std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        return;
    }
    FAIL("no such chunk");
}

}  // namespace

TEST_CASE("what the tree, the log, a snapshot and the host name is there after a collection, and what nobody names is gone") {
    collecting c;
    const made_content in_tree = make_content(1, 5);
    const made_content in_log = make_content(11, 5);
    const made_content in_snapshot = make_content(21, 700, 50);
    const made_content named = make_content(31, 5);
    c.k.write_large("s", in_snapshot);
    c.k.write("i", "an inline content that the snapshot names");
    c.k.newest = c.k.snapshot();
    c.k.commit(c.k.writer.remove(c.k.history.committed, c.k.history.at("s")));
    c.k.log.clear();
    c.k.write_large("t", in_tree);
    c.k.write_large("l", in_log);
    c.k.commit(c.k.writer.remove(c.k.history.committed, c.k.history.at("l")));
    c.k.more_roots.push_back(named.name);
    for (const auto* content : {&in_tree, &in_log, &in_snapshot, &named}) REQUIRE(c.w[1].put(content->all()));
    REQUIRE(c.run());
    CHECK(!c.has_rubbish());
    CHECK(c.w[1].has_all(in_tree));
    CHECK(c.w[1].has_all(in_log));
    CHECK(c.w[1].has_all(in_snapshot));
    CHECK(c.w[1].has_all(named));
    CHECK(c.k.holds("an inline content that the snapshot names"));
    CHECK(c.w[1].store->holds(sha256(c.k.newest.manifest.view())));
}

TEST_CASE("what comes, is found or gets a name while a collection is under way is kept") {
    collecting c;
    const made_content comes = make_content(1, 5);
    const made_content found = make_content(11, 5);
    const made_content named = make_content(21, 5);
    REQUIRE(c.w[1].put(found.all()));
    REQUIRE(c.w[1].put(named.all()));
    c.w.loop().hold(lane::reads);
    c.w.loop().hold(lane::chunks);
    c.k.write_large("first", named);   // its entry is behind what is read at first
    c.k.collect.turn();
    REQUIRE(c.k.collect.under_way());
    bool put = false;
    c.w[1].store->put(comes.all(), [&](const storage_error& error) { put = !error.code; });
    bool ensured = false;
    c.w[1].exchange->ensure(found.manifest, no_node, [&] { ensured = true; });
    c.w.loop().hold(lane::reads, false);
    c.w.loop().hold(lane::chunks, false);
    REQUIRE(c.run());
    CHECK(put);
    CHECK(ensured);
    CHECK(!c.has_rubbish());
    for (const auto* content : {&comes, &found, &named}) CHECK(c.w[1].has_all(*content));
}

TEST_CASE("one begins when the store has grown enough, or somebody is in a hurry, and not too often") {
    collection_options o;
    o.grown_bytes = 150000;
    collecting c(o);
    CHECK(!c.run());
    c.k.collect.hurry();
    CHECK(c.run());
    c.k.collect.hurry();
    CHECK(!c.run());
    REQUIRE(c.w.pass(11s));
    CHECK(c.run());
    REQUIRE(c.w[1].put(make_content(2000, 100).chunks));
    CHECK(!c.run());
    REQUIRE(c.w[1].put(make_content(3000, 60).chunks));
    REQUIRE(c.w.pass(11s));
    CHECK(c.run());
}

TEST_CASE("where the log cannot be read nothing is removed, and it is tried again after a while") {
    collecting c;
    SECTION("because the store has grown") {}
    SECTION("because somebody was in a hurry") { c.k.collect.hurry(); }
    c.k.write("f", "x");
    c.k.log_is_broken = true;
    CHECK(!c.run());
    CHECK(c.has_rubbish());
    c.k.log_is_broken = false;
    CHECK(!c.run());
    REQUIRE(c.w.pass(31s));
    CHECK(c.run());
    CHECK(!c.has_rubbish());
}

TEST_CASE("a manifest that is here and cannot be read now costs nothing of what it lists") {
    collecting c;
    const made_content large = make_content(1, 700, 50);
    c.k.write_large("f", large);
    REQUIRE(c.w[1].put(large.all()));
    std::uint64_t call = 1;   // the first is of the manifest, the others may be of pieces
    SECTION("itself") {}
    SECTION("a piece of its list") { call = 3; }
    c.w[1].files.fail_at(c.w[1].files.calls() + call, make_error_code(boost::system::errc::too_many_files_open));
    c.run();
    CHECK(c.w[1].has_all(large));
    REQUIRE(c.w.pass(31s));
    c.run();
    CHECK(c.w[1].has_all(large));
    CHECK(!c.has_rubbish());
}

TEST_CASE("what is damaged of a content is fetched from others by a collection, and a damaged list costs nothing of what it lists") {
    collecting c(always(), 2);
    const made_content large = make_content(1, 700, 50);
    c.k.write_large("f", large);
    for (const std::uint64_t i : {1u, 2u}) REQUIRE(c.w[i].put(large.all()));
    const auto list = content::decode_manifest(large.manifest.view());
    REQUIRE(list->level == 2);
    content_hash lost;
    bool is_list = true;
    SECTION("its manifest") {
        lost = large.name;
        damage_chunk(c.w[1], large.manifest.view());
    }
    SECTION("a piece of its list") {
        lost = list->refs.front().hash;
        for (const auto& chunk : large.all())
            if (chunk.hash == lost) damage_chunk(c.w[1], chunk.bytes.view());
    }
    SECTION("a chunk, which somebody reads") {
        is_list = false;
        lost = large.chunks[300].hash;
        damage_chunk(c.w[1], large.chunks[300].bytes.view());
        c.w[1].exchange->read_chunks({lost}, [](std::vector<std::optional<shared_bytes>> read) { CHECK(!read.front()); });
        REQUIRE(c.w.settle());
        CHECK(c.w[1].damaged == 1);
        CHECK(!c.w[1].store->holds(lost));
    }
    CHECK(c.run() == !is_list);   // where nobody knows what is listed nothing is removed
    CHECK(c.w[1].damaged == 1);
    REQUIRE(c.w.settle());
    CHECK(c.w[1].has_all(large));
    REQUIRE(c.w.pass(31s));
    c.run();
    CHECK(c.w[1].has_all(large));
    CHECK(!c.has_rubbish());
}

TEST_CASE("a content of the snapshot that is gone from the store is fetched again") {
    collecting c(always(), 2);
    c.k.write("i", "an inline content that the snapshot names");
    c.k.newest = c.k.snapshot();
    const shared_bytes text = shared_bytes::copy_of("an inline content that the snapshot names");
    REQUIRE(c.w[2].put({{sha256(text.view()), text}}));
    damage_chunk(c.w[1], text.view());
    c.w[1].exchange->read_chunks({sha256(text.view())}, [](std::vector<std::optional<shared_bytes>> read) { CHECK(!read.front()); });
    REQUIRE(c.w.settle());
    CHECK(!c.k.holds("an inline content that the snapshot names"));
    CHECK(c.run());
    REQUIRE(c.w.settle());
    CHECK(c.k.holds("an inline content that the snapshot names"));
}

TEST_CASE("what nobody has any more is not asked for longer than somebody names it") {
    collecting c(always(), 2);
    const made_content large = make_content(1, 5);
    c.k.more_roots.push_back(large.name);   // it is not here
    CHECK(!c.run());
    REQUIRE(c.w.pass(31s));
    CHECK(c.w[1].queries_to[node_id(2)] > 0);
    c.k.more_roots.clear();
    CHECK(c.run());
    CHECK(!c.has_rubbish());
    CHECK(!c.w[1].exchange->awaits(large.name));
}

TEST_CASE("a collection after which the store is done for tells its host, whichever call failed") {
    int failed = 0;
    for (std::uint64_t n = 1; n <= 60; ++n) {
        collecting c;
        const made_content large = make_content(1, 300, 50);
        c.k.write_large("f", large);
        REQUIRE(c.w[1].put(large.all()));
        c.w[1].files.fail_at(c.w[1].files.calls() + n, make_error_code(errc::io_error));
        c.run();
        INFO("call " << n);
        CHECK(c.w[1].store->works() != c.k.store_failed);
        failed += c.k.store_failed;
    }
    CHECK(failed > 0);
}
