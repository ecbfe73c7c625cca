// What follows from what: numbers, parents and vector clocks.
#include <tests/catch.hpp>

#include <sim/trace/messages.hpp>
#include <sim/trace/recorder.hpp>

using namespace lockstep;
using namespace lockstep::sim;

namespace {

struct recorded_world {
    explicit recorded_world(traced_kinds kinds = traced_kinds::all()) : recorder(kinds, [this](const trace_event& e) { events.push_back(e); }) {
        recorder.attach(w);
    }
    std::uint64_t node(std::uint64_t n, traced what = traced::report, std::initializer_list<std::uint64_t> also = {}) {
        return recorder.record(trace_lane::of(node_id(n)), what, "x", {}, {}, also);
    }
    /// Runs f as an event of its own, a while later.
    void later(task f) { w.after(std::chrono::milliseconds(1), trace_kind::world, nullptr, 0, std::move(f)); }
    void run() {
        while (w.step()) {}
    }
    const trace_event& at(std::uint64_t id) const { return events.at(id - 1); }

    world w{1};
    std::vector<trace_event> events;
    trace_recorder recorder;
};

using ids = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("what happens on one node follows from what happened there before") {
    recorded_world r;
    r.later([&] { r.node(1); });
    r.later([&] { r.node(2); });
    r.later([&] { r.node(1); });
    r.run();
    REQUIRE(r.events.size() == 3);
    CHECK(r.at(1).parents.empty());
    CHECK(r.at(2).parents.empty());
    CHECK(r.at(3).parents == ids{1});
    CHECK(r.at(1).clock == vector_clock{1});
    CHECK(r.at(2).clock == vector_clock{0, 1});
    CHECK(r.at(3).clock == vector_clock{2});
}

TEST_CASE("what arrives follows from what was sent") {
    recorded_world r;
    std::uint64_t sent = 0;
    r.later([&] { sent = r.node(1, traced::send); });
    r.later([&] { r.node(2); });
    r.later([&] { r.node(2, traced::receive, {sent}); });
    r.run();
    CHECK(r.at(3).parents == ids{2, 1});
    CHECK(r.at(3).clock == vector_clock{1, 2});
}

TEST_CASE("what an event of the world had scheduled follows from the last thing that it did") {
    recorded_world r;
    r.later([&] {
        r.recorder.record(trace_lane::user_at(node_id(1)), traced::call, "writes");
        r.later([&] { r.later([&] { r.node(1); }); });
    });
    r.run();
    REQUIRE(r.events.size() == 2);
    CHECK(r.at(2).parents == ids{1});
    CHECK(r.at(2).at.time_since_epoch() == std::chrono::milliseconds(3));
}

TEST_CASE("a cause that is known already is no parent again") {
    recorded_world r;
    std::uint64_t sent = 0;
    r.later([&] { sent = r.node(1, traced::send); });
    r.later([&] { r.node(2, traced::receive, {sent}); });
    r.later([&] { r.node(2, traced::receive, {sent}); });
    r.run();
    CHECK(r.at(3).parents == ids{2});
    CHECK(r.at(3).clock == vector_clock{1, 2});
}

TEST_CASE("things of the world have no order: a crash follows from its fault and not from other faults") {
    recorded_world r;
    r.later([&] { r.recorder.record({}, traced::fault, "a cut"); });
    r.later([&] {
        r.recorder.record({}, traced::fault, "a crash");
        r.node(1, traced::crash);
        r.later([&] { r.node(1, traced::start); });
    });
    r.run();
    CHECK(r.at(2).parents.empty());
    CHECK(r.at(3).parents == ids{2});
    CHECK(r.at(4).parents == ids{3});
    CHECK(r.at(4).clock == vector_clock{2});
}

TEST_CASE("a user who acts in the midst of a node's event does not follow from the node") {
    recorded_world r;
    r.later([&] {
        r.node(1);
        {
            const cause_scope own(r.w, 0);
            r.recorder.record(trace_lane::user_at(node_id(1)), traced::call, "writes");
        }
        r.node(1);
    });
    r.run();
    CHECK(r.at(2).parents.empty());
    CHECK(r.at(3).parents == ids{1});
}

TEST_CASE("kinds that are not wanted have no number and are nobody's cause") {
    traced_kinds kinds = traced_kinds::all();
    kinds.set(traced::send, false);
    recorded_world r(kinds);
    r.later([&] { CHECK(r.node(1, traced::send) == 0); });
    r.later([&] { r.node(2, traced::receive, {0}); });
    r.run();
    REQUIRE(r.events.size() == 1);
    CHECK(r.at(1).parents.empty());
}

TEST_CASE("what changed in a node is told before what it does then") {
    recorded_world r;
    int looks = 0;
    r.recorder.set_look([&](node_id node) {
        if (looks++ == 0) r.recorder.record(trace_lane::of(node), traced::role, "leader");
    });
    r.later([&] { r.node(1, traced::send); });
    r.run();
    REQUIRE(r.events.size() == 2);
    CHECK(r.at(1).what == traced::role);
    CHECK(r.at(2).what == traced::send);
    CHECK(looks == 1);
}

TEST_CASE("a violation follows from what the world was doing, or, of something missing, from all nodes") {
    recorded_world r;
    r.later([&] { r.node(1); });
    r.later([&] { r.node(2); });
    r.run();
    r.recorder.violation("two leaders", false);
    r.recorder.violation("no leader", true);
    CHECK(r.at(3).parents == ids{2});
    CHECK(r.at(4).parents == ids{1, 2, 3});
}

TEST_CASE("frames on a connection are found again by what they hold, in their order") {
    frame_matcher m;
    const frame_matcher::way way{node_id(1), node_id(2), 0};
    m.sent(way, 1, 100);
    m.sent(way, 2, 200);
    m.sent(way, 3, 200);
    CHECK(m.received({node_id(1), node_id(3), 0}, 100).sent == 0);
    const auto second = m.received(way, 200);
    CHECK(second.sent == 2);
    CHECK(second.lost == ids{1});
    CHECK(m.received(way, 200).sent == 3);
    CHECK(m.received(way, 200).sent == 0);
    m.sent(way, 4, 100);
    CHECK(m.ended(node_id(1)).empty());
    CHECK(m.ended(node_id(2)) == ids{4});
}

TEST_CASE("a world without a recorder records nothing") {
    world w(1);
    CHECK(trace_sent(w, node_id(1), node_id(2), raft::message{node_id(1), node_id(2), term(1), raft::heartbeat{}}) == 0);
    trace_lost(w, 1, node_id(2), "lost");
    trace_frames_ended(w, node_id(2));
    CHECK(w.cause() == 0);
}

TEST_CASE("messages have words") {
    const auto text = [](raft::message_body body) { return words_of(raft::message{node_id(1), node_id(2), term(4), std::move(body)}).text; };
    CHECK(text(raft::vote_request{true, log_index(7), term(3)}) == "pre-vote request: has 7 of term 3, term 4");
    CHECK(text(raft::vote_reply{false, true}) == "vote reply: granted, term 4");
    CHECK(text(raft::heartbeat{log_index(5), 9}) == "heartbeat: commit 5, round 9, term 4");
    CHECK(text(raft::append_reply{true, log_index(3), log_index(6), term(2)}) == "append reply: refused after 6, may have 3 of term 2, term 4");
    raft::append_request append{log_index(6), term(3), log_index(5), {}};
    CHECK(text(append) == "append: nothing after 6 of term 3, commit 5, term 4");
    append.entries = {{log_index(7), term(4), raft::entry_kind::empty, {}}, {log_index(8), term(4), raft::entry_kind::empty, {}}};
    CHECK(text(append) == "append: 7..8 after 6 of term 3, commit 5, term 4");
    CHECK(words_of(shared_bytes::copy_of(std::string_view("nonsense"))).text == "a frame that cannot be read");
}
