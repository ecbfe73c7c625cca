// Checks histories of operations that are written down in files.
#include <sim/commands/commands.hpp>
#include <sim/history/history_file.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <vector>

namespace lockstep::sim::commands {
namespace {

constexpr int exit_unknown = 2;

const char* text_of(testing::verdict v) {
    switch (v) {
        case testing::verdict::linearizable: return "linearizable";
        case testing::verdict::violation: return "not linearizable";
        case testing::verdict::unknown: break;
    }
    return "unknown";
}

int exit_of(testing::verdict v) {
    if (v == testing::verdict::violation) return static_cast<int>(exit_class::correctness);
    return v == testing::verdict::unknown ? exit_unknown : 0;
}

}  // namespace

int check_history(int argc, char** argv) {
    CLI::App app{"Tells whether histories are linearizable. Exits with 0: all are; 129: one is not; 2: one could not be decided.",
                 "lockstep-sim check-history"};
    std::vector<std::string> files;
    testing::check_limits limits;
    std::uint64_t megabytes = limits.bytes_max >> 20;
    bool quiet = false;
    app.add_option("file", files, "logs of Jepsen's, or lists of operations on texts by key")->required();
    app.add_option("--steps", limits.steps_max, "tries of an operation that a history may take")->capture_default_str();
    app.add_option("--memory", megabytes, "MiB that it may take")->capture_default_str();
    app.add_flag("--quiet", quiet, "print nothing but complaints");
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        return app.exit(help);
    } catch (const CLI::ParseError& error) {
        return complain(error.what());
    }
    if (megabytes == 0 || megabytes > (std::uint64_t{1} << 20)) return complain("--memory: want 1 to 1048576");
    limits.bytes_max = static_cast<std::size_t>(megabytes << 20);
    int worst = 0;
    for (const std::string& path : files) {
        std::string text, wrong = read_file(path, text);
        const parsed_history history = wrong.empty() ? parse_history(text) : parsed_history{};
        if (wrong.empty() && !history.wrong.empty()) wrong = path + ": " + history.wrong;
        if (wrong.empty() && size(history) == 0) wrong = path + ": no operation in it";
        if (!wrong.empty()) {
            worst = std::max(worst, complain(wrong));   // the others are judged all the same
            continue;
        }
        const testing::check_result found = check(history, limits);
        worst = std::max(worst, exit_of(found.what));
        if (quiet) continue;
        std::printf("%s: %s, %zu operations, %" PRIu64 " steps\n", path.c_str(), text_of(found.what), size(history), found.steps);
        if (found.misfit)
            std::printf("  of one part %zu operations can be put in order, and then this one fits nowhere:\n  %s\n", found.longest.size(),
                        describe(history, *found.misfit).c_str());
    }
    return worst;
}

}  // namespace lockstep::sim::commands
