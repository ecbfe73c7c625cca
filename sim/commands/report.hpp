// What the program says of runs: sums over them, lines for people, JSON for programs.
#pragma once

#include <sim/simulation.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lockstep::sim::commands {

struct totals {
    std::uint64_t wanted = 0;   ///< how many runs were asked for
    std::uint64_t runs = 0;
    std::map<exit_class, std::uint64_t> failed;
    run_result sum;   ///< of all numbers

    void add(const run_result& r);
    std::uint64_t failures() const;
    /// The worst of all, as an exit code.
    int worst() const;
    /// Probes that no run reached.
    std::vector<probe> not_reached() const;
};

/// What it is, who found it and in which words.
std::string text_of(const failure& f);
std::string line_of(std::uint64_t seed, const run_result& r);
std::string lines_of(const totals& all, double seconds);
/// Each probe and how often it was reached, the rarest first.
std::string probes_of(const totals& all);

/// One JSON object a run, one for the sums; without a line's end.
std::string json_of(const scenario& s, const run_result& r, const std::string& command);
std::string json_of(const totals& all, double seconds);

/// The commit that this program was built from.
std::string version();

}  // namespace lockstep::sim::commands
