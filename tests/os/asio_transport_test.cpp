// The real transport over real TCP.
#include <lockstep/os/asio_streams.hpp>
#include <lockstep/testing/transport_conformance.hpp>
#include <lockstep/transport/stream_transport.hpp>

#include <tests/catch.hpp>
#include <tests/os/asio_fixture.hpp>

#include <map>

using namespace lockstep;

namespace {

struct fixture {
    using transport = stream_transport<asio_runtime, asio_streams>;
    std::unique_ptr<transport> make(node_id id) {
        auto& streams = streams_[id];
        streams = std::make_unique<asio_streams>(runtime_);
        return std::make_unique<transport>(runtime_, *streams);
    }
    std::string address(node_id id) {
        auto& text = addresses_[id];
        if (text.empty()) text = testing::free_address();
        return text;
    }
    template <class Predicate>
    bool drive(Predicate p, duration most) {
        return testing::drive(runtime_, p, most);
    }
    asio_runtime runtime_;
    std::map<node_id, std::unique_ptr<asio_streams>> streams_;
    std::map<node_id, std::string> addresses_;
};

}  // namespace

TEST_CASE("stream_transport over TCP does what every transport must") {
    CHECK(testing::check_transport<fixture>() == std::vector<std::string>{});
}
