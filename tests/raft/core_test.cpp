#include <lockstep/raft/core.hpp>

#include <tests/catch.hpp>

#include <string>

using namespace lockstep;
using namespace lockstep::raft;
using namespace std::chrono_literals;

namespace {

const node_id self(1), second_node(2), third_node(3);

entry make(std::uint64_t index, std::uint64_t t, std::string text = {}) {
    return {log_index(index), term(t), entry_kind::command, shared_bytes::copy_of(text)};
}
std::vector<entry> make_run(std::uint64_t first, std::uint64_t last, std::uint64_t t) {
    std::vector<entry> entries;
    for (std::uint64_t i = first; i <= last; ++i) entries.push_back(make(i, t));
    return entries;
}

/// One core, driven by hand. Outputs gather until they are looked at.
struct bench {
    explicit bench(initial_state s, options o = {}) : opts(o), raft(o, s, now) { drain(); }
    explicit bench(std::size_t voters = 3, options o = {}) : bench(fresh(voters), o) {}

    static initial_state fresh(std::size_t voters) {
        initial_state s;
        s.self = self;
        for (std::size_t i = 1; i <= voters; ++i) s.voters.insert(node_id(i));
        return s;
    }
    static initial_state with_log(std::vector<term_run> runs, std::uint64_t last, std::uint64_t t) {
        auto s = fresh(3);
        s.runs = std::move(runs);
        s.last_index = log_index(last);
        s.hard = {term(t), no_node};
        return s;
    }

    void drain() {
        auto out = raft.take_output();
        for (auto& m : out.send) sent.push_back(std::move(m));
        if (out.persist) {
            REQUIRE(!writing);
            writing = std::move(out.persist);
        }
        for (auto& e : out.commit) committed.push_back(std::move(e));
        for (auto& r : out.reads) reads.push_back(r);
        for (auto& e : out.events) events.push_back(std::move(e));
        if (out.fetch) fetch = out.fetch;
        if (out.install) installs.push_back(*out.install);
        if (out.drop) drops.push_back(*out.drop);
    }
    void step(input_value in) {
        raft.step(std::move(in), now);
        drain();
    }
    void from(node_id peer, std::uint64_t t, message_body body) { step(message{peer, self, term(t), std::move(body)}); }
    void pass(duration d) {
        now += d;
        step(input::wake{});
    }
    /// The write under way is durable: what rides on it leaves.
    void finish_write() {
        REQUIRE(writing);
        const auto done = std::move(*writing);
        writing.reset();
        for (const auto& m : done.send_durable) sent.push_back(m);
        step(input::persisted{done.ticket});
    }
    void finish_writes() {
        while (writing) finish_write();
    }
    template <class Body>
    std::vector<std::pair<message, Body>> take() {
        std::vector<std::pair<message, Body>> found;
        for (const auto& m : sent)
            if (const auto* body = std::get_if<Body>(&m.body)) found.emplace_back(m, *body);
        std::erase_if(sent, [](const message& m) { return std::holds_alternative<Body>(m.body); });
        return found;
    }
    template <class Event>
    std::size_t count_events() const {
        return static_cast<std::size_t>(std::count_if(events.begin(), events.end(), [](const event& e) {
            return std::holds_alternative<Event>(e);
        }));
    }
    void time_out() { pass(opts.election_timeout_max); }
    /// A log that was compacted up to `base` behind a snapshot there, with nothing behind it.
    static initial_state compacted(log_position base, std::uint64_t t) {
        auto s = fresh(3);
        s.base = s.snapshot = base;
        s.last_index = base.index;
        s.hard = {term(t), no_node};
        return s;
    }
    /// Leads, with its first entry durable at home only.
    void lead() {
        time_out();
        const auto t = raft.current_term().value;
        if (raft.voters().size() > 1) from(second_node, t + 1, vote_reply{true, true});
        finish_writes();
        if (raft.voters().size() > 1) from(second_node, t + 1, vote_reply{false, true});
        REQUIRE(raft.state_role() == role::leader);
        finish_writes();
    }
    /// Leads, and its first entry is committed.
    void lead_and_commit() {
        lead();
        acknowledge(second_node);
        REQUIRE(raft.commit_index() == raft.last_index());
        sent.clear();
    }
    void acknowledge(node_id peer) {
        from(peer, raft.current_term().value, append_reply{false, raft.last_index(), {}, {}});
    }
    void propose(const std::string& text) { step(input::propose{{shared_bytes::copy_of(text)}}); }

    options opts;
    time_point now{};
    core raft;
    std::vector<message> sent;
    std::optional<persist_request> writing;
    std::vector<entry> committed;
    std::vector<read_result> reads;
    std::vector<event> events;
    std::optional<fetch_request> fetch;
    std::vector<install_request> installs;
    std::vector<log_position> drops;
};

}  // namespace

// ---- votes

TEST_CASE("a pre-vote changes neither term nor vote, on either side") {
    bench b;
    b.time_out();
    CHECK(b.raft.state_role() == role::pre_candidate);
    CHECK(b.raft.current_term() == term(0));
    CHECK(!b.writing);
    const auto asked = b.take<vote_request>();
    REQUIRE(asked.size() == 2);
    CHECK(asked[0].first.term == term(1));
    CHECK(asked[0].second.pre);

    bench voter;
    voter.from(second_node, 5, vote_request{true, {}, {}});
    const auto answers = voter.take<vote_reply>();
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].second == vote_reply{true, true});
    CHECK(answers[0].first.term == term(5));
    CHECK(voter.raft.current_term() == term(0));
    CHECK(voter.raft.voted_for() == no_node);
}

TEST_CASE("a refused pre-vote carries the voter's own term, and teaches it") {
    bench voter(bench::with_log({{log_index(1), term(3)}}, 4, 7));
    voter.from(second_node, 5, vote_request{true, log_index(4), term(3)});
    const auto answers = voter.take<vote_reply>();
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].second == vote_reply{true, false});
    CHECK(answers[0].first.term == term(7));

    bench b;
    b.time_out();
    b.from(second_node, 7, vote_reply{true, false});
    CHECK(b.raft.current_term() == term(7));
    CHECK(b.raft.state_role() == role::follower);
}

TEST_CASE("a vote leaves only with the write that makes it durable") {
    bench b;
    b.from(second_node, 2, vote_request{false, {}, {}});
    CHECK(b.take<vote_reply>().empty());
    REQUIRE(b.writing);
    CHECK(b.writing->hard == hard_state{term(2), second_node});
    REQUIRE(b.writing->send_durable.size() == 1);
    b.finish_write();
    CHECK(b.take<vote_reply>().size() == 1);
    b.from(second_node, 2, vote_request{false, {}, {}});  // repeated: durable already
    CHECK(b.take<vote_reply>().size() == 1);
    b.from(third_node, 2, vote_request{false, {}, {}});
    const auto refused = b.take<vote_reply>();
    REQUIRE(refused.size() == 1);
    CHECK(!refused[0].second.granted);
}

TEST_CASE("a vote decided while a write runs waits for a write of its own") {
    bench b;
    b.from(second_node, 2, append_request{{}, {}, {}, make_run(1, 3, 2)});
    REQUIRE(b.writing);
    b.now += b.opts.election_timeout_max;
    b.from(third_node, 3, vote_request{false, log_index(9), term(2)});
    CHECK(b.take<vote_reply>().empty());
    CHECK(b.writing->hard.term == term(2));
    b.finish_write();
    CHECK(b.take<vote_reply>().empty());
    REQUIRE(b.writing);
    CHECK(b.writing->hard == hard_state{term(3), third_node});
    b.finish_write();
    CHECK(b.take<vote_reply>().size() == 1);
}

TEST_CASE("no vote goes to a log that is behind") {
    bench b(bench::with_log({{log_index(1), term(1)}, {log_index(3), term(4)}}, 5, 4));
    for (const auto& [index, t] : {std::pair(9, 3), std::pair(4, 4)}) {
        b.from(second_node, 6, vote_request{false, log_index(static_cast<std::uint64_t>(index)),
                                            term(static_cast<std::uint64_t>(t))});
        const auto answers = b.take<vote_reply>();
        REQUIRE(answers.size() == 1);
        CHECK(!answers[0].second.granted);
    }
    CHECK(b.raft.voted_for() == no_node);
}

TEST_CASE("nobody deposes a leader that is heard") {
    bench b;
    b.from(second_node, 2, heartbeat{{}, 1});
    b.now += b.opts.election_timeout_min / 2;
    b.from(third_node, 3, vote_request{false, log_index(9), term(2)});
    CHECK(b.raft.current_term() == term(2));
    b.from(third_node, 3, vote_request{true, log_index(9), term(2)});
    const auto answers = b.take<vote_reply>();
    REQUIRE(answers.size() == 1);
    CHECK(!answers[0].second.granted);
}

TEST_CASE("an own vote counts only once it is durable") {
    bench b;
    b.time_out();
    b.from(second_node, 1, vote_reply{true, true});
    CHECK(b.raft.state_role() == role::candidate);
    b.from(second_node, 1, vote_reply{false, true});
    CHECK(b.raft.state_role() == role::candidate);
    b.finish_write();
    CHECK(b.raft.state_role() == role::leader);
}

TEST_CASE("a candidate that times out asks for pre-votes again, at the same term") {
    bench b;
    b.time_out();
    b.from(second_node, 1, vote_reply{true, true});
    b.finish_write();
    b.time_out();
    CHECK(b.raft.state_role() == role::pre_candidate);
    for (int i = 0; i < 10; ++i) b.time_out();
    CHECK(b.raft.current_term() == term(1));
}

TEST_CASE("nobody campaigns while its own write is under way") {
    bench b;
    b.from(second_node, 2, append_request{{}, {}, {}, make_run(1, 3, 2)});
    for (int i = 0; i < 5; ++i) b.time_out();
    CHECK(b.raft.state_role() == role::follower);
    CHECK(b.raft.leader() == no_node);
    b.finish_write();
    b.time_out();
    CHECK(b.raft.state_role() == role::pre_candidate);
}

TEST_CASE("a node without a vote follows and acknowledges, and neither campaigns nor votes") {
    auto s = bench::fresh(3);
    s.votes = false;
    bench b(s);
    for (int i = 0; i < 5; ++i) b.time_out();
    CHECK(b.raft.state_role() == role::follower);
    b.from(second_node, 2, vote_request{true, {}, {}});
    b.from(second_node, 2, vote_request{false, {}, {}});
    for (const auto& [m, v] : b.take<vote_reply>()) CHECK(!v.granted);
    b.from(second_node, 2, append_request{{}, {}, {}, make_run(1, 3, 2)});
    b.finish_writes();
    const auto acks = b.take<append_reply>();
    REQUIRE(!acks.empty());
    CHECK(acks.back().second == append_reply{false, log_index(3), {}, {}});
}

TEST_CASE("a single voter elects itself and commits alone, when durable") {
    bench b(1);
    b.pass(0ms);
    CHECK(b.raft.state_role() == role::candidate);
    b.finish_write();
    CHECK(b.raft.state_role() == role::leader);
    CHECK(b.raft.commit_index() == log_index(0));
    b.finish_writes();
    CHECK(b.raft.commit_index() == log_index(1));
    b.propose("a");
    CHECK(b.raft.commit_index() == log_index(1));
    b.finish_writes();
    CHECK(b.committed.size() == 2);
    b.step(input::read_barrier{7});
    REQUIRE(b.reads.size() == 1);
    CHECK(b.reads[0].ok);
    CHECK(b.reads[0].index == log_index(2));
}

// ---- at a follower

TEST_CASE("an acknowledgement rides on the write that it needs") {
    bench b;
    b.from(second_node, 2, append_request{{}, {}, {}, make_run(1, 3, 2)});
    CHECK(b.take<append_reply>().empty());
    REQUIRE(b.writing);
    CHECK(b.writing->entries.size() == 3);
    CHECK(b.writing->send_durable.size() == 1);
    b.from(second_node, 2, append_request{log_index(3), term(2), {}, make_run(4, 5, 2)});
    b.from(second_node, 2, append_request{log_index(5), term(2), {}, make_run(6, 6, 2)});
    b.from(second_node, 2, append_request{{}, {}, {}, make_run(1, 3, 2)});  // present, but not durable yet
    CHECK(b.take<append_reply>().empty());
    b.finish_write();
    const auto first = b.take<append_reply>();
    REQUIRE(first.size() == 1);
    CHECK(first[0].second.index == log_index(3));
    REQUIRE(b.writing);
    CHECK(b.writing->entries.size() == 3);  // two appends, one write
    b.finish_write();
    const auto rest = b.take<append_reply>();
    REQUIRE(rest.size() == 1);
    CHECK(rest[0].second.index == log_index(6));
}

TEST_CASE("an append that is present never shortens the log") {
    bench b;
    b.from(second_node, 2, append_request{{}, {}, {}, make_run(1, 6, 2)});
    b.finish_writes();
    b.from(second_node, 2, append_request{log_index(1), term(2), {}, make_run(2, 3, 2)});
    CHECK(b.raft.last_index() == log_index(6));
    const auto acks = b.take<append_reply>();
    CHECK(acks.back().second.index == log_index(6));
    CHECK(!b.writing);
}

TEST_CASE("the acknowledgement after a truncation waits for it, and an old completion does not count") {
    bench b;
    b.from(second_node, 2, append_request{{}, {}, {}, make_run(1, 5, 2)});
    REQUIRE(b.writing);
    b.from(third_node, 3, append_request{log_index(2), term(2), {}, make_run(3, 5, 3)});
    CHECK(b.raft.durable_index() == log_index(0));
    b.finish_write();  // of 1..5 in term 2
    CHECK(b.raft.durable_index() == log_index(2));
    REQUIRE(b.writing);
    CHECK(b.writing->entries.front() == make(3, 3));
    for (const auto& [m, a] : b.take<append_reply>()) CHECK(m.to == second_node);  // only what rode on the first write
    b.finish_write();
    const auto acks = b.take<append_reply>();
    REQUIRE(acks.size() == 1);
    CHECK(acks[0].first.to == third_node);
    CHECK(acks[0].second.index == log_index(5));
}

TEST_CASE("a matching probe acknowledges no more than what agrees with this leader") {
    bench b(bench::with_log({{log_index(1), term(1)}}, 9, 1));
    b.from(second_node, 2, append_request{log_index(4), term(1), log_index(9), {}});
    b.finish_writes();
    const auto acks = b.take<append_reply>();
    REQUIRE(acks.size() == 1);
    CHECK(acks[0].second.index == log_index(4));
    CHECK(b.raft.commit_index() == log_index(4));
    CHECK(b.raft.last_index() == log_index(9));
}

TEST_CASE("an acknowledgement waits for its term to be durable, and then names only what agrees") {
    bench b(bench::with_log({{log_index(1), term(1)}}, 9, 1));
    b.from(second_node, 2, heartbeat{{}, 1});
    REQUIRE(b.writing);  // of the term
    b.from(second_node, 2, append_request{log_index(4), term(1), {}, {}});
    CHECK(b.take<append_reply>().empty());
    b.finish_write();
    const auto acks = b.take<append_reply>();
    REQUIRE(acks.size() == 1);
    CHECK(acks[0].second.index == log_index(4));
}

TEST_CASE("a refusal names the largest index of at most the refused term") {
    bench b(bench::with_log({{log_index(1), term(1)}, {log_index(4), term(3)}}, 9, 3));
    b.from(second_node, 5, append_request{log_index(20), term(4), {}, {}});
    b.from(second_node, 5, append_request{log_index(7), term(2), {}, {}});
    const auto refusals = b.take<append_reply>();
    REQUIRE(refusals.size() == 2);
    CHECK(refusals[0].second == append_reply{true, log_index(9), log_index(20), term(3)});
    CHECK(refusals[1].second == append_reply{true, log_index(3), log_index(7), term(1)});
}

TEST_CASE("any message of the leader refreshes the election timer, a refused append too") {
    bench b;
    for (int i = 0; i < 20; ++i) {
        b.now += b.opts.election_timeout_min - 1ms;
        b.from(second_node, 2, append_request{log_index(50), term(1), {}, {}});
        b.step(input::wake{});
        CHECK(b.raft.state_role() == role::follower);
    }
}

TEST_CASE("an old leader hears that its time is over") {
    bench b(bench::with_log({}, 0, 5));
    b.from(second_node, 3, heartbeat{{}, 4});
    b.from(second_node, 3, append_request{{}, {}, {}, make_run(1, 1, 3)});
    REQUIRE(b.sent.size() == 2);
    for (const auto& m : b.sent) CHECK(m.term == term(5));
    CHECK(b.raft.last_index() == log_index(0));
    CHECK(b.raft.leader() == no_node);
}

TEST_CASE("after a restart a heartbeat alone brings the commit index back") {
    bench b(bench::with_log({{log_index(1), term(1)}}, 9, 2));
    b.from(second_node, 2, heartbeat{log_index(9), 1});
    CHECK(b.raft.commit_index() == log_index(9));
    REQUIRE(b.fetch);
    CHECK(b.fetch->from == log_index(1));
    b.step(input::fetched{make_run(1, 9, 1)});
    CHECK(b.committed.size() == 9);
}

TEST_CASE("a read back that fails is tried again later, not at once") {
    bench b(bench::with_log({{log_index(1), term(1)}}, 9, 2));
    b.from(second_node, 2, heartbeat{log_index(9), 1});
    REQUIRE(b.fetch);
    b.fetch.reset();
    b.step(input::fetched{});
    CHECK(!b.fetch);
    CHECK(b.raft.deadline() <= b.now + b.opts.heartbeat_interval);
    b.pass(b.opts.heartbeat_interval);
    CHECK(b.fetch);
}

TEST_CASE("committed entries wait until they are durable here, and until application keeps up") {
    options o;
    o.apply_bytes_max = 2 * entry_overhead_bytes;
    bench b(3, o);
    b.from(second_node, 2, append_request{{}, {}, log_index(6), make_run(1, 6, 2)});
    CHECK(b.raft.commit_index() == log_index(6));
    CHECK(b.committed.empty());
    b.finish_writes();
    CHECK(b.committed.size() == 2);
    b.step(input::applied{log_index(2)});
    CHECK(b.committed.size() == 4);
    CHECK(b.raft.applied_index() == log_index(2));
    b.step(input::applied{log_index(4)});
    CHECK(b.committed.size() == 6);
    CHECK(b.committed.back().index == log_index(6));
}

TEST_CASE("an append beyond what the disk keeps up with is treated as lost") {
    options o;
    o.window_bytes_max = 3 * entry_overhead_bytes;
    bench b(3, o);
    b.from(second_node, 2, append_request{{}, {}, {}, make_run(1, 5, 2)});
    b.from(second_node, 2, append_request{log_index(5), term(2), {}, make_run(6, 9, 2)});
    CHECK(b.raft.last_index() == log_index(5));
    b.finish_writes();
    b.from(second_node, 2, append_request{log_index(5), term(2), {}, make_run(6, 9, 2)});
    CHECK(b.raft.last_index() == log_index(9));
}

// ---- at a leader

TEST_CASE("appends leave at once while the own write runs, and the leader does not count itself before") {
    bench b;
    b.lead_and_commit();
    b.propose("a");
    CHECK(b.take<append_request>().size() >= 1);
    REQUIRE(b.writing);
    b.acknowledge(second_node);
    CHECK(b.raft.commit_index() == log_index(1));
    b.finish_write();
    CHECK(b.raft.commit_index() == log_index(2));
}

TEST_CASE("a leader commits before its own disk when the others are a majority, but applies only what it holds") {
    bench b;
    b.lead_and_commit();
    b.propose("a");
    b.acknowledge(second_node);
    b.acknowledge(third_node);
    CHECK(b.raft.commit_index() == log_index(2));
    CHECK(b.committed.size() == 1);
    b.finish_write();
    CHECK(b.committed.size() == 2);
}

TEST_CASE("entries of older terms are not committed by counting") {
    bench b(bench::with_log({{log_index(1), term(1)}}, 3, 1));
    b.lead();
    b.from(second_node, 2, append_reply{false, log_index(3), {}, {}});
    b.from(third_node, 2, append_reply{false, log_index(3), {}, {}});
    CHECK(b.raft.commit_index() == log_index(0));
    b.from(third_node, 2, append_reply{false, log_index(4), {}, {}});
    CHECK(b.raft.commit_index() == log_index(4));
}

TEST_CASE("an advanced commit index is told at once") {
    bench b;
    b.lead_and_commit();
    b.propose("a");
    b.finish_writes();
    b.sent.clear();
    b.acknowledge(second_node);
    const auto told = b.take<heartbeat>();
    REQUIRE(told.size() == 1);
    CHECK(told[0].first.to == second_node);
    CHECK(told[0].second.commit == log_index(2));
    b.acknowledge(third_node);
    CHECK(b.take<heartbeat>().size() == 1);
}

TEST_CASE("a heartbeat names no more than what its receiver acknowledged") {
    bench b;
    b.lead_and_commit();
    b.pass(b.opts.heartbeat_interval);
    for (const auto& [m, h] : b.take<heartbeat>()) CHECK(h.commit == log_index(m.to == second_node ? 1 : 0));
}

TEST_CASE("proposals stepped together share appends and one write") {
    bench b;
    b.lead_and_commit();
    b.acknowledge(third_node);
    b.sent.clear();
    for (int i = 0; i < 10; ++i) b.raft.step(input::propose{{shared_bytes::copy_of("x")}}, b.now);
    b.drain();
    const auto appends = b.take<append_request>();
    REQUIRE(appends.size() == 2);
    CHECK(appends[0].second.entries.size() == 10);
    CHECK(b.writing->entries.size() == 10);
}

TEST_CASE("a leader whose disk hangs for an election time-out steps down and does not campaign") {
    bench b;
    b.lead_and_commit();
    b.propose("a");
    REQUIRE(b.writing);
    for (duration d{}; d < b.opts.election_timeout_max + b.opts.heartbeat_interval; d += b.opts.heartbeat_interval) {
        b.pass(b.opts.heartbeat_interval);
        for (const auto& [m, h] : b.take<heartbeat>())
            if (h.round != 0) b.from(m.to, m.term.value, heartbeat_reply{h.round});
    }
    CHECK(b.raft.state_role() == role::follower);
    b.time_out();
    CHECK(b.raft.state_role() == role::follower);
}

TEST_CASE("a leader that no quorum answers steps down; one that a quorum answers does not") {
    bench b;
    b.lead_and_commit();
    for (int i = 0; i < 30; ++i) {
        b.pass(b.opts.heartbeat_interval);
        for (const auto& [m, h] : b.take<heartbeat>())
            if (h.round != 0 && m.to == second_node) b.from(m.to, m.term.value, heartbeat_reply{h.round});
        REQUIRE(b.raft.state_role() == role::leader);
    }
    for (int i = 0; i < 12; ++i) b.pass(b.opts.heartbeat_interval);
    CHECK(b.raft.state_role() != role::leader);
    CHECK(b.raft.leader() == no_node);
}

TEST_CASE("a peer without standing is replicated to, but counts for nothing") {
    bench b;
    b.step(input::peer_standing{second_node, false});
    b.time_out();
    b.from(second_node, 1, vote_reply{true, true});
    CHECK(b.raft.state_role() == role::pre_candidate);
    b.from(third_node, 1, vote_reply{true, true});
    b.finish_writes();
    b.from(third_node, 1, vote_reply{false, true});
    b.finish_writes();
    REQUIRE(b.raft.state_role() == role::leader);
    bool asked = false;
    for (const auto& [m, a] : b.take<append_request>()) asked = asked || m.to == second_node;
    CHECK(asked);
    b.acknowledge(second_node);
    CHECK(b.raft.commit_index() == log_index(0));
    b.step(input::read_barrier{1});
    b.from(second_node, 1, heartbeat_reply{2});
    CHECK(b.reads.empty());
    b.acknowledge(third_node);
    CHECK(b.raft.commit_index() == log_index(1));
    for (int i = 0; i < 12; ++i) {
        b.pass(b.opts.heartbeat_interval);
        for (const auto& [m, h] : b.take<heartbeat>())
            if (m.to == second_node && h.round != 0) b.from(second_node, 1, heartbeat_reply{h.round});
    }
    CHECK(b.raft.state_role() != role::leader);
}

TEST_CASE("a follower behind the window is served from storage") {
    options o;
    o.append_bytes_max = 4 * entry_overhead_bytes;
    bench b(bench::with_log({{log_index(1), term(1)}}, 10, 1), o);
    b.lead();
    b.from(second_node, 2, append_reply{true, log_index(2), log_index(10), term(1)});
    b.sent.clear();
    b.from(second_node, 2, append_reply{false, log_index(2), {}, {}});
    REQUIRE(b.fetch);
    CHECK(b.fetch->from == log_index(3));
    b.step(input::fetched{make_run(3, 6, 1)});
    const auto appends = b.take<append_request>();
    REQUIRE(appends.size() == 1);
    CHECK(appends[0].second.prev_index == log_index(2));
    CHECK(appends[0].second.entries.size() == 4);
    CHECK(b.fetch->from == log_index(7));
}

TEST_CASE("a divergent tail is resolved in a probe per term") {
    // The follower's log: 1..1000 of term 1, then a thousand entries in each of the terms 2, 4, 6, 8, 10.
    // The leader's: the same up to 1000, then the odd terms.
    const auto log_of = [](std::uint64_t first_term) {
        std::vector<term_run> runs{{log_index(1), term(1)}};
        for (std::uint64_t i = 0; i < 5; ++i) runs.push_back({log_index(1001 + 1000 * i), term(first_term + 2 * i)});
        return runs;
    };
    auto mine = bench::with_log(log_of(3), 6000, 11);
    bench leader(mine);
    auto theirs = bench::with_log(log_of(2), 6000, 11);
    theirs.self = second_node;
    core follower({}, theirs, leader.now);
    leader.lead();
    std::size_t probes = 0;
    const auto matched = [&] { return leader.raft.peers()[0].match == log_index(1000); };
    while (!matched() && probes < 100) {
        for (const auto& [m, a] : leader.take<append_request>()) {
            if (m.to != second_node) continue;
            ++probes;
            follower.step(m, leader.now);
        }
        auto out = follower.take_output();
        if (out.persist) {
            follower.step(input::persisted{out.persist->ticket}, leader.now);
            for (auto& m : out.persist->send_durable) out.send.push_back(m);
            for (auto& m : follower.take_output().send) out.send.push_back(m);
        }
        for (auto& m : out.send) leader.step(m);
    }
    CHECK(matched());
    CHECK(probes <= 12);
}

TEST_CASE("a lost window is found by the next answered heartbeat") {
    bench b;
    b.lead_and_commit();
    b.propose("a");
    b.propose("b");
    b.finish_writes();
    b.sent.clear();  // lost
    b.pass(b.opts.heartbeat_interval);
    const auto round = b.take<heartbeat>().back().second.round;
    b.from(second_node, 1, heartbeat_reply{round});
    const auto asked = b.take<append_request>();
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].second.entries.empty());
    CHECK(asked[0].second.prev_index == log_index(3));
    b.from(second_node, 1, append_reply{true, log_index(1), log_index(3), term(1)});
    const auto again = b.take<append_request>();
    REQUIRE(again.size() == 1);
    CHECK(again[0].second.entries.size() == 2);
}

TEST_CASE("an idle leader sends heartbeats and nothing else") {
    bench b;
    b.lead_and_commit();
    b.acknowledge(third_node);
    b.sent.clear();
    for (int i = 0; i < 100; ++i) {
        b.pass(b.opts.heartbeat_interval);
        for (const auto& [m, h] : b.take<heartbeat>()) b.from(m.to, m.term.value, heartbeat_reply{h.round});
        CHECK(b.sent.empty());
        CHECK(!b.writing);
    }
    CHECK(b.raft.last_index() == log_index(1));
}

// ---- proposals

TEST_CASE("a follower forwards to the leader it knows, once; without one it says that it dropped") {
    bench b;
    b.propose("a");
    CHECK(b.count_events<proposal_dropped>() == 1);
    b.from(second_node, 2, heartbeat{{}, 1});
    b.propose("b");
    const auto forwarded = b.take<forwarded_proposal>();
    REQUIRE(forwarded.size() == 1);
    CHECK(forwarded[0].first.to == second_node);
    b.from(third_node, 0, forwarded_proposal{{shared_bytes::copy_of("c")}});
    CHECK(b.take<forwarded_proposal>().empty());
    CHECK(b.count_events<proposal_dropped>() == 2);
}

TEST_CASE("a leader without room drops the rest of the proposals and says so") {
    options o;
    o.uncommitted_bytes_max = 1000;
    bench b(3, o);
    b.lead_and_commit();
    const auto command = shared_bytes::copy_of(std::string(400, 'x'));
    b.step(input::propose{{command, command, command, shared_bytes::copy_of("small")}});
    CHECK(b.raft.last_index() == log_index(3));
    REQUIRE(b.count_events<proposal_dropped>() == 1);
    CHECK(std::get<proposal_dropped>(b.events.back()).commands == 2);
    b.finish_writes();
    b.acknowledge(second_node);
    b.propose("room again");
    CHECK(b.raft.last_index() == log_index(4));
}

// ---- reads

TEST_CASE("a read is proven by answers to a round that began after it, and by nothing older") {
    bench b;
    b.lead_and_commit();
    b.pass(b.opts.heartbeat_interval);
    const auto before = b.take<heartbeat>().back().second.round;
    b.step(input::read_barrier{5});
    const auto after = b.take<heartbeat>().back().second.round;
    CHECK(after > before);
    b.from(second_node, 1, heartbeat_reply{before});
    b.from(third_node, 1, heartbeat_reply{before});
    CHECK(b.reads.empty());
    b.from(third_node, 1, heartbeat_reply{after});
    REQUIRE(b.reads.size() == 1);
    CHECK(b.reads[0].ok);
    CHECK(b.reads[0].index == log_index(1));
}

TEST_CASE("a leader that is asked for reads all the time steps down all the same once it hears no quorum") {
    bench b;
    b.lead_and_commit();
    for (int i = 0; i < 60; ++i) {   // more often than it has heartbeats of its own
        b.now += b.opts.heartbeat_interval / 2;
        b.step(input::read_barrier{static_cast<std::uint64_t>(i)});
        b.step(input::wake{});
    }
    CHECK(b.raft.state_role() != role::leader);
}

// 1. a leads term 1, begins rounds 1 and 2, crashes, and leads term 2, where it begins round 1; 2. b, in term 2, gets the
// heartbeat of term 1 and round 2, and answers in its own term; 3. c leads term 3 and commits; 4. a, which has not heard of
// that, is asked for a read and begins round 2: b's answer is older than all of this.
TEST_CASE("what a node answers to a heartbeat of an older term proves no read") {
    bench b;
    b.from(second_node, 2, heartbeat{});
    b.finish_writes();
    b.sent.clear();
    b.from(third_node, 1, heartbeat{{}, 2});
    const auto told = b.take<heartbeat_reply>();
    REQUIRE(told.size() == 1);
    CHECK(told[0].first.term == term(2));
    CHECK(told[0].second.round == 0);
}

TEST_CASE("a read waits for a commit of the leader's own term") {
    bench b(bench::with_log({{log_index(1), term(1)}}, 3, 1));
    b.lead();
    b.step(input::read_barrier{5});
    b.from(second_node, 2, heartbeat_reply{2});
    CHECK(b.reads.empty());
    b.acknowledge(second_node);
    REQUIRE(b.reads.size() == 1);
    CHECK(b.reads[0].index == log_index(4));
}

TEST_CASE("a follower's read asks the leader, and always ends") {
    bench b;
    b.step(input::read_barrier{1});
    REQUIRE(b.reads.size() == 1);
    CHECK(!b.reads[0].ok);

    b.from(second_node, 2, heartbeat{{}, 1});
    for (const std::uint64_t id : {2u, 3u, 4u}) b.step(input::read_barrier{id});
    const auto asked = b.take<read_request>();
    REQUIRE(asked.size() == 3);
    b.from(third_node, 0, read_reply{asked[0].second.id, true, log_index(4)});  // not the leader
    CHECK(b.reads.size() == 1);
    b.from(second_node, 0, read_reply{asked[0].second.id, true, log_index(4)});
    b.from(second_node, 0, read_reply{asked[0].second.id, true, log_index(4)});
    REQUIRE(b.reads.size() == 2);
    CHECK(b.reads[1].ok);
    CHECK(b.reads[1].index == log_index(4));
    b.from(second_node, 0, read_reply{asked[1].second.id, false, {}});
    REQUIRE(b.reads.size() == 3);
    CHECK(!b.reads[2].ok);
    b.from(third_node, 3, heartbeat{{}, 1});  // another leader
    REQUIRE(b.reads.size() == 4);
    CHECK(!b.reads[3].ok);
    b.step(input::read_barrier{5});
    b.pass(b.opts.election_timeout_max);
    REQUIRE(b.reads.size() == 5);
    CHECK(!b.reads[4].ok);
}

TEST_CASE("a leader answers a follower's read, and refuses all when it steps down") {
    bench b;
    b.lead_and_commit();
    b.from(third_node, 0, read_request{77});
    b.from(second_node, 1, heartbeat_reply{2});
    auto replies = b.take<read_reply>();
    REQUIRE(replies.size() == 1);
    CHECK(replies[0].second == read_reply{77, true, log_index(1)});
    b.from(third_node, 0, read_request{78});
    b.step(input::read_barrier{9});
    b.from(second_node, 5, heartbeat{{}, 1});
    replies = b.take<read_reply>();
    REQUIRE(replies.size() == 1);
    CHECK(replies[0].second == read_reply{78, false, {}});
    REQUIRE(b.reads.size() == 1);
    CHECK(!b.reads[0].ok);
}

// ---- leases

namespace {
options with_leases() {
    options o;
    o.lease_drift_ppm = 100'000;
    return o;
}
duration lease_of(const bench& b) { return lease_length(b.opts.election_timeout_min, b.opts.lease_drift_ppm); }
}  // namespace

TEST_CASE("a leader answers reads at once while its lease holds, counted from when the round left") {
    bench b(3, with_leases());
    b.lead_and_commit();
    b.pass(b.opts.heartbeat_interval);
    const auto left = b.now;
    const auto round = b.take<heartbeat>().back().second.round;
    b.step(input::read_barrier{1});
    CHECK(b.reads.empty());   // nobody has answered yet
    b.now += 50ms;
    b.from(second_node, 1, heartbeat_reply{round});
    b.reads.clear();
    b.sent.clear();
    b.now = left + lease_of(b) - 1ns;
    b.step(input::read_barrier{2});
    REQUIRE(b.reads.size() == 1);
    CHECK(b.reads[0].ok);
    CHECK(b.reads[0].index == b.raft.commit_index());
    CHECK(b.take<heartbeat>().empty());
    b.now = left + lease_of(b);
    b.step(input::read_barrier{3});
    CHECK(b.reads.size() == 1);
    CHECK_FALSE(b.take<heartbeat>().empty());
}

TEST_CASE("a lease gives no read before a commit of the leader's own term") {
    bench b(bench::with_log({{log_index(1), term(1)}}, 3, 1), with_leases());
    b.lead();
    b.from(second_node, 2, heartbeat_reply{b.take<heartbeat>().back().second.round});
    b.step(input::read_barrier{5});
    CHECK(b.reads.empty());
    b.acknowledge(second_node);
    b.step(input::read_barrier{6});
    CHECK_FALSE(b.reads.empty());
}

TEST_CASE("a lease ends with the leadership") {
    bench b(3, with_leases());
    b.lead_and_commit();
    b.pass(b.opts.heartbeat_interval);
    b.from(second_node, 1, heartbeat_reply{b.take<heartbeat>().back().second.round});
    b.step(input::yield_leadership{});
    b.reads.clear();
    b.step(input::read_barrier{5});
    REQUIRE(b.reads.size() == 1);
    CHECK_FALSE(b.reads[0].ok);
}

// The leader heard this node answer. A rejection of an old pre-vote tells it of a term in which somebody else stands, and
// then that one asks for its vote: both would be within the leader's lease.
TEST_CASE("with leases a node that heard a leader elects nobody else for a time, whatever terms it learns of") {
    bench b(3, with_leases());
    b.time_out();
    b.from(second_node, 1, heartbeat{{}, 1});
    CHECK_FALSE(b.take<heartbeat_reply>().empty());
    b.from(third_node, 2, vote_reply{true, false});
    b.from(third_node, 2, vote_request{false, log_index(5), term(1)});
    b.finish_writes();
    CHECK(b.raft.voted_for() == no_node);
    for (const auto& [m, vote] : b.take<vote_reply>()) CHECK_FALSE(vote.granted);
    b.from(third_node, 3, vote_request{true, log_index(5), term(1)});
    for (const auto& [m, vote] : b.take<vote_reply>()) CHECK_FALSE(vote.granted);
    b.now += b.opts.election_timeout_min;
    b.from(third_node, 2, vote_request{false, log_index(5), term(1)});
    b.finish_writes();
    CHECK(b.raft.voted_for() == third_node);
}

TEST_CASE("with leases a restarted node keeps the promise that it may have given") {
    bench b(3, with_leases());
    b.from(third_node, 2, vote_request{false, log_index(5), term(1)});
    b.finish_writes();
    CHECK(b.raft.voted_for() == no_node);
    b.now += b.opts.election_timeout_min;
    b.from(third_node, 2, vote_request{false, log_index(5), term(1)});
    b.finish_writes();
    CHECK(b.raft.voted_for() == third_node);
}

// ---- snapshots

TEST_CASE("what a snapshot has is dropped, as far as it is durable and not wanted for slow followers") {
    bench b;
    b.from(second_node, 2, append_request{{}, {}, log_index(6), make_run(1, 8, 2)});
    b.finish_writes();
    b.step(input::snapshot_saved{log_index(6), log_index(4)});  // not applied yet
    CHECK(b.drops.empty());
    b.step(input::applied{log_index(6)});
    b.step(input::snapshot_saved{log_index(6), log_index(4)});
    CHECK(b.drops == std::vector<log_position>{{log_index(4), term(2)}});
    CHECK(b.raft.base() == log_position{log_index(4), term(2)});
    CHECK(b.raft.snapshot() == log_position{log_index(6), term(2)});
    CHECK(b.raft.last_index() == log_index(8));
    b.step(input::snapshot_saved{log_index(6), log_index(9)});  // more than it holds
    CHECK(b.raft.base().index == log_index(6));
    CHECK(!b.writing);
}

TEST_CASE("a node starts from its snapshot: it applies what is behind, and nothing that is in it") {
    auto s = bench::compacted({log_index(40), term(3)}, 4);
    s.runs = {{log_index(41), term(3)}, {log_index(44), term(4)}};
    s.last_index = log_index(45);
    s.snapshot = {log_index(42), term(3)};
    bench b(s);
    CHECK(b.raft.commit_index() == log_index(42));
    CHECK(b.raft.applied_index() == log_index(42));
    CHECK(!b.writing);
    b.from(second_node, 4, heartbeat{log_index(45), 1});
    REQUIRE(b.fetch);
    CHECK(b.fetch->from == log_index(43));
    b.step(input::fetched{{make(43, 3), make(44, 4), make(45, 4)}});
    CHECK(b.committed.size() == 3);
}

TEST_CASE("a log that a crash left behind an installed snapshot is begun anew by the first write") {
    auto s = bench::with_log({{log_index(1), term(1)}}, 9, 2);
    for (const auto& at : {log_position{log_index(40), term(3)}, log_position{log_index(5), term(2)}}) {
        s.snapshot = at;
        bench b(s);
        CHECK(b.raft.base() == at);
        CHECK(b.raft.last_index() == at.index);
        CHECK(b.raft.current_term() == std::max(at.term, term(2)));
        REQUIRE(b.writing);
        CHECK(b.writing->begin_anew == at);
        CHECK(b.writing->entries.empty());
        b.finish_write();
        CHECK(!b.writing);
    }
    s.snapshot = {log_index(5), term(1)};  // the log has it: it stays
    bench b(s);
    CHECK(!b.writing);
    CHECK(b.raft.last_index() == log_index(9));
}

TEST_CASE("a follower that needs what is gone is offered the snapshot, again and again, until it acknowledges") {
    auto s = bench::compacted({log_index(40), term(1)}, 1);
    bench b(s);
    b.lead();
    b.sent.clear();
    b.from(second_node, 2, append_reply{true, log_index(7), log_index(40), term(1)});
    auto offers = b.take<snapshot_offer>();
    REQUIRE(offers.size() == 1);
    CHECK(offers[0].first.to == second_node);
    CHECK(offers[0].second.at == log_position{log_index(40), term(1)});
    CHECK(b.raft.peers()[0].state == progress_state::snapshot);
    b.from(second_node, 2, append_reply{true, log_index(7), log_index(40), term(1)});  // repeated on its way
    b.propose("a");
    CHECK(b.take<snapshot_offer>().empty());
    for (int i = 0; i < 3; ++i) {
        b.pass(b.opts.heartbeat_interval);
        for (const auto& [m, h] : b.take<heartbeat>())
            if (h.round != 0) b.from(m.to, 2, heartbeat_reply{h.round});
        CHECK(b.take<snapshot_offer>().size() == 1);
    }
    // Its connection broke: it may have been anything from a crash to a snapshot of another leader.
    b.step(input::peer_unreachable{second_node});
    CHECK(b.take<snapshot_offer>().empty());
    b.pass(b.opts.heartbeat_interval);
    b.from(second_node, 2, heartbeat_reply{b.take<heartbeat>().back().second.round});
    CHECK(b.take<snapshot_offer>().size() == 1);
    b.take<append_request>();
    b.from(second_node, 2, append_reply{false, log_index(40), {}, {}});
    CHECK(b.raft.peers()[0].state == progress_state::replicate);
    const auto appends = b.take<append_request>();
    REQUIRE(!appends.empty());
    CHECK(appends[0].second.prev_index == log_index(40));
    CHECK(appends[0].second.prev_term == term(1));
}

namespace {

/// What the second node was sent has left, and is not acknowledged.
bench compacted_past_second() {
    bench b;
    b.lead_and_commit();
    b.acknowledge(third_node);
    for (int i = 0; i < 5; ++i) b.propose("x");
    b.finish_writes();
    b.acknowledge(third_node);
    REQUIRE(b.raft.commit_index() == log_index(6));
    b.step(input::applied{log_index(6)});
    b.sent.clear();
    b.step(input::snapshot_saved{log_index(6), log_index(5)});
    return b;
}
const auto sixth = log_position{log_index(6), term(1)};

}  // namespace

TEST_CASE("a leader that compacts past a slow follower goes over to offering, whatever is under way to it") {
    bench b = compacted_past_second();
    const auto offers = b.take<snapshot_offer>();
    REQUIRE(offers.size() == 1);
    CHECK(offers[0].second.at == sixth);
    CHECK(b.raft.peers()[0].state == progress_state::snapshot);
    CHECK(b.raft.peers()[1].state == progress_state::replicate);
    b.propose("y");
    for (const auto& [m, append] : b.take<append_request>()) CHECK(m.to == third_node);
}

TEST_CASE("a leader that yields follows, and stands again only if nobody else did for long") {
    bench b;
    b.lead_and_commit();
    b.step(input::yield_leadership{});
    CHECK(b.raft.state_role() == role::follower);
    CHECK(b.raft.leader() == no_node);
    const auto first_try = b.raft.deadline();
    CHECK(first_try >= b.now + 4 * b.opts.election_timeout_max);
    b.step(input::yield_leadership{});   // it leads nothing
    CHECK(b.raft.deadline() == first_try);
    b.from(second_node, 2, heartbeat{{}, 1});
    CHECK(b.raft.leader() == second_node);
    CHECK(b.raft.deadline() <= b.now + b.opts.election_timeout_max);

    bench alone(1);
    alone.step(input::wake{});
    alone.finish_writes();
    REQUIRE(alone.raft.state_role() == role::leader);
    alone.step(input::yield_leadership{});
    CHECK(alone.raft.state_role() == role::leader);
}

TEST_CASE("a follower that was only slow ends the offer with what it acknowledges") {
    bench b = compacted_past_second();
    b.acknowledge(second_node);
    CHECK(b.raft.peers()[0].state == progress_state::replicate);
    b.sent.clear();
    b.propose("y");
    CHECK(b.take<append_request>().size() == 2);
}

TEST_CASE("of a follower that acknowledges a part of what is gone the rest is offered again") {
    bench b = compacted_past_second();
    b.sent.clear();
    b.from(second_node, 1, append_reply{false, log_index(4), {}, {}});
    const auto offers = b.take<snapshot_offer>();
    REQUIRE(offers.size() == 1);
    CHECK(offers[0].second.at == sixth);
}

TEST_CASE("an offered snapshot is asked for once, a newer one and one of another leader again") {
    bench b;
    const auto offer = [&](node_id from, std::uint64_t t, std::uint64_t index) {
        b.installs.clear();
        b.from(from, t, snapshot_offer{{log_index(index), term(2)}});
        return b.installs;
    };
    CHECK(offer(second_node, 2, 40) == std::vector<install_request>{{{log_index(40), term(2)}, second_node}});
    CHECK(offer(second_node, 2, 40).empty());
    CHECK(offer(second_node, 2, 50).size() == 1);
    CHECK(offer(second_node, 2, 40).empty());
    b.step(input::install_failed{{{log_index(40), term(2)}, second_node}});  // of the one before
    CHECK(offer(second_node, 2, 50).empty());
    b.step(input::install_failed{{{log_index(50), term(2)}, second_node}});
    CHECK(b.installs.empty());
    CHECK(offer(second_node, 2, 50).size() == 1);
    CHECK(offer(third_node, 3, 30) == std::vector<install_request>{{{log_index(30), term(2)}, third_node}});
    CHECK(offer(second_node, 2, 60).empty());  // of an old leader, which hears so
    CHECK(b.take<append_reply>().back().first.term == term(3));
}

TEST_CASE("an offer of what the log has is acknowledged, not fetched") {
    bench b(bench::with_log({{log_index(1), term(1)}}, 9, 1));
    b.from(second_node, 1, snapshot_offer{{log_index(8), term(1)}});
    CHECK(b.installs.empty());
    CHECK(b.raft.commit_index() == log_index(8));
    const auto acks = b.take<append_reply>();
    REQUIRE(acks.size() == 1);
    CHECK(acks[0].second == append_reply{false, log_index(8), {}, {}});
    b.from(second_node, 1, snapshot_offer{{log_index(3), term(1)}});
    CHECK(b.take<append_reply>().size() == 1);
    CHECK(b.installs.empty());
}

TEST_CASE("an installed snapshot begins the log anew, and is acknowledged once the term is durable") {
    bench b(bench::with_log({{log_index(1), term(1)}}, 9, 1));
    b.from(second_node, 2, snapshot_offer{{log_index(40), term(2)}});
    REQUIRE(b.installs.size() == 1);
    REQUIRE(b.writing);  // of the term
    b.step(input::snapshot_installed{{log_index(40), term(2)}});
    CHECK(b.raft.base() == log_position{log_index(40), term(2)});
    CHECK(b.raft.applied_index() == log_index(40));
    CHECK(b.raft.commit_index() == log_index(40));
    CHECK(b.take<append_reply>().empty());
    b.finish_write();
    const auto acks = b.take<append_reply>();
    REQUIRE(acks.size() == 1);
    CHECK(acks[0].second == append_reply{false, log_index(40), {}, {}});
    REQUIRE(b.writing);
    CHECK(b.writing->begin_anew == log_position{log_index(40), term(2)});
    // What comes meanwhile is the next write, and an append from below the base acknowledges the base.
    b.from(second_node, 2, append_request{log_index(40), term(2), log_index(41), make_run(41, 42, 2)});
    b.from(second_node, 2, append_request{log_index(30), term(2), log_index(41), make_run(31, 35, 2)});
    b.finish_write();
    REQUIRE(b.writing);
    CHECK(!b.writing->begin_anew);
    CHECK(b.writing->entries.size() == 2);
    b.finish_write();
    CHECK(b.committed.size() == 1);
    CHECK(b.committed[0].index == log_index(41));
    CHECK(b.take<append_reply>().back().second.index == log_index(42));
}

TEST_CASE("an append that begins below the base and goes on behind it is taken from there") {
    bench b(bench::compacted({log_index(40), term(2)}, 2));
    b.from(second_node, 2, append_request{log_index(37), term(2), {}, make_run(38, 42, 2)});
    CHECK(b.raft.last_index() == log_index(42));
    b.finish_writes();
    CHECK(b.take<append_reply>().back().second == append_reply{false, log_index(42), {}, {}});
    b.from(second_node, 2, append_request{log_index(38), term(1), {}, make_run(39, 43, 1)});  // a lie
    CHECK(b.raft.last_index() == log_index(42));
}

TEST_CASE("queued applications that an installed snapshot covers are not repeated behind it") {
    options o;
    o.apply_bytes_max = 2 * entry_overhead_bytes;
    bench b(3, o);
    b.from(second_node, 2, append_request{{}, {}, log_index(6), make_run(1, 6, 2)});
    b.finish_writes();
    REQUIRE(b.committed.size() == 2);
    b.step(input::snapshot_installed{{log_index(4), term(2)}});
    CHECK(!b.writing);  // the log has it
    CHECK(b.raft.applied_index() == log_index(4));
    REQUIRE(b.committed.size() == 4);
    CHECK(b.committed[2].index == log_index(5));
    b.step(input::applied{log_index(2)});  // late
    CHECK(b.raft.applied_index() == log_index(4));
    b.step(input::snapshot_installed{{log_index(3), term(2)}});  // older: nothing but an acknowledgement
    CHECK(b.raft.applied_index() == log_index(4));
    CHECK(b.raft.snapshot().index == log_index(4));
}

TEST_CASE("what an installed snapshot covers and the disk does not have yet is not dropped before it is written") {
    bench b;
    b.from(second_node, 2, append_request{{}, {}, {}, make_run(1, 3, 2)});
    b.from(second_node, 2, append_request{log_index(3), term(2), {}, make_run(4, 6, 2)});
    b.step(input::snapshot_installed{{log_index(5), term(2)}});
    b.step(input::snapshot_saved{log_index(5), log_index(5)});
    CHECK(b.drops.empty());
    b.finish_write();
    REQUIRE(b.writing);
    CHECK(b.writing->entries.size() == 3);
    b.finish_write();
    b.step(input::snapshot_saved{log_index(5), log_index(5)});
    CHECK(b.drops == std::vector<log_position>{{log_index(5), term(2)}});
    CHECK(b.raft.last_index() == log_index(6));
}

TEST_CASE("a write of the log before an installed snapshot does not count for the log behind it") {
    bench b;
    b.from(second_node, 1, append_request{{}, {}, {}, make_run(1, 9, 1)});
    REQUIRE(b.writing);  // 1 to 9 of term 1
    b.from(third_node, 2, snapshot_offer{{log_index(5), term(2)}});
    b.step(input::snapshot_installed{{log_index(5), term(2)}});
    b.from(third_node, 2, append_request{log_index(5), term(2), {}, make_run(6, 12, 2)});
    b.finish_write();
    CHECK(b.raft.durable_index() == log_index(5));
    for (const auto& [m, a] : b.take<append_reply>()) CHECK((m.to == second_node || a.index <= log_index(5)));
    REQUIRE(b.writing);
    CHECK(b.writing->begin_anew);
    CHECK(b.writing->entries.size() == 7);
    b.finish_write();
    CHECK(b.take<append_reply>().back().second.index == log_index(12));
}

TEST_CASE("a candidate whose log is begun anew asked for votes with a log that is gone: it gives up") {
    bench b(bench::with_log({{log_index(1), term(3)}}, 9, 3));
    b.from(second_node, 4, snapshot_offer{{log_index(5), term(1)}});
    b.finish_writes();
    b.time_out();
    b.from(third_node, 5, vote_reply{true, true});
    REQUIRE(b.raft.state_role() == role::candidate);
    b.step(input::snapshot_installed{{log_index(5), term(1)}});
    CHECK(b.raft.state_role() == role::follower);
    b.finish_writes();
    b.from(third_node, 5, vote_reply{false, true});
    CHECK(b.raft.state_role() == role::follower);
}

TEST_CASE("no vote goes to a log that ends before the own base") {
    bench b(bench::compacted({log_index(40), term(3)}, 3));
    b.from(second_node, 5, vote_request{false, log_index(39), term(3)});
    CHECK(!b.take<vote_reply>().back().second.granted);
    b.from(second_node, 6, vote_request{false, log_index(50), term(2)});
    CHECK(!b.take<vote_reply>().back().second.granted);
    b.from(second_node, 7, vote_request{false, log_index(40), term(3)});
    b.finish_writes();
    CHECK(b.take<vote_reply>().back().second.granted);
}

// ---- hostile input

TEST_CASE("what makes no sense is ignored and changes nothing") {
    bench b;
    b.from(second_node, 2, append_request{{}, {}, log_index(2), make_run(1, 4, 2)});
    b.finish_writes();
    b.step(input::applied{log_index(2)});
    b.step(input::snapshot_saved{log_index(2), log_index(1)});
    b.sent.clear();
    const auto before = b.raft.fingerprint();
    const log_index far(std::uint64_t(-1));
    const term late(std::uint64_t(-1));
    auto gap = make_run(5, 8, 2);
    gap.erase(gap.begin() + 1);
    auto falling = make_run(5, 6, 2);
    falling[1].term = term(1);
    auto zero = make_run(5, 6, 2);
    zero[0].term = term(0);
    auto ahead = make_run(5, 6, 3);
    const message_body bodies[] = {
        append_request{log_index(4), term(2), {}, gap},      append_request{log_index(4), term(2), {}, falling},
        append_request{log_index(4), term(2), {}, zero},     append_request{log_index(4), term(2), {}, ahead},
        append_request{log_index(3), term(2), {}, ahead},    append_request{far, term(2), {}, {}},
        append_request{log_index(4), term(0), {}, {}},       append_request{log_index(0), term(1), {}, {}},
        append_request{log_index(2), term(1), {}, {}},       append_request{log_index(4), term(2), far, {}},
        append_request{log_index(0), {}, {}, make_run(1, 2, 1)},
        vote_request{false, far, term(1)},                   vote_request{false, log_index(3), term(2)},
        append_reply{false, far, {}, {}},                    append_reply{true, far, far, late},
        heartbeat_reply{99},                                 vote_reply{false, true},
        vote_reply{true, true},                              read_reply{1, true, log_index(1)},
        snapshot_offer{{log_index(9), term(3)}},             snapshot_offer{{far, term(2)}},
        snapshot_offer{{log_index(9), term(0)}},             snapshot_offer{{log_index(2), term(1)}},
        snapshot_offer{},
    };
    for (const auto& body : bodies) {
        CAPTURE(body.index());
        b.from(second_node, 2, body);
        b.from(second_node, 0, body);
        CHECK(b.raft.fingerprint() == before);
    }
    for (const auto& body : bodies) b.from(second_node, std::uint64_t(-1), body);
    b.from(node_id(9), 3, heartbeat{{}, 1});
    b.from(no_node, 3, heartbeat{{}, 1});
    b.from(self, 3, heartbeat{{}, 1});
    b.from(third_node, 2, heartbeat{{}, 1});  // a second leader of the term
    b.step(message{second_node, third_node, term(3), heartbeat{{}, 1}});
    b.step(input::persisted{99});
    b.step(input::applied{log_index(99)});
    b.step(input::fetched{make_run(1, 2, 7)});
    b.step(input::peer_unreachable{node_id(9)});
    b.step(input::peer_standing{node_id(9), false});
    b.step(input::propose{});
    b.step(input::snapshot_saved{log_index(3), log_index(3)});
    b.step(input::snapshot_saved{log_index(1), log_index(1)});
    b.step(input::install_failed{{{log_index(9), term(2)}, second_node}});
    CHECK(b.raft.fingerprint() == before);
    CHECK(b.installs.empty());
    CHECK(b.sent.empty());
}

TEST_CASE("random messages never break a core") {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        random_generator random(seed);
        bench b;
        const auto small = [&] { return random.below(8); };
        const auto index = [&] { return log_index(random.one_in(20) ? random() : small()); };
        const auto any_term = [&] { return term(random.one_in(20) ? random() : small()); };
        for (int i = 0; i < 2000; ++i) {
            b.now += duration(random.below(200'000'000));
            const node_id peer(small() % 4);
            const std::uint64_t t = random.one_in(3) ? any_term().value : b.raft.current_term().value;
            const bool yes = random.one_in(2);
            switch (random.below(13)) {
                case 11: b.from(peer, t, snapshot_offer{{index(), any_term()}}); break;
                case 12: {
                    const auto at = b.raft.applied_index();
                    b.step(input::applied{b.raft.commit_index()});
                    b.step(input::snapshot_saved{b.raft.applied_index(), at});
                    break;
                }
                case 0: b.from(peer, t, vote_request{yes, index(), any_term()}); break;
                case 1: b.from(peer, t, vote_reply{yes, random.one_in(2)}); break;
                case 2: {
                    append_request a{index(), any_term(), index(), {}};
                    const std::uint64_t count = a.prev_index.value < 100 ? small() : 0;
                    for (std::uint64_t n = 1; n <= count; ++n)
                        a.entries.push_back(make(a.prev_index.value + n, random.between(1, t % 9 + 1)));
                    b.from(peer, t, a);
                    break;
                }
                case 3: b.from(peer, t, append_reply{yes, index(), index(), any_term()}); break;
                case 4: b.from(peer, t, heartbeat{log_index(0), small()}); break;
                case 5: b.from(peer, t, heartbeat_reply{small()}); break;
                case 6: b.from(peer, 0, read_request{small()}); break;
                case 7: b.from(peer, 0, read_reply{small(), yes, index()}); break;
                case 8: b.propose("x"); break;
                case 9: b.step(input::wake{}); break;
                default: if (b.writing) b.finish_write(); break;
            }
        }
        CHECK(b.raft.commit_index() <= b.raft.last_index());
    }
}
