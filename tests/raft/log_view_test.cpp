#include <lockstep/raft/log_view.hpp>

#include <tests/catch.hpp>

#include <string>

using namespace lockstep;
using namespace lockstep::raft;

namespace {

entry make(std::uint64_t index, std::uint64_t t, std::size_t bytes = 0) {
    return {log_index(index), term(t), entry_kind::command, shared_bytes::copy_of(std::string(bytes, 'x'))};
}

/// Terms 1 1 3 3 3 6, of which nothing is in memory.
log_view restarted() {
    return log_view({}, {{log_index(1), term(1)}, {log_index(3), term(3)}, {log_index(6), term(6)}}, log_index(6));
}

}  // namespace

TEST_CASE("terms are known for the whole log, entries only for the window") {
    auto log = restarted();
    const std::uint64_t terms[] = {0, 1, 1, 3, 3, 3, 6};
    for (std::uint64_t i = 0; i <= 6; ++i) CHECK(log.term_at(log_index(i)) == term(terms[i]));
    CHECK(!log.term_at(log_index(7)));
    CHECK(log.window_first() == log_index(7));
    CHECK(!log.holds(log_index(6)));
    log.append(make(7, 6));
    log.append(make(8, 7));
    CHECK(log.window_first() == log_index(7));
    CHECK(log.last_term() == term(7));
    CHECK(log.runs().size() == 4);
    CHECK(log.slice(log_index(7), log_index(8), 1000, 10).size() == 2);
    CHECK(log.slice(log_index(6), log_index(8), 1000, 10).empty());
}

TEST_CASE("a truncation takes runs and window with it, also below the window") {
    auto log = restarted();
    log.append(make(7, 7, 10));
    log.truncate(log_index(7));
    CHECK(log.last_term() == term(6));
    CHECK(log.window_bytes() == 0);
    log.truncate(log_index(4));
    CHECK(log.last_index() == log_index(3));
    CHECK(log.last_term() == term(3));
    log.append(make(4, 9));
    CHECK(log.window_first() == log_index(4));
    CHECK(log.term_at(log_index(4)) == term(9));
    log.truncate(log_index(1));
    CHECK(log.last_index() == log_index(0));
    CHECK(log.last_term() == term(0));
}

TEST_CASE("the largest index of at most a term passes a whole term at once") {
    const auto log = restarted();
    CHECK(log.last_at_most(log_index(6), term(6)) == log_index(6));
    CHECK(log.last_at_most(log_index(6), term(5)) == log_index(5));
    CHECK(log.last_at_most(log_index(4), term(5)) == log_index(4));
    CHECK(log.last_at_most(log_index(6), term(2)) == log_index(2));
    CHECK(log.last_at_most(log_index(6), term(0)) == log_index(0));
    CHECK(log.last_at_most(log_index(0), term(9)) == log_index(0));
}

TEST_CASE("what is dropped is gone, but the term at the base is known") {
    auto log = restarted();
    log.append(make(7, 6, 10));
    log.drop(log_index(0));
    CHECK(log.base() == log_position{});
    log.drop(log_index(4));
    CHECK(log.base() == log_position{log_index(4), term(3)});
    CHECK(!log.term_at(log_index(3)));
    CHECK(!log.term_at(log_index(0)));
    CHECK(log.term_at(log_index(4)) == term(3));
    CHECK(log.runs() == std::vector<term_run>{{log_index(5), term(3)}, {log_index(6), term(6)}});
    CHECK(log.has({log_index(5), term(3)}));
    CHECK(!log.has({log_index(3), term(3)}));
    CHECK(log.last_at_most(log_index(6), term(5)) == log_index(5));
    CHECK(log.last_at_most(log_index(4), term(9)) == log_index(4));
    CHECK(!log.last_at_most(log_index(3), term(9)));
    CHECK(!log.last_at_most(log_index(6), term(2)));
    log.drop(log_index(5));
    CHECK(log.runs() == std::vector<term_run>{{log_index(6), term(6)}});
    CHECK(log.last_at_most(log_index(7), term(4)) == log_index(5));
    log.drop(log_index(7));
    CHECK(log.runs().empty());
    CHECK(log.window_bytes() == 0);
    CHECK(log.last_index() == log_index(7));
    CHECK(log.last_term() == term(6));
    log.append(make(8, 6));
    CHECK(log.runs() == std::vector<term_run>{{log_index(8), term(6)}});
    CHECK(log.holds(log_index(8)));
}

TEST_CASE("a log begun anew has nothing but its base") {
    auto log = restarted();
    log.append(make(7, 6, 10));
    REQUIRE(log.keep_block({make(5, 3)}));
    log.restart({log_index(40), term(5)});
    CHECK(log.last_index() == log_index(40));
    CHECK(log.last_term() == term(5));
    CHECK(log.window_bytes() == 0);
    CHECK(!log.holds(log_index(5)));
    CHECK(!log.term_at(log_index(7)));
    log.append(make(41, 7));
    CHECK(log.term_at(log_index(41)) == term(7));
    log.truncate(log_index(41));
    CHECK(log.last_term() == term(5));
}

TEST_CASE("of a block read back, what was dropped meanwhile is left out") {
    auto log = restarted();
    log.drop(log_index(3));
    CHECK(!log.keep_block({make(2, 1), make(3, 3)}));
    CHECK(log.keep_block({make(3, 3), make(4, 3), make(5, 3)}));
    CHECK(!log.holds(log_index(3)));
    CHECK(log.holds(log_index(4)));
    log.drop(log_index(4));
    CHECK(!log.holds(log_index(4)));
    CHECK(log.holds(log_index(5)));
}

TEST_CASE("trimming keeps what is not durable") {
    log_view log({}, {}, log_index(0));
    for (std::uint64_t i = 1; i <= 10; ++i) log.append(make(i, 1, 100));
    log.trim(350, log_index(4));
    CHECK(log.window_first() == log_index(5));
    log.trim(350, log_index(10));
    CHECK(log.window_first() == log_index(9));
    CHECK(log.window_bytes() <= 350);
}

TEST_CASE("a slice is bounded in bytes and entries but holds at least one") {
    log_view log({}, {}, log_index(0));
    for (std::uint64_t i = 1; i <= 10; ++i) log.append(make(i, 1, 100));
    CHECK(log.slice(log_index(1), log_index(10), 1, 10).size() == 1);
    CHECK(log.slice(log_index(1), log_index(10), 2 * (100 + entry_overhead_bytes), 10).size() == 2);
    CHECK(log.slice(log_index(1), log_index(10), 1'000'000, 3).size() == 3);
    CHECK(log.slice(log_index(4), log_index(5), 1'000'000, 10).size() == 2);
    CHECK(log.slice(log_index(11), log_index(10), 1'000'000, 10).empty());
}

TEST_CASE("a block read back joins the window, and one that the log no longer has is refused") {
    auto log = restarted();
    log.append(make(7, 6));
    CHECK(log.keep_block({make(5, 3), make(6, 6)}));
    CHECK(log.slice(log_index(5), log_index(7), 1000, 10).size() == 3);
    CHECK(!log.keep_block({make(5, 3), make(6, 5)}));
    CHECK(!log.keep_block({make(4, 3), make(6, 6)}));
    CHECK(!log.keep_block({make(9, 6)}));
    log.truncate(log_index(6));
    CHECK(log.holds(log_index(5)));
    CHECK(!log.holds(log_index(6)));
    log.drop_block();
    CHECK(!log.holds(log_index(5)));
}
