// Traces for other tools: a log for ShiViz, and a sequence diagram for Mermaid.
#pragma once

#include <sim/trace/trace_reader.hpp>

#include <lockstep/base/config.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace lockstep::sim {

/// How ShiViz takes such a log apart: to be put into its field "log parsing regular expression".
inline constexpr std::string_view shiviz_expression = R"((?<event>.*)\n(?<host>\S*) (?<clock>{.*}))";

/// Two lines an event: what it is; host and vector clock. Its clocks count what is in the log, without gaps, as ShiViz wants
/// them; what the world does is a host of its own. Losses are left out.
LOCKSTEP_DECL std::string to_shiviz(const parsed_trace& t);

/// What a sequence diagram is to show.
struct diagram_window {
    std::int64_t from_ns = 0;
    std::int64_t to_ns = std::numeric_limits<std::int64_t>::max();
    std::size_t lines_max = 120;   ///< the last ones
};
/// Without heartbeats. A message stands where it arrived, or, lost, where it left.
LOCKSTEP_DECL std::string to_mermaid(const parsed_trace& t, const diagram_window& w);

}  // namespace lockstep::sim

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <sim/trace/impl/exports.ipp>
#endif
