#include "commits.hpp"

#include <boost/json/parse.hpp>

#include <memory>
#include <utility>

namespace bench {
namespace {

using namespace std::chrono_literals;

/// Three processes of which one leads.
class commit_cluster {
public:
    explicit commit_cluster(const std::filesystem::path& directory) {
        const auto ports = free_ports(3);
        for (std::size_t id = 1; id <= 3; ++id) {
            const auto own = directory / std::to_string(id);
            std::filesystem::create_directories(own);
            std::vector<std::string> arguments{"commit", std::to_string(id), own.string(),
                                               address(ports[id - 1])};
            for (std::size_t peer = 1; peer <= 3; ++peer)
                if (peer != id) arguments.push_back(std::to_string(peer) + "=" + address(ports[peer - 1]));
            nodes_.push_back(std::make_unique<child>(arguments));
        }
        for (auto& node : nodes_)
            if (const auto said = node->line(30s); said != "ready" && said != "leader")
                throw failure("commit: " + said);
    }

    /// What the leader says of a run, after "result "; throws where nobody led through it.
    std::string run(std::size_t in_flight, clock::duration time) {
        const auto order = "run " + std::to_string(in_flight) + " " +
                           std::to_string(std::chrono::ceil<std::chrono::milliseconds>(time).count());
        const auto until = clock::now() + 60s + 5 * time;
        std::string last = "nobody leads";
        while (clock::now() < until) {
            for (auto& node : nodes_) {
                node->tell(order);
                std::string said = node->line(30s + 2 * time);
                while (said == "leader" || said == "ready") said = node->line(30s + 2 * time);
                if (said.rfind("result ", 0) == 0) return said.substr(7);
                last = said;
            }
            // Nobody leads yet: an election is decided by one of them saying so, or by the time it takes.
            for (auto& node : nodes_)
                if (node->has_line(100ms)) break;
        }
        throw failure("commit: " + last);
    }

private:
    static std::string address(int port) { return "127.0.0.1:" + std::to_string(port); }

    std::vector<std::unique_ptr<child>> nodes_;
};

}  // namespace

std::vector<commit_case> commit_cases() {
    return {{"commit/1", 1}, {"commit/16", 16}, {"commit/64", 64}, {"commit/256", 256}};
}

std::vector<case_result> measure_commits(const std::vector<commit_case>& cases, clock::duration time,
                                         int floor_times, const std::filesystem::path& directory,
                                         floor_probe& probe) {
    std::vector<case_result> results;
    commit_cluster cluster(directory);
    for (const auto& wanted : cases) {
        case_result r;
        r.name = wanted.name;
        r.in_flight = wanted.in_flight;
        r.bytes_each = entry_bytes;
        floor_samples floor;
        probe.durable_message(floor, wanted.in_flight * entry_bytes, floor_times);
        const auto said = boost::json::parse(cluster.run(wanted.in_flight, time)).as_object();
        probe.durable_message(floor, wanted.in_flight * entry_bytes, floor_times);
        r.outcome = case_result::measured_text;
        r.times = {said.at("samples").to_number<std::size_t>(), said.at("p50_us").to_number<double>(),
                   said.at("p99_us").to_number<double>(), said.at("max_us").to_number<double>()};
        r.per_second = said.at("per_second").to_number<double>();
        r.bytes_per_second = r.per_second * static_cast<double>(entry_bytes);
        r.floor = floor.medians();
        results.push_back(std::move(r));
    }
    return results;
}

}  // namespace bench
