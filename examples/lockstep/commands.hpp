// The subcommands of the program, each with what its options say. Each returns the exit code of the process.
#pragma once

#include <lockstep/node/options.hpp>

#include <chrono>
#include <string>

namespace program {

struct address {
    std::string host;
    std::string port;
    std::string text() const {
        return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
    }
};

/// "host:port" or "[v6]:port". False: not that.
bool parse_address(const std::string& text, address& out);

/// "30s", "500ms", "2m", "1h" or seconds. False: not that.
bool parse_duration(const std::string& text, std::chrono::milliseconds& out);

/// "64K", "16MiB", "1G" (of 1024 each) or bytes. False: not that.
bool parse_size(const std::string& text, std::uint64_t& out);

struct run_settings {
    lockstep::node_options node;
    address admin;
    std::string log_level = "info";
};

int run(const run_settings& settings);  ///< until SIGTERM or SIGINT
int print_status(const address& admin, bool json);
int wait_for_barrier(const address& admin, std::chrono::milliseconds timeout);

/// One clear line on stderr.
int complain(const std::string& line, int code = 1);

}  // namespace program
