#include <lockstep/transport/handshake.hpp>

#include <tests/catch.hpp>

using namespace lockstep;
using namespace lockstep::framing;

namespace {

const hello somebody{node_id(7), disk_id::from(1, 2), cluster_id::from(3, 4)};

}  // namespace

TEST_CASE("handshake messages come out as they went in") {
    const auto h = decode_hello(encode(hello_message{9, somebody, node_id(5)}).view());
    REQUIRE(h.has_value());
    CHECK((h->version == 9 && h->from == somebody && h->expected == node_id(5) && h->on == channel::control));
    CHECK(decode_hello(encode(hello_message{2, somebody, node_id(5), channel::bulk}).view())->on == channel::bulk);
    const auto w = decode_welcome(encode(welcome_message{1, somebody}).view());
    REQUIRE(w.has_value());
    CHECK((w->version == 1 && w->from == somebody));
    const auto r = decode_refusal(encode(refusal_message{2, refusal_reason::unknown_node, somebody}).view());
    REQUIRE(r.has_value());
    CHECK((r->version == 2 && r->from == somebody && r->reason == refusal_reason::unknown_node));
    CHECK(encode(hello_message{9, somebody, node_id(5)}).size() <= handshake_bytes_max);
}

TEST_CASE("a handshake message that is cut short is refused, a longer one is a later version's") {
    const shared_bytes whole = encode(hello_message{2, somebody, node_id(5)});
    for (std::size_t size = 0; size < whole.size(); ++size)
        CHECK(decode_hello(whole.slice(0, size).view()).error() == errc::truncated);
    const shared_bytes refusal = encode(refusal_message{});
    for (std::size_t size = 0; size < refusal.size(); ++size)
        CHECK(decode_refusal(refusal.slice(0, size).view()).error() == errc::truncated);
    byte_buffer longer(whole.view().begin(), whole.view().end());
    longer.resize(longer.size() + 30);
    CHECK(decode_hello(longer).has_value());
}

TEST_CASE("a hello of the version before channels is read, so that it can be refused by its version") {
    const shared_bytes old = encode(hello_message{1, somebody, node_id(5), channel::bulk});
    CHECK(old.size() + 1 == encode(hello_message{2, somebody, node_id(5), channel::bulk}).size());
    const auto h = decode_hello(old.view());
    REQUIRE(h.has_value());
    CHECK((h->version == 1 && h->from == somebody && h->on == channel::control));
}

TEST_CASE("a hello of version 2 has this layout") {
    const shared_bytes whole = encode(hello_message{2, somebody, node_id(5), channel::bulk});
    REQUIRE(whole.size() == 8 + 2 + 8 + 16 + 16 + 8 + 1);
    CHECK(as_text(whole.view().first(8)) == "LOCKSTEP");
    CHECK(whole.view()[8] == std::byte{2});
    CHECK(whole.view()[10] == std::byte{7});
    CHECK(whole.view()[50] == std::byte{5});
    CHECK(whole.view()[58] == std::byte{1});
}

TEST_CASE("what does not begin with the magic is no handshake") {
    const shared_bytes whole = encode(welcome_message{1, somebody});
    for (std::size_t at = 0; at < 8; ++at) {
        byte_buffer other(whole.view().begin(), whole.view().end());
        other[at] ^= std::byte{1};
        CHECK(decode_welcome(other).error() == errc::corrupt);
    }
}

TEST_CASE("nodes of one cluster may talk, and those that have none yet") {
    const cluster_id a = cluster_id::from(1, 1), b = cluster_id::from(2, 2), none;
    CHECK(same_cluster(a, a));
    CHECK(same_cluster(a, none));
    CHECK(same_cluster(none, b));
    CHECK(same_cluster(none, none));
    CHECK_FALSE(same_cluster(a, b));
}

TEST_CASE("each refusal is described in one line that names the peer and its address") {
    const hello self{node_id(1), disk_id::from(8, 8), {}};
    const peer_address peer{node_id(2), "host:8002"};
    const auto line = [&](refusal_reason why, hello from) {
        return describe(refusal_message{3, why, from}, self, peer);
    };
    CHECK(line(refusal_reason::wrong_node, somebody) == "node 2 at host:8002 says that it is node 7");
    CHECK(line(refusal_reason::own_id, self) == "the address of node 2 at host:8002 is this node's own");
    CHECK(line(refusal_reason::own_id, {node_id(1), disk_id::from(9, 9), {}}) ==
          "node 2 at host:8002 answers with this node's own id 1");
    CHECK(line(refusal_reason::wrong_cluster, somebody) == "node 2 at host:8002 belongs to another cluster");
    CHECK(line(refusal_reason::protocol, somebody) ==
          "node 2 at host:8002 speaks protocol version 3, this node speaks version 2");
    CHECK(line(refusal_reason::unknown_node, somebody) == "node 2 at host:8002 does not have node 1 among its peers");
    CHECK(line(refusal_reason::unknown_channel, somebody) ==
          "node 2 at host:8002 does not know the kind of connection that node 1 makes");
    CHECK(line(static_cast<refusal_reason>(99), {node_id(2), {}, {}}) == "node 2 at host:8002 refuses node 1");
}
