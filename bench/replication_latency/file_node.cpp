// The process that keeps a directory: the node of the program `lockstep`, asked over pipes instead of HTTP.
#include "files.hpp"
#include "node_loop.hpp"

#include <examples/lockstep/real_node.hpp>
#include <lockstep/http/status_json.hpp>

#include <cstdio>

namespace bench {

int run_file_node(const std::vector<std::string>& arguments) {
    const node_arguments given = read_node_arguments(arguments);
    lockstep::node_options options;
    options.id = given.id;
    options.directory = given.directory;
    options.listen = given.listen;
    options.peers = given.peers;
    lockstep::asio_runtime rt;
    program::real_node node(rt, options, [&](const lockstep::report& r) {
        if (r.severity < lockstep::report::level::error) return;
        std::fprintf(stderr, "node %llu: %s\n", static_cast<unsigned long long>(given.id.value),
                     r.text.c_str());
        if (r.severity == lockstep::report::level::fatal) rt.post([&] { rt.stop(); });
    });
    const orders input(rt, [&](const std::string& line) {
        if (line == "status") return say(lockstep::to_json(node.status()));
        node.barrier(std::chrono::seconds(60),
                     [](lockstep::barrier_result result) { say(lockstep::to_json(result)); });
    });
    node.start([&](const std::string& problem) { say(problem.empty() ? "ready" : "failed " + problem); });
    rt.run();
    node.stop();
    return 0;
}

}  // namespace bench
