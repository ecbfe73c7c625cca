// The `byte_streams` of a real node: TCP over Boost.Asio, in clear. Addresses are "host:port" or "[v6]:port".
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/concepts/byte_streams.hpp>
#include <lockstep/os/asio_runtime.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

struct host_and_port {
    std::string host;  ///< without the brackets of an IPv6 address
    std::uint16_t port = 0;
};

/// Splits "host:port", "1.2.3.4:port" or "[v6]:port". Errors: address_invalid.
LOCKSTEP_DECL result<host_and_port> split_address(std::string_view address);

/// What a network call's error means in terms of `errc`.
LOCKSTEP_DECL error_code network_error(const error_code& error);

/// Whether a socket that is said to be connected is of use. Dialling a port of the ephemeral range that nobody listens
/// on can meet itself (a simultaneous open); kept, it would hold that port against the node that should listen there.
/// Errors: connection_refused (that case), connection_lost (gone already).
LOCKSTEP_DECL error_code check_connected(const boost::asio::ip::tcp::socket& socket);

/// One TCP connection. After close(), or once it is destroyed, none of its callbacks is called: they are dropped.
class asio_stream {
public:
    /// Takes over a connected socket.
    LOCKSTEP_DECL explicit asio_stream(boost::asio::ip::tcp::socket socket);
    LOCKSTEP_DECL ~asio_stream();
    asio_stream(const asio_stream&) = delete;
    asio_stream& operator=(const asio_stream&) = delete;

    /// Precondition: `into` is not empty and stays valid until `done` or close().
    LOCKSTEP_DECL void read(std::span<std::byte> into, unique_function<void(result<std::size_t>)> done);
    LOCKSTEP_DECL void write(std::vector<shared_bytes> buffers, unique_function<void(error_code)> done);
    LOCKSTEP_DECL void close();

private:
    /// Outlives the stream until the last operation on the socket has ended.
    struct state {
        explicit state(boost::asio::ip::tcp::socket s) : socket(std::move(s)) {}
        boost::asio::ip::tcp::socket socket;
        bool closed = false;
    };
    std::shared_ptr<state> state_;
};

struct asio_streams_options {
    duration connect_timeout = std::chrono::seconds(3);
    duration accept_pause = std::chrono::milliseconds(100);  ///< after a failed accept: no descriptors, no memory
    duration unacknowledged_max = std::chrono::seconds(20);  ///< TCP_USER_TIMEOUT
};

/// Models `byte_streams` (docs/concepts/byte_streams.md).
/// Lifetime: the runtime outlives it. Destroyed, it calls nothing back; its streams live on.
class asio_streams {
public:
    using stream = asio_stream;

    LOCKSTEP_DECL explicit asio_streams(asio_runtime& rt, asio_streams_options options = {});
    LOCKSTEP_DECL ~asio_streams();
    asio_streams(const asio_streams&) = delete;
    asio_streams& operator=(const asio_streams&) = delete;

    /// A name is resolved within this call; port 0 takes a free one.
    /// Errors: address_invalid, address_unavailable, host_not_found, address_in_use, permission_denied,
    /// too_many_open_files, other.
    LOCKSTEP_DECL result<> listen(const std::string& address, unique_function<void(std::shared_ptr<stream>)> accepted);
    LOCKSTEP_DECL void stop_listening();
    /// The port that listen() took; 0 where nothing listens.
    LOCKSTEP_DECL std::uint16_t listening_port() const;
    /// Errors: address_invalid, address_unavailable, host_not_found, connection_refused, connection_lost, timed_out, too_many_open_files, other.
    LOCKSTEP_DECL void connect(const std::string& address,
                               unique_function<void(result<std::shared_ptr<stream>>)> connected);

private:
    struct listener;
    struct attempt;
    LOCKSTEP_DECL static void accept_next(std::shared_ptr<listener> l);
    LOCKSTEP_DECL static void finish(const std::shared_ptr<attempt>& a, const error_code& error);

    asio_runtime& runtime_;
    asio_streams_options options_;
    std::shared_ptr<listener> listener_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

static_assert(byte_streams<asio_streams>, "see docs/concepts/byte_streams.md");

}  // namespace lockstep

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/os/impl/asio_streams.ipp>
#endif
