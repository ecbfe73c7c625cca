// Contents come, are given and are prepared: over stores on real disks and a network that loses, forges and comes back.
#include <tests/node/exchange_fixture.hpp>

#include <tests/storage/storage_fixture.hpp>

#include <filesystem>

using namespace node_test;
using namespace std::chrono_literals;

namespace {

/// Counts how often it was told.
struct told {
    std::function<void()> once() {
        return [this] { ++times; };
    }
    int times = 0;
};

/// Flips a byte in the middle of whatever stands in the packs of a node.
void damage_packs(exchange_world::node& n) {
    for (const auto& file : std::filesystem::directory_iterator(n.chunk_directory())) {
        if (file.path().extension() == ".index") continue;
        std::string bytes = lockstep::testing::slurp(file.path().string());
        for (std::size_t at = 600; at < bytes.size(); at += 1000) bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
        std::fstream(file.path(), std::ios::in | std::ios::out | std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
}

}  // namespace

TEST_CASE("a content comes by its manifest, by the name of that, and as single chunks; each chunk is asked for once") {
    exchange_world w(2);
    const made_content c = make_content(1, 10);
    REQUIRE(w[2].put(c.all()));
    told t;
    std::size_t asked = 0;
    SECTION("by its manifest") {
        w[1].exchange->ensure(c.manifest, node_id(2), t.once());
        asked = 10;
    }
    SECTION("by its name") {
        w[1].exchange->ensure(c.name, node_id(2), t.once());
        asked = 11;
    }
    SECTION("as chunks") {
        w[1].exchange->ensure(c.refs(), node_id(2), t.once());
        asked = 10;
    }
    SECTION("by nobody in particular") {
        w[1].exchange->ensure(c.manifest, no_node, t.once());
        asked = 10;
    }
    CHECK(t.times == 0);
    REQUIRE(w.settle());
    CHECK(t.times == 1);
    CHECK(w[1].chunks_asked == asked);
    for (const auto& chunk : c.chunks) CHECK(w[1].store->holds(chunk.hash));
    CHECK(w[1].exchange->bytes_missing() == 0);
}

TEST_CASE("what came is durable when it is told") {
    exchange_world w(2);
    const made_content c = make_content(1, 10);
    REQUIRE(w[2].put(c.all()));
    bool durable = false;
    w[1].exchange->ensure(c.manifest, node_id(2), [&] {
        w.loop().post([&] {
            w[1].restart();
            durable = w[1].has_all(c);
        });
    });
    REQUIRE(w.settle());
    CHECK(durable);
}

TEST_CASE("a long list of chunks comes in pieces, and then what stands in them") {
    exchange_world w(2);
    const made_content c = make_content(1, 700, 50);
    REQUIRE(!c.lists.empty());
    REQUIRE(w[2].put(c.all()));
    told t;
    SECTION("by its manifest") { w[1].exchange->ensure(c.manifest, node_id(2), t.once()); }
    SECTION("by its name") { w[1].exchange->ensure(c.name, node_id(2), t.once()); }
    REQUIRE(w.settle());
    CHECK(t.times == 1);
    CHECK(w[1].has_all(c));
    CHECK(w[1].exchange->complete(c.manifest));
    CHECK(w[1].chunks_asked <= c.all().size());
}

TEST_CASE("what is here is told without asking anybody") {
    exchange_world w(2);
    const made_content c = make_content(1, 100);
    REQUIRE(w[1].put(c.all()));
    CHECK(!w[1].exchange->complete(c.manifest));
    told t;
    w[1].exchange->ensure(c.name, node_id(2), t.once());
    w[1].exchange->ensure(c.manifest, node_id(2), t.once());
    w[1].exchange->ensure(c.refs(), node_id(2), t.once());
    REQUIRE(w.settle());
    CHECK(t.times == 3);
    CHECK(w[1].chunks_asked == 0);
    CHECK(w[1].exchange->complete(c.manifest));
}

TEST_CASE("a source that does not have it sends nobody away: others are asked") {
    exchange_world w(3);
    const made_content c = make_content(1, 10);
    REQUIRE(w[3].put(c.all()));
    told t;
    w[1].exchange->ensure(c.manifest, node_id(2), t.once());
    REQUIRE(w.settle());
    CHECK(t.times == 1);
    CHECK(w[1].queries_to[node_id(2)] > 0);
}

TEST_CASE("what nobody has is asked for now and then until somebody has it") {
    exchange_world w(2);
    const made_content c = make_content(1, 3);
    told t;
    w[1].exchange->ensure(c.manifest, node_id(2), t.once());
    REQUIRE(w.pass(10s));
    CHECK(t.times == 0);
    const auto asked = w[1].queries_to[node_id(2)];
    CHECK(asked >= 5);
    CHECK(asked <= 40);
    REQUIRE(w[2].put(c.all()));
    REQUIRE(w.pass(2s));
    CHECK(t.times == 1);
}

TEST_CASE("a damaged chunk is not given away, is noticed, and is fetched again") {
    exchange_world w(3);
    const made_content c = make_content(1, 10);
    for (const std::uint64_t i : {1u, 3u}) REQUIRE(w[i].put(c.all()));
    damage_packs(w[1]);
    std::size_t unread = 0;
    std::vector<content_hash> names;
    for (const auto& chunk : c.chunks) names.push_back(chunk.hash);
    w[1].exchange->read_chunks(names, [&](std::vector<std::optional<shared_bytes>> read) {
        for (const auto& bytes : read) unread += !bytes;
    });
    REQUIRE(w.settle());
    REQUIRE(unread > 0);

    told t;
    w[1].exchange->ensure(c.refs(), node_id(2), t.once());
    REQUIRE(w.settle());
    CHECK(t.times == 1);
    CHECK(w[1].chunks_asked >= unread);
    std::size_t right = 0;
    w[1].exchange->read_chunks(names, [&](std::vector<std::optional<shared_bytes>> read) {
        for (std::size_t i = 0; i < read.size(); ++i) right += read[i] && *read[i] == c.chunks[i].bytes;
    });
    REQUIRE(w.settle());
    CHECK(right == c.chunks.size());
}

TEST_CASE("whoever finds a chunk of its own damaged says that it does not have it") {
    exchange_world w(3);
    const made_content c = make_content(1, 10);
    for (const std::uint64_t i : {2u, 3u}) REQUIRE(w[i].put(c.all()));
    damage_packs(w[2]);
    told t;
    w[1].exchange->ensure(c.manifest, node_id(2), t.once());
    REQUIRE(w.settle());
    CHECK(t.times == 1);
    CHECK(w[1].has_all(c));
    CHECK(w[1].queries_to[node_id(3)] > 0);
}

TEST_CASE("answers of other bytes than were asked for are not kept, and the chunks are asked of others") {
    exchange_world w(3);
    const made_content c = make_content(1, 5);
    for (const std::uint64_t i : {2u, 3u}) REQUIRE(w[i].put(c.all()));
    w[2].forge = [](chunk_answer& a) {
        for (auto& chunk : a.chunks) chunk = shared_bytes::copy_of("something else");
    };
    told t;
    w[1].exchange->ensure(c.manifest, node_id(2), t.once());
    REQUIRE(w.settle());   // and not for ever the same answer of the same peer
    CHECK(t.times == 1);
    CHECK(w[1].has_all(c));
    CHECK(!w[1].store->holds(sha256(as_bytes("something else"))));
}

TEST_CASE("where the only peer answers wrong bytes it is asked again by and by, not at once and for ever") {
    exchange_world w(2);
    const made_content c = make_content(1, 5);
    REQUIRE(w[2].put(c.all()));
    w[2].forge = [](chunk_answer& a) {
        for (auto& chunk : a.chunks) chunk = shared_bytes::copy_of("something else");
    };
    told t;
    w[1].exchange->ensure(c.manifest, node_id(2), t.once());
    REQUIRE(w.pass(10s));
    CHECK(w[1].queries_to[node_id(2)] <= 40);
    w[2].forge = nullptr;
    REQUIRE(w.pass(2s));
    CHECK(t.times == 1);
}

TEST_CASE("an answer that nobody asked for, or of another number of chunks, does nothing") {
    exchange_world w(2);
    const made_content c = make_content(1, 3);
    w[1].exchange->handle(node_id(2), chunk_answer{1, {c.chunks[0].bytes}});
    REQUIRE(w.settle());
    CHECK(!w[1].store->holds(c.chunks[0].hash));
    REQUIRE(w[2].put(c.all()));
    w[2].forge = [](chunk_answer& a) { a.chunks.pop_back(); };
    told t;
    w[1].exchange->ensure(c.refs(), node_id(2), t.once());
    REQUIRE(w.settle());
    CHECK(t.times == 0);
    w[2].forge = nullptr;
    REQUIRE(w.pass(12s));   // as if it had never answered
    CHECK(t.times == 1);
}

TEST_CASE("of two wishes for the same chunks one may end: the other goes on") {
    exchange_world w(2);
    const made_content c = make_content(1, 5);
    told first;
    told second;
    const auto a = w[1].exchange->ensure(c.manifest, node_id(2), first.once());
    const auto b = w[1].exchange->ensure(c.refs(), node_id(2), second.once());
    REQUIRE(w.settle());
    w[1].exchange->cancel(a);
    w[1].exchange->cancel(a);
    CHECK(w[1].exchange->bytes_missing() > 0);
    REQUIRE(w[2].put(c.all()));
    REQUIRE(w.pass(2s));
    CHECK(first.times == 0);
    CHECK(second.times == 1);
    w[1].exchange->cancel(b);
}

TEST_CASE("once nobody wants it nobody is asked") {
    exchange_world w(2);
    const made_content c = make_content(1, 5);
    told t;
    SECTION("by its manifest") { w[1].exchange->cancel(w[1].exchange->ensure(c.manifest, node_id(2), t.once())); }
    SECTION("by its manifest, when that is stored") {
        const auto ticket = w[1].exchange->ensure(c.manifest, node_id(2), t.once());
        REQUIRE(w.settle());
        w[1].exchange->cancel(ticket);
    }
    SECTION("by its name") { w[1].exchange->cancel(w[1].exchange->ensure(c.name, node_id(2), t.once())); }
    SECTION("as chunks") { w[1].exchange->cancel(w[1].exchange->ensure(c.refs(), node_id(2), t.once())); }
    CHECK(w[1].exchange->bytes_missing() == 0);
    const auto asked = w[1].chunks_asked;
    REQUIRE(w[2].put(c.all()));
    REQUIRE(w.pass(20s));
    CHECK(w[1].chunks_asked == asked);
    CHECK(t.times == 0);
}

TEST_CASE("a connection that was lost interrupts a transfer, and what came before it does not come again") {
    exchange_world w(2);
    const made_content c = make_content(1, 40, 100000);   // of several answers
    REQUIRE(w[2].put({c.chunks.begin(), c.chunks.begin() + 20}));
    REQUIRE(w[2].put({c.chunks.begin() + 20, c.chunks.end()}));
    told t;
    w[1].exchange->ensure(c.manifest, node_id(2), t.once());
    const auto held = [&] {
        std::size_t count = 0;
        for (const auto& chunk : c.chunks) count += w[1].store->holds(chunk.hash);
        return count;
    };
    w[2].forge = [&](chunk_answer&) { w[2].bulk_is_full = true; };   // behind the first
    REQUIRE(w.settle());
    w.cut(1, 2);
    w[2].forge = nullptr;
    w[2].bulk_is_full = false;
    REQUIRE(w.pass(30s));
    CHECK(t.times == 0);
    const std::size_t here = held();
    REQUIRE(here > 0);
    REQUIRE(here < c.chunks.size());

    const auto asked = w[1].chunks_asked;
    w.connect(1, 2);
    REQUIRE(w.settle());
    CHECK(t.times == 1);
    CHECK(w[1].chunks_asked - asked == c.chunks.size() - here);
}

TEST_CASE("answers that find no room on the way wait for it, and a peer that is gone leaves no one waiting") {
    exchange_world w(2);
    const made_content c = make_content(1, 40, 100000);
    REQUIRE(w[2].put({c.chunks.begin(), c.chunks.begin() + 20}));
    REQUIRE(w[2].put({c.chunks.begin() + 20, c.chunks.end()}));
    w[2].bulk_is_full = true;
    told t;
    w[1].exchange->ensure(c.refs(), node_id(2), t.once());
    REQUIRE(w.settle());
    CHECK(w[2].answers_sent == 0);
    SECTION("there is room") {}
    SECTION("the peer comes back, again and again") {
        for (int i = 0; i < 20; ++i) {
            w.cut(1, 2);
            w.connect(1, 2);
            REQUIRE(w.settle());
        }
    }
    w[2].bulk_is_full = false;
    w[2].exchange->drained(node_id(1));
    REQUIRE(w.settle());
    CHECK(t.times == 1);
}

TEST_CASE("a manifest whose pieces are no lists is waited for, and not read for ever") {
    exchange_world w(2);
    const made_content c = make_content(1, 700, 50);
    std::vector<content::chunk_ref> no_lists;
    content::manifest m = content::decode_manifest(c.manifest.view()).value();
    std::vector<storage::named_chunk> chunks;
    for (auto& ref : m.refs) {
        chunks.push_back(lockstep::testing::made_chunk(ref.bytes + 9000, ref.bytes));
        chunks.back().bytes = shared_bytes(byte_buffer(ref.bytes, std::byte{0xff}));
        chunks.back().hash = sha256(chunks.back().bytes.view());
        ref.hash = chunks.back().hash;
    }
    REQUIRE(content::well_formed(m));
    REQUIRE(w[2].put(chunks));
    told t;
    w[1].exchange->ensure(shared_bytes(content::encode(m)), node_id(2), t.once());
    CHECK(w.settle());
    CHECK(t.times == 0);
}

// --- preparing ---

TEST_CASE("a content is prepared once a majority has it durably, the leader and this node among them") {
    exchange_world w(3);
    w.leader = node_id(2);
    const made_content c = make_content(1, 10);
    REQUIRE(w[1].put(c.all()));
    told t;
    SECTION("the leader has it") {
        w.cut(1, 3);
        w[1].exchange->prepare(c.manifest, t.once());
        REQUIRE(w.pass(1s));
        CHECK(t.times == 1);
        CHECK(w[2].has_all(c));
    }
    SECTION("a majority without the leader is not enough") {
        w.cut(1, 2);
        w[1].exchange->prepare(c.manifest, t.once());
        REQUIRE(w.pass(5s));
        CHECK(w[3].has_all(c));
        CHECK(t.times == 0);
        CHECK(w[1].exchange->preparing() == 1);
        w.connect(1, 2);
        REQUIRE(w.pass(2s));
        CHECK(t.times == 1);
    }
    SECTION("nor is one without any leader") {
        w.leader = no_node;
        w[1].exchange->prepare(c.manifest, t.once());
        REQUIRE(w.pass(5s));
        CHECK(t.times == 0);
        w.leader = node_id(1);
        REQUIRE(w.pass(2s));
        CHECK(t.times == 1);
    }
    SECTION("a node on another disk than its founding one does not count") {
        w.strangers.insert(node_id(2));
        w.cut(1, 3);
        w[1].exchange->prepare(c.manifest, t.once());
        REQUIRE(w.pass(5s));
        CHECK(t.times == 0);
    }
    CHECK(t.times <= 1);
}

TEST_CASE("the leader alone of three is no majority, whatever it has itself") {
    exchange_world w(3);
    const made_content c = make_content(1, 10);
    REQUIRE(w[1].put(c.all()));
    w.cut(1, 2);
    w.cut(1, 3);
    told t;
    w[1].exchange->prepare(c.manifest, t.once());
    REQUIRE(w.pass(5s));
    CHECK(t.times == 0);
}

TEST_CASE("who is asked to prepare answers when everything is durable, and not before") {
    exchange_world w(2);
    const made_content c = make_content(1, 10);
    w[2].exchange->handle(node_id(1), prepare_query{7, c.manifest});
    REQUIRE(w.pass(1s));
    CHECK(w[2].prepared_for.empty());
    REQUIRE(w[1].put(c.all()));
    bool had_all = false;
    w[2].answering = [&] { had_all = w[2].has_all(c); };
    REQUIRE(w.pass(1s));
    CHECK(had_all);
    CHECK(w[2].prepared_for == std::vector{node_id(1)});
}

TEST_CASE("each question is answered, also those that came while the content did, and what is no manifest is not") {
    exchange_world w(2);
    const made_content c = make_content(1, 5);
    for (const std::uint64_t id : {7u, 7u, 8u}) w[2].exchange->handle(node_id(1), prepare_query{id, c.manifest});
    w[2].exchange->handle(node_id(1), prepare_query{9, shared_bytes::copy_of("no manifest")});
    REQUIRE(w[1].put(c.all()));
    REQUIRE(w.pass(2s));
    CHECK(w[2].prepared_for.size() == 2);
    w[2].exchange->handle(node_id(1), prepare_query{10, c.manifest});
    REQUIRE(w.settle());
    CHECK(w[2].prepared_for.size() == 3);
}

TEST_CASE("what a peer wished for ends a minute after it asked last") {
    exchange_world w(2);
    const made_content c = make_content(1, 5);
    w[2].exchange->handle(node_id(1), prepare_query{7, c.manifest});
    REQUIRE(w.pass(50s));
    CHECK(w[2].exchange->bytes_missing() > 0);
    w[2].exchange->handle(node_id(1), prepare_query{7, c.manifest});
    REQUIRE(w.pass(50s));
    CHECK(w[2].exchange->bytes_missing() > 0);
    REQUIRE(w.pass(11s));
    CHECK(w[2].exchange->bytes_missing() == 0);
    // It may begin anew.
    REQUIRE(w[1].put(c.all()));
    w[2].exchange->handle(node_id(1), prepare_query{8, c.manifest});
    REQUIRE(w.pass(2s));
    CHECK(w[2].prepared_for == std::vector{node_id(1)});
}

// --- beside a collection and a full disk ---

TEST_CASE("a collection is told of everything that is on its way, is prepared, or was prepared for others lately") {
    exchange_world w(4);
    const made_content by_manifest = make_content(1, 3);
    const made_content by_name = make_content(11, 3);
    const made_content as_chunks = make_content(21, 3);
    const made_content prepared = make_content(31, 3);
    const made_content pinned = make_content(41, 3);
    told t;
    w[1].exchange->ensure(by_manifest.manifest, node_id(2), t.once());
    w[1].exchange->ensure(by_name.name, node_id(2), t.once());
    w[1].exchange->ensure(as_chunks.refs(), node_id(2), t.once());
    REQUIRE(w[1].put(prepared.all()));
    for (const std::uint64_t other : {2u, 3u, 4u}) w.cut(1, other);
    w[1].exchange->prepare(prepared.manifest, t.once());
    REQUIRE(w[1].put(pinned.all()));
    w[1].exchange->handle(node_id(2), prepare_query{1, pinned.manifest});
    REQUIRE(w.pass(1s));
    CHECK(w[1].exchange->complete(pinned.manifest));

    const auto named = [&] {
        std::vector<content_hash> manifests;
        std::vector<content_hash> chunks;
        w[1].exchange->begin_collection(manifests, chunks);
        return std::pair(std::set(manifests.begin(), manifests.end()), std::set(chunks.begin(), chunks.end()));
    };
    auto [manifests, chunks] = named();
    CHECK(manifests == std::set{by_manifest.name, by_name.name, prepared.name, pinned.name});
    CHECK(chunks.size() == 3);
    for (const auto& ref : as_chunks.refs()) CHECK(chunks.contains(ref.hash));
    // What is complete is looked for anew: nobody else would tell the store that it is used.
    CHECK(!w[1].exchange->complete(pinned.manifest));
    // A pin is a hint, and ends.
    REQUIRE(w.pass(61s));
    CHECK(!named().first.contains(pinned.name));
}

TEST_CASE("where the disk is full what came waits for room, is asked for once, and is told when it is durable") {
    exchange_world w(2);
    const made_content c = make_content(1, 10);
    REQUIRE(w[2].put(c.all()));
    told t;
    w[1].files.fail_writes(make_error_code(errc::no_space));
    w[1].exchange->ensure(c.manifest, node_id(2), t.once());
    REQUIRE(w.pass(5s));
    CHECK(t.times == 0);
    CHECK(w[1].exchange->is_full());
    REQUIRE(!w[1].room.empty());
    CHECK(!w[1].room.back());
    w[1].files.fail_writes({});
    REQUIRE(w.pass(5s));
    CHECK(t.times == 1);
    CHECK(!w[1].exchange->is_full());
    CHECK(w[1].room.back());
    CHECK(w[1].chunks_asked == 10);
    CHECK(!w[1].failed);
}

TEST_CASE("a disk that fails otherwise is told, and nothing that may not be durable is") {
    exchange_world w(2);
    const made_content c = make_content(1, 3);
    REQUIRE(w[2].put(c.all()));
    told t;
    w[1].files.fail_writes(make_error_code(errc::io_error));
    w[1].exchange->ensure(c.manifest, node_id(2), t.once());
    REQUIRE(w.pass(2s));
    CHECK(w[1].failed);
    CHECK(t.times == 0);
}

TEST_CASE("a full disk and a silent peer keep nobody busy: the next turn is never due at once") {
    exchange_world w(3);
    const made_content c = make_content(1, 200, 250000);
    for (std::size_t at = 0; at < c.chunks.size(); at += 4)
        REQUIRE(w[2].put({c.chunks.begin() + static_cast<std::ptrdiff_t>(at), c.chunks.begin() + static_cast<std::ptrdiff_t>(at) + 4}));
    w.silence(3);   // it takes questions and never answers
    told t;
    w[1].files.fail_writes(make_error_code(errc::no_space));
    w[1].exchange->ensure(c.refs(), no_node, t.once());
    CHECK(w.pass(30s));
    w[1].files.fail_writes({});
    CHECK(w.pass(60s));
    CHECK(t.times == 1);
}
