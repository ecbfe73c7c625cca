#pragma once

#include <lockstep/os/asio_streams.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/write.hpp>

#include <charconv>
#include <limits>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace lockstep {
namespace detail {

/// Small frames leave at once, a dead peer is noticed, no child process inherits the socket. Failures change nothing
/// that correctness needs, so they are not looked at.
inline void tune_socket(int socket, duration unacknowledged_max) noexcept {
    const auto set = [socket](int level, int name, int value) {
        ::setsockopt(socket, level, name, &value, sizeof value);
    };
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(unacknowledged_max);
    set(IPPROTO_TCP, TCP_NODELAY, 1);
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
    set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set(IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(limit.count()));
    ::fcntl(socket, F_SETFD, FD_CLOEXEC);
}

/// The endpoint of a numeric address.
inline result<boost::asio::ip::tcp::endpoint> numeric_endpoint(const host_and_port& where) {
    error_code error;
    const auto ip = boost::asio::ip::make_address(where.host, error);
    if (error) return error_code(errc::address_invalid);
    return boost::asio::ip::tcp::endpoint(ip, where.port);
}

}  // namespace detail

LOCKSTEP_DECL result<host_and_port> split_address(std::string_view address) {
    const auto colon = address.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return error_code(errc::address_invalid);
    std::string_view host = address.substr(0, colon);
    const std::string_view digits = address.substr(colon + 1);
    if (host.front() == '[') {
        if (host.size() < 3 || host.back() != ']') return error_code(errc::address_invalid);
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return error_code(errc::address_invalid);
    }
    host_and_port parts{std::string(host), 0};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), parts.port);
    if (error != std::errc() || end != digits.data() + digits.size()) return error_code(errc::address_invalid);
    return parts;
}

LOCKSTEP_DECL error_code network_error(const error_code& error) {
    namespace net = boost::asio::error;
    if (!error || error.category() == lockstep_category()) return error;
    if (error == net::eof) return errc::end_of_stream;
    if (error == net::operation_aborted || error == net::bad_descriptor) return errc::cancelled;
    if (error == net::connection_refused) return errc::connection_refused;
    if (error == net::timed_out) return errc::timed_out;
    if (error == net::address_in_use) return errc::address_in_use;
    if (error == net::access_denied || error == net::no_permission) return errc::permission_denied;
    if (error == net::no_descriptors || error == boost::system::errc::too_many_files_open_in_system)
        return errc::too_many_open_files;
    if (error == net::connection_reset || error == net::broken_pipe || error == net::connection_aborted ||
        error == net::host_unreachable || error == net::network_unreachable || error == net::network_down ||
        error == net::not_connected || error == net::network_reset)
        return errc::connection_lost;
    if (error.category() == net::get_netdb_category() || error.category() == net::get_addrinfo_category())
        return errc::host_not_found;
    if (error == boost::system::errc::address_not_available || error == net::address_family_not_supported)
        return errc::address_unavailable;
    if (error == net::invalid_argument) return errc::address_invalid;
    return errc::other;
}

// --- streams ---

LOCKSTEP_DECL asio_stream::asio_stream(boost::asio::ip::tcp::socket socket)
    : state_(std::make_shared<state>(std::move(socket))) {}

LOCKSTEP_DECL asio_stream::~asio_stream() { close(); }

LOCKSTEP_DECL void asio_stream::close() {
    if (state_->closed) return;
    state_->closed = true;
    error_code ignored;
    state_->socket.close(ignored);
}

LOCKSTEP_DECL void asio_stream::read(std::span<std::byte> into, unique_function<void(result<std::size_t>)> done) {
    LOCKSTEP_ASSERT(!into.empty());
    state_->socket.async_read_some(
        boost::asio::buffer(into.data(), into.size()),
        [s = state_, done = std::move(done)](const error_code& error, std::size_t count) mutable {
            if (s->closed) return;
            // A connection that dies of its time-out is lost; only connecting can time out.
            if (error == boost::asio::error::timed_out) done(error_code(errc::connection_lost));
            else if (error) done(network_error(error));
            else done(count);
        });
}

LOCKSTEP_DECL void asio_stream::write(std::vector<shared_bytes> buffers, unique_function<void(error_code)> done) {
    std::vector<boost::asio::const_buffer> parts;
    parts.reserve(buffers.size());
    for (const auto& b : buffers) parts.emplace_back(b.data(), b.size());
    // As much as the socket takes at once: the default condition would stop every 64 KiB.
    const auto all = [](const error_code& error, std::size_t) {
        return error ? std::size_t(0) : std::numeric_limits<std::size_t>::max();
    };
    boost::asio::async_write(
        state_->socket, std::move(parts), all,
        [s = state_, kept = std::move(buffers), done = std::move(done)](const error_code& error, std::size_t) mutable {
            if (s->closed) return;
            kept.clear();
            done(error == boost::asio::error::timed_out ? error_code(errc::connection_lost) : network_error(error));
        });
}

// --- listening ---

struct asio_streams::listener {
    listener(boost::asio::io_context& context, asio_streams_options o)
        : acceptor(context), pause(context), options(o) {}
    boost::asio::ip::tcp::acceptor acceptor;
    boost::asio::steady_timer pause;
    asio_streams_options options;
    unique_function<void(std::shared_ptr<stream>)> accepted;
    bool stopped = false;
};

LOCKSTEP_DECL asio_streams::asio_streams(asio_runtime& rt, asio_streams_options options)
    : runtime_(rt), options_(options) {}

LOCKSTEP_DECL asio_streams::~asio_streams() {
    *alive_ = false;
    stop_listening();
}

LOCKSTEP_DECL result<> asio_streams::listen(const std::string& address,
                                            unique_function<void(std::shared_ptr<stream>)> accepted) {
    using boost::asio::ip::tcp;
    LOCKSTEP_ASSERT(listener_ == nullptr);
    const auto where = split_address(address);
    if (!where) return where.error();
    error_code error;
    auto endpoint = detail::numeric_endpoint(*where);
    if (!endpoint) {
        tcp::resolver resolver(runtime_.context());
        const auto found = resolver.resolve(where->host, std::to_string(where->port), tcp::resolver::passive, error);
        if (error || found.empty()) return error_code(errc::host_not_found);
        endpoint = found.begin()->endpoint();
    }
    auto l = std::make_shared<listener>(runtime_.context(), options_);
    l->acceptor.open(endpoint->protocol(), error);
    if (!error) l->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) l->acceptor.bind(*endpoint, error);
    if (!error) l->acceptor.listen(tcp::acceptor::max_listen_connections, error);
    if (error) return network_error(error);
    ::fcntl(l->acceptor.native_handle(), F_SETFD, FD_CLOEXEC);
    l->accepted = std::move(accepted);
    listener_ = l;
    accept_next(std::move(l));
    return {};
}

LOCKSTEP_DECL void asio_streams::accept_next(std::shared_ptr<listener> l) {
    auto& acceptor = l->acceptor;
    acceptor.async_accept([l = std::move(l)](const error_code& error, boost::asio::ip::tcp::socket socket) mutable {
        if (l->stopped) return;
        if (!error) {
            detail::tune_socket(socket.native_handle(), l->options.unacknowledged_max);
            l->accepted(std::make_shared<stream>(std::move(socket)));
            if (!l->stopped) accept_next(std::move(l));
        } else if (error == boost::asio::error::connection_aborted) {
            accept_next(std::move(l));
        } else {
            // Out of descriptors, mostly: the connection stays in the kernel's queue and the acceptor stays ready, so
            // trying again at once would spin until somebody closes one.
            auto& pause = l->pause;
            pause.expires_after(l->options.accept_pause);
            pause.async_wait([l = std::move(l)](const error_code&) mutable {
                if (!l->stopped) accept_next(std::move(l));
            });
        }
    });
}

LOCKSTEP_DECL void asio_streams::stop_listening() {
    if (!listener_) return;
    const auto l = std::exchange(listener_, nullptr);
    l->stopped = true;
    error_code ignored;
    l->acceptor.close(ignored);
    l->pause.cancel();
}

LOCKSTEP_DECL std::uint16_t asio_streams::listening_port() const {
    error_code error;
    return listener_ ? listener_->acceptor.local_endpoint(error).port() : std::uint16_t(0);
}

// --- connecting ---

LOCKSTEP_DECL error_code check_connected(const boost::asio::ip::tcp::socket& socket) {
    error_code local_error, remote_error;
    const auto local = socket.local_endpoint(local_error);
    const auto remote = socket.remote_endpoint(remote_error);
    if (local_error || remote_error) return errc::connection_lost;
    return local == remote ? error_code(errc::connection_refused) : error_code();
}

struct asio_streams::attempt {
    attempt(boost::asio::io_context& context, std::shared_ptr<bool> a)
        : resolver(context), socket(context), deadline(context), alive(std::move(a)) {}
    boost::asio::ip::tcp::resolver resolver;
    boost::asio::ip::tcp::socket socket;
    boost::asio::steady_timer deadline;
    std::shared_ptr<bool> alive;
    duration unacknowledged_max{};
    unique_function<void(result<std::shared_ptr<stream>>)> connected;  ///< empty once it was called
};

LOCKSTEP_DECL void asio_streams::connect(const std::string& address,
                                         unique_function<void(result<std::shared_ptr<stream>>)> connected) {
    using boost::asio::ip::tcp;
    auto a = std::make_shared<attempt>(runtime_.context(), alive_);
    a->unacknowledged_max = options_.unacknowledged_max;
    a->connected = std::move(connected);
    const auto where = split_address(address);
    if (!where || where->port == 0) {
        runtime_.post([a] { finish(a, errc::address_invalid); });
        return;
    }
    a->deadline.expires_after(options_.connect_timeout);
    a->deadline.async_wait([a](const error_code& error) {
        if (!error) finish(a, errc::timed_out);
    });
    if (const auto endpoint = detail::numeric_endpoint(*where)) {
        a->socket.async_connect(*endpoint, [a](const error_code& error) { finish(a, error); });
        return;
    }
    a->resolver.async_resolve(where->host, std::to_string(where->port),
                              [a](const error_code& error, const tcp::resolver::results_type& found) {
        if (error || !a->connected) return finish(a, error);
        boost::asio::async_connect(a->socket, found, [a](const error_code& e, const tcp::endpoint&) { finish(a, e); });
    });
}

LOCKSTEP_DECL void asio_streams::finish(const std::shared_ptr<attempt>& a, const error_code& error) {
    if (!a->connected) return;
    const auto connected = std::move(a->connected);
    a->connected = nullptr;
    a->deadline.cancel();
    a->resolver.cancel();
    boost::asio::ip::tcp::socket socket = std::move(a->socket);
    if (!*a->alive) return;
    if (error) return connected(network_error(error));
    if (const error_code unusable = check_connected(socket)) return connected(unusable);
    detail::tune_socket(socket.native_handle(), a->unacknowledged_max);
    connected(std::make_shared<stream>(std::move(socket)));
}

}  // namespace lockstep
