// The least that models `byte_streams`: what the library may use of one, compiled. Nobody is ever reached.
#pragma once

#include <lockstep/concepts/byte_streams.hpp>

namespace lockstep::testing {

struct byte_streams_archetype {
    byte_streams_archetype() = default;
    byte_streams_archetype(const byte_streams_archetype&) = delete;
    byte_streams_archetype& operator=(const byte_streams_archetype&) = delete;

    struct stream {
        stream() = default;
        stream(const stream&) = delete;
        stream& operator=(const stream&) = delete;
        void read(std::span<std::byte>, unique_function<void(result<std::size_t>)>) {}
        void write(std::vector<shared_bytes>, unique_function<void(error_code)>) {}
        void close() {}
    };

    result<> listen(const std::string&, unique_function<void(std::shared_ptr<stream>)>) { return {}; }
    void stop_listening() {}
    void connect(const std::string&, unique_function<void(result<std::shared_ptr<stream>>)>) {}
};

static_assert(byte_streams<byte_streams_archetype>);

}  // namespace lockstep::testing
