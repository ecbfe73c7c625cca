// Three nodes that run as the program runs, where a test says which directories each of them is given, and what runs it.
#pragma once

#include <tests/program/process.hpp>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <set>

namespace program_test {

using steady = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Polls until `f` holds; false once `time` is over.
inline bool within(milliseconds time, const std::function<bool()>& f) {
    const auto deadline = steady::now() + time;
    while (!f()) {
        if (steady::now() > deadline) return false;
        ::poll(nullptr, 0, 20);
    }
    return true;
}

/// Everything replicated below `root`: type, mode, and content or target of each path.
inline std::map<std::string, std::string> tree_of(const std::filesystem::path& root) {
    namespace fs = std::filesystem;
    std::map<std::string, std::string> out;
    for (auto it = fs::recursive_directory_iterator(root); it != fs::recursive_directory_iterator(); ++it) {
        const auto path = it->path().lexically_relative(root).string();
        if (path == ".lockstep") {
            it.disable_recursion_pending();
            continue;
        }
        const auto status = fs::symlink_status(*it);
        std::string line = std::to_string(static_cast<int>(status.type())) + " " +
                           std::to_string(static_cast<unsigned>(status.permissions())) + " ";
        if (fs::is_symlink(status)) line += fs::read_symlink(*it).string();
        if (fs::is_regular_file(status)) line += text_of(*it);
        out.emplace(path, std::move(line));
    }
    return out;
}

/// Nodes 1 to 3. What is set for a node counts from its next start.
struct cluster {
    cluster() {
        std::vector<std::unique_ptr<taken_port>> taken;
        const auto address = [&] { return taken.emplace_back(std::make_unique<taken_port>())->address(); };
        for (std::size_t id : {1u, 2u, 3u}) {
            dir[id] = host.make("node" + std::to_string(id));
            listen[id] = address();
            admin[id] = address();
        }
    }

    void start(std::size_t id) {
        arguments all{"run",      "--id",      std::to_string(id), "--dir",  dir[id].string(),
                      "--listen", listen[id], "--admin",           admin[id]};
        if (!state[id].empty()) all.insert(all.end(), {"--state", state[id].string()});
        for (std::size_t other : {1u, 2u, 3u})
            if (other != id) all.insert(all.end(), {"--peer", std::to_string(other) + "=" + listen[other]});
        node[id] = std::make_unique<process>(host, all, wrapper[id]);
    }
    void start() {
        for (std::size_t id : {1u, 2u, 3u}) start(id);
        for (std::size_t id : {1u, 2u, 3u}) REQUIRE(within(seconds(20), [&] { return is(id, "state", "ready"); }));
    }

    outcome barrier(std::size_t id, const std::string& time = "20s") const {
        return run(host, {"barrier", "--admin", admin[id], "--timeout", time});
    }
    std::string status(std::size_t id) const {
        return run(host, {"status", "--admin", admin[id], "--json"}).out;
    }
    bool is(std::size_t id, const std::string& key, const std::string& value) const {
        return status(id).find("\"" + key + "\":\"" + value + "\"") != std::string::npos;
    }
    void write(std::size_t id, const std::string& name, const std::string& text) const {
        std::ofstream file(dir[id] / name, std::ios::binary | std::ios::trunc);
        file << text;
        file.close();
        REQUIRE(file);
    }

    /// Brings every edit everywhere, and compares the three directories.
    void settle() const {
        for (std::size_t id : {1u, 2u, 3u}) {
            const auto reached = barrier(id);
            INFO("barrier on node " << id << ": " << reached.err << status(id));
            REQUIRE(reached.code == 0);
        }
        const auto first = tree_of(dir[1]);
        CHECK(first == tree_of(dir[2]));
        CHECK(first == tree_of(dir[3]));
    }

    scratch host;
    std::array<std::filesystem::path, 4> dir;     ///< from 1 on, like all of these
    std::array<std::filesystem::path, 4> state;   ///< empty: below dir
    std::array<arguments, 4> wrapper;
    std::array<std::string, 4> listen;
    std::array<std::string, 4> admin;
    std::array<std::unique_ptr<process>, 4> node;
};

}  // namespace program_test
