// Runs seeds, one or many, and tells what was seen.
#include <sim/commands/commands.hpp>
#include <sim/simulation.hpp>

#include <lockstep/base/assert.hpp>

#include <CLI/CLI.hpp>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

namespace lockstep::sim::commands {
namespace {

std::uint64_t current_seed = 0;
std::string current_options;

/// An assertion of the library is a find like any other: it names the seed, and ends with an exit code of its own.
void crashed(const char* what, const char* file, int line) {
    std::printf("seed %" PRIu64 ": crash: assertion failed: %s (%s:%d)\n  lockstep-sim %" PRIu64 "%s\n", current_seed, what, file,
                line, current_seed, current_options.c_str());
    std::fflush(stdout);
    std::_Exit(static_cast<int>(exit_class::crash));
}

struct totals {
    std::uint64_t runs = 0, events = 0, edits = 0, crashes = 0, partitions = 0, committed = 0, conflicts = 0, contents = 0;
    std::uint64_t chunked = 0, compactions = 0, installed = 0, collections = 0, looks = 0;
    std::map<int, std::uint64_t> failed;
    int worst = 0;

    void add(const run_result& r) {
        ++runs;
        events += r.events;
        edits += r.edits;
        crashes += r.crashes;
        partitions += r.partitions;
        committed += r.committed;
        conflicts += r.conflicts;
        contents += r.contents;
        chunked += r.chunked;
        compactions += r.compactions;
        installed += r.installed;
        collections += r.collections;
        looks += r.content_looks;
        const int code = static_cast<int>(r.outcome.what);
        if (code == 0) return;
        ++failed[code];
        worst = std::max(worst, code);
    }
};

void tell(std::uint64_t seed, const run_result& r, bool always) {
    const bool passed = r.outcome.what == exit_class::passed;
    if (passed && !always) return;
    std::printf("seed %" PRIu64 ": %s%s%s, trace %016" PRIx64 ", %" PRIu64 " events, %" PRIu64 " edits, %" PRIu64 " crashes, %" PRIu64
                " partitions, %" PRIu64 " entries, %" PRIu64 " conflicts\n",
                seed, name_of(r.outcome.what), passed ? "" : ": ", r.outcome.text.c_str(), r.trace_hash, r.events, r.edits, r.crashes,
                r.partitions, r.committed, r.conflicts);
    if (!passed) std::printf("  lockstep-sim %" PRIu64 "%s\n", seed, current_options.c_str());
    std::fflush(stdout);
}

run_result run_seed(std::uint64_t seed, const run_options& options, bool twice) {
    current_seed = seed;
    run_result result = lockstep::sim::simulate(seed, options);
    if (!twice || result.outcome.what != exit_class::passed) return result;
    const run_result again = lockstep::sim::simulate(seed, options);
    if (again.trace_hash != result.trace_hash)
        result.outcome = {exit_class::correctness, "the same seed gave two traces"};
    return result;
}

}  // namespace

int run(int argc, char** argv) {
    CLI::App app{"Runs the shipped node on simulated disks, networks, clocks and kernel events, and checks what it does.", "lockstep-sim"};
    std::string seed_text, range;
    std::uint64_t faulty_s = 20;
    run_options options;
    bool no_faults = false, verbose = false, twice = false, keep_going = false;
    app.add_option("seed", seed_text, "the seed of one run (default: 0)");
    app.add_option("--seeds", range, "A..B, both included");
    app.add_option("--nodes", options.nodes, "nodes of the cluster, 1 to 9");
    app.add_option("--faulty", faulty_s, "seconds of virtual time with edits and faults");
    app.add_flag("--no-faults", no_faults, "edits only");
    app.add_flag("--check-determinism", twice, "run each seed twice and compare the traces");
    app.add_flag("--keep-going", keep_going, "go on after a failing seed");
    app.add_flag("--verbose", verbose, "print what the nodes report");
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        return app.exit(help);
    } catch (const CLI::ParseError& error) {
        return complain(error.what());
    }
    std::uint64_t from = 0, to = 0;
    if (!seed_text.empty() && !range.empty()) return complain("a seed or --seeds, not both");
    if (!seed_text.empty() && !parse_number(seed_text, from)) return complain("seed " + seed_text + ": want a number");
    to = from;
    if (!range.empty() && !parse_range(range, from, to)) return complain("--seeds " + range + ": want A..B");
    if (options.nodes < 1 || options.nodes > 9) return complain("--nodes: want 1 to 9");
    if (faulty_s > 3600) return complain("--faulty: at most 3600");
    options.faulty = std::chrono::seconds(faulty_s);
    options.faults = !no_faults;
    if (verbose) options.log = [](const std::string& line) { std::printf("  %s\n", line.c_str()); };
    if (options.nodes != 3) current_options += " --nodes " + std::to_string(options.nodes);
    if (faulty_s != 20) current_options += " --faulty " + std::to_string(faulty_s);
    if (no_faults) current_options += " --no-faults";
    lockstep::set_assertion_handler(&crashed);

    totals all;
    for (std::uint64_t seed = from; seed <= to; ++seed) {
        const run_result result = run_seed(seed, options, twice);
        all.add(result);
        tell(seed, result, from == to);
        if (result.outcome.what != exit_class::passed && !keep_going) break;
    }
    if (from != to) {
        std::uint64_t failures = 0;
        for (const auto& [code, count] : all.failed) failures += count;
        std::printf("%" PRIu64 " runs, %" PRIu64 " failed; %" PRIu64 " events, %" PRIu64 " edits, %" PRIu64
                    " contents closed, %" PRIu64 " entries committed, %" PRIu64 " conflicts, %" PRIu64
                    " crashes, %" PRIu64 " partitions\n",
                    all.runs, failures, all.events, all.edits, all.contents, all.committed, all.conflicts, all.crashes,
                    all.partitions);
        std::printf("%" PRIu64 " contents applied in chunks, %" PRIu64 " compactions, %" PRIu64 " states installed, %" PRIu64
                    " collections; %" PRIu64 " looks for a content on a majority\n",
                    all.chunked, all.compactions, all.installed, all.collections, all.looks);
    }
    return all.worst;
}

}  // namespace lockstep::sim::commands
