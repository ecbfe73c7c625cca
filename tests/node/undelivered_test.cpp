// When a leader that lost a content lets another lead: with a host that is told what stands in its log and what is here.
#include <lockstep/node/undelivered.hpp>

#include <tests/catch.hpp>
#include <tests/node/chunked_command.hpp>

#include <set>
#include <string>

using namespace lockstep;
using namespace std::chrono_literals;

namespace {

struct log_host {
    bool is_leader() const { return leads; }
    log_index commit_index() const { return commit; }
    log_index log_end() const { return log_index(log.size()); }
    void read_log(log_index from, log_index to, std::size_t, unique_function<void(std::vector<raft::entry>)> done) {
        done({log.begin() + static_cast<std::ptrdiff_t>(from.value - 1), log.begin() + static_cast<std::ptrdiff_t>(to.value)});
    }
    int want_content(const shared_bytes& manifest, node_id, unique_function<void()> done) {
        if (here.contains(sha256(manifest.view()))) return done(), 0;
        wishes.emplace(++last, std::move(done));
        return last;
    }
    void cancel_wish(int wish) { REQUIRE(wishes.erase(wish) == 1); }
    void yield_leadership() {
        ++yielded;
        leads = false;
    }

    bool leads = true;
    log_index commit;
    std::vector<raft::entry> log;
    std::set<content_hash> here;
    std::map<int, unique_function<void()>> wishes;
    int last = 0;
    int yielded = 0;
};

struct leading {
    leading() {
        host.log = {test::naming(1, 1), test::naming(2, 2)};
        host.here.insert(sha256(test::manifest_of(1).view()));
        host.commit = log_index(1);
    }
    /// Many looks pass.
    void go_on() {
        for (int i = 0; i < 10; ++i) watch.turn(now += 2s);
    }

    log_host host;
    undelivered<log_host, int> watch{host};
    time_point now{1h};
};

}  // namespace

TEST_CASE("a leader that lacks what its log names, and commits nothing, lets another lead") {
    leading l;
    l.watch.doubt();
    l.go_on();
    CHECK(l.host.yielded == 1);
    CHECK(l.host.wishes.empty());
}

TEST_CASE("a leader goes on") {
    leading l;
    SECTION("that found no damage") {}
    SECTION("that has all that it names") {
        l.watch.doubt();
        l.host.here.insert(sha256(test::manifest_of(2).view()));
    }
    SECTION("that has committed all") {
        l.watch.doubt();
        l.host.commit = log_index(2);
    }
    l.go_on();
    CHECK(l.host.yielded == 0);
    CHECK(l.host.wishes.empty());
}

TEST_CASE("what others have in time is no reason to yield, nor is what was committed meanwhile") {
    leading l;
    l.watch.doubt();
    for (int i = 0; i < 4 && l.host.wishes.empty(); ++i) l.watch.turn(l.now += 5s);
    REQUIRE(l.host.wishes.size() == 1);
    SECTION("it came") {
        auto done = std::move(l.host.wishes.begin()->second);
        l.host.wishes.clear();
        done();
    }
    SECTION("it is committed") {}
    l.host.commit = log_index(2);
    l.go_on();
    CHECK(l.host.yielded == 0);
    CHECK(l.host.wishes.empty());
}
