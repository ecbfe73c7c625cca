// The real `kernel_events`: inotify, read on the loop of an io_context.
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/concepts/kernel_events.hpp>
#include <lockstep/os/posix_file_system.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace lockstep {

class linux_kernel_events {
public:
    static constexpr std::size_t read_bytes_max = 64 * 1024;   ///< of one read(); what is left is told again

    explicit linux_kernel_events(boost::asio::io_context& context) : context_(context) {}
    linux_kernel_events(const linux_kernel_events&) = delete;
    linux_kernel_events& operator=(const linux_kernel_events&) = delete;
    ~linux_kernel_events() { stop(); }

    /// instance_limit, too_many_open_files.
    LOCKSTEP_DECL result<> start(unique_function<void()> ready);
    /// halted: stopped, or broken.
    LOCKSTEP_DECL result<watch_id> add(const os::posix_file_system::directory& dir);
    LOCKSTEP_DECL void remove(watch_id id);
    /// A descriptor that cannot be read or waited for is given up: `broken` says so, once.
    LOCKSTEP_DECL std::vector<kernel_event> read();
    LOCKSTEP_DECL void stop();

private:
    /// Outlived by no wait that still tells anybody.
    struct owner {
        unique_function<void()> ready;
        bool wait_failed = false;
    };
    LOCKSTEP_DECL void wait();

    boost::asio::io_context& context_;
    std::optional<boost::asio::posix::stream_descriptor> descriptor_;
    std::shared_ptr<owner> owner_;
};

}  // namespace lockstep

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/os/impl/linux_kernel_events.ipp>
#endif
