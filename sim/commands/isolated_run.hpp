// Runs of scenarios in processes of their own, so that one that crashes ends nothing but itself, and several go on at once.
#pragma once

#include <sim/simulation.hpp>

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace lockstep::sim::commands {

/// Runs it here, twice if `twice`: then a trace that differs is a failure. An assertion that fails ends the process; see
/// crash_reporter.
run_result run_here(const scenario& s, bool twice, const run_hooks& hooks = {});

/// From now on a failing assertion prints its text to the descriptor and ends the process with the exit code of a crash.
void report_crashes_to(int descriptor);
/// The same to a function, which may end the process itself.
void report_crashes_to(std::function<void(const std::string&)> tell);

/// Of a core, that a run may take: a small part of its virtual time is what it does take, also where it is instrumented.
std::chrono::seconds most_time(const scenario& s);
/// The kernel ends this process when it has taken more: a program that goes round and round in one event comes to no other that
/// could end the run.
void bound_time(std::chrono::seconds most);

struct finished_run {
    std::uint64_t seed = 0;
    run_result result;
};

/// At most so many at once. The caller owns nothing but this; what still runs when it ends is killed.
class isolated_runs {
public:
    explicit isolated_runs(std::size_t at_once) : at_once_(at_once) {}
    ~isolated_runs();
    isolated_runs(const isolated_runs&) = delete;
    isolated_runs& operator=(const isolated_runs&) = delete;

    bool has_room() const noexcept { return running_.size() < at_once_; }
    bool empty() const noexcept { return running_.empty(); }
    /// Precondition: has_room().
    void start(scenario s, bool twice);
    /// The next that ends; nothing where none does within the time.
    std::optional<finished_run> wait(int timeout_ms);

private:
    struct child {
        int pipe = -1;
        std::uint64_t seed = 0;
        std::string said;
    };
    finished_run finish(pid_t pid);

    std::size_t at_once_;
    std::map<pid_t, child> running_;
};

}  // namespace lockstep::sim::commands
