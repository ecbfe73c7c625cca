#include "child.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace bench {
namespace {

volatile std::sig_atomic_t interrupted = 0;

[[noreturn]] void fail(const std::string& what) { throw failure(what + ": " + std::strerror(errno)); }

}  // namespace

void catch_interrupts() {
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    for (const int number : {SIGINT, SIGTERM}) ::sigaction(number, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

bool wait_readable(int fd, clock::duration limit) {
    const auto until = clock::now() + limit;
    for (;;) {
        if (interrupted) throw failure("interrupted");
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
        pollfd wanted{fd, POLLIN, 0};
        const int ready = ::poll(&wanted, 1, static_cast<int>(std::max<decltype(left)>(left, 0)));
        if (ready > 0) return true;
        if (ready == 0) return false;
        if (errno != EINTR) fail("cannot wait");
    }
}

child::child(const std::vector<std::string>& arguments) : who_(arguments.front()) {
    int to[2], from[2];
    if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0) fail("cannot make a pipe");
    std::vector<const char*> argv{"replication_latency", "--node"};
    for (const auto& argument : arguments) argv.push_back(argument.c_str());
    argv.push_back(nullptr);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) fail("cannot start a process");
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(1);
        ::dup2(to[0], 0);
        ::dup2(from[1], 1);
        ::execv("/proc/self/exe", const_cast<char* const*>(argv.data()));
        ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    to_ = to[1];
    from_ = from[0];
}

child::child(child&& other) noexcept
    : who_(std::move(other.who_)), pid_(std::exchange(other.pid_, -1)), to_(std::exchange(other.to_, -1)),
      from_(std::exchange(other.from_, -1)), buffer_(std::move(other.buffer_)) {}

child::~child() {
    if (pid_ < 0) return;
    ::close(to_);
    ::close(from_);
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

void child::tell(const std::string& line) {
    const std::string text = line + "\n";
    if (::write(to_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        fail("cannot tell the " + who_);
}

std::string child::line(clock::duration limit) {
    const auto until = clock::now() + limit;
    for (;;) {
        if (const auto end = buffer_.find('\n'); end != std::string::npos) {
            std::string found = buffer_.substr(0, end);
            buffer_.erase(0, end + 1);
            return found;
        }
        if (!wait_readable(from_, until - clock::now())) throw failure("the " + who_ + " does not answer");
        char bytes[65536];
        const auto count = ::read(from_, bytes, sizeof bytes);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) throw failure("the " + who_ + " has ended");
        buffer_.append(bytes, static_cast<std::size_t>(count));
    }
}

bool child::has_line(clock::duration limit) {
    return buffer_.find('\n') != std::string::npos || wait_readable(from_, limit);
}

std::vector<int> free_ports(std::size_t count) {
    std::vector<int> sockets, ports;
    for (std::size_t i = 0; i < count; ++i) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockets.push_back(fd);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&at), size) != 0 ||
            ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) != 0)
            fail("no free port");
        ports.push_back(ntohs(at.sin_port));
    }
    for (const int fd : sockets) ::close(fd);
    return ports;
}

}  // namespace bench
