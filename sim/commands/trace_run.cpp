#include <sim/commands/trace_run.hpp>

#include <sim/commands/isolated_run.hpp>
#include <sim/commands/report.hpp>
#include <sim/trace/recorder.hpp>
#include <sim/trace/trace_file.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>

namespace lockstep::sim::commands {
namespace {

/// In the process of the run: true, if the file is written.
bool run_and_write(const scenario& s, const trace_request& r, const std::string& command) {
    trace_log log(static_cast<std::size_t>(r.events_max));
    trace_recorder recorder(r.kinds, [&log](const trace_event& e) { log.add(e); });
    const auto write = [&](const failure& outcome) {
        std::ofstream out(r.file, std::ios::binary);
        log.write(out, {version(), s.seed, command, outcome}, recorder.lanes());
        out.close();
        return static_cast<bool>(out);
    };
    report_crashes_to([&](const std::string& text) {
        recorder.violation(text, false);
        std::_Exit(write({exit_class::crash, text}) ? 0 : 1);
    });
    // What goes round without an end is ended here, before the kernel does and takes the trace along.
    const std::clock_t last = std::clock() + most_time(s).count() * CLOCKS_PER_SEC;
    world* here = nullptr;
    run_hooks hooks;
    hooks.trace = &recorder;
    hooks.prepare = [&here](world& w) { here = &w; };
    hooks.after_event = [&, events = std::uint64_t{0}](const ran_event&) mutable {
        if (++events % 4096 == 0 && std::clock() > last) here->fail(exit_class::crash, "it takes longer than any run should");
    };
    return write(simulate(s, hooks).outcome);
}

}  // namespace

bool parse_kinds(std::string_view text, traced_kinds& out) {
    traced_kinds kinds;
    while (!text.empty()) {
        const auto end = std::min(text.find(','), text.size());
        std::string_view word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const bool wanted = !word.starts_with('-');
        if (!wanted) word.remove_prefix(1);
        const traced_kinds group = word == "all" ? traced_kinds::all() : word == "usual" ? traced_kinds::usual() : traced_kinds();
        bool known = group != traced_kinds();
        for (std::size_t i = 0; i < traced_names.size(); ++i) {
            const auto kind = static_cast<traced>(i);
            if (word != traced_names[i] && !group.has(kind)) continue;
            kinds.set(kind, wanted);
            known = true;
        }
        if (!known) return false;
    }
    kinds.set(traced::violation);
    out = kinds;
    return true;
}

std::string write_trace(const scenario& s, const trace_request& r, const std::string& command) {
    if (!std::ofstream(r.file, std::ios::binary)) return r.file + ": cannot be written";
    const pid_t pid = ::fork();
    if (pid < 0) return "no process for the traced run";
    if (pid == 0) {
        bound_time(2 * most_time(s));
        std::_Exit(run_and_write(s, r, command) ? 0 : 1);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (WIFSIGNALED(status)) return r.file + ": the run was ended by a signal, and with it its trace";
    return WEXITSTATUS(status) == 0 ? std::string{} : r.file + ": cannot be written";
}

}  // namespace lockstep::sim::commands
