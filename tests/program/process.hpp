// Runs the program itself, as a user would: to its end, or in the background until the test is over.
#pragma once

#include <tests/catch.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

extern char** environ;

namespace program_test {

using arguments = std::vector<std::string>;

struct outcome {
    int code = -1;  ///< 128 + signal where one ended it
    std::string out;
    std::string err;
};

/// A directory that goes with the test.
struct scratch {
    scratch() {
        std::string name = (std::filesystem::temp_directory_path() / "lockstep-program-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()));
        path = name;
    }
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;
    ~scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    std::string make(const std::string& name) const {
        std::filesystem::create_directory(path / name);
        return (path / name).string();
    }
    std::filesystem::path path;
};

inline std::string text_of(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

/// A socket that listens on a free port of 127.0.0.1: keeps it taken, or tells a number that was free a moment ago.
struct taken_port {
    taken_port() : socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        REQUIRE(::bind(socket, reinterpret_cast<sockaddr*>(&at), size) == 0);
        REQUIRE(::listen(socket, 1) == 0);
        REQUIRE(::getsockname(socket, reinterpret_cast<sockaddr*>(&at), &size) == 0);
        number = ntohs(at.sin_port);
    }
    taken_port(const taken_port&) = delete;
    taken_port& operator=(const taken_port&) = delete;
    ~taken_port() { ::close(socket); }
    std::string address() const { return "127.0.0.1:" + std::to_string(number); }
    int socket;
    int number = 0;
};
inline std::string free_address() { return taken_port().address(); }

/// A program, started; killed with the object if it still runs. `wrapper`: the words of a command that runs it.
class process {
public:
    process(const scratch& s, const arguments& given, const arguments& wrapper = {},
            const std::string& program = LOCKSTEP_PROGRAM)
        : out_(s.path / "stdout"), err_(s.path / "stderr") {
        static int count = 0;
        out_ += std::to_string(++count);
        err_ += std::to_string(count);
        posix_spawn_file_actions_t files;
        ::posix_spawn_file_actions_init(&files);
        const int flags = O_WRONLY | O_CREAT | O_TRUNC;
        ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
        ::posix_spawn_file_actions_addopen(&files, 1, out_.c_str(), flags, 0600);
        ::posix_spawn_file_actions_addopen(&files, 2, err_.c_str(), flags, 0600);
        std::vector<std::string> words = wrapper;
        words.push_back(program);
        words.insert(words.end(), given.begin(), given.end());
        std::vector<char*> pointers;
        for (auto& word : words) pointers.push_back(word.data());
        pointers.push_back(nullptr);
        const int failed = ::posix_spawnp(&pid_, words.front().c_str(), &files, nullptr, pointers.data(), environ);
        ::posix_spawn_file_actions_destroy(&files);
        REQUIRE(failed == 0);
    }
    process(const process&) = delete;
    process& operator=(const process&) = delete;
    ~process() {
        if (pid_ > 0) end(SIGKILL);
    }

    /// Waits until it ends by itself, for a bounded time: one that hangs is killed, and fails the test.
    outcome wait() {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        int status = 0;
        while (::waitpid(pid_, &status, WNOHANG) == 0) {
            if (std::chrono::steady_clock::now() > deadline) {
                ::kill(pid_, SIGKILL);
                ::waitpid(pid_, &status, 0);
                break;
            }
            ::poll(nullptr, 0, 2);
        }
        pid_ = -1;
        const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return {code, text_of(out_), text_of(err_)};
    }

    void signal(int number) { ::kill(pid_, number); }

    /// Processor time that it took so far.
    long cpu_ms() const {
        const std::string all = text_of("/proc/" + std::to_string(pid_) + "/stat");
        std::istringstream fields(all.substr(all.rfind(')') + 2));
        std::string skipped;
        for (int i = 3; i < 14; ++i) fields >> skipped;
        long user = 0, system = 0;
        fields >> user >> system;
        return (user + system) * 1000 / ::sysconf(_SC_CLK_TCK);
    }

    outcome end(int signal) {
        ::kill(pid_, signal);
        return wait();
    }

private:
    std::filesystem::path out_;
    std::filesystem::path err_;
    pid_t pid_ = -1;
};

inline outcome run(const scratch& s, const arguments& given) { return process(s, given).wait(); }

/// Failed with one line on stderr that holds all of `words`, and said nothing else.
inline void check_refused(const outcome& o, const std::vector<std::string>& words) {
    CAPTURE(o.code, o.out, o.err);
    CHECK(o.code > 0);
    CHECK(o.code < 126);
    CHECK(o.err.rfind("lockstep: ", 0) == 0);
    CHECK(o.err.find('\n') == o.err.size() - 1);
    for (const auto& word : words) {
        INFO(word);
        CHECK(o.err.find(word) != std::string::npos);
    }
}

/// A cluster of one on `dir`.
struct single {
    explicit single(const scratch& s, std::string directory, const arguments& more = {})
        : dir(std::move(directory)), admin(free_address()), listen(free_address()), host(s),
          node(s, command(more)) {}

    arguments command(const arguments& more) const {
        arguments all{"run", "--id", "1", "--dir", dir, "--listen", listen, "--admin", admin};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }
    outcome barrier(const std::string& time = "20s") const {
        return run(host, {"barrier", "--admin", admin, "--timeout", time});
    }

    std::string dir;
    std::string admin;
    std::string listen;
    const scratch& host;
    process node;
};

}  // namespace program_test
