#include "floor.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace bench {
namespace {

[[noreturn]] void fail(const std::string& what) { throw failure(what + ": " + std::strerror(errno)); }

void write_all(int fd, const char* bytes, std::size_t count) {
    while (count > 0) {
        const auto done = ::write(fd, bytes, count);
        if (done < 0) fail("cannot write");
        bytes += done;
        count -= static_cast<std::size_t>(done);
    }
}

bool read_all(int fd, char* bytes, std::size_t count) {
    while (count > 0) {
        const auto done = ::read(fd, bytes, count);
        if (done <= 0) return false;
        bytes += done;
        count -= static_cast<std::size_t>(done);
    }
    return true;
}

void no_delay(int fd) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

sockaddr_in loopback(int port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<std::uint16_t>(port));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

int listen_on_loopback(int& port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto at = loopback(0);
    socklen_t size = sizeof at;
    if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(fd, 1) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) != 0)
        fail("cannot listen on the loopback");
    port = ntohs(at.sin_port);
    return fd;
}

/// A message begins with its length in 8 bytes.
std::vector<char> message_of(std::size_t bytes) {
    std::vector<char> message(std::max(bytes, sizeof(std::uint64_t)), 'x');
    const std::uint64_t size = message.size();
    std::memcpy(message.data(), &size, sizeof size);
    return message;
}

class open_file {
public:
    open_file(const std::filesystem::path& path, int flags)
        : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {
        if (fd_ < 0) fail("cannot open " + path.string());
    }
    ~open_file() { ::close(fd_); }
    open_file(const open_file&) = delete;
    open_file& operator=(const open_file&) = delete;
    int fd() const noexcept { return fd_; }

private:
    int fd_;
};

}  // namespace

floor_probe::floor_probe(std::filesystem::path directory)
    : directory_(std::move(directory)), echo_([this] {
          int port = 0;
          listener_ = listen_on_loopback(port);
          return std::vector<std::string>{"echo", std::to_string(port)};
      }()) {
    std::filesystem::create_directories(directory_);
    if (!wait_readable(listener_, std::chrono::seconds(10))) throw failure("no round trips: nobody connects");
    socket_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket_ < 0) fail("cannot accept");
    no_delay(socket_);
}

floor_probe::~floor_probe() {
    if (socket_ >= 0) ::close(socket_);
    if (listener_ >= 0) ::close(listener_);
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

void floor_probe::durable_message(floor_samples& to, std::size_t bytes, int times) {
    const auto message = message_of(bytes);
    const std::size_t size = std::max<std::size_t>(2 * message.size(), std::size_t{1} << 20);
    const auto path = directory_ / ("preallocated-" + std::to_string(size));
    const bool fresh = !std::filesystem::exists(path);
    const open_file file(path, O_CREAT | O_RDWR);
    if (fresh) {
        const std::vector<char> zeros(std::size_t{1} << 20);
        for (std::size_t at = 0; at < size; at += zeros.size())
            write_all(file.fd(), zeros.data(), std::min(zeros.size(), size - at));
        if (::fsync(file.fd()) != 0) fail("cannot sync " + path.string());
    }
    for (int i = 0; i < times; ++i) {
        if (at_[size] + message.size() > size) at_[size] = 0;
        const auto begin = clock::now();
        if (::pwrite(file.fd(), message.data(), message.size(), static_cast<off_t>(at_[size])) !=
                static_cast<ssize_t>(message.size()) ||
            ::fdatasync(file.fd()) != 0)
            fail("cannot write " + path.string());
        to.add_fdatasync(microseconds(clock::now() - begin));
        at_[size] += message.size();
        to.add_round_trip(round_trip(message));
    }
}

double floor_probe::round_trip(const std::vector<char>& message) {
    const auto begin = clock::now();
    write_all(socket_, message.data(), message.size());
    char answer[sizeof(std::uint64_t)];
    if (!read_all(socket_, answer, sizeof answer)) throw failure("a round trip has no answer");
    return microseconds(clock::now() - begin);
}

void floor_probe::three_copies(floor_samples& to, std::size_t bytes, std::size_t files, int times) {
    const std::vector<char> content(bytes, 'x');
    const std::array<std::filesystem::path, 3> directories{directory_ / "a", directory_ / "b",
                                                           directory_ / "c"};
    for (const auto& d : directories) std::filesystem::create_directory(d);
    for (int i = 0; i < times; ++i) {
        const auto prefix = std::to_string(++copies_) + "-";
        const auto begin = clock::now();
        for (std::size_t k = 0; k < files; ++k) {
            for (const auto& d : directories) {
                const auto staged = d / "staged";
                {
                    const open_file file(staged, O_CREAT | O_EXCL | O_WRONLY);
                    write_all(file.fd(), content.data(), content.size());
                    if (::fsync(file.fd()) != 0) fail("cannot sync " + staged.string());
                }
                const auto name = d / (prefix + std::to_string(k));
                if (::rename(staged.c_str(), name.c_str()) != 0) fail("cannot rename " + staged.string());
            }
        }
        to.add_renames(microseconds(clock::now() - begin));
        if (bytes < removed_from) continue;
        for (std::size_t k = 0; k < files; ++k)
            for (const auto& d : directories) std::filesystem::remove(d / (prefix + std::to_string(k)));
    }
}

int run_echo(int port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto at = loopback(port);
    if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return 1;
    no_delay(fd);
    std::vector<char> rest(std::size_t{1} << 20);
    std::uint64_t size = 0;
    while (read_all(fd, reinterpret_cast<char*>(&size), sizeof size)) {
        for (std::uint64_t left = size - sizeof size; left > 0;) {
            const auto got = ::read(fd, rest.data(), std::min<std::uint64_t>(left, rest.size()));
            if (got <= 0) return 1;
            left -= static_cast<std::uint64_t>(got);
        }
        write_all(fd, reinterpret_cast<const char*>(&size), sizeof size);
    }
    return 0;
}

}  // namespace bench
