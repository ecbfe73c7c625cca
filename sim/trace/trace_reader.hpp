// Reads traces back (docs/formats/trace.md), for pages and exports. Whatever it does not know in a line it keeps as it is.
#pragma once

#include <lockstep/base/config.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::sim {

/// An event as it stands in a file.
struct event_line {
    std::uint64_t id = 0;
    std::int64_t at_ns = 0;
    std::string lane;
    std::string kind;
    std::string text;
    std::vector<std::uint64_t> parents;
    std::map<std::string, std::string, std::less<>> values;   ///< numbers in digits
    std::string line;                                         ///< all of it but its clock, which its parents tell too
};

struct parsed_trace {
    std::string head;                 ///< the first line
    std::vector<event_line> events;
    std::string wrong;                ///< "line 3: ..."; empty where all is well
};

/// A line longer than this is refused.
inline constexpr std::size_t trace_line_max = std::size_t{1} << 20;

LOCKSTEP_DECL parsed_trace parse_trace(std::string_view text);

}  // namespace lockstep::sim

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <sim/trace/impl/trace_reader.ipp>
#endif
