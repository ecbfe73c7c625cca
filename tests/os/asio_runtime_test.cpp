#include <lockstep/os/asio_runtime.hpp>

#include <tests/catch.hpp>
#include <tests/os/asio_fixture.hpp>

#include <atomic>
#include <future>
#include <vector>

using namespace lockstep;
using namespace std::chrono_literals;

namespace {

/// Says on which thread it was destroyed.
struct grave {
    explicit grave(std::thread::id* where) : where_(where) {}
    grave(const grave&) = delete;
    grave& operator=(const grave&) = delete;
    ~grave() { *where_ = std::this_thread::get_id(); }
    std::thread::id* where_;
};

}  // namespace

TEST_CASE("asio_runtime runs posts in order and never inside post") {
    asio_runtime rt;
    std::vector<int> order;
    rt.post([&] {
        rt.post([&] { order.push_back(3); });
        order.push_back(1);
    });
    rt.post([&] { order.push_back(2); });
    CHECK(order.empty());
    rt.post([&] { rt.post([&] { rt.stop(); }); });
    rt.run();
    CHECK(order == std::vector<int>{1, 2, 3});
}

TEST_CASE("asio_runtime runs timers in order of time, not before it, and not when cancelled") {
    asio_runtime rt;
    const time_point start = rt.now();
    std::vector<int> order;
    const auto note = [&](int n, duration after) {
        return rt.schedule(start + after, [&order, &rt, n, start, after] {
            CHECK(rt.now() >= start + after);
            order.push_back(n);
        });
    };
    note(3, 30ms);
    note(1, 10ms);
    const timer_id cancelled = note(9, 15ms);
    note(2, 20ms);
    note(0, -1s);
    note(7, std::chrono::hours(24 * 365));
    rt.schedule(never, [&] { order.push_back(8); });
    rt.cancel(cancelled);
    rt.cancel(cancelled);
    rt.cancel(0);
    CHECK(order.empty());
    REQUIRE(testing::drive(rt, [&] { return order.size() == 4; }, 10s));
    CHECK(order == std::vector<int>{0, 1, 2, 3});
}

TEST_CASE("asio_runtime: a timer may cancel another that is due, and timers set for ever starve no posts") {
    asio_runtime rt;
    const time_point now = rt.now();
    bool cancelled_ran = false;
    timer_id second = 0;
    rt.schedule(now, [&] { rt.cancel(second); });
    second = rt.schedule(now, [&] { cancelled_ran = true; });
    std::function<void()> again = [&] { rt.schedule(now, [&] { again(); }); };
    again();
    int posts = 0;
    std::function<void()> post = [&] {
        if (++posts < 100) rt.post([&] { post(); });
    };
    post();
    CHECK(testing::drive(rt, [&] { return posts == 100; }, 10s));
    CHECK_FALSE(cancelled_ran);
}

TEST_CASE("asio_runtime runs jobs of a lane in order, off the loop, and their ends on it") {
    asio_runtime rt;
    const auto loop = std::this_thread::get_id();
    std::vector<int> ends;
    std::vector<int> jobs;
    for (int i = 0; i < 100; ++i)
        rt.offload(lane::files,
                   [&jobs, loop, i] {
                       if (std::this_thread::get_id() != loop) jobs.push_back(i);
                   },
                   [&ends, loop, i] {
                       if (std::this_thread::get_id() == loop) ends.push_back(i);
                   });
    REQUIRE(testing::drive(rt, [&] { return ends.size() == 100; }, 10s));
    CHECK(jobs == ends);
    CHECK(std::is_sorted(ends.begin(), ends.end()));
}

TEST_CASE("asio_runtime: a lane that is stuck does not hold up another one") {
    asio_runtime rt;
    std::promise<void> release;
    bool stuck_done = false, other_done = false;
    rt.offload(lane::files, [&] { release.get_future().wait(); }, [&] { stuck_done = true; });
    rt.offload(lane::log, [] {}, [&] { other_done = true; });
    CHECK(testing::drive(rt, [&] { return other_done; }, 10s));
    CHECK_FALSE(stuck_done);
    release.set_value();
    CHECK(testing::drive(rt, [&] { return stuck_done; }, 10s));
}

TEST_CASE("asio_runtime: stop waits for the running job; ends that did not run die on the loop") {
    std::thread::id first_end, second_end;
    std::atomic<bool> started = false, finished = false;
    bool end_ran = false;
    {
        asio_runtime rt;
        std::promise<void> release;
        rt.offload(lane::log,
                   [&] {
                       started = true;
                       release.get_future().wait();
                       finished = true;
                   },
                   [&, g = std::make_unique<grave>(&first_end)] { end_ran = true; });
        rt.offload(lane::log, [] {},
                   [&, g = std::make_unique<grave>(&second_end)] { end_ran = true; });
        while (!started) std::this_thread::yield();
        rt.post([&] {
            release.set_value();
            rt.stop();
            CHECK(finished);
        });
        rt.run();
        rt.post([&] { end_ran = true; });
        CHECK(rt.schedule(rt.now(), [&] { end_ran = true; }) == 0);
        rt.offload(lane::log, [&] { end_ran = true; }, [] {});
        rt.stop();
    }
    CHECK_FALSE(end_ran);
    CHECK(first_end == std::this_thread::get_id());
    CHECK(second_end == std::this_thread::get_id());
}

TEST_CASE("asio_runtime draws different numbers") {
    asio_runtime rt;
    CHECK(rt.random() != rt.random());
}
