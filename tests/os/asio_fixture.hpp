// What tests of the real network share: running a loop until something holds, free ports.
#pragma once

#include <lockstep/os/asio_streams.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <string>

namespace lockstep::testing {

/// Runs callbacks until the predicate holds; false if it did not in time.
template <class Predicate>
bool drive(asio_runtime& rt, Predicate holds, duration most) {
    const auto deadline = std::chrono::steady_clock::now() + most;
    while (!holds())
        if (rt.context().run_one_until(deadline) == 0) return holds();
    return true;
}

/// A loopback address that nobody uses now.
inline std::string free_address() {
    using boost::asio::ip::tcp;
    boost::asio::io_context context;
    tcp::acceptor probe(context, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    return "127.0.0.1:" + std::to_string(probe.local_endpoint().port());
}

}  // namespace lockstep::testing
