// How fast the simulator is, of one core's time: the queue of events alone, whole runs with faults and checkers, and the
// judging of histories. Prints the table that docs/simulator.md shows, or JSON.
#include <sim/commands/allocations.hpp>
#include <sim/commands/isolated_run.hpp>
#include <sim/history/history_file.hpp>
#include <sim/world.hpp>

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace lockstep;
using namespace lockstep::sim;

/// One line of the table. A rate of 0 has no sense for it.
struct measured {
    std::string what;
    double seconds = 0;          ///< of a core
    double virtual_seconds = 0;
    double runs = 0;
    double events = 0;
    double messages = 0, elections = 0, commits = 0, faults = 0;
    double allocations = 0;
    bool failed = false;
    std::string goal;
};

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// A chain of events for each of `chains` nodes, each of which also sets a timer and takes the one before back: as a
/// consensus does with its election timer.
measured queue_of_events(std::uint64_t count) {
    constexpr std::uint64_t chains = 64;
    world w(1);
    random_generator random(1);
    std::vector<event_key> timers(chains);
    std::function<void(std::uint64_t)> act = [&](std::uint64_t chain) {
        w.cancel(timers[chain]);
        timers[chain] = w.after(std::chrono::seconds(1), trace_kind::timer, nullptr, chain, [] {});
        w.after(duration(1 + random.below(1'000'000)), trace_kind::world, nullptr, chain, [&act, chain] { act(chain); });
    };
    const std::uint64_t allocations = commands::allocations_made;
    const double begin = cpu_seconds();
    for (std::uint64_t chain = 0; chain < chains; ++chain) act(chain);
    while (w.events_executed() < count) w.step();
    measured m;
    m.what = "the queue alone, with a timer set and taken back at each event";
    m.seconds = cpu_seconds() - begin;
    m.events = static_cast<double>(w.events_executed());
    m.allocations = static_cast<double>(commands::allocations_made - allocations);
    return m;
}

measured runs_of(std::string what, const drawing& how, std::uint64_t seeds, std::string goal) {
    measured m;
    m.what = std::move(what);
    m.goal = std::move(goal);
    const double begin = cpu_seconds();
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        const run_result r = commands::run_here(draw_scenario(seed, how), false);
        m.virtual_seconds += std::chrono::duration<double>(r.virtual_time).count();
        m.events += static_cast<double>(r.events);
        m.messages += static_cast<double>(r.messages);
        m.elections += static_cast<double>(r.elections);
        m.commits += static_cast<double>(r.committed);
        for (const std::uint64_t n : r.faults) m.faults += static_cast<double>(n);
        m.allocations += static_cast<double>(r.cost.allocations);
        m.failed = m.failed || r.outcome.what != exit_class::passed;
        m.runs += 1;
    }
    m.seconds = cpu_seconds() - begin;
    return m;
}

/// Nothing where a file cannot be read.
measured histories(const std::vector<std::string>& files) {
    measured m;
    m.what = "judging " + std::to_string(files.size()) + " histories; events are operations";
    m.goal = "all of Porcupine's in 1 s";
    std::vector<parsed_history> all;
    for (const std::string& path : files) {
        std::ifstream file(path, std::ios::binary);
        std::ostringstream text;
        text << file.rdbuf();
        all.push_back(parse_history(text.str()));
        m.failed = m.failed || !file || !all.back().wrong.empty();
    }
    const std::uint64_t allocations = commands::allocations_made;
    const double begin = cpu_seconds();
    for (const parsed_history& h : all) {
        m.failed = m.failed || check(h, {}).what == testing::verdict::unknown;
        m.events += static_cast<double>(size(h));
    }
    m.seconds = cpu_seconds() - begin;
    m.runs = static_cast<double>(files.size());
    m.allocations = static_cast<double>(commands::allocations_made - allocations);
    return m;
}

std::string figure(double value, const char* format) {
    char text[64];
    std::snprintf(text, sizeof text, format, value);
    return value == 0 ? "" : text;
}

void print_table(const std::vector<measured>& all) {
    std::printf("| what | x real time | events/s | messages/s | elections/s | commits/s | faults/s | runs/s | allocations/event | goal |\n"
                "|---|---|---|---|---|---|---|---|---|---|\n");
    for (const measured& m : all)
        std::printf("| %s%s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", m.what.c_str(), m.failed ? " (a run failed)" : "",
                    figure(m.virtual_seconds / m.seconds, "%.0f").c_str(), figure(m.events / m.seconds, "%.0f").c_str(),
                    figure(m.messages / m.seconds, "%.0f").c_str(), figure(m.elections / m.seconds, "%.0f").c_str(),
                    figure(m.commits / m.seconds, "%.0f").c_str(), figure(m.faults / m.seconds, "%.0f").c_str(),
                    figure(m.runs / m.seconds, "%.1f").c_str(), figure(m.allocations / m.events, "%.2f").c_str(), m.goal.c_str());
}

void print_json(const std::vector<measured>& all) {
    for (const measured& m : all)
        std::printf("{\"what\":\"%s\",\"failed\":%s,\"cpu_seconds\":%.6f,\"virtual_seconds\":%.3f,\"runs\":%.0f,\"events\":%.0f,"
                    "\"messages\":%.0f,\"elections\":%.0f,\"commits\":%.0f,\"faults\":%.0f,\"allocations\":%.0f}\n",
                    m.what.c_str(), m.failed ? "true" : "false", m.seconds, m.virtual_seconds, m.runs, m.events, m.messages, m.elections, m.commits, m.faults,
                    m.allocations);
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Measures the simulator, of one core's time.", "simulator"};
    std::uint64_t seeds = 100, events = 20'000'000;
    bool json = false;
    std::vector<std::string> files;
    app.add_option("--seeds", seeds, "runs of each kind")->check(CLI::Range(1, 1'000'000))->capture_default_str();
    app.add_option("--events", events, "events of the queue alone")->check(CLI::Range(1'000, 2'000'000'000))->capture_default_str();
    app.add_option("--histories", files, "files with histories, as of check-history");
    app.add_flag("--json", json, "a JSON object a line");
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        return app.exit(help);
    } catch (const CLI::ParseError& error) {
        std::fprintf(stderr, "simulator: %s\n", error.what());
        return 2;
    }
    std::vector<measured> all;
    all.push_back(queue_of_events(events));
    drawing how;
    all.push_back(runs_of("folder, seeds as they are (20 s of faults)", how, seeds, "1,000 x"));
    how.faulty = std::chrono::seconds(5);
    all.push_back(runs_of("folder, short seeds (5 s of faults)", how, seeds, "20 runs/s"));
    how.workload = workload_kind::consensus;
    all.push_back(runs_of("consensus, short seeds", how, seeds, "20 runs/s"));
    how.faulty = std::chrono::seconds(20);
    all.push_back(runs_of("consensus, seeds as they are", how, seeds, "1,000,000 events/s, 10,000 x"));
    if (!files.empty()) all.push_back(histories(files));
    if (json) print_json(all);
    else print_table(all);
    for (const measured& m : all)
        if (m.failed) return 1;
    return 0;
}
