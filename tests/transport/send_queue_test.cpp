#include <lockstep/transport/send_queue.hpp>

#include <tests/catch.hpp>

using namespace lockstep;
using namespace lockstep::framing;

namespace {

shared_bytes of(std::size_t bytes) { return shared_bytes(byte_buffer(bytes)); }

}  // namespace

TEST_CASE("a queue takes frames up to its bounds, and what is being written counts until it has left") {
    send_queue q(100, 3);
    CHECK(q.push(of(60)));
    CHECK_FALSE(q.push(of(41)));
    CHECK(q.push(of(40)));
    CHECK(q.bytes() == 100);
    CHECK(q.pop().size() == 60);
    CHECK(q.bytes() == 100);
    CHECK_FALSE(q.push(of(1)));
    q.written();
    CHECK(q.bytes() == 40);
    CHECK(q.push({}));
    CHECK(q.push({}));
    CHECK_FALSE(q.push({}));
    CHECK(q.clear() == 3);
    CHECK((q.empty() && q.bytes() == 0));
}

TEST_CASE("a frame beyond the whole bound is taken alone") {
    send_queue q(100, 3);
    CHECK(q.push(of(1000)));
    CHECK_FALSE(q.push(of(1)));
    CHECK(q.bytes() == 1000);
    q.pop();
    q.written();
    CHECK(q.push(of(1)));
    CHECK_FALSE(q.push(of(1000)));
}

TEST_CASE("who was refused is told once, when at most half is queued") {
    send_queue q(100, 10);
    for (int i = 0; i < 4; ++i) CHECK(q.push(of(25)));
    CHECK_FALSE(q.take_drained());
    CHECK_FALSE(q.push(of(25)));
    q.pop();
    q.written();
    CHECK_FALSE(q.take_drained());
    q.pop();
    CHECK_FALSE(q.take_drained());
    q.written();
    CHECK(q.bytes() == 50);
    CHECK(q.take_drained());
    CHECK_FALSE(q.take_drained());
    q.refuse();
    q.clear();
    CHECK(q.take_drained());
}

TEST_CASE("who was refused for the number of frames is told when at most half of that number waits") {
    send_queue q(100, 4);
    for (int i = 0; i < 4; ++i) CHECK(q.push({}));
    CHECK_FALSE(q.push({}));
    q.pop();
    q.written();
    CHECK_FALSE(q.take_drained());
    q.pop();
    q.written();
    CHECK(q.take_drained());
}
