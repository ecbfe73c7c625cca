// One simulated machine: a disk that lasts, and at most one running incarnation of a node's program with the system
// models that it was given. Here a node starts, crashes and is buried.
#pragma once

#include <sim/disk/empty_directory.hpp>
#include <sim/disk/sim_kernel_events.hpp>
#include <sim/network/sim_network.hpp>
#include <sim/machine/sim_runtime.hpp>
#include <sim/network/sim_transport.hpp>
#include <sim/trace/messages.hpp>

#include <functional>
#include <memory>

namespace lockstep::sim {

struct machine_options {
    disk_options disk;
    std::string state;   ///< where its node keeps what disks may damage; empty: nowhere
    runtime_options runtime;
    kernel_event_options kernel_events;
    clock_options clock;
    stream_transport_options transport;
};

struct machine_counts {
    std::uint64_t crashes = 0;
    std::uint64_t armed_crashes = 0;   ///< at the call that they waited for
    std::uint64_t crash_loops = 0;
    std::uint64_t pauses = 0;
    std::uint64_t slowdowns = 0;
    std::uint64_t slow_disks = 0;
    std::uint64_t wiped = 0;
    std::uint64_t failed_calls = 0;
    std::uint64_t failed_syncs = 0;   ///< of those
};

/// The system models of one incarnation, and the program that runs on them.
struct node_system {
    node_system(world& w, const node_clock& clock, sim_disk& disk, sim_network& network, message_network* messages,
                const life& me, call_hook& hook, disk_damage& damage, const machine_options& options, kernel_event_counts& events, job_counts& jobs)
        : who(me), runtime(w, clock, me, options.runtime, &jobs), file_system(w, disk, me, hook, &damage),
          kernel_events(w, disk, me, options.kernel_events, &events), streams(network, me, messages) {}

    life who;
    sim_runtime runtime;
    sim_file_system file_system;
    sim_kernel_events kernel_events;
    sim_streams streams;
    std::shared_ptr<void> program;  ///< destroyed before what it runs on
};

/// What befalls a machine that checkers have to know. `starts`: its program does nothing yet.
enum class machine_event : std::uint8_t { starts, ended, power_lost, wiped };

class machine {
public:
    /// Makes the program on a fresh system; starting it may go on in events of its own.
    using start_function = unique_function<std::shared_ptr<void>(node_system&)>;

    machine(world& w, links& l, sim_network& network, message_network* messages, node_id id, machine_options options = {})
        : world_(w), links_(l), network_(network), messages_(messages), id_(id), options_(options),
          clock_(w, options.clock), disk_(w, id.value, options.disk), damage_(w, disk_, id.value, options.state), hook_([this](fs_call c) { return before(c); }),
          random_(w.fork("machine", id.value)) {
        disk_.set_clock(&clock_);
    }
    ~machine() {
        if (!system_) return;
        system_->who->alive = false;
        bury(network_.node_died(system_->who, crash_kind::process));
    }
    machine(const machine&) = delete;
    machine& operator=(const machine&) = delete;

    node_id id() const noexcept { return id_; }
    sim_disk& disk() noexcept { return disk_; }
    disk_damage& damage() noexcept { return damage_; }
    const disk_damage& damage() const noexcept { return damage_; }
    bool running() const noexcept { return system_ && system_->who->alive; }
    /// Nothing runs, and nothing of what ran is left.
    bool is_down() const noexcept { return !system_; }
    /// The running system; null where none runs.
    node_system* system() noexcept { return running() ? system_.get() : nullptr; }
    /// How often it was started.
    std::uint64_t starts() const noexcept { return last_incarnation_; }
    machine_options& options() noexcept { return options_; }
    const machine_counts& counts() const noexcept { return counts_; }
    const kernel_event_counts& event_counts() const noexcept { return event_counts_; }
    const job_counts& jobs() const noexcept { return job_counts_; }
    const node_clock& clock() const noexcept { return clock_; }

    /// Where its node keeps what disks may damage.
    void set_state(std::string directory) {
        options_.state = directory;
        damage_.set_state(std::move(directory));
    }
    void set_program(start_function start) { start_ = std::move(start); }
    void set_tap(sim_streams::frame_tap tap) { tap_ = std::move(tap); }
    void set_heard_tap(sim_streams::frame_tap tap) { heard_tap_ = std::move(tap); }
    void set_ledger(log_ledger* ledger) noexcept { ledger_ = ledger; }
    /// Called after it.
    void set_watch(std::function<void(machine_event)> f) { watch_ = std::move(f); }
    /// Called when the power went, after the disk lost what it lost.
    void set_power_lost(task f) { power_lost_ = std::move(f); }
    /// Called before each file-system call of the node, before what is armed here: users act there.
    void set_before_call(unique_function<void(fs_call)> f) { before_call_ = std::move(f); }

    /// Starts the program, if nothing runs here. False where the last one is not buried yet, or starts are held.
    bool start() {
        if (system_ || starts_held_) return false;
        links_.set_down(id_, false);
        world_.trace(trace_kind::fault, id_, 1);
        auto who = std::make_shared<incarnation>(incarnation{id_, ++last_incarnation_, true});
        tell(traced::start, "starts", trace_values().add("start", last_incarnation_));
        system_ = std::make_unique<node_system>(world_, clock_, disk_, network_, messages_, who, hook_, damage_, options_,
                                                event_counts_, job_counts_);
        set_slowness(options_.runtime.slowness);
        system_->streams.set_tap(tap_ ? &tap_ : nullptr);
        system_->streams.set_heard_tap(heard_tap_ ? &heard_tap_ : nullptr);
        system_->runtime.set_ledger(ledger_);
        if (watch_) watch_(machine_event::starts);
        system_->streams.set_transport_options(options_.transport);
        auto program = start_(*system_);
        system_->program = std::move(program);
        return true;
    }

    /// Whoever starts programs here waits until something else is there, as a unit waits for its mount.
    void hold_starts(bool held) noexcept { starts_held_ = held; }

    /// Ends the running program here and now, whatever is on the stack; it is destroyed at the next event.
    void crash(crash_kind how) {
        crash_in_ = 0;
        if (!running()) return;
        ++counts_.crashes;
        world_.trace(trace_kind::fault, id_, how == crash_kind::power ? 3 : 2);
        tell(traced::crash, how == crash_kind::power ? "loses its power" : "its process ends");
        trace_frames_ended(world_, id_);
        const life who = system_->who;
        who->alive = false;
        if (how == crash_kind::power) {
            disk_.lose_power();
            links_.set_down(id_, true);
        } else {
            disk_.release(who->number);
        }
        auto remains = std::make_shared<std::vector<std::shared_ptr<void>>>(network_.node_died(who, how));
        world_.schedule(world_.now(), trace_kind::fault, nullptr, who->number, [this, remains] { bury(std::move(*remains)); });
        if (watch_) watch_(machine_event::ended);
        if (how == crash_kind::power && watch_) watch_(machine_event::power_lost);
        if (how == crash_kind::power && power_lost_) power_lost_();
    }

    /// Crashes now, and again within `alive_max` of each start, `times` in all; each time it is started again at once, as a
    /// supervisor does, the last time too.
    void crash_loop(std::uint64_t times, duration alive_max, crash_kind how) {
        if (times == 0) return;
        ++counts_.crash_loops;
        crash_again(times, alive_max, how);
    }

    /// As SIGSTOP, and SIGCONT after that time: nothing of the running program goes on, while its kernel takes what comes
    /// until its buffers are full. Timers that were due come all at once.
    void pause(duration time) {
        if (!running()) return;
        ++counts_.pauses;
        world_.trace(trace_kind::fault, id_, 4);
        system_->who->runs_from = std::max(system_->who->runs_from, world_.now() + time);
    }

    /// All that it does takes so many times as long, this incarnation and the next ones; 1: as usual.
    void set_slowness(std::uint64_t times) {
        if (times > options_.runtime.slowness) ++counts_.slowdowns;
        options_.runtime.slowness = times;
        if (!running()) return;
        system_->runtime.set_slowness(times);
        system_->who->event_time = event_time * static_cast<duration::rep>(times - 1);
    }

    /// The disk takes so many times as long, for this incarnation and the next ones; 1: as usual.
    void set_disk_slowness(std::uint64_t times) {
        if (times > options_.runtime.disk_slowness) ++counts_.slow_disks;
        options_.runtime.disk_slowness = times;
        if (running()) system_->runtime.set_disk_slowness(times);
    }
    /// Nothing comes back from the disk for so long, whoever runs then.
    void stall_disk(duration time) {
        time_point& until = options_.runtime.disk_stalled_until;
        until = std::max(until, world_.now() + time);
        if (running()) system_->runtime.stall_disk(until);
    }
    void end_disk_stall() {
        options_.runtime.disk_stalled_until = {};
        if (running()) system_->runtime.end_disk_stall();
    }

    // The clocks. The monotonic one is that of the machine's runs; the wall clock stamps its files.
    void set_drift(std::int32_t ppm) {
        clock_.set_drift(ppm);
        clock_changed();
    }
    void stall_clock(duration time) {
        clock_.stall(time);
        clock_changed();
    }
    void step_clock(std::int64_t ns) { clock_.step(ns); }
    /// The monotonic one goes ahead by so much at once: whatever waited for that comes now.
    void leap_clock(duration time) {
        clock_.leap(time);
        clock_changed();
    }

    /// Another disk, or one that was made anew: everything below the directory is gone, for good. Only while nothing runs;
    /// false otherwise, or where there is no such directory.
    bool wipe(std::string_view directory) {
        if (system_) return false;
        const auto fd = disk_.open_directory(sim_disk::user, directory);
        if (!fd) return false;
        ++counts_.wiped;
        world_.trace(trace_kind::fault, id_, 5);
        empty_directory(disk_, *fd);
        disk_.close(*fd);
        if (watch_) watch_(machine_event::wiped);
        return true;
    }

    /// Crashes at the n-th file-system call from now (1: the next). 0: not any more.
    void crash_at_call(std::uint64_t n, crash_kind how, bool (*which)(fs_call) = &is_any) {
        crash_in_ = n;
        crash_how_ = how;
        crash_which_ = which;
    }
    bool crash_armed() const noexcept { return crash_in_ != 0; }
    /// The n-th call from now of those that `which` picks fails with `error`.
    void fail_at_call(std::uint64_t n, errc error, bool (*which)(fs_call) = &changes) {
        fail_in_ = n;
        fail_with_ = error;
        fail_which_ = which;
    }
    std::uint64_t calls() const noexcept { return calls_; }

private:
    /// What an event of a program costs on a machine that is slow.
    static constexpr duration event_time = std::chrono::microseconds(20);

    error_code before(fs_call c) {
        ++calls_;
        if (before_call_) before_call_(c);
        if (!running()) return make_error_code(errc::halted);
        if (crash_in_ != 0 && crash_which_(c) && --crash_in_ == 0) {
            ++counts_.armed_crashes;
            crash(crash_how_);
        }
        if (fail_in_ != 0 && fail_which_(c) && --fail_in_ == 0) {
            ++counts_.failed_calls;
            counts_.failed_syncs += is_sync(c);
            return make_error_code(fail_with_);
        }
        return {};
    }

    void tell(traced what, const char* text, trace_values values = {}) {
        if (trace_recorder* r = world_.recorder()) r->record(trace_lane::of(id_), what, text, std::move(values));
    }

    void crash_again(std::uint64_t times, duration alive_max, crash_kind how) {
        crash(how);
        // It is buried first.
        world_.after(std::chrono::microseconds(100), trace_kind::fault, nullptr, id_.value, [this, times, alive_max, how] {
            if (!start() || times == 1) return;
            world_.after(draw(random_, duration(1), alive_max), trace_kind::fault, system_->who, times,
                         [this, times, alive_max, how] { crash_again(times - 1, alive_max, how); });
        });
    }

    void clock_changed() {
        world_.trace(trace_kind::fault, id_, 6);
        if (running()) system_->runtime.clock_changed();
    }

    /// First the program, while what it may call still stands; then what waited for it; then the models.
    void bury(std::vector<std::shared_ptr<void>> remains) {
        if (!system_) return;
        auto waiting = world_.take_events_of(system_->who);
        system_->program.reset();
        remains.clear();
        waiting.clear();
        system_.reset();
    }

    world& world_;
    links& links_;
    sim_network& network_;
    message_network* messages_;
    node_id id_;
    machine_options options_;
    node_clock clock_;
    sim_disk disk_;
    disk_damage damage_;
    call_hook hook_;
    random_generator random_;
    machine_counts counts_;
    kernel_event_counts event_counts_;
    job_counts job_counts_;
    start_function start_;
    task power_lost_;
    sim_streams::frame_tap tap_;
    sim_streams::frame_tap heard_tap_;
    log_ledger* ledger_ = nullptr;
    std::function<void(machine_event)> watch_;
    unique_function<void(fs_call)> before_call_;
    bool starts_held_ = false;
    std::uint64_t last_incarnation_ = 0;
    std::uint64_t calls_ = 0;
    std::uint64_t crash_in_ = 0;
    bool (*crash_which_)(fs_call) = &is_any;
    crash_kind crash_how_ = crash_kind::process;
    std::uint64_t fail_in_ = 0;
    errc fail_with_ = errc::io_error;
    bool (*fail_which_)(fs_call) = &changes;
    std::unique_ptr<node_system> system_;
};

}  // namespace lockstep::sim
