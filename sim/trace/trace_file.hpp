// A trace as text: one JSON object a line (docs/formats/trace.md). Written from events, of which the last ones are kept;
// read back for pages and exports.
#pragma once

#include <sim/checker.hpp>
#include <sim/trace/trace_event.hpp>

#include <lockstep/base/config.hpp>

#include <cstddef>
#include <deque>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::sim {

inline constexpr std::uint64_t trace_version = 1;

/// What the first line says.
struct trace_head {
    std::string commit;       ///< that the program was built from
    std::uint64_t seed = 0;
    std::string command;      ///< that runs this again
    failure outcome;
};

/// With quotes; what is no printable ASCII is escaped, byte by byte.
LOCKSTEP_DECL std::string json_text(std::string_view text);
/// `lanes`: as clocks number them.
LOCKSTEP_DECL std::string json_line(const trace_event& e, const std::vector<trace_lane>& lanes);

/// The last events of a run, and how the nodes stood before those.
class trace_log {
public:
    explicit trace_log(std::size_t events_max) : events_max_(events_max) {}

    LOCKSTEP_DECL void add(trace_event e);
    LOCKSTEP_DECL void write(std::ostream& to, const trace_head& head, const std::vector<trace_lane>& lanes) const;
    std::size_t size() const noexcept { return events_.size(); }
    const std::deque<trace_event>& events() const noexcept { return events_; }

private:
    std::size_t events_max_;
    std::deque<trace_event> events_;
    std::uint64_t dropped_ = 0;
    std::map<trace_lane, trace_values> before_;
};

}  // namespace lockstep::sim

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <sim/trace/impl/trace_file.ipp>
#endif
