#include <lockstep/testing/byte_streams_conformance.hpp>
#include <lockstep/testing/loopback_streams.hpp>
#include <lockstep/testing/manual_runtime.hpp>
#include <lockstep/testing/transport_conformance.hpp>
#include <lockstep/transport/stream_transport.hpp>

#include <tests/catch.hpp>

using namespace lockstep;

namespace {

using runtime_type = testing::manual_runtime;
using network = testing::loopback_network<runtime_type>;

struct streams_fixture {
    using streams = network::node;
    streams& dialler() { return dialler_; }
    streams& listener() { return listener_; }
    std::string address() { return "b:1"; }
    template <class Predicate>
    bool drive(Predicate p, duration most) {
        return runtime_.run_until(p, most);
    }
    runtime_type runtime_;
    network network_{runtime_};
    streams dialler_{network_};
    streams listener_{network_};
};

struct transport_fixture {
    using transport = stream_transport<runtime_type, network::node>;
    std::unique_ptr<transport> make(node_id id) {
        auto& streams = streams_[id];
        streams = std::make_unique<network::node>(network_);
        return std::make_unique<transport>(runtime_, *streams);
    }
    std::string address(node_id id) { return "node" + std::to_string(id.value) + ":1"; }
    template <class Predicate>
    bool drive(Predicate p, duration most) {
        return runtime_.run_until(p, most);
    }
    runtime_type runtime_;
    network network_{runtime_};
    std::map<node_id, std::unique_ptr<network::node>> streams_;
};

}  // namespace

TEST_CASE("the loopback streams of the tests do what every byte_streams must") {
    CHECK(testing::check_byte_streams<streams_fixture>() == std::vector<std::string>{});
}

TEST_CASE("stream_transport in virtual time does what every transport must") {
    CHECK(testing::check_transport<transport_fixture>() == std::vector<std::string>{});
}
