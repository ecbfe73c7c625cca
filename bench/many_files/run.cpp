#include "run.hpp"

#include "file_set.hpp"
#include "node_set.hpp"

#include <bench/replication_latency/arrivals.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace bench {
namespace {

using namespace std::chrono_literals;

/// More than any machine should need: 100 ms a file.
clock::duration limit_for(std::size_t files) { return 60s + 100ms * files; }

std::uint64_t number(const boost::json::object& object, const char* key) {
    return object.at(key).to_number<std::uint64_t>();
}

void must_be_identical(const node_set& nodes) {
    for (std::size_t node = 1; node < node_set::count; ++node)
        if (const auto found = difference(nodes.root(0), nodes.root(node)); !found.empty())
            throw failure("node " + std::to_string(node + 1) + ": " + found);
}

many_files_result::step finish(node_set& nodes, clock::time_point since, double cpu_before, std::uint64_t files,
                               std::size_t unit) {
    many_files_result::step done;
    nodes.await(files, limit_for(unit));
    done.seconds = microseconds(clock::now() - since) / 1e6;
    done.cpu_seconds = nodes.cpu_seconds() - cpu_before;
    for (std::size_t node = 0; node < node_set::count; ++node) done.peak_bytes[node] = nodes.usage_of(node).peak_bytes;
    return done;
}

/// Each time another file at another node; the next one begins when all is at rest again.
summary edit_one_by_one(node_set& nodes, const file_set& set, int edits, std::uint64_t files) {
    samples times;
    for (int edit = 0; edit < edits; ++edit) {
        const auto origin = static_cast<std::size_t>(edit) % node_set::count;
        const std::size_t file = static_cast<std::size_t>(edit) * 7919 % set.count();
        const auto name = set.path(file).filename().string();
        const std::string text = "edit " + std::to_string(edit) + " of " + name;
        const auto view = std::as_bytes(std::span(text));
        const std::map<std::string, lockstep::byte_buffer> expected{{name, {view.begin(), view.end()}}};
        std::vector<std::filesystem::path> directories;
        for (std::size_t node = 0; node < node_set::count; ++node)
            directories.push_back(nodes.root(node) / set.directory_of(file));
        arrivals arrived(directories);
        arrived.expect(origin, expected);
        write_small_file(directories[origin] / name, expected.at(name));
        const auto closed = clock::now();
        const auto last = arrived.wait(60s);
        if (!last) throw failure("an edit did not arrive: " + arrived.missing());
        times.add(microseconds(*last - closed));
        nodes.await(files, 60s);
    }
    return summarise(times);
}

}  // namespace

many_files_result measure_many_files(std::size_t files, int edits, const std::filesystem::path& directory) {
    many_files_result r;
    r.files = files;
    node_set nodes(directory);
    const file_set first("first-", files), second("live-", files);
    r.bytes = first.bytes();
    first.write(nodes.root(0));

    auto since = clock::now();
    nodes.start();
    r.scan = finish(nodes, since, 0, files, files);
    must_be_identical(nodes);

    const double before = nodes.cpu_seconds();
    since = clock::now();
    second.write(nodes.root(0));
    r.live = finish(nodes, since, before, 2 * files, files);
    must_be_identical(nodes);

    nodes.stop();
    since = clock::now();
    nodes.start();
    r.restart = finish(nodes, since, 0, 2 * files, files);
    for (std::size_t node = 0; node < node_set::count; ++node)
        r.restart_read = std::max(r.restart_read, number(nodes.status(node).at("counters").as_object(), "files_read"));

    r.edit = edit_one_by_one(nodes, first, edits, 2 * files);
    must_be_identical(nodes);
    const auto status = nodes.status(0);
    r.log_bytes = number(status, "log_bytes");
    r.chunk_bytes = number(status, "chunk_bytes");
    r.tree_bytes = number(status, "tree_bytes");
    for (std::size_t node = 0; node < node_set::count; ++node) r.resident_bytes[node] = nodes.usage_of(node).resident_bytes;
    nodes.stop();
    std::filesystem::remove_all(directory);
    return r;
}

}  // namespace bench
