#include <sim/commands/report.hpp>

#include <sim/commands/commands.hpp>
#include <sim/features.hpp>
#include <sim/trace/trace_file.hpp>

#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <sstream>

namespace lockstep::sim::commands {
namespace {

#if defined(__GNUC__)
[[gnu::format(printf, 1, 2)]]
#endif
std::string
text(const char* format, ...) {
    char line[1024];
    std::va_list values;
    va_start(values, format);
    std::vsnprintf(line, sizeof line, format, values);
    va_end(values);
    return line;
}

/// f(name, number) for everything that is counted but probes.
template <class Result, class F>
void for_each_count(Result& r, F f) {
    f("events", r.events);
    f("edits", r.edits);
    f("contents", r.contents);
    f("messages", r.messages);
    f("elections", r.elections);
    f("committed", r.committed);
    f("conflicts", r.conflicts);
    f("contents_in_chunks", r.chunked);
    f("compactions", r.compactions);
    f("states_installed", r.installed);
    f("stops_for_room", r.stops.stops_for_room);
    f("stops_for_io", r.stops.stops_for_io);
    f("stops_for_damage", r.stops.stops_for_damage);
    f("wiped", r.wiped);
    f("refused_damage", r.refused_damage);
    f("collections", r.collections);
    f("content_looks", r.content_looks);
    f("operations", r.operations);
    f("unanswered", r.unanswered);
    f("undecided", r.undecided);
    f("denials_named", r.denials_named);
    f("roots_missed", r.roots_missed);
    f("clocks_off", r.clocks_off);
    f("races", r.races);
    f("log_lines", r.log_lines);
    f("log_states", r.log_states);
    f("logs_open", r.logs_open);
    for (std::size_t k = 0; k < fault_kind_count; ++k) f(fault_grammars[k].name.data(), r.faults[k]);
    for_each_chance(r.chances, f);
}

double seconds_of(duration d) { return static_cast<double>(d.count()) * 1e-9; }

/// f(name, number) for what a run did for each second that it took of a core.
template <class F>
void for_each_rate(const run_result& r, F f) {
    const double seconds = seconds_of(r.cost.time);
    if (seconds <= 0) return;
    std::uint64_t faults = 0;
    for (const std::uint64_t n : r.faults) faults += n;
    f("virtual_seconds", seconds_of(r.virtual_time) / seconds);
    f("events", static_cast<double>(r.events) / seconds);
    f("messages", static_cast<double>(r.messages) / seconds);
    f("elections", static_cast<double>(r.elections) / seconds);
    f("commits", static_cast<double>(r.committed) / seconds);
    f("faults", static_cast<double>(faults) / seconds);
}

double allocations_an_event(const run_result& r) {
    return r.events == 0 ? 0 : static_cast<double>(r.cost.allocations) / static_cast<double>(r.events);
}

/// Empty where nothing was measured.
std::string speed_json(const run_result& r) {
    std::string out;
    for_each_rate(r, [&](const char* name, double rate) { out += text("%s\"%s\":%.1f", out.empty() ? "" : ",", name, rate); });
    return text(",\"cpu_seconds\":%.6f,\"a_second\":{", seconds_of(r.cost.time)) + out +
           text("},\"allocations_an_event\":%.2f", allocations_an_event(r));
}

std::string speed_line(const run_result& r) {
    std::string out;
    for_each_rate(r, [&](const char* name, double rate) {
        if (out.empty()) out = text("a second on a core: %.0f of virtual time", rate);
        else out += text(", %.0f %s", rate, name);
    });
    if (!out.empty()) out += text("; %.1f allocations an event\n", allocations_an_event(r));
    return out;
}

std::string counts_json(const run_result& r) {
    std::string out;
    for_each_count(r, [&](const char* name, std::uint64_t n) { out += text(",\"%s\":%" PRIu64, name, n); });
    out += ",\"probes\":{";
    for (std::size_t i = 0; i < probe_count; ++i)
        out += text("%s\"%s\":%" PRIu64, i ? "," : "", std::string(probe_names[i]).c_str(), r.probes[i]);
    return out + "}";
}

/// What was derived for a run, but for what is planned, as in its scenario; and which kinds of faults and features it has.
std::string derived_json(const scenario& s) {
    std::string options, on, off;
    std::istringstream lines(to_text(s));
    for (std::string line; std::getline(lines, line) && !line.starts_with("at ");) {
        const std::size_t name = line.starts_with("set ") ? 4 : 0, blank = line.find(' ', name);
        if (line.starts_with("scenario ") || line.starts_with("seed ") || line.starts_with("expect ") || blank == line.npos) continue;
        options += (options.empty() ? "" : ",") + json_text(line.substr(name, blank - name)) + ":" + json_text(line.substr(blank + 1));
    }
    for_each_kind(s, [&](std::string_view name, std::uint64_t value, bool) {
        if (value == 0) off += (off.empty() ? "" : ",") + json_text(name);
        else on += (on.empty() ? "" : ",") + json_text(name) + ":" + std::to_string(value);
    });
    return ",\"options\":{" + options + "},\"on\":{" + on + "},\"off\":[" + off + "]";
}

}  // namespace

void totals::add(const run_result& r) {
    ++runs;
    if (r.outcome.what != exit_class::passed) ++failed[r.outcome.what];
    std::vector<std::uint64_t> more;
    for_each_count(r, [&](const char*, std::uint64_t n) { more.push_back(n); });
    std::size_t i = 0;
    for_each_count(sum, [&](const char*, std::uint64_t& n) { n += more[i++]; });
    for (std::size_t p = 0; p < probe_count; ++p) sum.probes[p] += r.probes[p];
    sum.virtual_time += r.virtual_time;
    sum.cost.time += r.cost.time;
    sum.cost.allocations += r.cost.allocations;
}

std::uint64_t totals::failures() const {
    std::uint64_t count = 0;
    for (const auto& [what, n] : failed) count += n;
    return count;
}

int totals::worst() const { return failed.empty() ? 0 : static_cast<int>(failed.rbegin()->first); }

std::vector<probe> totals::not_reached() const {
    std::vector<probe> missing;
    for (std::size_t i = 0; i < probe_count; ++i)
        if (sum.probes[i] == 0) missing.push_back(static_cast<probe>(i));
    return missing;
}

std::string text_of(const failure& f) {
    if (f.what == exit_class::passed) return name_of(f.what);
    return std::string(name_of(f.what)) + ": " + named(f);
}

std::string line_of(std::uint64_t seed, const run_result& r) {
    return text("seed %" PRIu64 ": ", seed) + text_of(r.outcome) +
           text(", trace %016" PRIx64 ", %.1f s, %" PRIu64 " events, %" PRIu64 " edits, %" PRIu64 " crashes, %" PRIu64
                " partitions, %" PRIu64 " entries, %" PRIu64 " conflicts, %.0f x real time",
                r.trace_hash, seconds_of(r.virtual_time), r.events, r.edits, count_of(r.faults, fault_kind::crash),
                count_of(r.faults, fault_kind::cut), r.committed,
                r.conflicts, r.cost.time.count() > 0 ? seconds_of(r.virtual_time) / seconds_of(r.cost.time) : 0.0) +
           (r.operations == 0 ? "" : text(", %" PRIu64 " operations", r.operations));
}

std::string lines_of(const totals& all, double seconds) {
    const run_result& s = all.sum;
    std::string out = text("%" PRIu64 " runs, %" PRIu64 " failed; %.0f s of virtual time", all.runs, all.failures(), seconds_of(s.virtual_time));
    if (seconds > 0)
        out += text(" in %.1f s: %.0f x real time, %.0f events a second, %.1f runs a second", seconds, seconds_of(s.virtual_time) / seconds,
                    static_cast<double>(s.events) / seconds, static_cast<double>(all.runs) / seconds);
    out += "\n" + speed_line(s);
    if (s.operations != 0)
        out += text("%" PRIu64 " operations of clients, %" PRIu64 " never answered, %" PRIu64 " histories not decided\n", s.operations,
                    s.unanswered, s.undecided);
    out += text("%" PRIu64 " events, %" PRIu64 " edits, %" PRIu64 " contents closed, %" PRIu64 " entries committed, %" PRIu64
                " conflicts, %" PRIu64 " contents applied in chunks, %" PRIu64 " compactions, %" PRIu64 " states installed, %" PRIu64
                " collections, %" PRIu64 " looks for a content on a majority\n",
                s.events, s.edits, s.contents, s.committed, s.conflicts, s.chunked, s.compactions, s.installed, s.collections,
                s.content_looks);
    out += "faults:";
    for (std::size_t k = 0; k < fault_kind_count; ++k)
        out += text("%s %" PRIu64 " %s", k ? "," : "", s.faults[k], std::string(fault_grammars[k].name).c_str());
    out += text("; %" PRIu64 " named what they may not use, %" PRIu64 " said that their directory is gone\nby chance:",
                s.denials_named, s.roots_missed);
    out += text(" %" PRIu64 " clocks off at first, %" PRIu64 " edits raced, %" PRIu64 " lines to open logs, seen in %" PRIu64 " states",
                s.clocks_off, s.races, s.log_lines, s.log_states);
    for_each_chance(s.chances, [&](const char* name, std::uint64_t n) { out += text(", %" PRIu64 " %s", n, name); });
    out += text("\nnodes ended themselves: %" PRIu64 " for want of room, %" PRIu64 " for a failed write or sync, %" PRIu64
                " over damage; %" PRIu64 " were wiped, and damage that would have left too few good disks was refused %" PRIu64 " times\n",
                s.stops.stops_for_room, s.stops.stops_for_io, s.stops.stops_for_damage, s.wiped, s.refused_damage);
    const auto missing = all.not_reached();
    out += text("probes: %zu of %zu reached", probe_count - missing.size(), probe_count);
    for (const probe p : missing) out += (p == missing.front() ? "; never: " : ", ") + std::string(to_string(p));
    return out + "\n";
}

std::string probes_of(const totals& all) {
    std::vector<std::size_t> order(probe_count);
    for (std::size_t i = 0; i < probe_count; ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return std::pair(all.sum.probes[a], a) < std::pair(all.sum.probes[b], b);
    });
    std::string out;
    for (const std::size_t i : order) out += text("%12" PRIu64 "  %s\n", all.sum.probes[i], std::string(probe_names[i]).c_str());
    return out;
}

std::string json_of(const scenario& s, const run_result& r, const std::string& command) {
    const bool passed = r.outcome.what == exit_class::passed;
    return text("{\"seed\":%" PRIu64 ",\"commit\":", s.seed) + json_text(version()) + ",\"command\":" + json_text(command) +
           derived_json(s) + (passed ? "" : ",\"scenario\":" + json_text(to_text(s))) + text(",\"outcome\":\"%s\",\"text\":", name_of(r.outcome.what)) +
           json_text(r.outcome.text) + ",\"checker\":" + json_text(r.outcome.checker) +
           text(",\"trace\":\"%016" PRIx64 "\",\"virtual_seconds\":%.6f", r.trace_hash, seconds_of(r.virtual_time)) + speed_json(r) + counts_json(r) + "}";
}

std::string json_of(const totals& all, double seconds) {
    return text("{\"commit\":%s,\"wanted\":%" PRIu64 ",\"runs\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"seconds\":%.3f,\"virtual_seconds\":%.3f",
                json_text(version()).c_str(), all.wanted, all.runs, all.failures(), seconds, seconds_of(all.sum.virtual_time)) +
           speed_json(all.sum) + counts_json(all.sum) + "}";
}

}  // namespace lockstep::sim::commands
