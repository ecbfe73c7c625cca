// A node that its log cannot lead on any more is brought to the state of another: from what is here first, then from others.
#include <tests/node/keeper_fixture.hpp>

using namespace node_test;
using namespace std::chrono_literals;

namespace {

struct behind_and_ahead {
    raft::install_request wish() const { return {ahead.applied(), node_id(2)}; }
    void answer(const tree_snapshot& s) { behind.catching.handle(node_id(2), snapshot_answer{s.at, s.manifest}); }

    exchange_world w{2};
    keeper behind{w, 1};
    keeper ahead{w, 2};
};

}  // namespace

TEST_CASE("a snapshot is installed when everything that it names is durable here, and not before") {
    behind_and_ahead c;
    const made_content large = make_content(1, 20);
    c.ahead.write("small", "a small content");
    c.ahead.write_large("large", large);
    auto before = large.all();
    REQUIRE(c.w[2].put({before.begin() + 1, before.end()}));   // one chunk is nowhere yet
    const tree_snapshot s = c.ahead.snapshot();
    c.behind.catching.begin(c.wish());
    REQUIRE(c.behind.asked == std::vector{std::pair(node_id(2), s.at)});
    c.answer(s);
    REQUIRE(c.w.pass(5s));
    CHECK(c.behind.installed.empty());
    CHECK(c.behind.catching.under_way());
    REQUIRE(c.w[2].put(large.all()));
    REQUIRE(c.w.pass(5s));
    CHECK(c.behind.installed == std::vector{s.at.index});
    CHECK(c.w[1].has_all(large));
    CHECK(c.behind.holds("a small content"));
    CHECK(c.behind.newest.tree.size() == 2);
    CHECK(!c.behind.catching.under_way());
}

TEST_CASE("what stands in the own log or in the directory is not asked of others") {
    behind_and_ahead c;
    const std::string logged(3000, 'l');
    const std::string filed(3000, 'f');
    c.behind.write("logged", logged);
    c.behind.on_disk("filed", filed);
    c.ahead.write("logged", logged);
    c.ahead.write("filed", filed);
    c.ahead.write("other", "what only the other has");
    const tree_snapshot s = c.ahead.snapshot();
    std::set<content_hash> answered;
    c.w[2].forge = [&](chunk_answer& a) {
        for (const auto& chunk : a.chunks) answered.insert(sha256(chunk.view()));
    };
    c.behind.catching.begin(c.wish());
    c.answer(s);
    REQUIRE(c.w.pass(5s));
    CHECK(c.behind.installed == std::vector{s.at.index});
    CHECK(!answered.contains(sha256(as_bytes(logged))));
    CHECK(!answered.contains(sha256(as_bytes(filed))));
    CHECK(answered.contains(sha256(as_bytes("what only the other has"))));
    for (const auto& text : {logged, filed}) CHECK(c.behind.holds(text));
}

TEST_CASE("a source that has the snapshot no more says so, and that is told") {
    behind_and_ahead c;
    c.ahead.write("f", "x");
    c.behind.catching.begin(c.wish());
    c.behind.catching.handle(node_id(2), snapshot_answer{c.ahead.applied(), {}});
    CHECK(c.behind.failed == std::vector{c.ahead.applied().index});
    CHECK(!c.behind.catching.under_way());
}

TEST_CASE("a source that does not answer is asked again") {
    behind_and_ahead c;
    c.ahead.write("f", "x");
    c.behind.catching.begin(c.wish());
    c.behind.catching.turn();
    CHECK(c.behind.asked.size() == 1);
    REQUIRE(c.w.pass(1s));
    c.behind.catching.turn();
    CHECK(c.behind.asked.size() == 2);
}

TEST_CASE("a newer wish takes the place of the one before, whose answer means nothing then") {
    behind_and_ahead c;
    c.ahead.write("f", "first");
    const tree_snapshot first = c.ahead.snapshot();
    c.behind.catching.begin(c.wish());
    c.ahead.write("g", "second");
    const tree_snapshot second = c.ahead.snapshot();
    c.behind.catching.begin(c.wish());
    c.answer(first);
    REQUIRE(c.w.pass(2s));
    CHECK(c.behind.installed.empty());
    c.answer(second);
    REQUIRE(c.w.pass(2s));
    CHECK(c.behind.installed == std::vector{second.at.index});
}

TEST_CASE("a log that got there by itself ends it") {
    behind_and_ahead c;
    c.ahead.write("f", "x");
    c.behind.catching.begin(c.wish());
    c.behind.write("f", "x");
    c.behind.catching.turn();
    CHECK(!c.behind.catching.under_way());
    CHECK(c.behind.failed.empty());
}

TEST_CASE("a newer wish that waits is not forgotten where the log got to the older one by itself") {
    behind_and_ahead c;
    const std::string text(3000, 't');
    c.ahead.write("f", text);
    c.behind.on_disk("f", text);
    const tree_snapshot first = c.ahead.snapshot();
    const raft::install_request wish = c.wish();
    c.ahead.write("g", "later");
    const tree_snapshot second = c.ahead.snapshot();
    c.behind.catching.begin(wish);
    c.answer(first);
    // The tree has come, and the content of the file waits for the disk.
    while (c.behind.catching.fetching().tree.size() == 0) REQUIRE((c.w.loop().run_one() || c.w.pass(100ms)));
    c.w.loop().hold(lane::chunks);
    REQUIRE(c.w.settle());
    REQUIRE(c.w.loop().jobs_waiting(lane::chunks) == 1);
    c.behind.catching.begin(c.wish());
    c.behind.write("f", text);
    REQUIRE(c.behind.applied().index >= first.at.index);
    c.behind.catching.turn();
    c.w.loop().hold(lane::chunks, false);
    REQUIRE(c.w.settle());
    CHECK((c.behind.asked.back().second == second.at));
    c.answer(second);
    REQUIRE(c.w.pass(2s));
    CHECK(c.behind.installed == std::vector{second.at.index});
}
