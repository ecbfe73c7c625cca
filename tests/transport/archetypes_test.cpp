// The transport uses no more of its parameters than their concepts name, and near misses are no models.
#include <lockstep/testing/archetypes/byte_streams.hpp>
#include <lockstep/testing/archetypes/runtime.hpp>
#include <lockstep/testing/archetypes/transport.hpp>
#include <lockstep/transport/stream_transport.hpp>

#include <tests/catch.hpp>

using namespace lockstep;
using namespace lockstep::testing;

template class lockstep::stream_transport<runtime_archetype, byte_streams_archetype>;

namespace {

struct runtime_with_wall_clock : runtime_archetype {
    std::int64_t now() { return 0; }
};
struct runtime_without_lanes : runtime_archetype {
    void offload(task, task) {}
};
struct streams_that_throw_errors_away : byte_streams_archetype {
    void listen(const std::string&, unique_function<void(std::shared_ptr<stream>)>) {}
};
struct transport_that_never_says_no : transport_archetype {
    void send(node_id, channel, shared_bytes) {}
};

static_assert(transport<stream_transport<runtime_archetype, byte_streams_archetype>>);
static_assert(!runtime<runtime_with_wall_clock>);
static_assert(!runtime<runtime_without_lanes>);
static_assert(!byte_streams<streams_that_throw_errors_away>);
static_assert(!transport<transport_that_never_says_no>);

}  // namespace

TEST_CASE("stream_transport runs on the archetypes of its concepts") {
    runtime_archetype rt;
    byte_streams_archetype streams;
    stream_transport<runtime_archetype, byte_streams_archetype> t(rt, streams);
    REQUIRE(t.start({node_id(1), {}, {}}, "here:1", {{node_id(2), "there:1"}}, {}).has_value());
    CHECK_FALSE(t.send(node_id(2), channel::control, {}));
    t.stop();
}
