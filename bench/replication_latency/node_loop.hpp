// What the processes of a cluster share: their arguments, and lines that come and go while the event loop runs.
#pragma once

#include <lockstep/concepts/transport.hpp>
#include <lockstep/os/asio_runtime.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>

#include <functional>
#include <istream>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

namespace bench {

struct node_arguments {
    lockstep::node_id id;
    std::string directory;
    std::string listen;
    std::vector<lockstep::peer_address> peers;
};

/// ID DIRECTORY LISTEN PEER..., as the program gives them to itself.
inline node_arguments read_node_arguments(const std::vector<std::string>& given) {
    node_arguments out;
    out.id = lockstep::node_id(std::stoull(given.at(0)));
    out.directory = given.at(1);
    out.listen = given.at(2);
    for (std::size_t i = 3; i < given.size(); ++i) {
        const auto equals = given[i].find('=');
        out.peers.push_back(
            {lockstep::node_id(std::stoull(given[i].substr(0, equals))), given[i].substr(equals + 1)});
    }
    return out;
}

/// One answer: a line on standard output, in one write.
inline void say(std::string line) {
    line += '\n';
    for (std::size_t at = 0; at < line.size();) {
        const auto done = ::write(1, line.data() + at, line.size() - at);
        if (done <= 0) return;
        at += static_cast<std::size_t>(done);
    }
}

/// Hands each line of standard input to `order`; the loop ends with the input.
class orders {
public:
    orders(lockstep::asio_runtime& rt, std::function<void(const std::string&)> order)
        : runtime_(rt), order_(std::move(order)), input_(rt.context(), ::dup(0)) {
        read();
    }

private:
    void read() {
        boost::asio::async_read_until(input_, bytes_, '\n', [this](const auto& error, std::size_t) {
            if (error) return runtime_.stop();
            std::istream in(&bytes_);
            std::string line;
            std::getline(in, line);
            order_(line);
            read();
        });
    }

    lockstep::asio_runtime& runtime_;
    std::function<void(const std::string&)> order_;
    boost::asio::posix::stream_descriptor input_;
    boost::asio::streambuf bytes_;
};

}  // namespace bench
