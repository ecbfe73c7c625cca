#pragma once

#include <sim/trace/trace_file.hpp>

#include <ostream>

namespace lockstep::sim {
namespace detail {

inline std::string json_values(const trace_values& values) {
    std::string out = "{";
    for (const trace_values::item& v : values.items()) {
        if (out.size() > 1) out += ',';
        out += json_text(v.name) + ":" + (v.is_text ? json_text(v.text) : std::to_string(v.number));
    }
    return out + "}";
}

inline constexpr std::string_view outcome_name(exit_class what) {
    switch (what) {
        case exit_class::passed: return "passed";
        case exit_class::usage: return "usage";
        case exit_class::crash: return "crash";
        case exit_class::liveness: return "liveness";
        case exit_class::correctness: return "correctness";
    }
    return "?";
}

}  // namespace detail

LOCKSTEP_DECL std::string json_text(std::string_view text) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') (out += '\\') += c;
        else if (byte >= 0x20 && byte < 0x7f) out += c;
        else ((out += "\\u00") += digits[byte >> 4]) += digits[byte & 15];
    }
    return out + '"';
}

LOCKSTEP_DECL std::string json_line(const trace_event& e, const std::vector<trace_lane>& lanes) {
    std::string out = "{\"id\":" + std::to_string(e.id) + ",\"t\":" + std::to_string(e.at.time_since_epoch().count()) +
                      ",\"lane\":" + json_text(to_text(e.where)) + ",\"kind\":" + json_text(to_string(e.what)) +
                      ",\"text\":" + json_text(e.text);
    if (!e.values.empty()) out += ",\"values\":" + detail::json_values(e.values);
    if (!e.state.empty()) out += ",\"state\":" + detail::json_values(e.state);
    out += ",\"parents\":[";
    for (std::size_t i = 0; i < e.parents.size(); ++i) out += (i ? "," : "") + std::to_string(e.parents[i]);
    out += "],\"clock\":{";
    bool first = true;
    for (std::size_t i = 0; i < e.clock.size(); ++i) {
        if (e.clock[i] == 0) continue;
        out += (first ? "" : ",") + json_text(to_text(lanes[i])) + ":" + std::to_string(e.clock[i]);
        first = false;
    }
    return out + "}}";
}

LOCKSTEP_DECL void trace_log::add(trace_event e) {
    events_.push_back(std::move(e));
    if (events_.size() <= events_max_) return;
    const trace_event& oldest = events_.front();
    if (oldest.what == traced::start || oldest.what == traced::crash) before_[oldest.where] = {};
    if (!oldest.state.empty()) before_[oldest.where].merge(oldest.state);
    events_.pop_front();
    ++dropped_;
}

LOCKSTEP_DECL void trace_log::write(std::ostream& to, const trace_head& head, const std::vector<trace_lane>& lanes) const {
    to << "{\"lockstep-trace\":" << trace_version << ",\"commit\":" << json_text(head.commit) << ",\"seed\":" << head.seed
       << ",\"command\":" << json_text(head.command) << ",\"outcome\":" << json_text(detail::outcome_name(head.outcome.what))
       << ",\"checker\":" << json_text(head.outcome.checker) << ",\"text\":" << json_text(head.outcome.text) << ",\"events\":" << events_.size() << ",\"dropped\":" << dropped_
       << ",\"before\":{";
    bool first = true;
    for (const auto& [where, state] : before_) {
        to << (first ? "" : ",") << json_text(to_text(where)) << ":" << detail::json_values(state);
        first = false;
    }
    to << "}}\n";
    for (const trace_event& e : events_) to << json_line(e, lanes) << "\n";
}

}  // namespace lockstep::sim
