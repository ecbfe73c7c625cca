#include <tests/catch.hpp>

#include <lockstep/sync/backlog.hpp>

using namespace lockstep;
using sync::backlog;

namespace {

entry_id entry(std::uint64_t number) { return {{node_id(1), 1}, number}; }
using ids = std::vector<entry_id>;

}  // namespace

TEST_CASE("what is behind longest is planned first, however often others change") {
    backlog b;
    b.add(entry(9), log_index{1});
    b.add(entry(1), log_index{2});
    b.add(entry(5), log_index{3});
    CHECK(b.take(2) == ids{entry(9), entry(1)});
    b.add(entry(1), log_index{7});
    CHECK(b.take(9) == ids{entry(1), entry(5)});
    CHECK_FALSE(b.has_ready());
    CHECK(b.size() == 3);
    CHECK(b.first() == log_index{1});
    b.done(entry(9));
    CHECK(b.first() == log_index{2});
}

TEST_CASE("an entry that was written is behind only since what came after that") {
    backlog b;
    b.add(entry(1), log_index{5});
    b.add(entry(2), log_index{6});
    b.add(entry(1), log_index{900});
    b.reached(entry(1), log_index{800});
    CHECK(b.since(entry(1)) == log_index{801});
    CHECK(b.first() == log_index{6});
    CHECK(b.take(9) == ids{entry(2), entry(1)});
    b.reached(entry(1), log_index{3});
    CHECK(b.since(entry(1)) == log_index{801});
    CHECK_FALSE(b.has_ready());
}

TEST_CASE("what waits for a decision comes back with all the others that wait") {
    backlog b;
    b.add(entry(1), log_index{1});
    b.add(entry(2), log_index{2});
    b.rest(entry(1));
    CHECK(b.has_resting());
    CHECK(b.take(9) == ids{entry(2)});
    b.ready_all();
    CHECK_FALSE(b.has_resting());
    CHECK(b.take(9) == ids{entry(1)});
    b.hold(entry(2));
    b.ready_all();
    CHECK_FALSE(b.has_ready());
    b.rest(entry(3));
    CHECK_FALSE(b.has_resting());
    b.done(entry(1));
    b.done(entry(2));
    CHECK(b.empty());
    CHECK_FALSE(b.first());
}
