#include <lockstep/node/membership.hpp>

#include <tests/catch.hpp>

#include <deque>
#include <memory>

using namespace lockstep;

namespace {

disk_id disk_of(std::uint64_t node, std::uint64_t life = 1) { return disk_id::from(node, life); }
hello hello_of(std::uint64_t node, std::uint64_t life = 1) { return {node_id(node), disk_of(node, life), {}}; }

struct cluster;

struct member {
    member(cluster& c, std::uint64_t id, std::vector<std::uint64_t> others)
        : all(c), self(node_id(id)), part(*this, self, addresses(others), "state " + std::to_string(id)) {
        identity.node = self;
        identity.disk = disk_of(id);
    }
    static std::vector<peer_address> addresses(const std::vector<std::uint64_t>& ids) {
        std::vector<peer_address> out;
        for (const auto id : ids) out.push_back({node_id(id), ""});
        return out;
    }
    std::string open() { return part.open(identity, {}); }

    template <class Message>
    void send(node_id to, const Message& m);
    void keep(founding_record record, unique_function<void()> done) {
        identity.founding = std::move(record);
        kept = std::move(done);
    }
    /// Its write is durable.
    void write_done() {
        if (kept) std::exchange(kept, {})();
    }
    void begin() { ++begun; }
    void tell(raft::input::peer_standing s) { told.push_back(s); }
    void fatal(std::string why) { failed = std::move(why); }
    cluster_id fresh_cluster() { return cluster_id::from(7, self.value); }

    cluster& all;
    node_id self;
    node_identity identity;
    membership<member> part;
    unique_function<void()> kept;
    int begun = 0;
    std::vector<raft::input::peer_standing> told;
    std::string failed;
};

struct cluster {
    member& add(std::uint64_t id, std::vector<std::uint64_t> others) {
        auto& m = *(members[node_id(id)] = std::make_unique<member>(*this, id, std::move(others)));
        CHECK(m.open().empty());
        return m;
    }
    void introduce() {
        for (auto& [a, m] : members)
            for (auto& [b, other] : members)
                if (a != b) m->part.connected({b, other->identity.disk, {}});
    }
    void run() {
        while (!mail.empty()) {
            auto f = std::move(mail.front());
            mail.pop_front();
            f();
        }
    }
    std::map<node_id, std::unique_ptr<member>> members;
    std::deque<unique_function<void()>> mail;
};

template <class Message>
void member::send(node_id to, const Message& m) {
    if (!all.members.contains(to)) return;
    all.mail.push_back([this, to, m] { all.members.at(to)->part.handle(self, m); });
}

founding_record record_of(std::vector<std::uint64_t> nodes) {
    founding_record record{cluster_id::from(3, 3), {}};
    for (const auto n : nodes) record.members.emplace_back(node_id(n), disk_of(n));
    return record;
}

}  // namespace

TEST_CASE("the lowest member founds the cluster, once all are there, and nobody begins before that is durable") {
    cluster c;
    auto& one = c.add(1, {2, 3});
    auto& two = c.add(2, {1, 3});
    c.introduce();
    c.run();
    CHECK_FALSE(one.kept);
    CHECK(one.part.waiting_for() == "an answer of node 3");
    auto& three = c.add(3, {1, 2});
    c.introduce();
    c.run();
    REQUIRE(one.kept);
    CHECK_FALSE(two.kept);
    CHECK(one.begun == 0);
    one.write_done();
    CHECK(one.begun == 1);
    c.run();
    for (auto* m : {&two, &three}) {
        CHECK(m->begun == 0);
        m->write_done();
        CHECK(m->begun == 1);
        CHECK(m->part.cluster() == one.part.cluster());
        CHECK(m->part.voters() == std::set{node_id(1), node_id(2), node_id(3)});
    }
}

TEST_CASE("a start that names other members than the state's cluster has is refused, and says both") {
    cluster c;
    member m(c, 1, {2});
    m.identity.founding = record_of({1, 2, 3});
    CHECK(m.open() == "this start names a cluster of nodes 1 2, and the state in state 1 belongs to a cluster of nodes 1 2 3");
}

TEST_CASE("a peer on another disk than the founding one does not count, and each new disk of its is told") {
    cluster c;
    member m(c, 1, {2, 3});
    m.identity.founding = record_of({1, 2, 3});
    REQUIRE(m.open().empty());
    CHECK_FALSE(m.part.follows_only());
    m.part.connected(hello_of(2));
    CHECK(m.part.counts(node_id(2)));
    m.part.connected(hello_of(2, 8));
    CHECK_FALSE(m.part.counts(node_id(2)));
    m.part.connected(hello_of(2, 9));
    m.part.connected(hello_of(2, 9));
    REQUIRE(m.told.size() == 4);
    CHECK((m.told[0].counts && !m.told[0].another_disk));
    CHECK((!m.told[1].counts && m.told[1].another_disk));
    CHECK((!m.told[2].counts && m.told[2].another_disk));
    CHECK((!m.told[3].counts && !m.told[3].another_disk));
    member wiped(c, 3, {1, 2});
    wiped.identity.founding = record_of({1, 2, 3});
    wiped.identity.disk = disk_of(3, 5);
    REQUIRE(wiped.open().empty());
    CHECK(wiped.part.follows_only());
    CHECK_FALSE(wiped.part.initial({}, {}, 1).votes);
}

TEST_CASE("a start ends where too many are of another cluster for a majority, unless it has worked or they come back") {
    cluster c;
    member m(c, 1, {2, 3});
    m.identity.founding = record_of({1, 2, 3});
    REQUIRE(m.open().empty());
    m.part.met_another_cluster(node_id(2));
    CHECK(m.failed.empty());
    SECTION("both of the others") {
        m.part.met_another_cluster(node_id(3));
        CHECK(m.failed == "the state in state 1 belongs to another cluster than nodes 2 3");
    }
    SECTION("one came back") {
        m.part.connected(hello_of(2));
        m.part.met_another_cluster(node_id(3));
        CHECK(m.failed.empty());
    }
    SECTION("it has worked with its cluster") {
        m.part.worked();
        m.part.met_another_cluster(node_id(3));
        CHECK(m.failed.empty());
    }
}

TEST_CASE("before its state is open a node belongs to no cluster, and may be asked") {
    cluster all;
    member m(all, 1, {2, 3});
    CHECK(!m.part.is_open());
    CHECK(!m.part.founded());
    CHECK(!m.part.proven(m.self));
    REQUIRE(m.open().empty());
    CHECK(!m.part.founded());
}
