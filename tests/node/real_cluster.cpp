#include "real_cluster.hpp"

#include <examples/lockstep/real_node.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <fstream>
#include <future>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace node_test {
namespace {

namespace native = std::filesystem;

/// Addresses on which nobody listens, all different.
std::vector<std::string> free_addresses(std::size_t count) {
    boost::asio::io_context loop;
    std::vector<boost::asio::ip::tcp::acceptor> held;
    std::vector<std::string> addresses;
    for (std::size_t i = 0; i < count; ++i) {
        const boost::asio::ip::tcp::endpoint any(boost::asio::ip::address_v4::loopback(), 0);
        addresses.push_back("127.0.0.1:" + std::to_string(held.emplace_back(loop, any).local_endpoint().port()));
    }
    return addresses;
}

}  // namespace

/// A node and the thread that is its loop: there it is made, and there it goes.
struct real_cluster::running {
    explicit running(const lockstep::node_options& options) {
        std::promise<std::string> started;
        auto outcome = started.get_future();
        thread = std::thread([this, options, started = std::move(started)]() mutable {
            lockstep::asio_runtime rt;
            program::real_node here(rt, options, [](const lockstep::report&) {});
            runtime = &rt;
            node = &here;
            here.start([&](std::string problem) { started.set_value(std::move(problem)); });
            rt.run();
        });
        if (const std::string problem = outcome.get(); !problem.empty()) {
            end();
            throw std::runtime_error(problem);
        }
    }
    ~running() { end(); }
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    void end() {
        if (!thread.joinable()) return;
        boost::asio::post(runtime->context(), [this] { runtime->stop(); });
        thread.join();
    }

    lockstep::asio_runtime* runtime = nullptr;
    program::real_node* node = nullptr;
    std::thread thread;
};

real_cluster::real_cluster(std::uint64_t nodes) {
    const auto addresses = free_addresses(nodes);
    for (std::uint64_t id = 1; id <= nodes; ++id) {
        auto& options = options_[id];
        options.id = lockstep::node_id(id);
        options.directory = base_.path() + "/node" + std::to_string(id);
        options.listen = addresses[id - 1];
        for (std::uint64_t peer = 1; peer <= nodes; ++peer)
            if (peer != id) options.peers.push_back({lockstep::node_id(peer), addresses[peer - 1]});
        native::create_directory(options.directory);
    }
    for (std::uint64_t id = 1; id <= nodes; ++id) start(id);
}

real_cluster::~real_cluster() { running_.clear(); }

native::path real_cluster::path(std::uint64_t id, const std::string& name) const {
    return native::path(options_.at(id).directory) / name;
}

void real_cluster::write(std::uint64_t id, const std::string& name, const std::string& text) const {
    std::ofstream file(path(id, name), std::ios::binary | std::ios::trunc);
    if (!(file << text).flush()) throw std::runtime_error("cannot write " + name);
}

listing real_cluster::tree(std::uint64_t id) const {
    listing found;
    const native::path root = options_.at(id).directory;
    for (auto at = native::recursive_directory_iterator(root); at != native::recursive_directory_iterator(); ++at) {
        const std::string name = native::relative(at->path(), root).string();
        if (name == ".lockstep") {
            at.disable_recursion_pending();
        } else if (at->is_directory()) {
            found[name] = "(directory)";
        } else {
            std::ifstream file(at->path(), std::ios::binary);
            found[name].assign(std::istreambuf_iterator<char>(file), {});
        }
    }
    return found;
}

void real_cluster::start(std::uint64_t id) { running_[id] = std::make_unique<running>(options_.at(id)); }

void real_cluster::kill(std::uint64_t id) { running_.erase(id); }

template <class T>
T real_cluster::ask(std::uint64_t id, std::function<void(program::real_node&, std::function<void(T)>)> f) {
    running& there = *running_.at(id);
    std::promise<T> answer;
    boost::asio::post(there.runtime->context(), [&] {
        f(*there.node, [&](T value) { answer.set_value(std::move(value)); });
    });
    return answer.get_future().get();
}

lockstep::barrier_result real_cluster::barrier(std::uint64_t id) {
    return ask<lockstep::barrier_result>(
        id, [](auto& node, auto answer) { node.barrier(std::chrono::seconds(60), std::move(answer)); });
}

lockstep::node_status real_cluster::status(std::uint64_t id) {
    return ask<lockstep::node_status>(id, [](auto& node, auto answer) { answer(node.status()); });
}

}  // namespace node_test
