// A run can be written down, read back and be the same run; a failing one can be made small.
#include <tests/catch.hpp>

#include <sim/shrink.hpp>
#include <sim/simulation.hpp>

#include <map>
#include <set>
#include <type_traits>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

TEST_CASE("times are read as they are written") {
    for (const duration d : {duration(0), duration(1), duration(1'500'000'000), duration(20'000'000'001), duration(7'000)}) {
        duration read{};
        REQUIRE(parse_duration(sim::to_text(d), read));
        CHECK(read == d);
    }
    duration read{};
    CHECK(parse_duration("1.5ms", read));
    CHECK(read == 1'500us);
    for (const char* wrong : {"", "s", "5", "1.s", ".5s", "1.0000000001s", "0.5ns", "1e3s", "-1s", "9999999s"}) {
        INFO(wrong);
        CHECK(!parse_duration(wrong, read));
    }
}

TEST_CASE("a drawn scenario comes back from its text, and gives the same run") {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        drawing how;
        how.faulty = 5s;
        how.swarm = seed % 2 == 0;
        const scenario drawn = draw_scenario(seed, how);
        const parsed_scenario read = parse_scenario(to_text(drawn));
        INFO("seed " << seed << "\n" << to_text(drawn));
        REQUIRE(read.wrong == "");
        CHECK(to_text(read.what) == to_text(drawn));
        CHECK(read.what.faults == drawn.faults);
        CHECK(read.what.edits == drawn.edits);
        if (seed < 3) CHECK(simulate(read.what).trace_hash == simulate(drawn).trace_hash);
    }
}

TEST_CASE("what one kind of fault draws shifts no other kind") {
    const world w(3);
    fault_rates rates;
    const auto all = fault_drawer(w, 3, 60s, rates).draw();
    rates.crash_every = duration::zero();
    auto others = all;
    std::erase_if(others, [](const fault& f) { return f.kind == fault_kind::crash; });
    REQUIRE(others.size() < all.size());
    CHECK(fault_drawer(w, 3, 60s, rates).draw() == others);
}

TEST_CASE("a scenario that makes no sense is refused by its line") {
    const std::pair<const char*, const char*> cases[] = {
        {"", "line 1: \"scenario 1\" expected"},
        {"seed 1", "line 1: \"scenario 1\" expected"},
        {"scenario 2", "line 1: scenario 2: this program reads version 1"},
        {"scenario 1\n\nnodes 10", "line 3: nodes 10: bad value"},
        {"scenario 1\nfaulty 3", "line 2: faulty 3: bad value"},
        {"scenario 1\nseed 1 2", "line 2: \"2\" is too much"},
        {"scenario 1\nhope 1", "line 2: \"hope\" is no word that a line begins with"},
        {"scenario 1\nset hope 1", "line 2: nothing is called \"hope\""},
        {"scenario 1\nset depth 99", "line 2: set depth 99: bad value"},
        {"scenario 1\nat soon reset", "line 2: at soon: no time"},
        {"scenario 1\nat 1s flood", "line 2: \"flood\" is nothing that happens"},
        {"scenario 1\nat 1s crash 1 power", "line 2: crash: want \"down\" and a time"},
        {"scenario 1\nat 1s crash 1 slowly down 1s", "line 2: crash: want process or power"},
        {"scenario 1\nat 1s crash power down 1s", "line 2: whom?"},
        {"scenario 1\nat 1s cut 1 | for 1s", "line 2: cut: want two sides, with | or > between them"},
        {"scenario 1\nat 1s cut others | others for 1s", "line 2: cut: both sides cannot be the others"},
        {"scenario 1\nat 1s pause 1", "line 2: pause: want \"for\" and a time"},
        {"scenario 1\nat 1s drift 1 by much", "line 2: drift: want \"by\" and a number"},
        {"scenario 1\nat 1s crash 4 power down 1s", "line 2: there is no such node"},
        {"scenario 1\nat 1s edit 1 7", "line 2: edit: want a node and n with a number"},
        {"scenario 1\nat 1s edit 0 n7", "line 2: there is no such node"},
        {"scenario 1\nnodes 3\nnodes 5", "line 3: nodes is said twice"},
        {"scenario 1\nquiet\nset depth 2\nset names 2\nset depth 3", "line 5: depth is set twice"},
        {"scenario 1\nat 1s crash 1 power call 0 down 1s", "line 2: crash: calls are counted from 1"},
        {"scenario 1\nat 1s cut 1 | 1 for 1s", "line 2: cut: nothing lies between a node and itself"},
        {"scenario 1\nat 1s ask 1 o1", "line 2: nobody asks anything of folders: \"workload consensus\" is missing"},
        {"scenario 1\nat 141s expect 1 leads", "line 2: no run goes on for so long: \"faulty\" and \"calm\" say how long"},
    };
    for (const auto& [text, wrong] : cases) {
        INFO(text);
        CHECK(parse_scenario(text).wrong == wrong);
    }
}

TEST_CASE("everything that may be varied is, up to what ships") {
    std::map<std::string, std::string> usual;
    std::set<std::string> varied;
    const auto text = [](const auto& value) {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, duration>) return sim::to_text(value);
        else return std::to_string(value);
    };
    const tunables first;
    for_each_tunable(first, [&](std::string_view name, const auto& value, auto, auto) { usual[std::string(name)] = text(value); });
    drawing how;
    how.swarm = true;
    how.faulty = 1s;
    std::uint64_t largest_pack = 0, largest_wait = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        const tunables t = draw_scenario(seed, how).tuned;
        for_each_tunable(t, [&](std::string_view name, const auto& value, auto, auto) {
            if (text(value) != usual[std::string(name)]) varied.emplace(name);
        });
        if (t.node.pack_bytes != first.node.pack_bytes) largest_pack = std::max(largest_pack, t.node.pack_bytes);
        if (t.node.collect_after_bytes != first.node.collect_after_bytes) largest_wait = std::max(largest_wait, t.node.collect_after_bytes);
    }
    for (const auto& [name, value] : usual) {
        INFO(name);
        CHECK(varied.contains(name));
    }
    CHECK(largest_pack > 16u << 20);
    CHECK(largest_wait > 64u << 20);
    for (const char* name : {"frame-queue-bytes", "frame-bulk-queue-bytes", "dial-interval", "frames-in-order", "event-read", "refused-after"})
        CHECK(usual.contains(name));
}

TEST_CASE("nothing is taken that would come when all is mended already") {
    const std::string late = ": that is when all is mended already: \"faulty\" says for how long things happen";
    CHECK(parse_scenario("scenario 1\nat 20s pause 1 for 1s\n").wrong == "line 2" + late);
    CHECK(parse_scenario("scenario 1\nat 19.9s pause 1 for 1s\n").wrong == "");
    CHECK(parse_scenario("scenario 1\nat 9s reset\nat 10s edit 1 n7\nfaulty 10s\n").wrong == "line 3" + late);
    CHECK(parse_scenario("scenario 1\nworkload consensus\nat 20s read 1 o7\n").wrong == "line 3" + late);
    CHECK(parse_scenario("scenario 1\nat 25s expect 1 leads\n").wrong == "");   // it is looked at when the faults end
}

TEST_CASE("what would do nothing, or what nothing could do, is refused as a number of its fault") {
    const std::pair<const char*, const char*> cases[] = {
        {"slow 1 by 0 for 1s", "slow: want a number from 2 to 1000"},
        {"slow 1 by 1000000000 for 1s", "slow: want a number from 2 to 1000"},
        {"slow-disk 1 by 1 for 1s", "slow-disk: want a number from 2 to 1000"},
        {"full 1 by -5 for 1s", "full: want a number from 0 to 4294967296"},
        {"rot-reads 1 by 0 for 1s", "rot-reads: want a number from 1 to 1000000"},
        {"root-gone 1 by 5 for 1s", "root-gone: want a number from 0 to 1"},
        {"drift 1 by -1000000", "drift: want a number from -500000 to 500000"},
        {"step-clock 1 by 9000000000000000000", "step-clock: want a number from -31622400000000000 to 31622400000000000"},
        {"crash-loop 1 by 1000000 for 1s", "crash-loop: want a number from 1 to 100"},
        {"rot 1 by 0", "rot: want a number from 1 to 9223372036854775807"},
        {"fail-sync 1 by 0", "fail-sync: want a number from 1 to 1000000"},
        {"pause 1 for 0s", "pause: want \"for\" and a time"},
        {"cut 1 | 2 for 0s", "cut: want \"for\" and a time"},
    };
    for (const auto& [text, wrong] : cases) {
        INFO(text);
        CHECK(parse_scenario("scenario 1\nat 1s " + std::string(text)).wrong == "line 2: " + std::string(wrong));
    }
    CHECK(parse_scenario("scenario 1\nat 1s drift 1 by -500000\nat 1s wipe 1 for 0s\nat 1s full 1 by 0 for 1ns").wrong == "");
}

TEST_CASE("what befalls folders befalls nothing where there are none") {
    for (const char* text : {"rot 1 by 1", "wipe 1 for 1s", "older 1 for 1s", "root-gone 1 by 0 for 1s", "deny 1 by 0 for 1s", "lose-events 1"})
        CHECK(parse_scenario("scenario 1\nworkload consensus\nat 1s " + std::string(text)).wrong ==
              "line 3: that befalls folders only: there are none");
    CHECK(parse_scenario("scenario 1\nworkload consensus\nat 1s edit 1 n1").wrong == "line 3: nobody edits anything where there are no folders");
}

TEST_CASE("a scenario by hand does what it says, comments and all") {
    const auto read = parse_scenario("# a leader goes\nscenario 1\nseed 7\nfaulty 4s\n"
                                     "at 1s edit 1 n1   # somebody edits\nat 2s crash leader process down 500ms\n"
                                     "at 3s cut 1 | others for 200ms\n");
    REQUIRE(read.wrong == "");
    const run_result result = simulate(read.what);
    CHECK(result.outcome.text == "");
    CHECK(result.edits == 1);
    CHECK(count_of(result.faults, fault_kind::crash) == 1);
    CHECK(count_of(result.faults, fault_kind::cut) == 1);
    CHECK(result.committed > 0);
}

TEST_CASE("shrinking keeps what a failure needs, and nothing else") {
    drawing how;
    how.nodes = 5;
    const scenario first = draw_scenario(11, how);
    REQUIRE(first.faults.size() > 10);
    REQUIRE(first.edits.size() > 100);
    const fault needed = first.faults[first.faults.size() / 2];
    std::vector<planned_edit> edits;
    for (const planned_edit& e : first.edits)
        if (e.node == node_id(1) && (e.number == 3 || e.number == 40)) edits.push_back(e);
    REQUIRE(edits.size() == 2);
    std::uint64_t runs = 0;
    const auto fails = [&](const scenario& s) {
        ++runs;
        const auto has = [](const auto& list, const auto& item) { return std::find(list.begin(), list.end(), item) != list.end(); };
        return s.nodes >= 3 && has(s.edits, edits[0]) && has(s.edits, edits[1]) && (has(s.faults, needed) || s.nodes < 5);
    };
    const scenario small = shrinker(first, fails, 5000).run();
    CHECK(small.nodes == 3);
    CHECK(small.edits == edits);
    CHECK(small.faults.empty());
    CHECK(to_text(small).find("\nset ") == std::string::npos);
    CHECK(runs < 1000);

    runs = 0;
    shrinker(first, fails, 10).run();
    CHECK(runs == 10);
}
