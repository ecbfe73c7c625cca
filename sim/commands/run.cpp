// Runs seeds, one or many, or a scenario; tells what was seen, and makes a failing run small.
#include <sim/commands/commands.hpp>
#include <sim/commands/isolated_run.hpp>
#include <sim/commands/progress.hpp>
#include <sim/commands/report.hpp>
#include <sim/commands/trace_run.hpp>
#include <sim/features.hpp>
#include <sim/shrink.hpp>
#include <sim/trace/trace_file.hpp>

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace lockstep::sim::commands {
namespace {

/// Seeds of a range that can be counted.
constexpr std::uint64_t range_max = std::uint64_t{1} << 62;

struct request {
    std::string seed_text, range, swarm_range, shard_text, time_text, scenario_file, save_file, kinds_text;
    std::vector<std::string> more_files;
    std::vector<scenario> more_scenarios;   ///< what they say: see check()
    std::uint64_t from = 0, to = 0;
    std::uint64_t shard = 0, shards = 1;
    std::uint64_t faulty_s = 20, jobs = 1, shrink_runs = 0;
    duration time_limit = duration::max();
    drawing how;
    trace_request trace;
    bool no_faults = false, twice = false, keep_going = false, verbose = false, json = false, probes = false,
         all_probes = false, shrink = false;

    /// What has to be said to have a run again.
    std::string command_of(std::uint64_t seed) const {
        std::string text = "lockstep-sim ";
        if (!scenario_file.empty()) {
            text += "--scenario " + shell_word(scenario_file);
        } else {
            text += (how.workload == workload_kind::consensus ? "consensus " : "") + std::to_string(seed);
            if (how.nodes) text += " --nodes " + std::to_string(*how.nodes);
            if (faulty_s != 20) text += " --faulty " + std::to_string(faulty_s);
            if (no_faults) text += " --no-faults";
            if (how.swarm) text += " --swarm";
        }
        return text + (twice ? " --check-determinism" : "");
    }
    /// Which runs.
    std::string asked() const {
        std::string text = (how.workload == workload_kind::consensus ? "consensus, seeds " : "seeds ") + std::to_string(from) + ".." + std::to_string(to);
        if (how.nodes) text += ", " + std::to_string(*how.nodes) + " nodes";
        if (faulty_s != 20) text += ", " + std::to_string(faulty_s) + " s of faults";
        if (no_faults) text += ", without faults";
        if (how.swarm) text += ", swarm";
        if (shards != 1) text += ", of " + std::to_string(shards) + " parts number " + std::to_string(shard);
        if (!swarm_range.empty()) text += ", swarm seeds " + swarm_range;
        if (!more_scenarios.empty()) text += ", " + std::to_string(more_scenarios.size()) + " scenarios";
        return text;
    }
    /// Whether a scenario of it stands in that file.
    bool reads(const std::string& path) const {
        const auto is_it = [&](const std::string& in) { return is_same_file(in, path); };
        return (!scenario_file.empty() && is_it(scenario_file)) || std::any_of(more_files.begin(), more_files.end(), is_it);
    }
    /// Where the small run of a seed goes: not over what was read.
    std::string small_file(std::uint64_t seed) const {
        if (!save_file.empty()) return save_file;
        std::string name = "seed-" + std::to_string(seed);
        while (reads(name + ".scenario") || (!trace.file.empty() && is_same_file(trace.file, name + ".scenario"))) name += ".small";
        return name + ".scenario";
    }
    bool is_many() const {
        return from != to || !swarm_range.empty() || !more_scenarios.empty() || !shard_text.empty() || !time_text.empty() || all_probes;
    }
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::string write_file(const std::string& path, const std::string& text) {
    std::ofstream out(path, std::ios::binary);
    out << text;
    out.close();
    return out ? std::string{} : path + ": cannot be written";
}

/// Digits say when and where, not what.
std::string kind_of(const failure& f) {
    std::string kind;
    for (const char c : f.text.substr(0, 60))
        if (c < '0' || c > '9') kind += c;
    return name_of(f.what) + (": " + f.checker + ": " + kind.substr(0, 28));
}

run_result run_isolated(const scenario& s, bool twice = false) {
    isolated_runs one(1);
    one.start(s, twice);
    for (;;)
        if (auto done = one.wait(-1)) return done->result;
}

/// Of a run that a person wants to look at. The exit code of having written it.
int trace(const request& r, const scenario& s, const std::string& command) {
    if (r.trace.file.empty()) return 0;
    if (const std::string trouble = write_trace(s, r.trace, command); !trouble.empty()) return complain(trouble);
    if (!r.json) std::printf("  lockstep-sim view %s -o run.html    # its trace\n", shell_word(r.trace.file).c_str());
    return 0;
}

/// Makes it small and says where it is.
void shrink(const request& r, const scenario& first, const failure& wrong) {
    const std::string kind = kind_of(wrong);
    failure last = wrong;
    std::uint64_t runs = 0;
    const bool tells = ::isatty(STDERR_FILENO) != 0;
    shrinker smaller(first, [&](const scenario& s) {
        ++runs;
        if (tells) std::fprintf(stderr, "\rshrinking: run %" PRIu64 ", %zu faults, %zu edits  ", runs, s.faults.size(), s.edits.size());
        const run_result result = run_isolated(s);
        const bool same = kind_of(result.outcome) == kind;
        if (same) last = result.outcome;
        return same;
    }, r.shrink_runs);
    const scenario smallest = smaller.run();
    if (tells) std::fprintf(stderr, "\r\033[K");
    const std::string path = r.small_file(first.seed);
    const std::string head = "# " + text_of(last).substr(0, 300) + "\n";
    if (const std::string trouble = write_file(path, head + to_text(smallest)); !trouble.empty()) return void(complain(trouble));
    if (r.json)
        std::printf("{\"shrunk\":%s,\"runs\":%" PRIu64 ",\"nodes\":%" PRIu64 ",\"faults\":%zu,\"edits\":%zu,\"text\":%s}\n", json_text(path).c_str(),
                    runs, smallest.nodes, smallest.faults.size(), smallest.edits.size(), json_text(last.text).c_str());
    else
        std::printf("  after %" PRIu64 " runs: %" PRIu64 " nodes, %zu faults, %zu edits: %s\n  lockstep-sim --scenario %s\n", runs, smallest.nodes,
                    smallest.faults.size(), smallest.edits.size(), text_of(last).substr(0, 300).c_str(), shell_word(path).c_str());
    trace(r, smallest, "lockstep-sim --scenario " + shell_word(path));
}

void tell_failure(const request& r, std::uint64_t seed, const run_result& result) {
    if (r.json) return;
    std::printf("%s\n  %s    # built from %s\n", line_of(seed, result).c_str(), r.command_of(seed).c_str(), version().c_str());
    std::fflush(stdout);
}

/// One run, in this process where a person reads along.
int run_one(const request& r, const scenario& s) {
    if (!r.json) std::printf("%s built from %s\n", r.scenario_file.empty() ? "a seed's run," : r.scenario_file.c_str(), version().c_str());
    const auto begin = std::chrono::steady_clock::now();
    if (!r.save_file.empty() && !r.shrink)
        if (const std::string trouble = write_file(r.save_file, to_text(s)); !trouble.empty()) return complain(trouble);
    std::istringstream lines(to_text(s) + features_of(s));
    for (std::string line; !r.json && std::getline(lines, line);)
        if (!line.starts_with("at ") || r.verbose) std::printf("  %s\n", line.c_str());
    std::fflush(stdout);
    run_hooks hooks;
    if (r.verbose) hooks.log = [](const std::string& line) { std::printf("  %s\n", line.c_str()); };
    report_crashes_to(STDOUT_FILENO);
    const run_result result = r.verbose ? run_here(s, r.twice, hooks) : run_isolated(s, r.twice);
    totals all;
    all.add(result);
    const bool passed = result.outcome.what == exit_class::passed;
    if (r.json) {
        std::printf("%s\n", json_of(s, result, r.command_of(s.seed)).c_str());
    } else {
        if (passed) std::printf("%s\n", line_of(s.seed, result).c_str());
        else tell_failure(r, s.seed, result);
        std::printf("%s", lines_of(all, seconds_since(begin)).c_str());
    }
    if (r.probes) std::printf("%s", probes_of(all).c_str());
    if (!passed && r.shrink) return shrink(r, s, result.outcome), all.worst();
    const int traced = trace(r, s, r.command_of(s.seed));
    return passed ? traced : all.worst();
}

/// What many runs came to.
struct findings {
    std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
    totals all;
    struct first_failure {
        request asked;
        finished_run run;
        scenario what;
    };
    std::optional<first_failure> first;
};

/// One range of seeds.
void run_range(const request& r, findings& found) {
    const double limit = std::chrono::duration<double>(r.time_limit).count();
    // The shard-th seed and each shards-th from there.
    const std::uint64_t mine = r.to - r.from < r.shard ? 0 : (r.to - r.from - r.shard) / r.shards + 1;
    const std::uint64_t wanted = found.all.runs + mine;
    found.all.wanted += mine;
    std::uint64_t begun = 0;
    isolated_runs runs(r.jobs);
    progress_line line;
    for (;;) {
        const bool go_on = r.keep_going || !found.first;
        while (go_on && begun < mine && runs.has_room() && seconds_since(found.begin) < limit)
            runs.start(draw_scenario(r.from + r.shard + begun++ * r.shards, r.how), r.twice);
        if (runs.empty()) break;
        const auto done = runs.wait(200);
        if (done) found.all.add(done->result);
        const double seconds = seconds_since(found.begin);
        line.show({found.all.runs, wanted, found.all.failures(), seconds, r.time_text.empty() ? -1 : std::max(limit - seconds, 0.0)});
        if (!done) continue;
        if (r.json) std::printf("%s\n", json_of(draw_scenario(done->seed, r.how), done->result, r.command_of(done->seed)).c_str());
        if (done->result.outcome.what == exit_class::passed) continue;
        line.clear();
        tell_failure(r, done->seed, done->result);
        if (!found.first) found.first = {r, *done, draw_scenario(done->seed, r.how)};
    }
}

/// Empty, or why there is none to be had from the file.
std::string read_scenario(const std::string& path, scenario& what) {
    std::string text;
    if (std::string wrong = read_file(path, text); !wrong.empty()) return wrong;
    parsed_scenario parsed = parse_scenario(text);
    if (!parsed.wrong.empty()) return path + ": " + parsed.wrong;
    what = std::move(parsed.what);
    return {};
}

/// Those that are written down: with the first part of a range.
void run_scenarios(const request& r, findings& found) {
    if (r.shard != 0) return;
    found.all.wanted += r.more_scenarios.size();
    request one = r;
    const double limit = std::chrono::duration<double>(r.time_limit).count();
    for (std::size_t i = 0; i < r.more_scenarios.size() && (r.keep_going || !found.first) && seconds_since(found.begin) < limit; ++i) {
        const scenario& s = r.more_scenarios[i];
        one.scenario_file = r.more_files[i];
        const run_result result = run_isolated(s, r.twice);
        found.all.add(result);
        if (r.json) std::printf("%s\n", json_of(s, result, one.command_of(s.seed)).c_str());
        if (result.outcome.what == exit_class::passed) continue;
        tell_failure(one, s.seed, result);
        if (!found.first) found.first = {one, {s.seed, result}, s};
    }
}

/// The seeds that were asked for, then swarms, then scenarios.
int run_many(const request& r) {
    findings found;
    run_range(r, found);
    request swarm = r;
    if (!r.swarm_range.empty() && parse_range(r.swarm_range, swarm.from, swarm.to)) {
        swarm.how.swarm = true;
        run_range(swarm, found);
    }
    run_scenarios(r, found);
    const totals& all = found.all;
    const double seconds = seconds_since(found.begin);
    if (r.json) std::printf("%s\n", json_of(all, seconds).c_str());
    else std::printf("%s, built from %s\n%s", r.asked().c_str(), version().c_str(), lines_of(all, seconds).c_str());
    // Only the time and, unless it goes on, a failure keep runs from being begun.
    if (!r.json && all.runs < all.wanted && (r.keep_going || !found.first))
        std::printf("stopped by the time limit: %" PRIu64 " of %" PRIu64 " runs\n", all.runs, all.wanted);
    if (r.probes) std::printf("%s", probes_of(all).c_str());
    if (found.first) {
        const request& asked = found.first->asked;
        const scenario& failed = found.first->what;
        if (r.shrink) shrink(asked, failed, found.first->run.result.outcome);
        else trace(asked, failed, asked.command_of(failed.seed));
    }
    if (all.failures() == 0 && r.all_probes && !all.not_reached().empty()) {
        std::string names;
        for (const probe p : all.not_reached()) names += (names.empty() ? "" : ", ") + std::string(to_string(p));
        std::fprintf(r.json ? stderr : stdout, "these runs never got to: %s\n", names.c_str());
        return static_cast<int>(exit_class::liveness);
    }
    return all.worst();
}

/// Empty, or what is wrong with what was asked.
std::string check(request& r) {
    if (!r.seed_text.empty() && !r.range.empty()) return "a seed or --seeds, not both";
    if (!r.seed_text.empty() && !parse_number(r.seed_text, r.from)) return "seed " + r.seed_text + ": want a number of at most 64 bits";
    r.to = r.from;
    if (!r.range.empty() && !parse_range(r.range, r.from, r.to)) return "--seeds " + r.range + ": want A..B";
    if (r.to - r.from > range_max) return "--seeds " + r.range + ": too many";
    std::uint64_t from = 0, to = 0;
    if (!r.swarm_range.empty() && !parse_range(r.swarm_range, from, to)) return "--swarm-seeds " + r.swarm_range + ": want A..B";
    if (to - from > range_max) return "--swarm-seeds " + r.swarm_range + ": too many";
    if (!r.swarm_range.empty() && r.range.empty()) return "--swarm-seeds: comes beside --seeds";
    if (!r.more_files.empty() && r.range.empty()) return "--scenarios: comes beside --seeds";
    for (const std::string& path : r.more_files)
        if (std::string wrong = read_scenario(path, r.more_scenarios.emplace_back()); !wrong.empty()) return wrong;
    if (r.how.nodes && (*r.how.nodes < 1 || *r.how.nodes > 9)) return "--nodes: want 1 to 9";
    if (r.faulty_s < 1 || r.faulty_s > 3600) return "--faulty: want 1 to 3600";
    if (r.jobs < 1 || r.jobs > 1024) return "--jobs: want 1 to 1024";
    if (!r.time_text.empty() && !parse_duration(r.time_text, r.time_limit)) return "--time-limit " + r.time_text + ": want a time, as 90s";
    if (!r.shard_text.empty()) {
        const auto slash = r.shard_text.find('/');
        const bool numbers = slash != std::string::npos && parse_number(r.shard_text.substr(0, slash), r.shard) &&
                             parse_number(r.shard_text.substr(slash + 1), r.shards);
        if (!numbers || r.shard >= r.shards) return "--shard " + r.shard_text + ": want i/n, with i from 0 to n-1";
    }
    if (!r.kinds_text.empty() && !parse_kinds(r.kinds_text, r.trace.kinds)) return "--trace-kinds " + r.kinds_text + ": not all of these are kinds of events";
    if (r.trace.events_max < 1 || r.trace.events_max > number_max) return "--trace-events: want 1 to " + std::to_string(number_max);
    if (r.shrink_runs < 1 || r.shrink_runs > number_max) return "--shrink-runs: want 1 to " + std::to_string(number_max);
    if (r.verbose && r.is_many()) return "--verbose: of one run";
    if (!r.scenario_file.empty() && (!r.seed_text.empty() || !r.range.empty())) return "a seed or --scenario, not both";
    for (const std::string& path : {r.save_file, r.trace.file})
        if (!path.empty() && !can_be_written(path)) return path + ": cannot be written";
    if (!r.save_file.empty() && !r.shrink && r.is_many()) return "--save: of one run, or with --shrink of the small one";
    r.how.faulty = std::chrono::seconds(r.faulty_s);
    r.how.faults = !r.no_faults;
    return {};
}

/// What both workloads have in common is all but what they are.
int run_workload(workload_kind workload, const char* what, const char* name, int argc, char** argv) {
    CLI::App app{what, name};
    request r;
    r.how.workload = workload;
    app.add_option("seed", r.seed_text, "the seed of one run (default: 0)");
    app.add_option("--seeds", r.range, "A..B, both included");
    app.add_option("--swarm-seeds", r.swarm_range, "A..B: these too, with --swarm, after --seeds");
    app.add_option("--scenarios", r.more_files, "files: these runs too, after --seeds");
    app.add_option("--scenario,--replay", r.scenario_file, "a run that is written down in a file");
    app.add_option("--nodes", r.how.nodes, "nodes of the cluster, 1 to 9 (default: 3, and another number in some swarms)");
    app.add_option("--faulty", r.faulty_s, "seconds of virtual time with work and faults");
    app.add_flag("--no-faults", r.no_faults, "nothing goes wrong");
    app.add_flag("--swarm", r.how.swarm, "vary everything that may be varied, and have every kind of fault");
    app.add_flag("--check-determinism", r.twice, "run each seed twice and compare the traces");
    app.add_flag("--keep-going", r.keep_going, "go on after a failing seed");
    app.add_option("--jobs", r.jobs, "runs at once, each in a process of its own");
    app.add_option("--shard", r.shard_text, "i/n: the i-th (from 0) of n equal parts of --seeds");
    app.add_option("--time-limit", r.time_text, "begin no run after so long, as 90s");
    app.add_flag("--shrink", r.shrink, "make the first failing run small and save it");
    app.add_option("--shrink-runs", r.shrink_runs, "runs that this may take")->default_val(2000);
    app.add_option("--save,-o", r.save_file, "where to write the scenario: of the run, or with --shrink of the small one");
    app.add_option("--trace", r.trace.file, "write what happens, event by event, to a file: of the run, of the first that fails, or with --shrink of the small one");
    app.add_option("--trace-kinds", r.kinds_text, "kinds of events, as send,receive; all; usual,-sync");
    app.add_option("--trace-events", r.trace.events_max, "at most so many, the last ones");
    app.add_flag("--json", r.json, "one JSON object a line: of each run, and of all");
    app.add_flag("--probes", r.probes, "tell how often each probe was reached");
    app.add_flag("--all-probes", r.all_probes, "fail if the runs reached a probe never");
    app.add_flag("--verbose", r.verbose, "of one run: print what the nodes report");
    app.set_version_flag("--version", version());
    app.footer("Other commands, each with --help: lockstep-sim consensus, explore, view, check-history.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& asked) {   // --help, --version
        return app.exit(asked);
    } catch (const CLI::ParseError& error) {
        return complain(error.what());
    }
    for (const CLI::Option* option : app.get_options())
        if (option->count() != 0 && option->get_expected_max() != 0 && option->as<std::string>().empty())
            return complain(option->get_name() + ": is empty");
    if (app.count("--scenario") != 0)
        for (const char* said : {"--nodes", "--faulty", "--no-faults", "--swarm", "--swarm-seeds", "--shard", "--time-limit", "--keep-going", "--all-probes"})
            if (app.count(said) != 0) return complain(std::string(said) + ": the scenario says all of its run");
    if (r.json && (r.verbose || r.probes)) return complain("--json: tells everything, without --verbose and --probes");
    for (const std::string* out : {&r.save_file, &r.trace.file})
        if (!out->empty() && r.reads(*out)) return complain(*out + ": is read, and cannot be written too");
    if (!r.save_file.empty() && !r.trace.file.empty() && is_same_file(r.save_file, r.trace.file))
        return complain(r.save_file + ": cannot be the trace as well");
    if (r.trace.file.empty() && app.count("--trace-kinds") + app.count("--trace-events") != 0)
        return complain("--trace-kinds, --trace-events: of a trace, and there is no --trace");
    if (!r.shrink && app.count("--shrink-runs") != 0) return complain("--shrink-runs: of --shrink, and there is none");
    if (const std::string wrong = check(r); !wrong.empty()) return complain(wrong);
    if (!r.scenario_file.empty()) {
        scenario s;
        if (const std::string wrong = read_scenario(r.scenario_file, s); !wrong.empty()) return complain(wrong);
        if (workload == workload_kind::consensus && s.workload != workload)
            return complain(r.scenario_file + ": is of folders (lockstep-sim --scenario runs it)");
        return run_one(r, s);
    }
    return r.is_many() ? run_many(r) : run_one(r, draw_scenario(r.from, r.how));
}

}  // namespace

int run(int argc, char** argv) {
    constexpr const char* what = "Runs the shipped node on simulated disks, networks, clocks and kernel events, and checks what it does.";
    return run_workload(workload_kind::folder, what, "lockstep-sim", argc, argv);
}

int run_consensus(int argc, char** argv) {
    constexpr const char* what = "Runs replicated registers on simulated disks, networks and clocks, and checks what clients hear.";
    return run_workload(workload_kind::consensus, what, "lockstep-sim consensus", argc, argv);
}

}  // namespace lockstep::sim::commands
