#include <lockstep/raft/byte_ledger.hpp>

#include <tests/catch.hpp>

using namespace lockstep;
using namespace lockstep::raft;

TEST_CASE("a ledger settles whole items up to an index") {
    byte_ledger book;
    book.add(log_index(3), 30);
    book.add(log_index(5), 20);
    book.add(log_index(9), 40);
    CHECK(book.bytes() == 90);
    book.settle(log_index(2));
    CHECK(book.count() == 3);
    book.settle(log_index(8));
    CHECK(book.count() == 1);
    CHECK(book.bytes() == 40);
    book.settle(log_index(9));
    CHECK(book.empty());
    CHECK(book.bytes() == 0);
}

TEST_CASE("an empty entry weighs something, so that many are bounded") {
    CHECK(weight(entry{}) == entry_overhead_bytes);
}
