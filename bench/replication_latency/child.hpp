// A process of this same program in another role, told what to do and answering in lines over pipes.
#pragma once

#include "measure.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace bench {

/// Killed when it is destroyed; it dies with this process in any case.
class child {
public:
    /// Runs this program as `--node ARGUMENTS...`.
    explicit child(const std::vector<std::string>& arguments);
    child(child&& other) noexcept;
    child& operator=(child&&) = delete;
    ~child();

    void tell(const std::string& line);
    /// The next line; throws `failure` where none comes within `limit`, or the process has ended.
    std::string line(clock::duration limit);
    /// Whether line() would return at once; waits for it up to `limit`.
    bool has_line(clock::duration limit);
    pid_t pid() const noexcept { return pid_; }

private:
    std::string who_;
    pid_t pid_ = -1;
    int to_ = -1;
    int from_ = -1;
    std::string buffer_;
};

/// SIGINT and SIGTERM become a `failure` at the next wait, so that processes and files are cleared away.
void catch_interrupts();
/// Waits until `fd` can be read. False: not within `limit`. Throws `failure` when interrupted.
bool wait_readable(int fd, clock::duration limit);

/// Ports of the loopback that nothing listens on just now.
std::vector<int> free_ports(std::size_t count);

}  // namespace bench
