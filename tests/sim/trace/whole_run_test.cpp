// The trace of a whole run: complete, causal, and without effect on what it records.
#include <tests/catch.hpp>

#include <sim/simulation.hpp>
#include <sim/trace/recorder.hpp>

#include <map>
#include <set>

using namespace lockstep;
using namespace lockstep::sim;

namespace {

struct recorded_run {
    explicit recorded_run(const scenario& s) : recorder(traced_kinds::all(), [this](const trace_event& e) { events.push_back(e); }) {
        run_hooks hooks;
        hooks.trace = &recorder;
        result = simulate(s, hooks);
    }
    std::vector<trace_event> events;
    trace_recorder recorder;
    run_result result;
};

std::uint64_t value_of(const trace_event& e, std::string_view name) {
    for (const auto& item : e.values.items())
        if (item.name == name) return item.number;
    return 0;
}

bool at_most(const vector_clock& a, const vector_clock& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
        if (a[i] > (i < b.size() ? b[i] : 0)) return false;
    return true;
}

scenario short_run(std::uint64_t seed, bool messages) {
    drawing how;
    how.faulty = std::chrono::seconds(6);
    scenario s = draw_scenario(seed, how);
    s.tuned.messages = messages;
    return s;
}

}  // namespace

TEST_CASE("recording a run changes nothing of it") {
    for (const bool messages : {false, true}) {
        const scenario s = short_run(11, messages);
        const recorded_run recorded(s);
        CHECK(recorded.result.trace_hash == simulate(s).trace_hash);
        CHECK(recorded.events.size() > 1000);
    }
}

TEST_CASE("every event of a run follows from earlier ones, and its clock counts them") {
    for (const bool messages : {false, true}) {
        const recorded_run run(short_run(12, messages));
        std::map<trace_lane, std::uint64_t> own;
        bool earlier = true, counted = true, numbered = true, timely = true;
        std::uint64_t last = 0;
        time_point at{};
        for (const trace_event& e : run.events) {
            numbered = numbered && e.id == ++last;
            timely = timely && e.at >= at;
            at = e.at;
            for (const std::uint64_t p : e.parents) {
                earlier = earlier && p < e.id;
                if (p < e.id) counted = counted && at_most(run.events[p - 1].clock, e.clock);
            }
            if (e.where.what == trace_lane::kind::world) continue;
            std::size_t number = 0;
            while (run.recorder.lanes()[number] != e.where) ++number;
            counted = counted && e.clock[number] == ++own[e.where];
        }
        CHECK(numbered);
        CHECK(timely);
        CHECK(earlier);
        CHECK(counted);
    }
}

TEST_CASE("what nodes receive was sent to them, and is told to follow from that") {
    for (const bool messages : {false, true}) {
        const recorded_run run(short_run(13, messages));
        std::uint64_t received = 0, unknown = 0;
        for (const trace_event& e : run.events) {
            if (e.what != traced::receive) continue;
            ++received;
            const std::uint64_t sent = value_of(e, "sent");
            if (sent == 0) {
                ++unknown;
                continue;
            }
            const trace_event& s = run.events.at(sent - 1);
            REQUIRE(s.what == traced::send);
            CHECK(s.where == trace_lane::of(node_id(value_of(e, "from"))));
            CHECK(value_of(s, "to") == e.where.number);
            CHECK(s.text == e.text);
            CHECK(at_most(s.clock, e.clock));
        }
        CHECK(received > 200);
        CHECK(unknown == 0);
    }
}

TEST_CASE("a run's trace has faults with what they do, edits with their ends, and applied entries that follow from edits") {
    scenario s = short_run(14, true);
    fault crash;
    crash.at = std::chrono::seconds(2);
    crash.who.ids = {node_id(1)};
    crash.lasts = std::chrono::milliseconds(500);
    s.faults.push_back(crash);
    order_by_time(s.faults);
    const recorded_run run(s);
    std::map<traced, std::uint64_t> count;
    std::uint64_t crashes_from_faults = 0, applied_from_edits = 0;
    std::set<std::uint64_t> faults;
    for (const trace_event& e : run.events) {
        ++count[e.what];
        if (e.what == traced::fault) faults.insert(e.id);
        if (e.what == traced::crash)
            for (const std::uint64_t p : e.parents) crashes_from_faults += faults.contains(p);
        if (e.what != traced::apply) continue;
        for (std::size_t i = 0; i < run.recorder.lanes().size(); ++i)
            if (run.recorder.lanes()[i].what == trace_lane::kind::user && i < e.clock.size() && e.clock[i] != 0) ++applied_from_edits;
    }
    for (const traced what : {traced::start, traced::crash, traced::role, traced::send, traced::receive, traced::lost, traced::commit,
                              traced::apply, traced::sync, traced::report, traced::call, traced::done, traced::fault, traced::mend, traced::durable}) {
        INFO(to_string(what));
        CHECK(count[what] > 0);
    }
    CHECK(count[traced::violation] == 0);
    CHECK(crashes_from_faults > 0);
    CHECK(applied_from_edits > 0);
    CHECK(count[traced::done] <= count[traced::call]);
}
