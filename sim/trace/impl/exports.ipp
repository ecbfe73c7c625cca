#pragma once

#include <sim/trace/exports.hpp>
#include <sim/trace/trace_event.hpp>
#include <sim/trace/trace_file.hpp>

#include <algorithm>
#include <cctype>
#include <deque>
#include <map>
#include <set>
#include <vector>

namespace lockstep::sim {
namespace detail {

inline std::string value_of(const event_line& e, std::string_view name) {
    const auto found = e.values.find(name);
    return found == e.values.end() ? std::string() : found->second;
}

/// On one line, whatever it says.
inline std::string one_line(std::string text) {
    std::replace_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    return text;
}

/// Clocks that count only some events, computed from all of them.
class clock_counter {
public:
    explicit clock_counter(const parsed_trace& t) : first_(t.events.empty() ? 1 : t.events.front().id) { clocks_.reserve(t.events.size()); }

    /// In the order of the trace. The clock of an event that counts includes itself.
    const std::map<std::string, std::uint64_t>& add(const event_line& e, bool counts) {
        std::map<std::string, std::uint64_t> clock;
        const auto join = [&](const std::map<std::string, std::uint64_t>& other) {
            for (const auto& [host, n] : other) clock[host] = std::max(clock[host], n);
        };
        for (const std::uint64_t p : e.parents)
            if (p >= first_ && p - first_ < clocks_.size()) join(clocks_[static_cast<std::size_t>(p - first_)]);
        if (counts) {
            // A host has an order, what the world does among it.
            join(last_[e.lane]);
            ++clock[e.lane];
            last_[e.lane] = clock;
        }
        return clocks_.emplace_back(std::move(clock));
    }

private:
    std::uint64_t first_;
    std::vector<std::map<std::string, std::uint64_t>> clocks_;
    std::map<std::string, std::map<std::string, std::uint64_t>> last_;
};

/// What means something to Mermaid is written as a number.
inline std::string mermaid_text(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const bool word_begins = i == 0 || !std::isalnum(static_cast<unsigned char>(text[i - 1]));
        if (c == ';' || c == '#' || c == '<' || c == '>' || c == '%' || c < 0x20 || c >= 0x7f) out += "#" + std::to_string(c) + ";";
        else if (word_begins && text.compare(i, 3, "end") == 0) out += "#101;";
        else out += text[i];
    }
    return out;
}

inline bool is_shown_as_note(const event_line& e) {
    static const std::set<std::string, std::less<>> kinds = {"start", "crash", "role", "apply", "install", "conflict", "report", "call"};
    return kinds.contains(e.kind);
}

}  // namespace detail

LOCKSTEP_DECL std::string to_shiviz(const parsed_trace& t) {
    std::string out;
    detail::clock_counter clocks(t);
    for (const event_line& e : t.events) {
        const bool counts = e.kind != "lost";
        const auto& clock = clocks.add(e, counts);
        if (!counts) continue;
        out += detail::one_line(e.kind + ": " + e.text) + "\n" + e.lane + " {";
        bool first = true;
        for (const auto& [host, n] : clock) {
            if (n == 0) continue;
            out += (first ? "" : ", ") + json_text(host) + ": " + std::to_string(n);
            first = false;
        }
        out += "}\n";
    }
    return out;
}

LOCKSTEP_DECL std::string to_mermaid(const parsed_trace& t, const diagram_window& w) {
    std::set<std::string> lost;   // numbers of messages that were sent
    std::set<std::string> lanes;
    for (const event_line& e : t.events) {
        if (e.kind == "lost") lost.insert(detail::value_of(e, "sent"));
        if (e.lane != "world") lanes.insert(e.lane);
    }
    const std::string everywhere = lanes.empty() ? std::string("world") : *lanes.begin() + "," + *lanes.rbegin();
    std::deque<std::string> lines;
    for (const event_line& e : t.events) {
        if (e.at_ns < w.from_ns || e.at_ns > w.to_ns || detail::value_of(e, "type").starts_with("heartbeat")) continue;
        std::string line;
        if (e.kind == "receive") line = "node" + detail::value_of(e, "from") + "->>" + e.lane + ": ";
        else if (e.kind == "send" && lost.contains(std::to_string(e.id))) line = e.lane + "-xnode" + detail::value_of(e, "to") + ": ";
        else if (detail::is_shown_as_note(e)) line = "Note over " + e.lane + ": ";
        else if (e.kind == "fault" || e.kind == "mend" || e.kind == "violation") line = "Note over " + everywhere + ": " + e.kind + ": ";
        else continue;
        lines.push_back("    " + line + detail::mermaid_text(e.text) + "\n");
        if (lines.size() > w.lines_max) lines.pop_front();
    }
    std::string out = "sequenceDiagram\n";
    for (const std::string& lane : lanes) out += "    participant " + lane + "\n";
    for (const std::string& line : lines) out += line;
    return out;
}

}  // namespace lockstep::sim
