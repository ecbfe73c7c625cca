// The checkers of sessions, of bounds, of idleness and of logs that are a user's own.
#include <tests/sim/checkers/consensus_bench.hpp>

#include <sim/checkers/bounds.hpp>
#include <sim/checkers/exactly_once.hpp>
#include <sim/checkers/idle_cluster.hpp>
#include <sim/checkers/observed_log.hpp>

#include <lockstep/storage/memory_log.hpp>
#include <lockstep/testing/manual_runtime.hpp>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

namespace {

const session_id first_run{node_id(1), 1}, second_run{node_id(1), 2};

}  // namespace

TEST_CASE("commands of a session count once and in order, and a later session fences it") {
    consensus_bench<exactly_once> b;
    b.checker.applied(n2, {log_index(1), first_run, 0, true}, {1, 0}, 10, 11);
    b.checker.applied(n2, {log_index(2), first_run, 1, false}, {1, 1}, 11, 12);
    b.checker.applied(n2, {log_index(3), first_run, 1, false}, {1, 1}, 12, 12);   // said again
    b.checker.applied(n2, {log_index(4), first_run, 3, false}, {1, 1}, 12, 12);   // a gap
    b.checker.applied(n2, {log_index(5), second_run, 0, true}, {2, 0}, 12, 13);
    b.checker.applied(n2, {log_index(6), first_run, 2, false}, {2, 0}, 13, 13);   // fenced
    b.checker.applied(n3, {log_index(2), first_run, 1, false}, {1, 1}, 11, 12);
    CHECK(b.verdict().empty());
}

TEST_CASE("a command that counts twice is seen by what it changes") {
    consensus_bench<exactly_once> b;
    b.checker.applied(n2, {log_index(1), first_run, 0, true}, {1, 0}, 10, 11);
    b.checker.applied(n2, {log_index(2), first_run, 1, false}, {1, 1}, 11, 12);
    b.checker.applied(n2, {log_index(3), first_run, 1, false}, {1, 1}, 12, 13);
    CHECK(b.verdict() == "node 2 changed its state by command 1 of session 1 of node 1, which counted before or never, at index 3");
}

TEST_CASE("sessions that a node keeps otherwise than they were decided are seen") {
    consensus_bench<exactly_once> b;
    b.checker.applied(n2, {log_index(1), first_run, 0, true}, {1, 0}, 10, 11);
    b.checker.applied(n2, {log_index(2), first_run, 2, false}, {1, 2}, 11, 11);
    CHECK(b.verdict() == "node 2 has 2 as the last command of session 1 of node 1, and it is 0 of session 1, at index 2");
}

TEST_CASE("a session that is used before its number is durable is seen") {
    consensus_bench<exactly_once> b;
    b.checker.opened(n1, 3, 3);
    CHECK(b.verdict().empty());
    b.checker.opened(n1, 4, 3);
    CHECK(b.verdict() == "node 1 uses session 4, and its disk knows of 3");
}

TEST_CASE("a queue that outgrows its bound is named") {
    world w(1);
    std::uint64_t size = 8;
    bounds checker([&](std::vector<bounded_size>& sizes) { sizes.push_back({node_id(2), "proposals_max", size, 8}); }, 1);
    checker.after_event(w);
    CHECK_FALSE(w.failed());
    size = 9;
    checker.after_event(w);
    REQUIRE(w.failed());
    CHECK(w.failed()->text == "node 2 keeps 9 in proposals_max, whose bound is 8");
}

TEST_CASE("heartbeats are all that an idle cluster says") {
    const auto verdict_on = [](auto deed) {
        consensus_bench<idle_cluster> b(raft::options{}, 1s);
        b.say(n1, n2, 1, raft::append_request{{}, {}, {}, {entry_at(1, 1)}});   // not idle yet
        b.checker.begin();
        b.say(n1, n2, 1, raft::heartbeat{log_index(1), 1});
        deed(b);
        b.checker.end();
        return b.verdict();
    };
    CHECK(verdict_on([](auto&) {}).empty());
    CHECK(verdict_on([](auto& b) { b.say(n1, n2, 1, raft::append_request{{}, {}, {}, {entry_at(2, 1)}}); }) ==
          "node 1 appends while the cluster is idle, at index 2");
    CHECK(verdict_on([](auto& b) { b.say(n2, n1, 0, raft::forwarded_proposal{}); }) == "node 2 proposes while the cluster is idle");
    CHECK(verdict_on([](auto& b) { b.say(n2, n1, 2, raft::vote_request{}); }) == "node 2 stands for election while the cluster is idle");
    CHECK(verdict_on([](auto& b) { b.write(n3, 1, n1); }) == "node 3 writes to its log while the cluster is idle,");
    CHECK(verdict_on([](auto& b) { b.checker.disk_changed(n3, "/data/f"); }) == "node 3 changes /data/f while the cluster is idle");
    CHECK(verdict_on([](auto& b) {
              for (int i = 0; i < 100; ++i) b.w.after(duration(1), trace_kind::timer, nullptr, 0, [] {});
              b.w.run_until(b.w.now() + 1ms);
          }).starts_with("idle, and 100 events in 0.001000 s"));
}

TEST_CASE("a log of a user's own tells what it acknowledged, and what it comes back with is compared with that") {
    std::vector<durable_write> told;
    std::string wrong;
    log_ledger ledger([&](durable_write w) { told.push_back(std::move(w)); }, [&](std::string what) { wrong = std::move(what); });
    const entry_mark mark{term(1), 7};
    ledger.asked({term(1), n1, log_index(1), {mark, mark}, std::nullopt, false});
    ledger.asked({term(1), n1, log_index(3), {mark}, std::nullopt, false});
    ledger.asked({term(2), n1, log_index(3), {{term(2), 8}}, std::nullopt, false});
    ledger.acknowledged();
    CHECK(told.size() == 1);

    SECTION("with what was acknowledged") {
        ledger.found({term(1), n1, {}, {{log_index(1), term(1)}}, log_index(2)});
        CHECK(wrong.empty());
        CHECK(told.size() == 1);
    }
    SECTION("with more that was under way") {
        ledger.found({term(2), n1, {}, {{log_index(1), term(1)}, {log_index(3), term(2)}}, log_index(3)});
        CHECK(wrong.empty());
        CHECK(told.size() == 3);
    }
    SECTION("with less") {
        ledger.found({term(1), n1, {}, {{log_index(1), term(1)}}, log_index(1)});
        CHECK(wrong == "comes back with a log of term 1 that ends at index 1, which no prefix of its appends made that goes as far as what it acknowledged");
    }
}
