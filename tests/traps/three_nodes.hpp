// Three nodes that run as the program runs, on real directories with real kernel events, and what the checks
// of the watched directory ask of them. "Row N" in the tests' names is row N of the design's table of traps.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/sha256.hpp>

#include <tests/program/process.hpp>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

namespace traps_test {

namespace fs = std::filesystem;
using program_test::arguments;
using program_test::text_of;
using steady = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline void pause(milliseconds time) { ::poll(nullptr, 0, static_cast<int>(time.count())); }

/// Polls until `f` holds; false once `time` is over.
inline bool within(milliseconds time, const std::function<bool()>& f) {
    const auto deadline = steady::now() + time;
    while (!f()) {
        if (steady::now() > deadline) return false;
        pause(milliseconds(5));
    }
    return true;
}

inline void write(const fs::path& path, std::string_view text) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
    file.close();
    if (!file) throw std::runtime_error("cannot write " + path.string());
}

/// A descriptor that is closed with the object.
struct opened {
    opened(const fs::path& path, int flags) : fd(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
        if (fd < 0) throw std::runtime_error("cannot open " + path.string());
    }
    opened(const opened&) = delete;
    opened& operator=(const opened&) = delete;
    ~opened() { ::close(fd); }
    int fd;
};

/// Runs `f` in a process of its own, which says by its exit status whether `f` returned true.
class child {
public:
    explicit child(const std::function<bool()>& f) : pid_(::fork()) {
        REQUIRE(pid_ >= 0);
        if (pid_ == 0) {
            bool good = false;
            try {
                good = f();
            } catch (...) {
            }
            ::_exit(good ? 0 : 1);
        }
    }
    child(child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
    child& operator=(child&&) = delete;
    ~child() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        wait();
    }
    bool wait() {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }

private:
    pid_t pid_;
};

/// Everything replicated below `root`, one line a path: type, mode, size, time and hash of content, or target
/// of a link.
inline std::map<std::string, std::string> tree_of(const fs::path& root) {
    std::map<std::string, std::string> out;
    const std::function<void(const std::string&)> walk = [&](const std::string& below) {
        std::error_code gone;
        for (const auto& item : fs::directory_iterator(below.empty() ? root : root / below, gone)) {
            const std::string name = item.path().filename().native();
            if (below.empty() && name == ".lockstep") continue;
            const std::string path = below.empty() ? name : below + "/" + name;
            struct stat now {};
            if (::lstat(item.path().c_str(), &now) != 0) continue;
            std::string& line = out[path];
            const std::string mode = std::to_string(now.st_mode & 07777);
            if (S_ISLNK(now.st_mode)) {
                line = "link " + fs::read_symlink(item.path(), gone).native();
            } else if (S_ISDIR(now.st_mode)) {
                line = "directory " + mode;
                walk(path);
            } else {
                const std::string text = text_of(item.path());
                line = "file " + mode + " " + std::to_string(text.size()) + " " +
                       std::to_string(now.st_mtim.tv_sec) + "." + std::to_string(now.st_mtim.tv_nsec) + " " +
                       lockstep::sha256(lockstep::as_bytes(text)).to_string();
            }
        }
    };
    walk("");
    return out;
}

/// What differs between two trees, at most ten lines; empty where nothing does.
inline std::string difference(const std::map<std::string, std::string>& a,
                              const std::map<std::string, std::string>& b) {
    std::string out;
    int lines = 0;
    const auto tell = [&](const std::string& path, const std::string& one, const std::string& other) {
        if (one != other && lines++ < 10) out += path + ": " + one + " | " + other + "\n";
    };
    for (const auto& [path, line] : a) tell(path, line, b.count(path) ? b.at(path) : "missing");
    for (const auto& [path, line] : b)
        if (!a.count(path)) tell(path, "missing", line);
    return out;
}

/// Nodes 1 to 3; node N serves dir(N), keeps its state outside of it, and may be given words of its own.
class three_nodes {
public:
    explicit three_nodes(const std::map<int, arguments>& wrappers = {}) : wrappers_(wrappers) {
        std::vector<std::unique_ptr<program_test::taken_port>> taken;
        const auto address = [&] {
            return taken.emplace_back(std::make_unique<program_test::taken_port>())->address();
        };
        for (int id : {1, 2, 3}) {
            host_.make("node" + std::to_string(id));
            listen_[index(id)] = address();
            admin_[index(id)] = address();
        }
        taken.clear();
        for (int id : {1, 2, 3}) start(id);
        for (int id : {1, 2, 3}) REQUIRE(within(seconds(20), [&] { return is(id, "state", "ready"); }));
    }

    fs::path dir(int id) const { return host_.path / ("node" + std::to_string(id)); }
    /// A place that no node watches, on the same file system.
    fs::path outside() const {
        fs::create_directories(host_.path / "outside");
        return host_.path / "outside";
    }

    void start(int id) {
        arguments all{"run",
                      "--id",
                      std::to_string(id),
                      "--dir",
                      dir(id).string(),
                      "--listen",
                      listen_[index(id)],
                      "--admin",
                      admin_[index(id)],
                      "--state",
                      (host_.path / ("state" + std::to_string(id))).string()};
        for (int other : {1, 2, 3})
            if (other != id)
                all.insert(all.end(), {"--peer", std::to_string(other) + "=" + listen_[index(other)]});
        const auto wrapper = wrappers_.find(id);
        node_[index(id)] = std::make_unique<program_test::process>(
            host_, all, wrapper == wrappers_.end() ? arguments{} : wrapper->second);
    }
    void signal(int id, int number) { node_[index(id)]->signal(number); }
    program_test::outcome end(int id, int number) { return node_[index(id)]->end(number); }

    /// 0 once all that was closed under the node's directory is everywhere.
    program_test::outcome barrier(int id, const std::string& time = "25s") const {
        return program_test::run(host_, {"barrier", "--admin", admin_[index(id)], "--timeout", time});
    }
    std::string status(int id) const {
        return program_test::run(host_, {"status", "--admin", admin_[index(id)], "--json"}).out;
    }
    bool is(int id, const std::string& key, const std::string& value) const {
        return status(id).find("\"" + key + "\":\"" + value + "\"") != std::string::npos;
    }
    std::uint64_t number(int id, const std::string& key) const {
        const std::string text = status(id), quoted = "\"" + key + "\":";
        const auto at = text.find(quoted);
        INFO(key << " in " << text);
        REQUIRE(at != std::string::npos);
        return std::strtoull(text.c_str() + at + quoted.size(), nullptr, 10);
    }
    std::uint64_t commands() const { return number(1, "commands"); }
    std::uint64_t bytes_sent() const {
        return number(1, "bytes_sent") + number(2, "bytes_sent") + number(3, "bytes_sent");
    }
    int leader() const { return static_cast<int>(number(1, "leader")); }

    /// Brings every edit everywhere, and compares the three directories.
    void settle(const std::string& time = "25s") const {
        for (int id : {1, 2, 3}) {
            const auto reached = barrier(id, time);
            INFO("barrier on node " << id << ": " << reached.err << status(id));
            REQUIRE(reached.code == 0);
        }
        const auto first = tree_of(dir(1));
        CHECK(difference(first, tree_of(dir(2))) == "");
        CHECK(difference(first, tree_of(dir(3))) == "");
    }

private:
    static std::size_t index(int id) { return static_cast<std::size_t>(id - 1); }

    program_test::scratch host_;
    std::map<int, arguments> wrappers_;
    std::array<std::string, 3> listen_;
    std::array<std::string, 3> admin_;
    std::array<std::unique_ptr<program_test::process>, 3> node_;
};

}  // namespace traps_test
