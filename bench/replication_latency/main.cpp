// replication_latency: how long a commit and a file take on three nodes, beside what the bare operations take.
#include "child.hpp"
#include "commits.hpp"
#include "files.hpp"
#include "output.hpp"

#include <CLI/CLI.hpp>

#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace bench {
namespace {

struct arguments {
    bool json = false;
    bool quick = false;
    std::string svg;
    std::string only;
    std::string directory = std::filesystem::temp_directory_path().string();
};

int complain(const std::string& text, int code) {
    std::fprintf(stderr, "replication_latency: %s\n", text.c_str());
    return code;
}

/// A directory of this run, removed with all that is in it.
class work_directory {
public:
    explicit work_directory(const std::string& where) : path_(where + "/lockstep-bench-XXXXXX") {
        if (::mkdtemp(path_.data()) == nullptr)
            throw failure("--directory " + where + ": cannot make a directory there");
    }
    ~work_directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    work_directory(const work_directory&) = delete;
    work_directory& operator=(const work_directory&) = delete;
    std::filesystem::path path() const { return path_; }

private:
    std::string path_;
};

std::string file_system_name(const std::string& directory) {
    struct statfs about {};
    if (::statfs(directory.c_str(), &about) != 0) return "unknown";
    switch (static_cast<unsigned long>(about.f_type)) {
        case 0xef53: return "ext4";
        case 0x58465342: return "xfs";
        case 0x9123683e: return "btrfs";
        case 0x01021994: return "tmpfs: nothing is durable there, these are no figures of a disk";
        case 0x794c7630: return "overlayfs";
        default: break;
    }
    char text[32];
    std::snprintf(text, sizeof text, "type 0x%lx", static_cast<unsigned long>(about.f_type));
    return text;
}

template <class Case>
std::vector<Case> chosen(std::vector<Case> cases, const std::string& group, const std::string& only) {
    if (only.empty() || only == group) return cases;
    std::erase_if(cases, [&](const Case& c) { return c.name != only; });
    return cases;
}

std::string names_of_cases(bool quick) {
    std::string names = "commits, files";
    for (const auto& c : commit_cases()) names += ", " + c.name;
    for (const auto& c : file_cases(quick)) names += ", " + c.name;
    return names;
}

void expect(report& r, const std::string& what, double limit, const std::string& unit,
            const std::string& name, double (*value)(const case_result&), bool at_least = false) {
    expectation e{what, unit, limit, at_least, std::nullopt};
    for (const auto* group : {&r.commits, &r.files})
        for (const auto& c : *group)
            if (c.name == name && c.measured()) e.measured = value(c);
    r.expectations.push_back(std::move(e));
}

void add_expectations(report& r) {
    const auto ratio = [](const case_result& c) { return c.ratio(); };
    const auto seconds = [](const case_result& c) { return c.times.p50_us / 1e6; };
    expect(r, "commit, one in flight: p50", 3, "x floor", "commit/1", ratio);
    expect(
        r, "commits a second, 256 in flight", 20000, "/s", "commit/256",
        [](const case_result& c) { return c.per_second; }, true);
    expect(r, "1 KiB file on the last node: p50", 5, "x floor", "file/1KiB", ratio);
    expect(r, "1,000 files of 4 KiB on the last node: p50", 3, "s", "file/1000x4KiB", seconds);
    expect(r, "256 MiB file on the last node: p50", 5, "s", "file/256MiB", seconds);
}

report measure(const arguments& given, const std::vector<commit_case>& commits,
               const std::vector<file_case>& files) {
    report r;
    r.quick = given.quick;
    r.directory = given.directory;
    r.file_system = file_system_name(given.directory);
    r.cores = std::thread::hardware_concurrency();
    utsname about{};
    if (::uname(&about) == 0) r.kernel = std::string(about.sysname) + " " + about.release;
    const work_directory work(given.directory);
    floor_probe probe(work.path() / "floor");
    if (!commits.empty()) {
        const auto time = std::chrono::milliseconds(given.quick ? 200 : 4000);
        r.commits = measure_commits(commits, time, given.quick ? 20 : 300, work.path() / "commits", probe);
    }
    if (!files.empty()) r.files = measure_files(files, work.path() / "files", probe);
    if (!given.quick) add_expectations(r);
    return r;
}

int run(const arguments& given) {
    const auto commits = chosen(commit_cases(), "commits", given.only);
    const auto files = chosen(file_cases(given.quick), "files", given.only);
    if (commits.empty() && files.empty())
        return complain("--only " + given.only + ": want one of " + names_of_cases(given.quick), 2);
    if (!std::filesystem::is_directory(given.directory))
        return complain("--directory " + given.directory + ": no such directory", 2);
    std::ofstream svg;
    if (!given.svg.empty()) {
        svg.open(given.svg);
        if (!svg) return complain("--svg " + given.svg + ": cannot be written", 2);
    }
    catch_interrupts();
    const report r = measure(given, commits, files);
    if (svg.is_open()) {
        svg << to_svg(r) << std::flush;
        if (!svg) return complain("--svg " + given.svg + ": cannot be written", 1);
    }
    std::printf("%s\n", (given.json ? to_json(r) : to_table(r)).c_str());
    for (const auto* group : {&r.commits, &r.files})
        for (const auto& c : *group)
            if (!c.measured() && c.outcome != case_result::not_yet_text)
                return complain(c.name + ": " + c.outcome + ": " + c.why, 1);
    return 0;
}

/// The other roles of this program, which it gives to itself: --node ROLE ARGUMENTS...
int run_node(std::vector<std::string> given) {
    const std::string role = given.empty() ? "" : given.front();
    if (!given.empty()) given.erase(given.begin());
    if (role == "echo" && given.size() == 1) return run_echo(std::stoi(given.front()));
    if (role == "commit" && given.size() >= 3) return run_commit_node(given);
    if (role == "file" && given.size() >= 3) return run_file_node(given);
    return complain("--node is for the program itself", 2);
}

int main(int argc, char** argv) {
    if (argc > 1 && std::string(argv[1]) == "--node") return run_node({argv + 2, argv + argc});
    arguments given;
    CLI::App app{"How long a commit and a file take on three nodes, beside what the bare operations take.",
                 "replication_latency"};
    app.add_flag("--json", given.json, "for machines: docs/performance.md says what is in it");
    app.add_option("--svg", given.svg, "FILE: a plot beside the table");
    app.add_flag("--quick", given.quick, "few and smaller samples: shows that it works, not how fast");
    app.add_option("--only", given.only, "one of " + names_of_cases(false));
    app.add_option("--directory", given.directory,
                   "where the nodes keep their files: on the disk that is to be measured");
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        return app.exit(help);
    } catch (const CLI::ParseError& error) {
        std::string text = error.what();
        for (auto& c : text) c = c == '\n' ? ' ' : c;
        return complain(text, 2);
    }
    return run(given);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    try {
        return bench::main(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "replication_latency: %s\n", error.what());
        return 1;
    }
}
