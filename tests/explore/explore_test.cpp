#include <sim/explore/explorer.hpp>
#include <sim/explore/replay.hpp>

#include <tests/catch.hpp>

#include <algorithm>
#include <numeric>
#include <string>

using namespace lockstep;
using namespace lockstep::sim::explore;

namespace {

/// One election, or two, and what comes of it; nothing goes wrong.
bounds quiet(std::uint64_t terms, std::uint64_t entries) {
    bounds b;
    b.terms = b.timeouts = terms;
    b.entries = entries;
    b.crashes = b.drops = b.stalls = 0;
    return b;
}

/// Sends votes and acknowledgements without waiting for its disk.
struct hasty_driver : faithful_driver {
    static void began(const raft::persist_request& r, std::vector<raft::message>& sent) { sent = r.send_durable; }
};

/// After a start it knows its term, and not whom it voted for in it.
struct forgetful_driver : faithful_driver {
    static void start(disk_image& disk) { disk.hard.voted_for = no_node; }
};

/// Writes entries where they belong, and leaves what stood behind them.
struct untidy_driver : faithful_driver {
    static void write(disk_image& disk, const raft::persist_request& r) {
        disk.hard = r.hard;
        for (const raft::entry& e : r.entries) {
            const auto at = static_cast<std::size_t>(e.index.value - 1);
            if (at < disk.entries.size()) disk.entries[at] = e;
            else disk.entries.push_back(e);
        }
    }
};

/// The state that a lossy disk leaves: its last entry is gone after a start.
struct lossy_driver : faithful_driver {
    static void start(disk_image& disk) {
        if (!disk.entries.empty()) disk.entries.pop_back();
    }
};

/// Finds it, by a way that does end there, and none of whose parts suffices.
template <class Driver>
std::string found(const bounds& b, std::size_t steps) {
    const exploration e = explorer<Driver>(b).run();
    REQUIRE(e.how == ended::violated);
    CHECK(e.steps.size() == steps);
    CHECK(replay<Driver>(b, e.steps).wrong == e.wrong);
    const auto shorter = std::vector<action>(e.steps.begin(), e.steps.end() - 1);
    CHECK(replay<Driver>(b, shorter).wrong.empty());
    return e.wrong;
}

}  // namespace

TEST_CASE("one election of three nodes has as many states as it always had") {
    const exploration e = explorer<>(quiet(1, 0)).run();
    CHECK(e.how == ended::exhausted);
    CHECK(e.states == 63);
    CHECK(e.transitions == 128);
    CHECK(e.by_depth.size() == 21);
    CHECK(std::accumulate(e.by_depth.begin(), e.by_depth.end(), std::uint64_t{0}) == e.states);
}

TEST_CASE("with names told apart there are up to six times as many states, and the verdict is the same") {
    bounds b = quiet(2, 1);
    const exploration one = explorer<>(b).run();
    b.symmetry = false;
    const exploration all = explorer<>(b).run();
    CHECK(one.how == ended::exhausted);
    CHECK(all.how == ended::exhausted);
    CHECK(all.states > 5 * one.states);
    CHECK(all.states <= 6 * one.states);
    CHECK(all.by_depth.size() == one.by_depth.size());
}

TEST_CASE("stepping the core for every transition gives what remembering its steps gives") {
    bounds b = quiet(2, 1);
    const exploration remembered = explorer<>(b).run();
    b.memory_of_steps = false;
    const exploration stepped = explorer<>(b).run();
    CHECK(stepped.by_depth == remembered.by_depth);
    CHECK(stepped.core_steps > 10 * remembered.core_steps);
}

TEST_CASE("leaving dead messages on their way adds states, and changes no verdict") {
    bounds b = quiet(2, 0);
    b.crashes = 1;
    const exploration fewer = explorer<>(b).run();
    b.forget_dead = false;
    const exploration more = explorer<>(b).run();
    CHECK(fewer.how == ended::exhausted);
    CHECK(more.how == ended::exhausted);
    CHECK(more.states > fewer.states);

    b.terms = 1;
    const exploration kept = explorer<forgetful_driver>(b).run();
    b.forget_dead = true;
    CHECK(found<forgetful_driver>(b, kept.steps.size()) == kept.wrong);
}

TEST_CASE("nodes with the same fingerprint do the same, whatever happens to them") {
    bounds b = quiet(2, 1);
    b.crashes = b.stalls = b.lapses = b.reads = 1;
    b.timeouts = 1;
    b.compare_twins = true;
    const exploration e = explorer<>(b).run();
    CHECK(e.wrong.empty());
    CHECK(e.twins > 100);
}

TEST_CASE("votes that are spoken before they are durable are found in the fewest steps") {
    // The timer fires, a pre-vote is asked for and granted, and the candidate asks for votes.
    CHECK(found<hasty_driver>(quiet(1, 0), 3).find("a vote is spoken before it is durable") == 0);
}

TEST_CASE("a node that forgets its vote at a start makes two leaders of one term") {
    bounds b = quiet(1, 0);
    b.crashes = 1;
    b.timeouts = 2;
    b.inflight = 3;
    const exploration e = explorer<forgetful_driver>(b).run();
    REQUIRE(e.how == ended::violated);
    CHECK(e.wrong.find("election safety") == 0);
    CHECK(std::count_if(e.steps.begin(), e.steps.end(), [](const action& a) { return a.kind == action_kind::crash; }) == 1);
    CHECK(std::count_if(e.steps.begin(), e.steps.end(), [](const action& a) { return a.kind == action_kind::time_out; }) == 2);
    CHECK(explorer<>(b).run().how == ended::exhausted);
}

TEST_CASE("a disk that loses what it had is found to lose what was committed") {
    bounds b = quiet(1, 0);
    b.crashes = 1;
    const exploration e = explorer<lossy_driver>(b).run();
    REQUIRE(e.how == ended::violated);
    CHECK(e.wrong.find("what is committed is not on a majority of the disks") == 0);
}

TEST_CASE("a log whose tail is not cut is found to match no other") {
    bounds b = quiet(2, 2);
    b.stalls = 1;
    const exploration e = explorer<untidy_driver>(b).run();
    REQUIRE(e.how == ended::violated);
    CHECK(e.wrong.find("the terms of a durable log are not in order") == 0);
}

TEST_CASE("an exploration that meets its limits says that it is not exhausted") {
    exploration_limits few;
    few.states = 40;
    const exploration e = explorer<>(quiet(1, 0), few).run();
    CHECK(e.how == ended::limited);
    CHECK(e.states == 40);
}

TEST_CASE("steps have a text that is read back as it was written") {
    const std::vector<action> steps = {{action_kind::time_out, 1, 0, 0},  {action_kind::deliver, 2, 1, 0},
                                       {action_kind::deliver, 3, 1, 2},   {action_kind::drop, 1, 3, 0},
                                       {action_kind::crash_written, 2, 0, 0}, {action_kind::propose, 1, 0, 0}};
    std::string text;
    for (const action& a : steps) text += (text.empty() ? "" : ",") + text_of(a);
    CHECK(text == "timeout:1,deliver:1>2,deliver:1>3#2,drop:3>1,crash-written:2,propose:1");
    std::string wrong;
    CHECK(parse_actions(text, wrong) == steps);
    for (const char* bad : {"timeout", "timeout:", "timeout:1x", "jump:1", "deliver:1", "deliver:1>2#", "timeout:1,,timeout:2"}) {
        CAPTURE(bad);
        CHECK(!parse_actions(bad, wrong));
    }
}

TEST_CASE("a step that cannot happen where it stands is named") {
    CHECK(replay<>(quiet(1, 0), {{action_kind::propose, 1, 0, 0}}).impossible == "propose:1");
}
