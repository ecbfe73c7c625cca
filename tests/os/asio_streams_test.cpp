#include <lockstep/os/asio_streams.hpp>

#include <lockstep/testing/byte_streams_conformance.hpp>

#include <tests/catch.hpp>
#include <tests/os/asio_fixture.hpp>

#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace lockstep;
using namespace std::chrono_literals;

namespace {

struct fixture {
    using streams = asio_streams;
    streams& dialler() { return dialler_; }
    streams& listener() { return listener_; }
    std::string address() { return address_; }
    template <class Predicate>
    bool drive(Predicate p, duration most) {
        return testing::drive(runtime_, p, most);
    }
    asio_runtime runtime_;
    asio_streams dialler_{runtime_};
    asio_streams listener_{runtime_};
    std::string address_ = testing::free_address();
};

error_code connect_error(fixture& f, const std::string& address) {
    std::optional<error_code> outcome;
    f.dialler().connect(address, [&](result<std::shared_ptr<asio_stream>> s) {
        outcome = s ? error_code() : s.error();
    });
    CHECK_FALSE(outcome.has_value());
    REQUIRE(f.drive([&] { return outcome.has_value(); }, 10s));
    return *outcome;
}

/// Takes all file descriptors that the process may have, while it lives.
class descriptor_famine {
public:
    descriptor_famine() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        rlimit low = before_;
        low.rlim_cur = 100;
        ::setrlimit(RLIMIT_NOFILE, &low);
        for (int fd = ::open("/dev/null", O_RDONLY); fd >= 0; fd = ::open("/dev/null", O_RDONLY)) taken_.push_back(fd);
    }
    ~descriptor_famine() {
        for (const int fd : taken_) ::close(fd);
        ::setrlimit(RLIMIT_NOFILE, &before_);
    }
    descriptor_famine(const descriptor_famine&) = delete;
    descriptor_famine& operator=(const descriptor_famine&) = delete;
    void give_one() {
        ::close(taken_.back());
        taken_.pop_back();
    }

private:
    rlimit before_{};
    std::vector<int> taken_;
};

}  // namespace

TEST_CASE("asio_streams does what every byte_streams must") {
    CHECK(testing::check_byte_streams<fixture>() == std::vector<std::string>{});
}

TEST_CASE("split_address takes names, IPv4 and bracketed IPv6, and nothing else") {
    CHECK(split_address("localhost:80")->host == "localhost");
    CHECK(split_address("127.0.0.1:8001")->port == 8001);
    CHECK(split_address("[::1]:65535")->host == "::1");
    CHECK(split_address("[::1]:65535")->port == 65535);
    for (const char* bad : {"", ":", "host", "host:", ":80", "host:80x", "host:-1", "host:65536", "::1:80", "[::1]",
                            "[]:1", "[::1:80", "host: 80"}) {
        INFO(bad);
        CHECK(split_address(bad).error() == errc::address_invalid);
    }
}

TEST_CASE("asio_streams refuses bad addresses in both directions") {
    fixture f;
    const auto listen = [&](const std::string& address) {
        return f.listener().listen(address, [](std::shared_ptr<asio_stream>) {}).error();
    };
    CHECK(listen("nonsense") == errc::address_invalid);
    CHECK(listen("203.0.113.7:8001") == errc::address_unavailable);
    CHECK(connect_error(f, "nonsense") == errc::address_invalid);
    CHECK(connect_error(f, "127.0.0.1:0") == errc::address_invalid);
}

TEST_CASE("asio_streams resolves names") {
    fixture f;
    bool accepted = false;
    boost::system::error_code unknown;
    boost::asio::ip::tcp::resolver(f.runtime_.context()).resolve("localhost", "", unknown);
    if (unknown) {
        WARN("this machine has no name to resolve");
        return;
    }
    REQUIRE(f.listener().listen("localhost:0", [&](std::shared_ptr<asio_stream>) { accepted = true; }));
    CHECK(connect_error(f, "localhost:" + std::to_string(f.listener().listening_port())) == error_code());
    CHECK(f.drive([&] { return accepted; }, 10s));
}

TEST_CASE("asio_streams: a connect that nobody answers times out") {
    // The queue of a listener that never accepts fills up; then the kernel drops further attempts in silence.
    fixture f;
    boost::asio::ip::tcp::acceptor deaf(f.runtime_.context());
    const auto where = boost::asio::ip::tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0);
    deaf.open(where.protocol());
    deaf.bind(where);
    deaf.listen(0);
    const std::string address = "127.0.0.1:" + std::to_string(deaf.local_endpoint().port());
    asio_streams hasty(f.runtime_, {.connect_timeout = 100ms});
    int ended = 0, timed_out = 0;
    std::vector<std::shared_ptr<asio_stream>> kept;
    for (int i = 0; i < 8; ++i)
        hasty.connect(address, [&](result<std::shared_ptr<asio_stream>> s) {
            ++ended;
            if (s) kept.push_back(*s);
            else if (s.error() == errc::timed_out) ++timed_out;
        });
    CHECK(f.drive([&] { return ended == 8; }, 10s));
    CHECK(timed_out > 0);
}

TEST_CASE("asio_streams calls nothing back once it is destroyed") {
    asio_runtime rt;
    auto streams = std::make_unique<asio_streams>(rt);
    bool called = false;
    streams->connect(testing::free_address(), [&](result<std::shared_ptr<asio_stream>>) { called = true; });
    streams->connect("nonsense", [&](result<std::shared_ptr<asio_stream>>) { called = true; });
    streams = nullptr;
    testing::drive(rt, [] { return false; }, 30ms);
    CHECK_FALSE(called);
}

TEST_CASE("asio_streams: without file descriptors an acceptor waits instead of spinning, and then accepts") {
    fixture f;
    std::vector<std::shared_ptr<asio_stream>> accepted;
    const auto keep = [&](std::shared_ptr<asio_stream> s) { accepted.push_back(std::move(s)); };
    REQUIRE(f.listener().listen(f.address(), keep));
    f.drive([] { return false; }, 10ms);
    descriptor_famine famine;
    CHECK(connect_error(f, f.address()) == errc::too_many_open_files);
    famine.give_one();
    std::shared_ptr<asio_stream> dialled;
    f.dialler().connect(f.address(), [&](result<std::shared_ptr<asio_stream>> s) { if (s) dialled = *s; });
    REQUIRE(f.drive([&] { return dialled != nullptr; }, 10s));
    std::size_t callbacks = 0;
    const auto until = std::chrono::steady_clock::now() + 250ms;
    while (f.runtime_.context().run_one_until(until) > 0) ++callbacks;
    CHECK(callbacks < 20);
    CHECK(accepted.empty());
    famine.give_one();
    CHECK(f.drive([&] { return accepted.size() == 1; }, 10s));
}

TEST_CASE("asio_streams: a connection that met itself is refused, another one is not") {
    using boost::asio::ip::tcp;
    boost::asio::io_context context;
    tcp::socket selfish(context, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    selfish.connect(selfish.local_endpoint());
    CHECK(check_connected(selfish) == errc::connection_refused);
    tcp::acceptor listening(context, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    tcp::socket plain(context);
    plain.connect(listening.local_endpoint());
    CHECK(check_connected(plain) == error_code());
}
