#include <lockstep/base/ids.hpp>

#include <tests/catch.hpp>

#include <type_traits>

using namespace lockstep;

static_assert(!std::is_convertible_v<term, log_index>);
static_assert(!std::is_convertible_v<std::uint64_t, term>);
static_assert(!std::is_constructible_v<log_index, term>);
static_assert(!std::is_convertible_v<disk_id, cluster_id>);

TEST_CASE("numbers of one kind are counted and compared", "[base]") {
    log_index i(5);
    CHECK(i + 2 == log_index(7));
    CHECK(i - 2 == log_index(3));
    CHECK(log_index(7) - i == 2);
    CHECK(++i == log_index(6));
    CHECK(--i == log_index(5));
    CHECK(log_index(4) < i);
}

TEST_CASE("nobody is node zero", "[base]") {
    CHECK(no_node == node_id(0));
    CHECK(node_id() == no_node);
}

TEST_CASE("a uuid prints all its bytes, in the order that it was made from", "[base]") {
    CHECK(disk_id{}.empty());
    CHECK(disk_id{}.to_string() == std::string(32, '0'));
    const auto id = disk_id::from(0x0706050403020100u, 0x0f0e0d0c0b0a0908u);
    CHECK(id.to_string() == "000102030405060708090a0b0c0d0e0f");
    CHECK_FALSE(id.empty());
}

TEST_CASE("entries are ordered by node, session and sequence", "[base]") {
    const entry_id a{{node_id(1), 2}, 3};
    CHECK(root_entry < a);
    CHECK(a < entry_id{{node_id(1), 2}, 4});
    CHECK(entry_id{{node_id(1), 2}, 4} < entry_id{{node_id(1), 3}, 0});
    CHECK(entry_id{{node_id(1), 9}, 9} < entry_id{{node_id(2), 0}, 0});
}
