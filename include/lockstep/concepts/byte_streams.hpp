// The `byte_streams` concept: reliable ordered connections between nodes, as TCP gives them.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/result.hpp>
#include <lockstep/base/unique_function.hpp>

#include <concepts>
#include <memory>
#include <string>
#include <vector>

namespace lockstep {

/// `byte_streams` makes connections. Addresses are "host:port" texts. Everything is called, and calls back, on the loop of
/// one node; never from inside the call that registered the callback. A `stream` is held by shared_ptr; closing or
/// destroying it cancels what is pending: those callbacks get errc::cancelled or are dropped.
///
/// At most one read and one write may be pending on a stream. A read gives 1 or more bytes, or an error
/// (end_of_stream, connection_lost). A write takes buffers that the implementation keeps alive until it is done, and is
/// all or nothing as to what is reported: after an error, any prefix may have arrived. Bytes arrive in order or not at all.
template <class B>
concept byte_streams = requires(B& b, typename B::stream& s, const std::string& address,
                                unique_function<void(std::shared_ptr<typename B::stream>)> accepted,
                                unique_function<void(result<std::shared_ptr<typename B::stream>>)> connected,
                                unique_function<void(result<std::size_t>)> read_done,
                                unique_function<void(error_code)> written, std::span<std::byte> into,
                                std::vector<shared_bytes> buffers) {
    { b.listen(address, std::move(accepted)) } -> std::same_as<result<>>;      // address_in_use, address_invalid
    { b.stop_listening() };
    { b.connect(address, std::move(connected)) };                              // bounded in time by the caller closing
    { s.read(into, std::move(read_done)) };
    { s.write(std::move(buffers), std::move(written)) };
    { s.close() };
};

}  // namespace lockstep
