// What the program says of many runs while they go on.
#include <tests/catch.hpp>

#include <sim/commands/progress.hpp>

using namespace lockstep::sim::commands;

TEST_CASE("progress is a bar, counts, a rate and the time that is left") {
    CHECK(text_of({50, 200, 0, 10, -1}, 60) == "[#####..................] 25%  50/200  5.0 runs/s  30 s left");
    CHECK(text_of({200, 200, 3, 10, -1}, 61) == "[############] 100%  200/200  3 failed  20.0 runs/s  0 s left");
}

TEST_CASE("progress says nothing of what it does not know") {
    CHECK(text_of({0, 200, 0, 0, -1}, 200) == "[" + std::string(40, '.') + "] 0%  0/200  0.0 runs/s");
    CHECK(text_of({0, 0, 0, 1, -1}, 20) == " 100%  0/0  0.0 runs");
}

TEST_CASE("the limit of the time bounds what is left") {
    CHECK(text_of({10, 1'000'000, 0, 10, 50}, 200).ends_with("1.0 runs/s  50 s left"));
    CHECK(text_of({10, 1000, 0, 10, 5000}, 200).ends_with("1.0 runs/s  16:30 left"));
    CHECK(text_of({1, 100'000, 0, 1, -1}, 200).ends_with("27:46:39 left"));
}

TEST_CASE("progress fits into any terminal") {
    for (std::size_t width = 0; width < 120; ++width) CHECK(text_of({1234, 99999, 17, 60, 100}, width).size() <= width);
}
