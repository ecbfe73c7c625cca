// Explores: every state that a small cluster of consensus cores comes to within bounds.
#include <sim/commands/commands.hpp>
#include <sim/explore/explorer.hpp>
#include <sim/explore/replay.hpp>

#include <CLI/CLI.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>

namespace lockstep::sim::commands {
namespace {

using namespace lockstep::sim::explore;

constexpr int exit_unknown = 2;

struct request {
    bounds within;
    exploration_limits limits;
    std::uint64_t megabytes = 0;
    std::string replay_text;
    bool all_names = false, keep_dead = false, every_step = false, quiet = false;
};

struct named_bound {
    const char* option;
    std::uint64_t bounds::* number;
    std::uint64_t max;
    const char* what;
};

constexpr named_bound named_bounds[] = {
    {"--terms", &bounds::terms, terms_max, "no node comes to a term above it"},
    {"--entries", &bounds::entries, entries_max, "commands proposed to leaders"},
    {"--crashes", &bounds::crashes, each_max, "crashes, each followed by a start; the write under way is durable or lost"},
    {"--drops", &bounds::drops, each_max, "messages lost"},
    {"--repeats", &bounds::repeats, each_max, "messages delivered twice"},
    {"--overtakes", &bounds::overtakes, each_max, "messages delivered before an older one of the same link"},
    {"--reads", &bounds::reads, reads_max, "read barriers, at any node"},
    {"--heartbeats", &bounds::heartbeats, each_max, "of leaders, beside those of elections, reads and commits"},
    {"--lapses", &bounds::lapses, each_max, "followers that stop believing in their leader before their own timer fires"},
    {"--stalls", &bounds::stalls, each_max, "times that a node does something else while it writes; 100: any number"},
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// The most memory that this process ever took, in MiB, and its time on a core.
struct taken {
    long resident_mb = 0;
    double core_seconds = 0;
};
taken taken_so_far() {
    struct rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
    return {used.ru_maxrss >> 10, seconds(used.ru_utime) + seconds(used.ru_stime)};
}

/// The command that explores within the same bounds.
std::string command_of(const request& r) {
    std::string text = "lockstep-sim explore --nodes " + std::to_string(r.within.nodes);
    const bounds defaults;
    for (const named_bound& b : named_bounds)
        if (r.within.*b.number != defaults.*b.number || b.number == &bounds::terms)
            text += std::string(" ") + b.option + " " + std::to_string(r.within.*b.number);
    text += " --timeouts " + std::to_string(r.within.timeouts);
    if (r.within.inflight != defaults.inflight) text += " --inflight " + std::to_string(r.within.inflight);
    if (r.within.unordered) text += " --unordered";
    return text;
}

std::string text_of_steps(const std::vector<action>& steps) {
    std::string text;
    for (const action& a : steps) text += (text.empty() ? "" : ",") + text_of(a);
    return text;
}

void print_bounds(const bounds& b) {
    std::printf("%zu nodes", b.nodes);
    for (const named_bound& one : named_bounds)
        std::printf(", %s %" PRIu64, one.option + 2, b.*one.number);
    std::printf(", timeouts %" PRIu64 "; timers wait while a link holds %zu; messages %s\n", b.timeouts, b.inflight,
                b.unordered ? "in any order" : "in the order of their link");
}

void print_totals(const exploration& e, double seconds) {
    std::printf("%" PRIu64 " states, %" PRIu64 " transitions, depth %zu; %" PRIu64 " transitions lead beyond the bounds\n", e.states,
                e.transitions, e.by_depth.size() - 1, e.beyond);
    if (e.crowded != 0)
        std::printf("not followed: %" PRIu64 " transitions, for more than %zu messages on their way\n", e.crowded,
                    cluster_state::flying_max);
    std::printf("%zu states of a node and %zu messages that differ, %" PRIu64 " steps of the core\n", e.node_states, e.messages,
                e.core_steps);
    if (e.twins != 0) std::printf("%" PRIu64 " nodes compared with one of the same fingerprint: all do the same\n", e.twins);
    const taken used = taken_so_far();
    std::printf("%.1f s, of them %.1f s on a core: %.0f transitions a second of it; tables %zu MiB, resident %ld MiB\n", seconds,
                used.core_seconds, static_cast<double>(e.transitions) / std::max(used.core_seconds, 1e-6), e.bytes >> 20,
                used.resident_mb);
}

int show(const request& r, const std::vector<action>& steps) {
    const replayed done = replay<>(r.within, steps);
    std::fputs(done.text.c_str(), stdout);
    if (!done.impossible.empty()) return complain("--replay: " + done.impossible + " cannot happen there, within these bounds");
    if (done.wrong.empty()) {
        std::printf("nothing is wrong\n");
        return 0;
    }
    const exit_class what = done.assertion ? exit_class::crash : exit_class::correctness;
    std::printf("%s: %s, after %zu steps\n", name_of(what), done.wrong.c_str(), steps.size());
    return static_cast<int>(what);
}

int explore_all(const request& r) {
    const auto begin = std::chrono::steady_clock::now();
    print_bounds(r.within);
    explorer<> all(r.within, r.limits);
    if (!r.quiet) std::printf("%6s %12s %12s %13s\n", "depth", "new states", "states", "transitions");
    const exploration e = all.run([&](const exploration& so_far) {
        if (r.quiet || so_far.by_depth.back() == 0) return;
        std::printf("%6zu %12" PRIu64 " %12" PRIu64 " %13" PRIu64 "\n", so_far.by_depth.size() - 1, so_far.by_depth.back(),
                    so_far.states, so_far.transitions);
        std::fflush(stdout);
    });
    print_totals(e, seconds_since(begin));
    if (e.how == ended::violated) {
        std::printf("a shortest way to what is wrong; again: %s --replay %s\n", command_of(r).c_str(), shell_word(text_of_steps(e.steps)).c_str());
        const int code = show(r, e.steps);
        return code != 0 ? code : static_cast<int>(exit_class::correctness);
    }
    if (e.how == ended::limited) {
        std::printf("not exhausted: more states than the limits allow\n");
        return exit_unknown;
    }
    std::printf("exhausted: nothing is wrong within these bounds\n");
    return 0;
}

/// The complaint, or nothing.
std::string out_of_range(const request& r) {
    if (r.within.nodes < 1 || r.within.nodes > nodes_max) return "--nodes: want 1 to " + std::to_string(nodes_max);
    if (r.within.terms == 0) return "--terms: want at least 1";
    for (const named_bound& b : named_bounds)
        if (r.within.*b.number > b.max) return std::string(b.option) + ": want at most " + std::to_string(b.max);
    if (r.within.timeouts > each_max) return "--timeouts: want at most " + std::to_string(each_max);
    if (r.within.inflight == 0) return "--inflight: want at least 1";
    return {};
}

}  // namespace

int explore(int argc, char** argv) {
    CLI::App app{"Takes a small cluster of consensus cores through everything that can happen within bounds, and checks every state. "
                 "Exits with 0: nothing is wrong; 129: something is; 127: an assertion failed; 2: more states than the limits allow.",
                 "lockstep-sim explore"};
    request r;
    app.add_option("--nodes", r.within.nodes, "of the cluster, 1 to 5")->capture_default_str();
    for (const named_bound& b : named_bounds) app.add_option(b.option, r.within.*b.number, b.what)->capture_default_str();
    const auto* timeouts = app.add_option("--timeouts", r.within.timeouts, "of elections, and leaders that hear no quorum; else as many as terms");
    app.add_option("--inflight", r.within.inflight, "no timer fires at a node with a link that holds as many messages")->capture_default_str();
    app.add_flag("--unordered", r.within.unordered, "messages overtake each other free of charge; equal ones on their way are one");
    app.add_flag("--no-symmetry", r.all_names, "states that differ in the names of nodes alone are not one");
    app.add_flag("--keep-dead", r.keep_dead, "messages of which nothing can come stay on their way");
    app.add_flag("--every-step", r.every_step, "step the core for each transition, also where the same was done before");
    app.add_flag("--compare-twins", r.within.compare_twins, "compare what nodes with equal fingerprints do next");
    app.add_option("--states", r.limits.states, "give up at so many")->capture_default_str();
    app.add_option("--memory", r.megabytes, "MiB that the tables may take; else 4096");
    app.add_option("--replay", r.replay_text, "do these steps instead, with commas between them, and show what happens");
    app.add_flag("--quiet", r.quiet, "no line for each depth");
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        return app.exit(help);
    } catch (const CLI::ParseError& error) {
        return complain(error.what());
    }
    if (timeouts->count() == 0) r.within.timeouts = r.within.terms;
    if (const std::string wrong = out_of_range(r); !wrong.empty()) return complain(wrong);
    if (r.limits.states == 0 || r.limits.states >= std::uint64_t{1} << 32) return complain("--states: want at least 1, and less than 2^32");
    if (r.within.unordered && app.count("--overtakes") != 0) return complain("--overtakes: with --unordered they are not counted");
    if (app.count("--replay") != 0 && r.replay_text.empty()) return complain("--replay: is empty");
    const bool bounded = app.count("--memory") != 0;
    if (bounded && (r.megabytes == 0 || r.megabytes > (std::uint64_t{1} << 20))) return complain("--memory: want 1 to 1048576");
    if (bounded) r.limits.bytes = static_cast<std::size_t>(r.megabytes) << 20;
    r.within.symmetry = !r.all_names;
    r.within.forget_dead = !r.keep_dead;
    r.within.memory_of_steps = !r.every_step;
    if (r.replay_text.empty()) return explore_all(r);
    std::string wrong;
    const auto steps = parse_actions(r.replay_text, wrong);
    if (!steps) return complain("--replay: " + wrong + " is no step");
    return show(r, *steps);
}

}  // namespace lockstep::sim::commands
