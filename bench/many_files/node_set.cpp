#include "node_set.hpp"

#include <boost/json/parse.hpp>

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <utility>

namespace bench {
namespace {

using namespace std::chrono_literals;

/// "VmHWM:   1234 kB" of /proc/PID/status, in bytes.
std::uint64_t kib_field(const std::string& line) {
    return std::stoull(line.substr(line.find_first_of("0123456789"))) * 1024;
}

}  // namespace

node_set::node_set(const std::filesystem::path& directory) {
    for (const int port : free_ports(count)) addresses_.push_back("127.0.0.1:" + std::to_string(port));
    for (std::size_t node = 0; node < count; ++node) {
        roots_.push_back(directory / std::to_string(node + 1));
        std::filesystem::create_directories(roots_.back());
    }
}

void node_set::start() {
    for (std::size_t node = 0; node < count; ++node) {
        std::vector<std::string> arguments{"file", std::to_string(node + 1), roots_[node].string(), addresses_[node]};
        for (std::size_t peer = 0; peer < count; ++peer)
            if (peer != node) arguments.push_back(std::to_string(peer + 1) + "=" + addresses_[peer]);
        nodes_.push_back(std::make_unique<child>(arguments));
    }
    for (auto& node : nodes_)
        if (const auto said = node->line(120s); said != "ready") throw failure("a node: " + said);
}

boost::json::object node_set::status(std::size_t node) {
    nodes_[node]->tell("status");
    return boost::json::parse(nodes_[node]->line(60s)).as_object();
}

bool node_set::settled(std::size_t node, std::uint64_t files) {
    nodes_[node]->tell("barrier");
    if (!boost::json::parse(nodes_[node]->line(120s)).as_object().at("ok").as_bool()) return false;
    const auto said = status(node);
    bool good = said.at("state").as_string() == "ready" && said.at("files").to_number<std::uint64_t>() == files;
    // Barriers count the nodes that answer: all must be among them.
    for (const auto& peer : said.at("peers").as_array()) good = good && peer.as_object().at("connected").as_bool();
    return good;
}

void node_set::await(std::uint64_t files, clock::duration limit) {
    const auto until = clock::now() + limit;
    for (std::size_t node = 0; node < count;) {
        if (settled(node, files)) ++node;
        else if (clock::now() > until) throw failure("node " + std::to_string(node + 1) + " is not in step");
    }
}

node_set::usage node_set::usage_of(std::size_t node) const {
    usage found;
    const std::string process = "/proc/" + std::to_string(nodes_[node]->pid());
    std::ifstream about(process + "/status");
    for (std::string line; std::getline(about, line);) {
        if (line.starts_with("VmHWM:")) found.peak_bytes = kib_field(line);
        if (line.starts_with("VmRSS:")) found.resident_bytes = kib_field(line);
    }
    std::string text;
    std::getline(std::ifstream(process + "/stat"), text);
    // Behind the name, in brackets: the state is field 3, and fields 14 and 15 are the times, in ticks.
    std::istringstream fields(text.substr(text.rfind(')') + 1));
    std::string skipped;
    for (int field = 3; field < 14; ++field) fields >> skipped;
    double user = 0, kernel = 0;
    fields >> user >> kernel;
    found.cpu_seconds = (user + kernel) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    return found;
}

double node_set::cpu_seconds() const {
    double all = 0;
    for (std::size_t node = 0; node < nodes_.size(); ++node) all += usage_of(node).cpu_seconds;
    return all;
}

}  // namespace bench
