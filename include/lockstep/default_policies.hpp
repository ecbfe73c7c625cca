// The real node assembled: Linux, TCP, inotify, a write-ahead log on disk.
#pragma once

#include <lockstep/concepts/policies.hpp>
#include <lockstep/os/asio_runtime.hpp>
#include <lockstep/os/asio_streams.hpp>
#include <lockstep/os/linux_kernel_events.hpp>
#include <lockstep/os/posix_file_system.hpp>
#include <lockstep/storage/wal.hpp>
#include <lockstep/transport/stream_transport.hpp>
#include <lockstep/watch/selected_watcher.hpp>

namespace lockstep {

/// `folder_node<default_policies<my_observer>>`
template <class Observer>
struct default_policies {
    using runtime = asio_runtime;
    using file_system = os::posix_file_system;
    using byte_streams = asio_streams;
    using kernel_events = linux_kernel_events;
    using transport = stream_transport<runtime, byte_streams>;
    using log_storage = storage::wal<runtime, file_system>;
    using watcher = selected_watcher<runtime, file_system, kernel_events>;
    using observer = Observer;
};

}  // namespace lockstep
