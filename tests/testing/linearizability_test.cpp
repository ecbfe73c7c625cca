// The checker of linearizability: on histories that are right by construction, on wrong ones, and beside a checker that
// tries all orders.
#include <lockstep/testing/models.hpp>

#include <tests/catch.hpp>

#include <algorithm>
#include <utility>

using namespace lockstep;
using namespace lockstep::testing;

namespace {

using reg = register_model;
using history = std::vector<operation<reg::input, reg::output>>;
using action = reg::action;

reg::output answer(reg::state& now, const reg::input& in) {
    reg::output out;
    if (in.what == action::read) out.value = now;
    else if (in.what == action::write) now = in.value;
    else if ((out.done = now == in.expected)) now = in.value;
    return out;
}

/// Clients of a real register: each operation has its effect at some moment between call and return. Some never return,
/// with or without effect.
history real_history(random_generator& draw, std::size_t operations, std::uint64_t clients) {
    struct pending {
        std::size_t index;
        std::int64_t effect, end;
        bool loses_answer;
    };
    history h;
    std::vector<std::int64_t> free_at(static_cast<std::size_t>(clients), 0);
    std::vector<pending> effects;
    for (std::size_t i = 0; i < operations; ++i) {
        const auto client = static_cast<std::size_t>(draw.below(clients));
        const std::int64_t called = free_at[client] + static_cast<std::int64_t>(draw.between(1, 20));
        const std::int64_t effect = called + static_cast<std::int64_t>(draw.below(30));
        const std::int64_t end = effect + static_cast<std::int64_t>(draw.below(30));
        free_at[client] = end;
        reg::input in{static_cast<action>(draw.below(3)), static_cast<std::int64_t>(draw.below(3)), static_cast<std::int64_t>(draw.below(3))};
        h.push_back({client, called, std::nullopt, in, {}});
        effects.push_back({i, effect, end, draw.one_in(8)});
    }
    std::sort(effects.begin(), effects.end(), [](const pending& a, const pending& b) {
        return std::pair(a.effect, a.index) < std::pair(b.effect, b.index);
    });
    reg::state now = reg::initial();
    for (const pending& p : effects) {
        if (p.loses_answer && draw.one_in(2)) continue;   // it never came to the register
        h[p.index].output = answer(now, h[p.index].input);
        if (!p.loses_answer) h[p.index].returned = p.end;
    }
    return h;
}

/// One answer becomes another one.
void falsify(random_generator& draw, history& h) {
    auto& op = h[static_cast<std::size_t>(draw.below(h.size()))];
    if (op.input.what == action::compare_and_set) op.output.done = !op.output.done;
    else if (op.input.what == action::read) op.output.value = static_cast<std::int64_t>(draw.below(3));
}

/// By all orders.
bool is_linearizable(const history& h, std::vector<bool>& done, const reg::state& now) {
    bool all = true;
    for (std::size_t i = 0; i < h.size(); ++i) all = all && (done[i] || !h[i].returned);
    if (all) return true;
    for (std::size_t i = 0; i < h.size(); ++i) {
        if (done[i]) continue;
        const bool too_early = [&] {
            for (std::size_t j = 0; j < h.size(); ++j)
                if (!done[j] && j != i && h[j].returned && *h[j].returned < h[i].called) return true;
            return false;
        }();
        if (too_early) continue;
        const auto next = reg::step(now, h[i].input, h[i].returned ? &h[i].output : nullptr);
        if (!next) continue;
        done[i] = true;
        if (is_linearizable(h, done, *next)) return true;
        done[i] = false;
    }
    return false;
}

operation<reg::input, reg::output> write(std::uint64_t client, std::int64_t from, std::int64_t to, std::int64_t value) {
    return {client, from, to, {action::write, value, 0}, {}};
}
operation<reg::input, reg::output> read(std::uint64_t client, std::int64_t from, std::int64_t to, std::int64_t value) {
    return {client, from, to, {action::read, 0, 0}, {true, value}};
}

}  // namespace

TEST_CASE("nothing, and one operation after the other, is linearizable") {
    CHECK(check_linearizability<reg>({}).what == verdict::linearizable);
    CHECK(check_linearizability<reg>({write(1, 1, 2, 7), read(2, 3, 4, 7)}).what == verdict::linearizable);
}

TEST_CASE("a stale read is found, and named") {
    const history h{write(1, 1, 2, 7), write(1, 3, 4, 8), read(2, 5, 6, 7)};
    const check_result found = check_linearizability<reg>(h);
    CHECK(found.what == verdict::violation);
    CHECK(found.longest == std::vector<std::size_t>{0, 1});
    CHECK(found.misfit == 2u);
}

TEST_CASE("what overlaps may be in any order, and what touches overlaps") {
    CHECK(check_linearizability<reg>({write(1, 1, 10, 7), write(2, 2, 9, 8), read(3, 11, 12, 7)}).what == verdict::linearizable);
    CHECK(check_linearizability<reg>({write(1, 1, 10, 7), write(2, 2, 9, 8), read(3, 11, 12, 8)}).what == verdict::linearizable);
    CHECK(check_linearizability<reg>({write(1, 1, 5, 7), read(2, 1, 5, 7)}).what == verdict::linearizable);
    CHECK(check_linearizability<reg>({write(1, 1, 5, 7), write(2, 5, 6, 8), read(3, 7, 8, 7)}).what == verdict::linearizable);
    CHECK(check_linearizability<reg>({write(1, 1, 4, 7), write(2, 5, 6, 8), read(3, 7, 8, 7)}).what == verdict::violation);
}

TEST_CASE("what never returned may happen late, or never, but not twice and not before it was called") {
    history h{write(1, 1, 2, 1), write(2, 3, 0, 2), read(3, 10, 11, 1), read(3, 12, 13, 2)};
    h[1].returned.reset();
    CHECK(check_linearizability<reg>(h).what == verdict::linearizable);
    h.push_back(read(3, 14, 15, 1));
    CHECK(check_linearizability<reg>(h).what == verdict::violation);
    h.pop_back();
    h.pop_back();
    CHECK(check_linearizability<reg>(h).what == verdict::linearizable);
    h[1].called = 20;
    h.push_back(read(3, 12, 13, 2));
    CHECK(check_linearizability<reg>(h).what == verdict::violation);
}

TEST_CASE("histories of a real register are linearizable, however long") {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        random_generator draw(seed);
        INFO("seed " << seed);
        CHECK(check_linearizability<reg>(real_history(draw, 10 * (seed + 1), 2 + seed % 9)).what == verdict::linearizable);
    }
}

TEST_CASE("on small histories, right and wrong ones, it says what all orders say") {
    std::size_t wrong = 0;
    for (std::uint64_t seed = 0; seed < 6000; ++seed) {
        random_generator draw(seed);
        history h = real_history(draw, static_cast<std::size_t>(draw.between(1, 7)), draw.between(1, 4));
        if (draw.one_in(2)) falsify(draw, h);
        std::vector<bool> done(h.size());
        const bool expected = is_linearizable(h, done, reg::initial());
        wrong += expected ? 0 : 1;
        INFO("seed " << seed);
        REQUIRE((check_linearizability<reg>(h).what == verdict::linearizable) == expected);
    }
    CHECK(wrong > 500);
}

TEST_CASE("keys are searched apart, and a hard one does not hide what is plain in another") {
    using texts = text_map_model;
    using op = operation<texts::input, texts::output>;
    std::vector<op> h;
    // Forty appends at once, and a read that none of their orders explains: 2^40 sets of them would have to be tried.
    for (std::int64_t i = 0; i < 40; ++i)
        h.push_back({static_cast<std::uint64_t>(i), 1, 100, {texts::action::append, "hard", std::string(1, static_cast<char>('a' + i % 26))}, {}});
    h.push_back({50, 101, 102, {texts::action::get, "hard", ""}, {"none of them"}});
    check_limits limits;
    limits.steps_max = 2'000'000;
    CHECK(check_linearizability<texts>(h, limits).what == verdict::unknown);
    limits.bytes_max = 1 << 20;
    const check_result small = check_linearizability<texts>(h, limits);
    CHECK(small.what == verdict::unknown);
    CHECK(small.bytes < (std::size_t{4} << 20));
    CHECK(small.steps < 200'000);

    h.push_back({60, 1, 2, {texts::action::put, "plain", "x"}, {}});
    h.push_back({60, 3, 4, {texts::action::get, "plain", ""}, {"y"}});
    const check_result found = check_linearizability<texts>(h, limits);
    CHECK(found.what == verdict::violation);
    REQUIRE(found.misfit.has_value());
    CHECK(h[*found.misfit].input.key == "plain");
}
