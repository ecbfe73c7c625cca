// The atlas never lets a run lose what nobody could get back.
#include <tests/catch.hpp>

#include <sim/faults/fault_atlas.hpp>

using namespace lockstep;
using namespace lockstep::sim;

TEST_CASE("damage befalls a minority of the voters, and always the same one") {
    for (std::uint64_t voters = 1; voters <= 9; ++voters) {
        fault_atlas atlas(voters);
        std::uint64_t taken = 0;
        for (std::uint64_t id = 1; id <= voters; ++id) taken += atlas.take(node_id(id));
        CHECK(taken == (voters - 1) / 2);
        CHECK(2 * taken < voters);
        CHECK(atlas.damaged() == taken);
        CHECK(atlas.refused() == voters - taken);
        for (std::uint64_t id = 1; id <= voters; ++id) {
            CHECK(atlas.is_damaged(node_id(id)) == (id <= taken));
            CHECK(atlas.take(node_id(id)) == (id <= taken));   // again and again
        }
    }
}

TEST_CASE("a disk that was wiped counts for ever") {
    fault_atlas atlas(3);
    REQUIRE(atlas.take(node_id(2)));
    CHECK_FALSE(atlas.is_wiped(node_id(2)));
    atlas.wiped(node_id(2));
    CHECK(atlas.is_wiped(node_id(2)));
    CHECK(atlas.is_damaged(node_id(2)));
    CHECK_FALSE(atlas.take(node_id(1)));
    CHECK_FALSE(atlas.take(node_id(3)));
    CHECK(atlas.take(node_id(2)));
}
