// The `runtime` concept: time, timers, the event loop, offloaded work and random bits of one node.
#pragma once

#include <lockstep/base/time.hpp>
#include <lockstep/base/unique_function.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace lockstep {

/// Offloaded work of one lane runs in order, one job at a time; lanes run beside each other.
enum class lane : std::uint8_t {
    log,     ///< the write-ahead log: nothing else may delay it
    scan,    ///< reading the directory
    files,   ///< writing the directory
    reads,   ///< reading the log back
    chunks,  ///< writing packs of chunks
    large,   ///< building large files beside the directory
};
inline constexpr std::size_t lane_count = 6;

/// Names a pending timer; 0 is none.
using timer_id = std::uint64_t;

using task = unique_function<void()>;

/// A `runtime` belongs to one node. All members are called on the node's event loop; all callbacks run there, one at
/// a time, never from inside the call that registered them. An offloaded `job` runs elsewhere (a thread, or a later
/// event of a simulated world): it owns its inputs and touches nothing shared. `done` then runs on the loop; if the
/// runtime stops first it is destroyed unrun.
template <class R>
concept runtime = requires(R& r, time_point at, timer_id id, lane l, task f) {
    { r.now() } -> std::same_as<time_point>;                                 // monotonic, on the loop
    { r.post(std::move(f)) };                                                // soon, in order of posting
    { r.schedule(at, std::move(f)) } -> std::same_as<timer_id>;              // not before `at`
    { r.cancel(id) };                                                        // an id that has run is ignored
    { r.offload(l, std::move(f), std::move(f)) };                            // job, then done
    { r.random() } -> std::same_as<std::uint64_t>;                           // unpredictable bits (seeded if simulated)
};

/// Runs `job` on a lane and hands what it returned to `done` on the loop.
template <class Runtime, class Job, class Done>
void offload(Runtime& rt, lane l, Job job, Done done) {
    using value = std::invoke_result_t<Job&>;
    auto slot = std::make_shared<std::optional<value>>();
    rt.offload(
        l, [slot, job = std::move(job)]() mutable { slot->emplace(job()); },
        [slot, done = std::move(done)]() mutable {
            if (slot->has_value()) done(std::move(**slot));
        });
}

}  // namespace lockstep
