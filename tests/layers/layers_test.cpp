// Enforces the table of layers (docs/architecture.md, section 2) on the sources and on what the compiler
// reads, and shows that each rule can fail.
#include "rules.hpp"

#include <tests/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace lockstep::layers;
namespace fs = std::filesystem;

namespace {

const fs::path source_dir = LOCKSTEP_SOURCE_DIR;
const fs::path dependency_dir = LOCKSTEP_DEPENDENCY_DIR;

std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// Relative paths of the sources under a folder of the repository, sorted.
std::vector<std::string> sources_under(const char* folder) {
    std::vector<std::string> paths;
    for (const auto& item : fs::recursive_directory_iterator(source_dir / folder)) {
        const auto extension = item.path().extension();
        if (extension == ".hpp" || extension == ".ipp" || extension == ".cpp")
            paths.push_back(fs::relative(item.path(), source_dir).generic_string());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

std::vector<std::string> all_sources() {
    auto paths = sources_under("include");
    const auto more = sources_under("sim");
    paths.insert(paths.end(), more.begin(), more.end());
    return paths;
}

std::string joined(const std::vector<std::string>& complaints) {
    std::string text;
    for (const auto& complaint : complaints) text += complaint + '\n';
    return text;
}

}  // namespace

TEST_CASE("every include points down", "[layers]") {
    for (const auto& path : all_sources()) CHECK(joined(check_includes(path, read(source_dir / path))) == "");
}

TEST_CASE("what the simulator runs has no clock, randomness, thread or order of its own", "[layers]") {
    for (const auto& path : all_sources()) CHECK(joined(check_names(path, read(source_dir / path))) == "");
}

TEST_CASE("the compiler reads nothing for an area that its layer may not reach", "[layers]") {
    std::size_t areas = 0;
    for (const auto& item : fs::directory_iterator(dependency_dir)) {
        if (item.path().extension() != ".d") continue;
        const auto files = parse_dependencies(read(item.path()));
        CHECK(files.size() > 10);
        CHECK(joined(check_reached(item.path().stem().string(), files)) == "");
        ++areas;
    }
    CHECK(areas >= 4);
}

TEST_CASE("src.hpp collects every body", "[layers]") {
    for (const auto& [source, folder, prefix] : {std::tuple{"include/lockstep/src.hpp", "include", "include/"},
                                                 std::tuple{"sim/src.hpp", "sim", ""}}) {
        std::vector<std::string> bodies;
        for (const auto& path : sources_under(folder))
            if (path.ends_with(".ipp")) bodies.push_back(path.substr(std::string(prefix).size()));
        if (bodies.empty()) continue;
        const auto collected = includes_of(read(source_dir / source));
        for (const auto& body : bodies) {
            INFO(source << " must include <" << body << '>');
            CHECK(std::count(collected.begin(), collected.end(), body) == 1);
        }
    }
}

TEST_CASE("every header says what it owns and guards itself", "[layers]") {
    for (const auto& path : all_sources()) {
        if (!path.ends_with(".hpp")) continue;
        const auto text = read(source_dir / path);
        INFO(path);
        CHECK(text.starts_with("// "));
        CHECK(text.find("\n#pragma once\n") != std::string::npos);
    }
}

TEST_CASE("an area comes from a path", "[layers][rules]") {
    CHECK(area_of("include/lockstep/raft/impl/core.ipp") == "raft");
    CHECK(area_of("include/lockstep/fwd.hpp") == "");
    CHECK(area_of("sim/disk/impl/sim_disk.ipp") == "sim");
    CHECK(area_of("sim/commands/run.cpp") == "commands");
    CHECK(area_of("sim/main.cpp") == "commands");
}

TEST_CASE("the rules refuse an include that points up or sideways", "[layers][rules]") {
    const auto bad = [](const char* path, const char* include) {
        return check_includes(path, std::string("#include <") + include + ">\n").size() == 1;
    };
    CHECK(bad("include/lockstep/base/a.hpp", "lockstep/raft/core.hpp"));
    CHECK(bad("include/lockstep/raft/a.hpp", "lockstep/folder/tree.hpp"));
    CHECK(bad("include/lockstep/folder/a.hpp", "lockstep/raft/core.hpp"));
    CHECK(bad("include/lockstep/concepts/a.hpp", "lockstep/codec/codec.hpp"));
    CHECK(bad("include/lockstep/sync/a.hpp", "lockstep/node/node.hpp"));
    CHECK(bad("include/lockstep/node/a.hpp", "lockstep/os/asio_runtime.hpp"));
    CHECK(bad("include/lockstep/os/a.hpp", "lockstep/node/node.hpp"));
    CHECK(bad("include/lockstep/raft/a.hpp", "sim/world.hpp"));
    CHECK(bad("sim/a.hpp", "lockstep/os/asio_runtime.hpp"));
    CHECK(bad("sim/a.hpp", "lockstep/http/server.hpp"));
    CHECK(bad("sim/a.hpp", "sim/commands/commands.hpp"));
    CHECK(bad("sim/a.hpp", "sys/wait.h"));
    CHECK_FALSE(bad("sim/commands/a.cpp", "sim/simulation.hpp"));
    CHECK_FALSE(bad("sim/commands/a.cpp", "sys/wait.h"));
    CHECK(bad("include/lockstep/new_area/a.hpp", "vector"));
}

TEST_CASE("the rules keep each dependency in its place", "[layers][rules]") {
    const auto bad = [](const char* path, const char* include) {
        return check_includes(path, std::string("#include <") + include + ">\n").size() == 1;
    };
    CHECK(bad("include/lockstep/transport/a.hpp", "boost/asio/post.hpp"));
    CHECK(bad("include/lockstep/os/a.hpp", "boost/beast/http.hpp"));
    CHECK(bad("include/lockstep/storage/a.hpp", "cereal/cereal.hpp"));
    CHECK(bad("include/lockstep/base/sha256.hpp", "openssl/evp.h"));
    CHECK(bad("include/lockstep/codec/impl/a.ipp", "openssl/evp.h"));
    CHECK(bad("include/lockstep/folder/a.hpp", "range/v3/view/filter.hpp"));
    CHECK(bad("include/lockstep/node/a.hpp", "spdlog/spdlog.h"));
    CHECK(bad("include/lockstep/sync/a.hpp", "sys/stat.h"));
    CHECK(bad("include/lockstep/watch/a.hpp", "mutex"));
    CHECK(bad("include/lockstep/watch/a.hpp", "unordered_map"));

    CHECK_FALSE(bad("include/lockstep/folder/impl/a.ipp", "range/v3/view/filter.hpp"));
    CHECK_FALSE(bad("include/lockstep/base/impl/sha256.ipp", "openssl/evp.h"));
    CHECK_FALSE(bad("include/lockstep/os/a.hpp", "sys/inotify.h"));
    CHECK_FALSE(bad("include/lockstep/os/a.hpp", "mutex"));
    CHECK_FALSE(bad("include/lockstep/codec/a.hpp", "cereal/cereal.hpp"));
    CHECK_FALSE(bad("include/lockstep/http/a.hpp", "boost/beast/http.hpp"));
}

TEST_CASE("the rules refuse banned names", "[layers][rules]") {
    const auto bad = [](const char* text) { return !check_names("include/lockstep/raft/a.hpp", text).empty(); };
    CHECK(bad("std::random_device d;"));
    CHECK(bad("auto t = std::chrono::steady_clock::now();"));
    CHECK(bad("auto t = clock::now();"));
    CHECK(bad("std::thread t(f);"));
    CHECK(bad("std::jthread t(f);"));
    CHECK(bad("std::mutex m;"));
    CHECK(bad("std::shared_mutex m;"));
    CHECK(bad("auto* p = std::getenv(\"HOME\");"));
    CHECK(bad("std::unordered_map<int, int> m;"));
    CHECK(bad("std::set<node*> s;"));
    CHECK(bad("std::map<const node *, int> s;"));
    CHECK(bad("std::map<std::shared_ptr<node>, int> s;"));
    CHECK(bad("std::less<node*> by_address;"));
    CHECK(bad("auto x = reinterpret_cast<std::uintptr_t>(p);"));

    CHECK_FALSE(bad("std::map<int, node*> s;"));
    CHECK_FALSE(bad("auto t = runtime_.now();"));
    CHECK_FALSE(bad("// std::mutex is banned here"));
    CHECK_FALSE(bad("/* std::thread\n */ int a;"));
    CHECK_FALSE(bad("auto text = \"std::mutex\";"));
    CHECK(bad("auto n = 1'000; std::mutex m;"));
    CHECK(bad("auto text = \"\\\"\"; std::mutex m;"));
    CHECK(check_names("include/lockstep/os/a.hpp", "std::mutex m;").empty());
    const auto complaints = check_names("include/lockstep/raft/a.hpp", "int a;\nstd::mutex m;");
    CHECK(complaints.at(0).find("a.hpp:2:") != std::string::npos);
}

TEST_CASE("the rules refuse what the compiler should not have read", "[layers][rules]") {
    const auto files = parse_dependencies(
        "raft.o: /s/raft.cpp \\\n /s/include/lockstep/raft/core.hpp \\\n /usr/include/boost/x.hpp\n");
    REQUIRE(files.size() == 3);
    CHECK(check_reached("raft", files).empty());
    CHECK(check_reached("raft", {"/usr/include/boost/asio/post.hpp"}).size() == 1);
    CHECK(check_reached("raft", {"/usr/include/cereal/cereal.hpp"}).size() == 1);
    CHECK(check_reached("raft", {"/s/include/lockstep/concepts/file_system.hpp"}).size() == 1);
    CHECK(check_reached("folder", {"/s/include/lockstep/raft/core.hpp"}).size() == 1);
    CHECK(check_reached("folder", {"/usr/include/c++/12/bits/fs_path.h"}).size() == 1);
    CHECK(check_reached("sync", {"/usr/include/cereal/cereal.hpp"}).empty());
    CHECK(check_reached("node", {"/usr/include/boost/asio/post.hpp"}).size() == 1);
}
