// The bags of types that a node is built from: `policies` for a folder's, and what of it a member needs that replicates
// a state machine of the user's own.
#pragma once

#include <lockstep/concepts/byte_streams.hpp>
#include <lockstep/concepts/file_system.hpp>
#include <lockstep/concepts/kernel_events.hpp>
#include <lockstep/concepts/log_storage.hpp>
#include <lockstep/concepts/observer.hpp>
#include <lockstep/concepts/runtime.hpp>
#include <lockstep/concepts/transport.hpp>
#include <lockstep/concepts/watcher.hpp>

namespace lockstep {

/// System models, by reference for as long as the node lives:  runtime, file_system, byte_streams.
/// Policies that the node makes itself:
///   transport    (runtime&, byte_streams&)
///   log_storage  (runtime&, file_system&, std::string state_directory)
/// and the observer, by reference.
template <class P>
concept member_policies = runtime<typename P::runtime> && file_system<typename P::file_system> &&
                          byte_streams<typename P::byte_streams> && transport<typename P::transport> &&
                          log_storage<typename P::log_storage> && observer<typename P::observer>;

/// Besides, by reference:  kernel_events.  And made by the node:
///   watcher      (runtime&, file_system&, kernel_events&, watcher_choice)
template <class P>
concept policies = member_policies<P> && kernel_events<typename P::kernel_events, typename P::file_system::directory> &&
                   watcher<typename P::watcher, typename P::file_system::directory>;

/// Which watcher a user asked for.
enum class watcher_choice : std::uint8_t { automatic, inotify, polling };

}  // namespace lockstep
