// The admin port over real sockets, with a node that the test plays.
#include <lockstep/http/admin_server.hpp>

#include <tests/catch.hpp>

#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>

#include <chrono>
#include <list>
#include <string>
#include <vector>

using namespace lockstep;
namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

using response = http::response<http::string_body>;

/// A server whose node answers as the test says; everything on the test's own thread.
struct served {
    served() {
        status.id = node_id(1);
        status.state = "ready";
        status.role = "follower";
        status.leader = node_id(2);
        admin_hooks hooks;
        hooks.status = [this] { return status; };
        hooks.barrier = [this](duration timeout, unique_function<void(barrier_result)> done) {
            timeouts.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count());
            if (verdict)
                done(*verdict);
            else
                waiting.push_back(std::move(done));
        };
        server.emplace(context, std::move(hooks));
        REQUIRE(server->listen("127.0.0.1", "0"));
    }

    /// Runs the server until `done` says so; false after a few seconds.
    template <class Done>
    bool run_until(Done done) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        while (!done()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            context.restart();
            context.run_one_for(std::chrono::milliseconds(5));
        }
        return true;
    }

    asio::io_context context;
    node_status status;
    std::vector<std::int64_t> timeouts;
    std::optional<barrier_result> verdict = barrier_result{true, {}};
    std::list<unique_function<void(barrier_result)>> waiting;
    std::optional<admin_server> server;
};

/// A connection that sends bytes as they are.
struct client {
    explicit client(served& s) : host(s), socket(io) {
        socket.connect({asio::ip::make_address("127.0.0.1"), host.server->port()});
        socket.non_blocking(true);
    }

    void send(const std::string& bytes) {
        std::size_t sent = 0;
        REQUIRE(host.run_until([&] {
            boost::system::error_code error;
            sent += socket.write_some(asio::buffer(bytes.data() + sent, bytes.size() - sent), error);
            return sent == bytes.size() || (error && error != asio::error::would_block);
        }));
    }

    /// The next whole answer. Status 0: the connection ended without one.
    response receive(bool to_head = false) {
        response out;
        out.result(0);
        REQUIRE(host.run_until([&] {
            pump();
            http::response_parser<http::string_body> parser;
            parser.eager(true);
            parser.skip(to_head);
            boost::system::error_code error;
            const auto used = parser.put(asio::buffer(received), error);
            if (!error && parser.is_done()) {
                received.erase(0, used);
                out = parser.release();
                return true;
            }
            return ended;
        }));
        return out;
    }

    response ask(const std::string& method, const std::string& target, const std::string& body = {}) {
        std::string text = method + " " + target + " HTTP/1.1\r\nHost: x\r\n";
        if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
        send(text + "\r\n" + body);
        return receive(method == "HEAD");
    }

    bool is_closed() {
        return host.run_until([&] { return pump(), ended; });
    }

    void pump() {
        char bytes[4096];
        boost::system::error_code error;
        while (!error) received.append(bytes, socket.read_some(asio::buffer(bytes), error));
        if (error != asio::error::would_block) ended = true;
    }

    served& host;
    asio::io_context io;
    asio::ip::tcp::socket socket;
    std::string received;
    bool ended = false;
};

std::string error_of(const response& r) {
    return std::string(boost::json::parse(r.body()).as_object().at("error").as_string());
}

}  // namespace

TEST_CASE("the status is given as JSON") {
    served s;
    s.status.commit = log_index(7);
    const auto got = client(s).ask("GET", "/status");
    CHECK(got.result_int() == 200);
    CHECK(got[http::field::content_type] == "application/json");
    const auto body = boost::json::parse(got.body()).as_object();
    CHECK(body.at("commit").to_number<std::uint64_t>() == 7);
    CHECK(body.at("role").as_string() == "follower");
}

TEST_CASE("HEAD gives the header alone, and the connection goes on") {
    served s;
    client c(s);
    const auto got = c.ask("HEAD", "/status");
    CHECK(got.result_int() == 200);
    CHECK(got.body().empty());
    CHECK(got[http::field::content_length] == std::to_string(to_json(s.status).size()));
    CHECK(c.ask("GET", "/status").result_int() == 200);
}

TEST_CASE("health is good while the node works and knows a leader") {
    served s;
    client c(s);
    CHECK(c.ask("GET", "/healthz").result_int() == 200);
    s.status.state = "following";
    CHECK(c.ask("GET", "/healthz").result_int() == 200);

    s.status.leader = no_node;
    auto got = c.ask("GET", "/healthz");
    CHECK(got.result_int() == 503);
    CHECK(error_of(got) == "no leader");

    s.status.leader = node_id(2);
    s.status.state = "root_missing";
    s.status.waiting_for = "its directory, which is gone";
    got = c.ask("GET", "/healthz");
    CHECK(got.result_int() == 503);
    CHECK(error_of(got) == "waiting for its directory, which is gone");
}

TEST_CASE("other paths and methods are refused, with what would be right") {
    served s;
    client c(s);
    CHECK(c.ask("GET", "/").result_int() == 404);
    CHECK(c.ask("GET", "/status/more").result_int() == 404);
    auto got = c.ask("POST", "/status");
    CHECK(got.result_int() == 405);
    CHECK(got[http::field::allow] == "GET, HEAD");
    got = c.ask("GET", "/barrier");
    CHECK(got.result_int() == 405);
    CHECK(got[http::field::allow] == "POST");
    CHECK(s.timeouts.empty());
}

TEST_CASE("a barrier tells that all is in step, or what is missing") {
    served s;
    client c(s);
    auto got = c.ask("POST", "/barrier");
    CHECK(got.result_int() == 200);
    CHECK(boost::json::parse(got.body()).as_object().at("ok").as_bool());
    s.verdict = barrier_result{false, "node 3 is not in step yet"};
    got = c.ask("POST", "/barrier");
    CHECK(got.result_int() == 504);
    CHECK(boost::json::parse(got.body()).as_object().at("missing").as_string() == "node 3 is not in step yet");
}

TEST_CASE("the time of a barrier comes from the query or the body") {
    served s;
    client c(s);
    CHECK(c.ask("POST", "/barrier").result_int() == 200);
    CHECK(c.ask("POST", "/barrier?timeout_ms=250").result_int() == 200);
    CHECK(c.ask("POST", "/barrier", R"({"timeout_ms": 40})").result_int() == 200);
    CHECK(c.ask("POST", "/barrier", "{}").result_int() == 200);
    CHECK(c.ask("POST", "/barrier?timeout_ms=0").result_int() == 200);
    CHECK(s.timeouts == std::vector<std::int64_t>{30000, 250, 40, 30000, 0});
}

TEST_CASE("a time that is not one is refused") {
    served s;
    client c(s);
    for (const char* bad :
         {"timeout_ms=", "timeout_ms=-5", "timeout_ms=1x", "timeout_ms=x1", "time=5", "timeout_ms=86400001",
          "timeout_ms=99999999999999999999999", "timeout_ms", "xtimeout_ms=5"}) {
        INFO(bad);
        CHECK(c.ask("POST", std::string("/barrier?") + bad).result_int() == 400);
    }
    CHECK(s.timeouts.empty());
}

TEST_CASE("a waiting barrier holds up nobody") {
    served s;
    s.verdict.reset();
    client waits(s), other(s);
    waits.send("POST /barrier HTTP/1.1\r\nHost: x\r\n\r\n");
    REQUIRE(s.run_until([&] { return s.waiting.size() == 1; }));
    CHECK(other.ask("GET", "/status").result_int() == 200);
    s.waiting.front()({true, {}});
    CHECK(waits.receive().result_int() == 200);
}

TEST_CASE("a client that left before its barrier ended does no harm") {
    served s;
    s.verdict.reset();
    {
        client gone(s);
        gone.send("POST /barrier HTTP/1.1\r\nHost: x\r\n\r\n");
        REQUIRE(s.run_until([&] { return s.waiting.size() == 1; }));
    }
    s.waiting.front()({true, {}});
    s.waiting.clear();
    CHECK(client(s).ask("GET", "/status").result_int() == 200);
}

TEST_CASE("requests that follow each other on one connection are answered in order") {
    served s;
    client c(s);
    c.send("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET /status HTTP/1.1\r\nHost: x\r\n\r\n"
           "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(c.receive().result_int() == 404);
    CHECK(c.receive().result_int() == 200);
    const auto last = c.receive();
    CHECK(last.result_int() == 200);
    CHECK(!last.keep_alive());
    CHECK(c.is_closed());
}

TEST_CASE("a client of HTTP/1.0 is answered and let go") {
    served s;
    client c(s);
    c.send("GET /status HTTP/1.0\r\n\r\n");
    CHECK(c.receive().result_int() == 200);
    CHECK(c.is_closed());
}

TEST_CASE("what is not HTTP gets one answer and the connection ends") {
    served s;
    for (const char* noise : {"\x16\x03\x01\x02\r\n\r\n", "lockstep\r\n\r\n", "GET /status SMTP/1.1\r\n\r\n"}) {
        client c(s);
        c.send(noise);
        CHECK(c.receive().result_int() == 400);
        CHECK(c.is_closed());
    }
}

TEST_CASE("requests that are too large are refused") {
    served s;
    client body(s);
    body.send("POST /barrier HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n");
    CHECK(body.receive().result_int() == 413);
    CHECK(body.is_closed());
    client header(s);
    header.send("GET /status HTTP/1.1\r\nHost: x\r\nLong: " + std::string(9000, 'a') + "\r\n\r\n");
    CHECK(header.receive().result_int() == 431);
    CHECK(header.is_closed());
    CHECK(client(s).ask("POST", "/barrier", "{" + std::string(60000, ' ') + "}").result_int() == 200);
}

TEST_CASE("a request cut off in the middle is let go in silence") {
    served s;
    client c(s);
    c.send("POST /barrier HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{");
    c.socket.shutdown(asio::ip::tcp::socket::shutdown_send);
    CHECK(c.is_closed());
    CHECK(c.received.empty());
    CHECK(s.timeouts.empty());
}

TEST_CASE("connections beyond the most allowed are closed, and there is room again once others left") {
    served s;
    std::list<client> many;
    for (std::size_t i = 0; i < admin_server::connections_max; ++i) {
        many.emplace_back(s);
        REQUIRE(many.back().ask("GET", "/healthz").result_int() == 200);
    }
    CHECK(client(s).is_closed());
    many.pop_front();
    CHECK(s.run_until([&] { return client(s).ask("GET", "/healthz").result_int() == 200; }));
}

TEST_CASE("a port that is taken, and an address that is none, are told apart") {
    served s;
    admin_server second(s.context, {});
    CHECK(second.listen("127.0.0.1", std::to_string(s.server->port())).error() == errc::address_in_use);
    admin_server third(s.context, {});
    CHECK(third.listen("192.0.2.1", "0").error() == errc::address_unavailable);
    admin_server fourth(s.context, {});
    CHECK(fourth.listen("not an address", "0").error() == errc::host_not_found);
}

TEST_CASE("a stopped server takes no more connections and says so on those it has") {
    served s;
    client c(s);
    CHECK(c.ask("GET", "/healthz").result_int() == 200);
    const auto port = s.server->port();
    s.server->stop();
    CHECK(c.ask("GET", "/status").result_int() == 503);
    asio::io_context io;
    asio::ip::tcp::socket late(io);
    boost::system::error_code error;
    late.connect({asio::ip::make_address("127.0.0.1"), port}, error);
    CHECK(error == asio::error::connection_refused);
}
