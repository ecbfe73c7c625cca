// Makes the trace of a run: runs it in a process of its own, so that one that crashes leaves its trace too.
#pragma once

#include <sim/scenario.hpp>
#include <sim/trace/trace_event.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace lockstep::sim::commands {

struct trace_request {
    std::string file;
    traced_kinds kinds = traced_kinds::usual();
    std::uint64_t events_max = 250'000;   ///< of a longer run the last ones
};

/// Names of kinds with commas between them; "all", "usual"; "-name" takes one away again. False: no kind is called so.
bool parse_kinds(std::string_view text, traced_kinds& out);

/// `command`: what runs it again. Empty, or what went wrong.
std::string write_trace(const scenario& s, const trace_request& r, const std::string& command);

}  // namespace lockstep::sim::commands
