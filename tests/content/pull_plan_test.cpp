#include <lockstep/content/pull_plan.hpp>

#include <lockstep/base/random.hpp>

#include <tests/catch.hpp>

#include <memory>

using namespace lockstep;
using namespace lockstep::content;
using namespace std::chrono_literals;

namespace {

chunk_ref chunk(std::uint8_t name, std::uint32_t bytes = 1000) {
    chunk_ref ref;
    ref.hash.bytes[0] = name;
    ref.hash.bytes[31] = 1;
    ref.bytes = bytes;
    return ref;
}

constexpr node_id one{1}, two{2}, three{3};
const time_point start{};

std::vector<chunk_ref> answer(pull_plan& plan, const pull_query& q, bool had, time_point now = start) {
    const auto flags = std::make_unique<bool[]>(q.chunks.size());
    std::fill_n(flags.get(), q.chunks.size(), had);
    return plan.answered(q.to, q.id, {flags.get(), q.chunks.size()}, now);
}

}  // namespace

TEST_CASE("what is wanted is asked of whoever probably has it, once, and oldest first") {
    pull_plan plan;
    plan.reachable(one);
    plan.reachable(two);
    plan.want(chunk(9), two);
    plan.want(chunk(4), two);
    plan.want(chunk(9), two);
    const auto queries = plan.take_queries(start);
    REQUIRE(queries.size() == 1);
    CHECK(queries[0].to == two);
    CHECK(queries[0].chunks == std::vector{chunk(9), chunk(4)});
    CHECK(plan.take_queries(start).empty());
    CHECK(plan.bytes() == 2000);
    CHECK(answer(plan, queries[0], true) == queries[0].chunks);
    CHECK(plan.take_queries(start).empty());   // arrived: whether it is stored is still to be told
    plan.stored(chunk(9).hash);
    CHECK_FALSE(plan.wants(chunk(9).hash));
    plan.not_stored(chunk(4).hash);
    REQUIRE(plan.take_queries(start).size() == 1);
}

TEST_CASE("whoever does not have it is not asked again at once, others are") {
    pull_plan plan;
    plan.reachable(one);
    plan.reachable(two);
    plan.want(chunk(1), one);
    auto q = plan.take_queries(start);
    REQUIRE(q.size() == 1);
    CHECK(q[0].to == one);
    CHECK(answer(plan, q[0], false).empty());
    q = plan.take_queries(start);
    REQUIRE(q.size() == 1);
    CHECK(q[0].to == two);
    CHECK(answer(plan, q[0], false).empty());
    CHECK(plan.take_queries(start).empty());
    CHECK(plan.deadline() == start + 500ms);
    CHECK(plan.take_queries(start + 500ms).size() == 1);
}

TEST_CASE("what was asked of a peer that is gone, or is silent, is asked of another") {
    pull_plan plan;
    plan.reachable(one);
    plan.want(chunk(1), one);
    auto q = plan.take_queries(start);
    REQUIRE(q.size() == 1);
    plan.reachable(three);
    SECTION("gone") {
        plan.unreachable(one);
        const auto again = plan.take_queries(start);
        REQUIRE(again.size() == 1);
        CHECK(again[0].to == three);
    }
    SECTION("silent") {
        CHECK(plan.deadline() == start + 10s);
        const auto again = plan.take_queries(start + 10s);
        REQUIRE(again.size() == 1);
        CHECK(again[0].to == three);
    }
    CHECK(answer(plan, q[0], true).empty());   // too late: that query is forgotten
}

TEST_CASE("queries are bounded in bytes, in chunks and in number") {
    pull_options few;
    few.query_bytes_max = 2500;
    few.query_chunks_max = 3;
    few.queries_per_peer = 2;
    pull_plan plan(few);
    plan.reachable(one);
    for (std::uint8_t i = 0; i < 4; ++i) plan.want(chunk(i), one);
    plan.want(chunk(50, 9000), one);   // more than a query may have, so alone
    const auto q = plan.take_queries(start);
    REQUIRE(q.size() == 2);
    CHECK(q[0].chunks.size() == 2);
    CHECK(q[1].chunks.size() == 2);
    answer(plan, q[0], true);
    const auto next = plan.take_queries(start);
    REQUIRE(next.size() == 1);
    CHECK(next[0].chunks == std::vector{chunk(50, 9000)});
}

TEST_CASE("what nobody wants any more is not asked for, and its answer is ignored") {
    pull_plan plan;
    plan.reachable(one);
    plan.want(chunk(1), one);
    plan.want(chunk(1), one);
    plan.release(chunk(1).hash);
    CHECK(plan.wants(chunk(1).hash));
    const auto q = plan.take_queries(start);
    plan.release(chunk(1).hash);
    CHECK(plan.chunks() == 0);
    CHECK(answer(plan, q.at(0), true).empty());
    CHECK(plan.bytes() == 0);
}

TEST_CASE("whatever peers do, everything arrives once somebody has it, and nothing is left over") {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        INFO("seed " << seed);
        random_generator random(seed);
        pull_options o;
        o.query_bytes_max = 3000;
        o.query_chunks_max = 5;
        pull_plan plan(o);
        time_point now = start;
        std::set<content_hash> missing;
        for (std::uint8_t i = 0; i < 100; ++i) {
            const chunk_ref ref = chunk(i, static_cast<std::uint32_t>(random.between(1, 2000)));
            missing.insert(ref.hash);
            plan.want(ref, node_id(random.below(4)));
        }
        std::vector<pull_query> open;
        for (int step = 0; step < 5000 && !missing.empty(); ++step) {
            const bool calm = step > 2500;
            const node_id peer(random.between(1, 3));
            if (calm || random.one_in(3)) plan.reachable(peer);
            else if (random.one_in(10)) plan.unreachable(peer);
            for (auto& q : plan.take_queries(now)) open.push_back(std::move(q));
            now += 50ms;
            if (open.empty()) continue;
            const std::size_t at = random.below(open.size());
            const pull_query q = open[at];
            open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
            if (!calm && random.one_in(4)) continue;   // lost
            for (const auto& ref : answer(plan, q, calm ? q.to == two : random.one_in(3), now)) {
                REQUIRE(missing.contains(ref.hash));
                if (random.one_in(5)) {
                    plan.not_stored(ref.hash);
                    continue;
                }
                plan.stored(ref.hash);
                missing.erase(ref.hash);
            }
        }
        CHECK(missing.empty());
        CHECK(plan.chunks() == 0);
        CHECK(plan.bytes() == 0);
    }
}
