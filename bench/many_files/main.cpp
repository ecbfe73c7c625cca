// many_files: what many small files cost three nodes, at growing numbers of them: the first scan, as many created live,
// a restart, and one edit among them. The time per file at each number shows what grows faster than the files do.
#include "run.hpp"

#include <bench/replication_latency/child.hpp>
#include <bench/replication_latency/files.hpp>
#include <lockstep/version.hpp>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace bench {
namespace {

constexpr const char* program_name = "many_files";

int complain(const std::string& text, int code) {
    std::fprintf(stderr, "%s: %s\n", program_name, text.c_str());
    return code;
}

struct arguments {
    std::vector<std::size_t> files{1000, 10'000, 30'000, 100'000};
    int edits = 20;
    bool json = false;
    std::string directory = std::filesystem::temp_directory_path().string();
};

/// A directory of this run, removed with all that is in it.
class work_directory {
public:
    explicit work_directory(const std::string& where) : path_(where + "/lockstep-bench-XXXXXX") {
        if (::mkdtemp(path_.data()) == nullptr) throw failure("--directory " + where + ": cannot make a directory there");
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

double mib(std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

template <class Array>
double most_mib(const Array& bytes) {
    return mib(*std::max_element(bytes.begin(), bytes.end()));
}

void print_head() {
    std::printf("%8s | %-32s | %-32s | %-32s | %-19s | %-20s\n", "", "first scan", "created live", "restart", "one edit",
                "bytes at the end");
    std::printf("%8s |", "files");
    for (int step = 0; step < 3; ++step) std::printf(" %8s %7s %7s %7s |", "time", "a file", "of CPU", "peak");
    std::printf(" %8s %10s | %6s %6s %6s\n", "p50", "max", "log", "chunks", "tree");
}

void print_row(const many_files_result& r) {
    std::printf("%8zu |", r.files);
    for (const auto* step : {&r.scan, &r.live, &r.restart})
        std::printf(" %6.2f s %4.0f us %4.0f us %5.0f M |", step->seconds, r.per_file_us(step->seconds),
                    r.per_file_us(step->cpu_seconds), most_mib(step->peak_bytes));
    std::printf(" %5.1f ms %7.1f ms | %4.0f M %4.0f M %4.0f M\n", r.edit.p50_us / 1e3, r.edit.max_us / 1e3,
                mib(r.log_bytes), mib(r.chunk_bytes), mib(r.tree_bytes));
    if (r.restart_read != 0)
        std::printf("%8s   at the restart a node read %llu files that it knew\n", "",
                    static_cast<unsigned long long>(r.restart_read));
    std::fflush(stdout);
}

boost::json::object to_object(const many_files_result& r) {
    const auto list = [](const std::array<std::uint64_t, 3>& bytes) {
        return boost::json::array{bytes[0], bytes[1], bytes[2]};
    };
    const auto step = [&](const many_files_result::step& s) {
        return boost::json::object{
            {"seconds", s.seconds},
            {"per_file_us", r.per_file_us(s.seconds)},
            {"cpu_per_file_us", r.per_file_us(s.cpu_seconds)},
            {"peak_bytes", list(s.peak_bytes)}};
    };
    auto restart = step(r.restart);
    restart["files_read"] = r.restart_read;
    return {{"files", r.files},
            {"bytes", r.bytes},
            {"scan", step(r.scan)},
            {"live", step(r.live)},
            {"restart", std::move(restart)},
            {"edit", boost::json::object{{"samples", r.edit.count},
                                         {"p50_us", r.edit.p50_us},
                                         {"p99_us", r.edit.p99_us},
                                         {"max_us", r.edit.max_us}}},
            {"resident_bytes", list(r.resident_bytes)},
            {"log_bytes", r.log_bytes},
            {"chunk_bytes", r.chunk_bytes},
            {"tree_bytes", r.tree_bytes}};
}

int run(const arguments& given) {
    for (const auto files : given.files)
        if (files == 0 || files > 10'000'000)
            return complain("--files " + std::to_string(files) + ": want 1 to 10000000", 2);
    if (given.edits < 1) return complain("--edits " + std::to_string(given.edits) + ": want at least 1", 2);
    if (!std::filesystem::is_directory(given.directory))
        return complain("--directory " + given.directory + ": no such directory", 2);
    catch_interrupts();
    const work_directory work(given.directory);
    boost::json::array sizes;
    if (!given.json) print_head();
    for (const auto files : given.files) {
        const auto r = measure_many_files(files, given.edits, work.path() / std::to_string(files));
        if (given.json) sizes.push_back(to_object(r));
        else print_row(r);
    }
    if (given.json)
        std::printf("%s\n", boost::json::serialize(boost::json::object{{"program", program_name},
                                                                       {"format", 1},
                                                                       {"version", LOCKSTEP_VERSION},
                                                                       {"sizes", std::move(sizes)}})
                                .c_str());
    return 0;
}

int main(int argc, char** argv) {
    // The other role of this program, which it gives to itself: --node file ARGUMENTS...
    if (argc > 2 && std::string(argv[1]) == "--node" && std::string(argv[2]) == "file")
        return run_file_node({argv + 3, argv + argc});
    arguments given;
    CLI::App app{"What many small files cost three nodes: first scan, created live, restart, one edit.", program_name};
    app.add_option("--files", given.files, "how many, as 1000,10000: all is measured at each number")->delimiter(',');
    app.add_option("--edits", given.edits, "of one file each, at the end");
    app.add_flag("--json", given.json, "for machines: docs/performance.md says what is in it");
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
        std::fprintf(stderr, "many_files: %s\n", error.what());
        return 1;
    }
}
