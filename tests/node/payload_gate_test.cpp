// What goes through the gate, in which order, and what it asks for and lets go of: with a host that is told what is here.
#include <lockstep/node/payload_gate.hpp>

#include <lockstep/base/unique_function.hpp>
#include <lockstep/content/manifest.hpp>

#include <tests/catch.hpp>
#include <tests/node/chunked_command.hpp>

#include <map>
#include <set>
#include <string>

using namespace lockstep;
using namespace test;

namespace {

struct gate_host {
    struct wish {
        shared_bytes manifest;
        node_id source;
        unique_function<void()> done;
    };

    void let_through(raft::message m) { through.push_back(std::move(m)); }
    bool has_content(const shared_bytes& manifest) const { return here.contains(sha256(manifest.view())); }
    int want_content(const shared_bytes& manifest, node_id source, unique_function<void()> done) {
        ++asked;
        if (at_once) return done(), 0;
        wishes.emplace(++last, wish{manifest, source, std::move(done)});
        return last;
    }
    void cancel_wish(int w) { REQUIRE(wishes.erase(w) == 1); }
    void hint_content(const shared_bytes& manifest, node_id source) { hints.emplace_back(sha256(manifest.view()), source); }

    /// It has come: whoever waits for it is told.
    void arrives(std::uint64_t number) {
        const content_hash name = sha256(manifest_of(number).view());
        here.insert(name);
        for (auto at = wishes.begin(); at != wishes.end();) {
            if (sha256(at->second.manifest.view()) != name) {
                ++at;
                continue;
            }
            auto done = std::move(at->second.done);
            wishes.erase(at);
            done();
            at = wishes.begin();
        }
    }
    bool wants(std::uint64_t number) const {
        for (const auto& [id, w] : wishes)
            if (w.manifest == manifest_of(number)) return true;
        return false;
    }
    /// The index before the first entry of each append that went through.
    std::vector<std::uint64_t> appends() const {
        std::vector<std::uint64_t> out;
        for (const auto& m : through)
            if (const auto* a = std::get_if<raft::append_request>(&m.body)) out.push_back(a->prev_index.value);
        return out;
    }

    std::vector<raft::message> through;
    std::set<content_hash> here;
    std::map<int, wish> wishes;
    std::vector<std::pair<content_hash, node_id>> hints;
    int last = 0;
    int asked = 0;
    bool at_once = false;
};

struct guarded_core {
    void append(std::uint64_t prev, std::vector<raft::entry> entries, std::uint64_t of_term = 1, std::uint64_t from = 2) {
        gate.pass({node_id(from), node_id(1), term(of_term), raft::append_request{log_index(prev), term(1), {}, std::move(entries)}});
    }
    void propose(std::vector<shared_bytes> commands) {
        gate.pass({node_id(3), node_id(1), term(), raft::forwarded_proposal{std::move(commands)}});
    }

    gate_host host;
    payload_gate<gate_host, int> gate{host};
};

using indexes = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("what names nothing, or only what is here, goes through at once") {
    guarded_core c;
    c.host.arrives(1);
    c.append(0, {plain(1)});
    c.append(1, {naming(2, 1)});
    c.append(2, {});
    c.gate.pass({node_id(2), node_id(1), term(1), raft::heartbeat{}});
    CHECK(c.host.through.size() == 4);
    CHECK(c.host.asked == 0);
    CHECK(c.gate.waiting() == 0);
}

TEST_CASE("an append waits for everything that it names, and is asked of its sender") {
    guarded_core c;
    c.append(0, {naming(1, 1), plain(2), naming(3, 2)});
    CHECK(c.host.appends().empty());
    REQUIRE(c.host.wishes.size() == 2);
    CHECK(c.host.wishes.begin()->second.source == node_id(2));
    c.host.arrives(2);
    CHECK(c.host.appends().empty());
    c.host.arrives(1);
    CHECK(c.host.appends() == indexes{0});
    CHECK(c.gate.waiting() == 0);
}

TEST_CASE("appends of one leader stay in order, and wait only for what they and those before them name") {
    guarded_core c;
    c.append(0, {naming(1, 1)});
    c.append(1, {plain(2)});
    c.append(2, {naming(3, 2)});
    c.append(3, {plain(4)});
    CHECK(c.host.appends().empty());
    c.host.arrives(2);
    CHECK(c.host.appends().empty());
    c.host.arrives(1);
    CHECK(c.host.appends() == indexes{0, 1, 2, 3});
}

TEST_CASE("an append that waits holds up nothing else: heartbeats, votes, another sender") {
    guarded_core c;
    c.append(0, {naming(1, 1)});
    c.gate.pass({node_id(2), node_id(1), term(1), raft::heartbeat{}});
    c.gate.pass({node_id(3), node_id(1), term(2), raft::vote_request{}});
    c.append(7, {plain(8)}, 1, 3);
    CHECK(c.host.through.size() == 3);
    CHECK(c.gate.waiting() == 1);
}

TEST_CASE("what only asks is dropped behind an append that waits") {
    guarded_core c;
    c.append(0, {naming(1, 1)});
    c.append(1, {});
    CHECK(c.gate.waiting() == 1);
    c.host.arrives(1);
    CHECK(c.host.appends() == indexes{0});
}

TEST_CASE("a content that is there as soon as it is asked for lets its append through, once") {
    guarded_core c;
    c.host.at_once = true;
    c.append(0, {naming(1, 1), naming(2, 2)});
    CHECK(c.host.appends() == indexes{0});
    CHECK(c.gate.waiting() == 0);
}

TEST_CASE("a new term drops what waited, and what it waited for is not asked for any more") {
    guarded_core c;
    c.append(0, {naming(1, 1), naming(2, 2)});
    c.append(2, {naming(3, 3)});
    c.host.arrives(2);
    c.append(0, {naming(1, 4)}, 2, 3);
    CHECK(c.gate.waiting() == 1);
    CHECK(c.host.wishes.size() == 1);
    CHECK(c.host.wants(4));
    c.host.arrives(1);
    CHECK(c.host.appends().empty());
    c.host.arrives(4);
    REQUIRE(c.host.through.size() == 1);
    CHECK(c.host.through[0].term == term(2));
}

TEST_CASE("what is decided need not come: its wishes end, and the appends go on") {
    guarded_core c;
    c.append(0, {naming(1, 1), naming(2, 2)});
    c.append(2, {naming(3, 3)});
    c.gate.covered(log_index(1));
    CHECK(!c.host.wants(1));
    CHECK(c.host.wants(2));
    CHECK(c.host.appends().empty());
    c.gate.covered(log_index(2));
    CHECK(c.host.appends() == indexes{0});
    CHECK(c.host.wants(3));
    c.gate.covered(log_index(2));   // again: nothing is cancelled twice
    c.gate.covered(log_index(9));
    CHECK(c.host.appends() == indexes{0, 2});
    CHECK(c.host.wishes.empty());
}

TEST_CASE("proposals are cut before the first content that is missing, and all that are missing are fetched") {
    guarded_core c;
    c.host.arrives(1);
    c.propose({chunked(1), chunked(2), chunked(1), chunked(3)});
    REQUIRE(c.host.through.size() == 1);
    CHECK(std::get<raft::forwarded_proposal>(c.host.through[0].body).commands == std::vector{chunked(1)});
    REQUIRE(c.host.hints.size() == 2);
    CHECK(c.host.hints[0] == std::pair(sha256(manifest_of(2).view()), node_id(3)));
    CHECK(c.host.hints[1] == std::pair(sha256(manifest_of(3).view()), node_id(3)));

    c.propose({chunked(2), chunked(1)});   // nothing is left of it
    CHECK(c.host.through.size() == 1);
    CHECK(c.host.hints.size() == 3);
}

TEST_CASE("what cannot be decoded is not waited for") {
    guarded_core c;
    const shared_bytes whole = chunked(1);
    raft::entry broken = naming(1, 1);
    broken.data = shared_bytes::copy_of(whole.view().first(whole.size() / 2));
    REQUIRE(is_chunked_command(broken.data.view()));
    c.append(0, {broken});
    CHECK(c.host.appends() == indexes{0});
}

TEST_CASE("everything that a waiting append names is a root, whether it came already or not") {
    guarded_core c;
    c.host.arrives(1);
    c.append(0, {naming(1, 1), naming(2, 2), plain(3)});
    std::vector<content_hash> roots;
    c.gate.add_roots(roots);
    CHECK(roots == std::vector{sha256(manifest_of(1).view()), sha256(manifest_of(2).view())});
    c.host.arrives(2);
    roots.clear();
    c.gate.add_roots(roots);
    CHECK(roots.empty());
}

TEST_CASE("what waits is bounded in bytes, but for one append of each leader") {
    guarded_core c;
    raft::entry large = plain(2);
    large.data = shared_bytes(byte_buffer(payload_gate<gate_host, int>::waiting_bytes_max / 2));
    c.append(0, {naming(1, 1)});
    for (std::uint64_t i = 1; i <= 4; ++i) {
        large.index = log_index(i + 1);
        c.append(i, {large});
    }
    CHECK(c.gate.waiting() == 2);
    c.append(0, {naming(1, 2), large}, 1, 3);
    CHECK(c.gate.waiting() == 3);
    c.host.arrives(1);
    CHECK(c.host.appends() == indexes{0, 1});
    c.host.arrives(2);
    CHECK(c.host.appends().size() == 3);
    // Nothing is counted any more.
    c.append(9, {naming(10, 3)});
    c.append(10, {large});
    CHECK(c.gate.waiting() == 2);
}

TEST_CASE("what any of the proposals lacks is fetched at once, not one each time that all are said again") {
    guarded_core c;
    c.propose({chunked(1), chunked(2), chunked(3)});
    CHECK(c.host.through.empty());
    CHECK(c.host.hints.size() == 3);
}
