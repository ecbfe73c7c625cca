#include <sim/world.hpp>

#include <tests/catch.hpp>

#include <functional>

using namespace lockstep;
using namespace lockstep::sim;

TEST_CASE("events that go round without time passing end a run as a failure of liveness") {
    world w(1);
    const std::function<void()> again = [&] { w.schedule(w.now(), trace_kind::world, nullptr, 0, [&] { again(); }); };
    again();
    w.run_until(time_point(std::chrono::seconds(10)));
    REQUIRE(w.failed());
    CHECK(w.failed()->what == exit_class::liveness);
    CHECK(w.failed()->text.find("goes round") != std::string::npos);
    CHECK(w.now() == time_point{});
}
