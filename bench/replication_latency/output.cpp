#include "output.hpp"

#include <lockstep/version.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <cstdarg>
#include <cstdio>

namespace bench {
namespace {

[[gnu::format(printf, 1, 2)]] std::string print(const char* format, ...) {
    char text[256];
    va_list values;
    va_start(values, format);
    std::vsnprintf(text, sizeof text, format, values);
    va_end(values);
    return text;
}

std::string count_text(double value) { return value < 100 ? print("%.1f", value) : print("%.0f", value); }

void add_case(std::string& out, const case_result& r) {
    out += print("  %-15s", r.name.c_str());
    if (!r.measured()) {
        out += r.outcome + (r.why.empty() ? "" : ": " + r.why) +
               print(" (floor %s)\n", time_text(r.floor.total_us()).c_str());
        return;
    }
    out += print("%8zu %9s %9s %9s %11s %9s %8.1f\n", r.times.count, time_text(r.times.p50_us).c_str(),
                 time_text(r.times.p99_us).c_str(), time_text(r.times.max_us).c_str(),
                 count_text(r.per_second).c_str(), time_text(r.floor.total_us()).c_str(), r.ratio());
}

void add_cases(std::string& out, const char* title, const char* rate, const std::vector<case_result>& cases) {
    if (cases.empty()) return;
    out += std::string(title) + "\n" +
           print("  %-15s%8s %9s %9s %9s %11s %9s %8s\n", "case", "samples", "p50", "p99", "max", rate,
                 "floor", "p50/floor");
    for (const auto& r : cases) add_case(out, r);
    out += "\n";
}

boost::json::object to_object(const case_result& r) {
    boost::json::object floor{{"fdatasync_us", r.floor.fdatasync_us},
                              {"round_trip_us", r.floor.round_trip_us}};
    if (r.files > 0) floor["three_renames_us"] = r.floor.renames_us;
    floor["total_us"] = r.floor.total_us();
    boost::json::object out{{"name", r.name}};
    if (r.files > 0) out["files"] = r.files;
    else out["in_flight"] = r.in_flight;
    out["bytes_each"] = r.bytes_each;
    out["outcome"] = r.outcome;
    out["why"] = r.why;
    out["samples"] = r.times.count;
    out["p50_us"] = r.times.p50_us;
    out["p99_us"] = r.times.p99_us;
    out["max_us"] = r.times.max_us;
    out["per_second"] = r.per_second;
    out["bytes_per_second"] = r.bytes_per_second;
    out["floor"] = std::move(floor);
    out["ratio"] = r.ratio();
    return out;
}

}  // namespace

std::string time_text(double us) {
    if (us < 999.5) return print("%.0f us", us);
    if (us < 9995) return print("%.2f ms", us / 1e3);
    if (us < 999500) return print("%.0f ms", us / 1e3);
    return print("%.2f s", us / 1e6);
}

std::string to_table(const report& r) {
    std::string out = print("three nodes as processes on %zu cores, %s, in %s (%s)\n\n", r.cores,
                            r.kernel.c_str(), r.directory.c_str(), r.file_system.c_str());
    add_cases(out, "commits of 256-byte entries, from proposing to applied on the leader", "commits/s",
              r.commits);
    add_cases(out, "files, from the close of the first to the same bytes on the last node", "files/s",
              r.files);
    if (!r.expectations.empty()) out += "expected\n";
    for (const auto& e : r.expectations) {
        out += print("  %-44s %s %g %-10s", e.what.c_str(), e.at_least ? "at least" : "under   ", e.limit,
                     e.unit.c_str());
        out += e.measured ? print("%10s  %s\n", count_text(*e.measured).c_str(), e.met() ? "met" : "NOT met")
                          : print("%10s  not measured\n", "-");
    }
    return out;
}

std::string to_json(const report& r) {
    boost::json::array commits, files, expectations;
    for (const auto& c : r.commits) commits.push_back(to_object(c));
    for (const auto& f : r.files) files.push_back(to_object(f));
    for (const auto& e : r.expectations)
        expectations.push_back(boost::json::object{
            {"what", e.what},
            {"limit", e.limit},
            {"bound", e.at_least ? "at least" : "under"},
            {"unit", e.unit},
            {"measured", e.measured ? boost::json::value(*e.measured) : boost::json::value(nullptr)},
            {"met", e.met()}});
    return boost::json::serialize(boost::json::object{
        {"program", "replication_latency"},
        {"format", 1},
        {"version", LOCKSTEP_VERSION},
        {"quick", r.quick},
        {"machine",
         boost::json::object{{"cores", r.cores}, {"kernel", r.kernel}, {"file_system", r.file_system}}},
        {"commits", std::move(commits)},
        {"files", std::move(files)},
        {"expectations", std::move(expectations)}});
}

}  // namespace bench
