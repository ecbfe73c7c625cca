// Traces as text, and back.
#include <tests/catch.hpp>

#include <sim/trace/exports.hpp>
#include <sim/trace/trace_file.hpp>
#include <sim/trace/trace_reader.hpp>

#include <map>
#include <regex>
#include <set>
#include <sstream>

using namespace lockstep;
using namespace lockstep::sim;

namespace {

trace_event event(std::uint64_t id, trace_lane where, traced what, std::string text, std::vector<std::uint64_t> parents = {}) {
    trace_event e;
    e.id = id;
    e.at = time_point(std::chrono::microseconds(id));
    e.where = where;
    e.what = what;
    e.text = std::move(text);
    e.parents = std::move(parents);
    return e;
}

const trace_lane node1 = trace_lane::of(node_id(1)), node2 = trace_lane::of(node_id(2));

/// Two nodes, a message that arrives, one that is lost, a fault, a violation.
std::string small_trace() {
    trace_log log(100);
    auto add = [&](trace_event e, trace_values values = {}) {
        e.values = std::move(values);
        log.add(std::move(e));
    };
    add(event(1, node1, traced::start, "starts"));
    add(event(2, node2, traced::start, "starts"));
    add(event(3, node1, traced::send, "append: 1", {1}), trace_values().add("type", std::string("append")).add("to", 2));
    add(event(4, node1, traced::send, "append: 2; #end", {3}), trace_values().add("type", std::string("append")).add("to", 2));
    add(event(5, node2, traced::receive, "append: 1", {2, 3}), trace_values().add("type", std::string("append")).add("from", 1).add("sent", 3));
    add(event(6, {}, traced::lost, "lost by the link", {4}), trace_values().add("to", 2).add("sent", 4));
    add(event(7, node1, traced::send, "heartbeat", {4}), trace_values().add("type", std::string("heartbeat")).add("to", 2));
    add(event(8, {}, traced::fault, "crash 2"));
    add(event(9, node2, traced::crash, "its process ends", {5, 8}));
    add(event(10, {}, traced::violation, "two\nleaders", {9}));
    std::ostringstream out;
    log.write(out, {"abc", 7, "lockstep-sim 7", {exit_class::correctness, "two\nleaders"}}, {});
    return out.str();
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

}  // namespace

TEST_CASE("an event is one line of JSON") {
    trace_event e = event(3, node2, traced::role, "leader in \"term\" 2\n", {1, 2});
    e.state.add("role", std::string("leader")).add("term", 2);
    e.clock = {0, 4};
    CHECK(json_line(e, {node1, node2}) ==
          R"({"id":3,"t":3000,"lane":"node2","kind":"role","text":"leader in \"term\" 2\u000a","state":{"role":"leader","term":2},"parents":[1,2],"clock":{"node2":4}})");
    CHECK(json_text("\xc3\xa9\x7f\\") == R"("\u00c3\u00a9\u007f\\")");
}

TEST_CASE("a trace is read back as it was written") {
    const parsed_trace t = parse_trace(small_trace());
    REQUIRE(t.wrong == "");
    REQUIRE(t.events.size() == 10);
    CHECK(t.head.starts_with(R"({"lockstep-trace":1,"commit":"abc","seed":7,"command":"lockstep-sim 7","outcome":"correctness")"));
    CHECK(t.events[4].kind == "receive");
    CHECK(t.events[4].lane == "node2");
    CHECK(t.events[4].at_ns == 5000);
    CHECK(t.events[4].parents == std::vector<std::uint64_t>{2, 3});
    CHECK(t.events[4].values.at("sent") == "3");
    CHECK(t.events[9].text == "two\nleaders");
    CHECK(t.events[4].line.find("clock") == std::string::npos);
}

TEST_CASE("what is no trace is refused with the line that is wrong") {
    const std::string good = small_trace();
    const auto wrong = [](const std::string& text) { return parse_trace(text).wrong; };
    CHECK(wrong("") == "line 1: no trace of lockstep-sim");
    CHECK(wrong("{\"a\":1}\n") == "line 1: no trace of lockstep-sim");
    CHECK(wrong("hello\n") == "line 1: no trace of lockstep-sim");
    CHECK(wrong("{\"lockstep-trace\":2}\n") == "line 1: a trace of version 2: this program reads version 1");
    const auto lines = lines_of(good);
    CHECK(wrong(lines[0] + "\n{\"id\":1}\n") == "line 2: no event");
    CHECK(wrong(lines[0] + "\n" + lines[1] + "\n" + lines[3] + "\n") == "line 3: events are missing before this one");
    CHECK(wrong(lines[0] + "\n" + lines[1] + "}\n") == "line 2: no event");
    CHECK(wrong(lines[0] + "\n" + lines[1] + "\n") == "cut short: it has 1 of 10 events");
    // Whatever is cut off or changed: an answer, never a crash.
    for (std::size_t at = 0; at < good.size(); at += 3) {
        parse_trace(good.substr(0, at));
        std::string changed = good;
        changed[at] ^= 0x15;
        parse_trace(changed);
    }
    CHECK(wrong(lines[0] + "\n" + std::string(100, '[') + "\n") == "line 2: no event");
}

TEST_CASE("a trace in which the order is broken is refused") {
    const std::string good = small_trace();
    REQUIRE(parse_trace(good).wrong == "");
    const auto with = [&](const std::string& what, const std::string& instead) {
        std::string text = good;
        const auto at = text.find(what);
        REQUIRE(at != text.npos);
        return parse_trace(text.replace(at, what.size(), instead)).wrong;
    };
    CHECK(with("\"t\":4000", "\"t\":2999") == "line 5: its time goes back");
    CHECK(with("\"t\":4000", "\"t\":3000") == "");
    CHECK(with("\"t\":1000", "\"t\":-1") == "line 2: a time before the run");
    CHECK(with("\"t\":1000", "\"t\":0") == "");
    CHECK(with("\"parents\":[2,3]", "\"parents\":[2,99999]") == "line 6: event 99999 is no parent of event 5");
    CHECK(with("\"parents\":[2,3]", "\"parents\":[2,5]") == "line 6: event 5 is no parent of event 5");
    CHECK(with("\"parents\":[2,3]", "\"parents\":[0]") == "line 6: event 0 is no parent of event 5");
    CHECK(with("\"id\":1,", "\"id\":0,") == "line 2: events are numbered from 1");
    for (const std::string lane : {"banana", "", "world1", "node", "node0", "node01", "nodex", "node1x", "node-1", "Node1", "user", "client+1"})
        CHECK(with("\"lane\":\"node1\"", "\"lane\":\"" + lane + "\"") == "line 2: no lane is called \"" + lane + "\"");
    for (const std::string lane : {"node9", "user1", "client12", "world"})
        CHECK(with("\"lane\":\"node1\"", "\"lane\":\"" + lane + "\"") == "");
}

TEST_CASE("of a long run the last events are kept, and how the nodes stood before them") {
    trace_log log(2);
    const auto add = [&](std::uint64_t id, traced what, trace_values state) {
        trace_event e = event(id, node1, what, "x");
        e.state = std::move(state);
        log.add(std::move(e));
    };
    add(1, traced::role, trace_values().add("term", 1));
    add(2, traced::crash, {});
    add(3, traced::role, trace_values().add("term", 2).add("role", std::string("leader")));
    add(4, traced::role, trace_values().add("term", 3));
    add(5, traced::commit, {});
    add(6, traced::commit, {});
    std::ostringstream out;
    log.write(out, {"abc", 7, "lockstep-sim 7", {}}, {});
    const auto lines = lines_of(out.str());
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].find(R"("events":2,"dropped":4,"before":{"node1":{"term":3,"role":"leader"}})") != std::string::npos);
    CHECK(parse_trace(out.str()).wrong == "");
}

TEST_CASE("the log for ShiViz has events of two lines and clocks without gaps") {
    const std::string log = to_shiviz(parse_trace(small_trace()));
    // What ShiViz does with it: the expression over all of the text, named groups being ECMAScript's there.
    const std::regex expression(R"((.*)\n(\S*) (\{.*\}))");
    std::map<std::string, std::uint64_t> own;
    std::size_t events = 0, matched = 0;
    for (std::sregex_iterator m(log.begin(), log.end(), expression), end; m != end; ++m, ++events) {
        matched += static_cast<std::size_t>(m->length()) + 1;
        const std::string host = (*m)[2], clock = (*m)[3];
        const std::regex mine("\"" + host + "\": (\\d+)");
        std::smatch number;
        REQUIRE(std::regex_search(clock, number, mine));
        CHECK(std::stoull(number[1]) == ++own[host]);
    }
    CHECK(matched == log.size());
    CHECK(events == 9);   // all but the loss
    CHECK(own == std::map<std::string, std::uint64_t>{{"node1", 4}, {"node2", 3}, {"world", 2}});
    CHECK(log.find("receive: append: 1\nnode2 {\"node1\": 2, \"node2\": 2}\n") != std::string::npos);
    CHECK(log.find("violation: two leaders\nworld {\"node1\": 2, \"node2\": 3, \"world\": 2}\n") != std::string::npos);
    CHECK(std::string(shiviz_expression) == R"((?<event>.*)\n(?<host>\S*) (?<clock>{.*}))");
}

TEST_CASE("the diagram for Mermaid shows messages where they arrive and losses where they left") {
    const parsed_trace t = parse_trace(small_trace());
    CHECK(to_mermaid(t, {}) ==
          "sequenceDiagram\n"
          "    participant node1\n"
          "    participant node2\n"
          "    Note over node1: starts\n"
          "    Note over node2: starts\n"
          "    node1-xnode2: append: 2#59; #35;#101;nd\n"
          "    node1->>node2: append: 1\n"
          "    Note over node1,node2: fault: crash 2\n"
          "    Note over node2: its process #101;nds\n"
          "    Note over node1,node2: violation: two#10;leaders\n");
    CHECK(lines_of(to_mermaid(t, {5000, 8000, 10})).size() == 3 + 2);
    CHECK(lines_of(to_mermaid(t, {0, 1'000'000, 1})).back() == "    Note over node1,node2: violation: two#10;leaders");
}
