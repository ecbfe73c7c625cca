#include <sim/commands/isolated_run.hpp>

#include <sim/commands/allocations.hpp>
#include <sim/commands/commands.hpp>
#include <sim/determinism.hpp>

#include <lockstep/base/assert.hpp>
#include <lockstep/base/sha256.hpp>

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <functional>
#include <sstream>
#include <utility>
#include <vector>

namespace lockstep::sim::commands {
namespace {

void write_all(int descriptor, const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
        const ssize_t n = ::write(descriptor, text.data() + at, text.size() - at);
        if (n <= 0) return;
        at += static_cast<std::size_t>(n);
    }
}

std::function<void(const std::string&)> tell_crash;
world* running = nullptr;   ///< of the run that is under way in this process

[[noreturn]] void end_by_crash(const std::string& text) {
    tell_crash(text);
    std::_Exit(static_cast<int>(exit_class::crash));
}

void crashed(const char* what, const char* file, int line) {
    end_by_crash(std::string("assertion failed: ") + what + " (" + file + ":" + std::to_string(line) + ")");
}

/// An exception that nobody took.
[[noreturn]] void terminated() {
    std::string what = "of no known kind";
    try {
        if (const auto thrown = std::current_exception()) std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
        what = e.what();
    } catch (...) {
    }
    end_by_crash("an exception that nobody took: " + what);
}

/// How far the run came: the second line that a crash tells to whom it was isolated for.
std::string progress() {
    if (!running) return {};
    std::ostringstream out;
    out << running->events_executed() << ' ' << running->trace_hash() << ' ' << (running->now() - time_point{}).count();
    return out.str();
}

void read_progress(const std::string& text, run_result& r) {
    std::istringstream in(text);
    std::int64_t ns = 0;
    if (in >> r.events >> r.trace_hash >> ns) r.virtual_time = duration(ns);
}

/// The limit of bound_time(). Whatever the process is in the midst of, it gets no further; and no longer than a minute, should that
/// have been what is needed to tell it.
void took_too_long(int) {
    ::alarm(60);
    end_by_crash("it takes longer than any run should");
}

/// All numbers of a result, in one order.
template <class Result, class F>
void for_each_number(Result& r, F f) {
    f(r.trace_hash), f(r.events), f(r.edits), f(r.committed), f(r.conflicts), f(r.contents), f(r.chunked), f(r.compactions);
    f(r.installed), f(r.content_looks), f(r.collections), f(r.stops.stops_for_room), f(r.stops.stops_for_io);
    f(r.stops.stops_for_damage), f(r.wiped), f(r.refused_damage);
    f(r.operations), f(r.unanswered), f(r.undecided);
    f(r.messages), f(r.elections), f(r.cost.allocations);
    f(r.denials_named), f(r.roots_missed), f(r.clocks_off), f(r.races), f(r.log_lines), f(r.log_states), f(r.logs_open);
    for (auto& count : r.faults) f(count);
    for_each_chance(r.chances, [&](const char*, auto& count) { f(count); });
    for (auto& p : r.probes) f(p);
}

std::string to_line(const run_result& r) {
    std::ostringstream out;
    out << static_cast<int>(r.outcome.what) << ' ' << r.virtual_time.count() << ' ' << r.settled.count() << ' ' << r.cost.time.count();
    for_each_number(r, [&](const std::uint64_t& n) { out << ' ' << n; });
    out << '\n' << r.outcome.checker << '\n' << r.outcome.text;
    return out.str();
}

bool from_line(const std::string& text, run_result& r) {
    std::istringstream in(text);
    int what = 0;
    std::int64_t virtual_time = 0, settled = 0, cost = 0;
    in >> what >> virtual_time >> settled >> cost;
    for_each_number(r, [&](std::uint64_t& n) { in >> n; });
    if (!in || in.get() != '\n') return false;
    r.outcome.what = static_cast<exit_class>(what);
    r.virtual_time = duration(virtual_time);
    r.settled = duration(settled);
    r.cost.time = duration(cost);
    std::getline(in, r.outcome.checker);
    r.outcome.text = text.substr(static_cast<std::size_t>(in.tellg()));
    return true;
}

}  // namespace

std::chrono::seconds most_time(const scenario& s) {
    return std::chrono::duration_cast<std::chrono::seconds>(s.faulty) + std::chrono::seconds(30);
}

void bound_time(std::chrono::seconds most) {
    const rlimit limit{static_cast<rlim_t>(most.count()), RLIM_INFINITY};
    ::setrlimit(RLIMIT_CPU, &limit);
    if (tell_crash) ::signal(SIGXCPU, &took_too_long);
}

void report_crashes_to(int descriptor) {
    report_crashes_to([descriptor](const std::string& text) { write_all(descriptor, text + "\n"); });
}

void report_crashes_to(std::function<void(const std::string&)> tell) {
    tell_crash = std::move(tell);
    set_assertion_handler(&crashed);
    std::set_terminate(&terminated);
}

run_result run_here(const scenario& s, bool twice, const run_hooks& hooks) {
    const auto measured = [&s](run_hooks h) {
        h.prepare = [before = std::move(h.prepare)](world& w) {
            running = &w;
            if (before) before(w);
        };
        const std::uint64_t allocations = allocations_made;
        const std::clock_t begin = std::clock();
        run_result result = simulate(s, h);
        running = nullptr;
        const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
        result.cost = {std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds)), allocations_made - allocations};
        return result;
    };
    return twice ? determinism_check(measured).run(hooks) : measured(hooks);
}

isolated_runs::~isolated_runs() {
    for (const auto& [pid, c] : running_) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        ::close(c.pipe);
    }
}

void isolated_runs::start(scenario s, bool twice) {
    const auto give_up = [] {
        complain(std::string("no process can be started for a run: ") + std::strerror(errno));
        std::exit(static_cast<int>(exit_class::usage));
    };
    // What a cryptographic library looks up once it would else look up in each run.
    [[maybe_unused]] static const content_hash looked_up = sha256({});
    int ends[2];
    if (::pipe(ends) != 0) give_up();
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) give_up();
    if (pid == 0) {
        // It goes with who wants its result, also where that one is killed.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) std::_Exit(static_cast<int>(exit_class::crash));
        ::close(ends[0]);
        report_crashes_to([to = ends[1]](const std::string& text) { write_all(to, text + "\n" + progress()); });
        bound_time(most_time(s) * (twice ? 2 : 1));
        write_all(ends[1], to_line(run_here(s, twice)));
        std::_Exit(0);
    }
    ::close(ends[1]);
    running_.emplace(pid, child{ends[0], s.seed, {}});
}

std::optional<finished_run> isolated_runs::wait(int timeout_ms) {
    std::vector<pollfd> polled;
    std::vector<pid_t> pids;
    for (const auto& [pid, c] : running_) {
        polled.push_back({c.pipe, POLLIN, 0});
        pids.push_back(pid);
    }
    if (::poll(polled.data(), polled.size(), timeout_ms) <= 0) return std::nullopt;
    for (std::size_t i = 0; i < polled.size(); ++i) {
        if (polled[i].revents == 0) continue;
        char buffer[65536];
        const ssize_t n = ::read(polled[i].fd, buffer, sizeof buffer);
        if (n > 0) running_.at(pids[i]).said.append(buffer, static_cast<std::size_t>(n));
        else return finish(pids[i]);
    }
    return std::nullopt;
}

finished_run isolated_runs::finish(pid_t pid) {
    const auto node = running_.extract(pid);
    const child& c = node.mapped();
    ::close(c.pipe);
    int status = 0;
    ::waitpid(pid, &status, 0);
    finished_run out{c.seed, {}};
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && from_line(c.said, out.result)) return out;
    const auto line_end = std::min(c.said.find('\n'), c.said.size());
    std::string text = c.said.substr(0, line_end);
    out.result = {};
    if (WIFSIGNALED(status)) text = std::string("ended by a signal: ") + ::strsignal(WTERMSIG(status));
    else read_progress(c.said.substr(line_end), out.result);
    out.result.outcome = {exit_class::crash, std::move(text)};
    return out;
}

}  // namespace lockstep::sim::commands
