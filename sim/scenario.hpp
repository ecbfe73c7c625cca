// A run, written down: what it is made of, what goes wrong when, and who does what when. A seed alone gives one
// (draw_scenario); a failing one can be thinned out (shrink.hpp), kept as a small text and run again. All that is left to
// the seed then are delays and the like, and what each numbered edit does. Format: docs/formats/scenario.md.
#pragma once

#include <sim/expectation.hpp>
#include <sim/faults/draw_faults.hpp>
#include <sim/tunables.hpp>

#include <optional>
#include <string>
#include <vector>

namespace lockstep::sim {

enum class workload_kind : std::uint8_t {
    folder,      ///< users edit replicated directories
    consensus,   ///< clients propose to replicated state machines, and read
};

struct scenario {
    workload_kind workload = workload_kind::folder;
    std::uint64_t seed = 0;
    std::uint64_t nodes = 3;
    duration faulty = std::chrono::seconds(20);   ///< users and clients are at work, and things go wrong
    duration calm = std::chrono::seconds(120);    ///< at most, until everything has settled
    tunables tuned;
    std::vector<fault> faults;                    ///< by time
    std::vector<planned_edit> edits;              ///< by time
    std::vector<planned_operation> operations;    ///< likewise
    std::vector<expectation> expected;            ///< likewise
};

/// What a seed is to be made into.
struct drawing {
    workload_kind workload = workload_kind::folder;
    std::optional<std::uint64_t> nodes = {};   ///< none: three, and in a swarm sometimes another number
    duration faulty = std::chrono::seconds(20);
    duration calm = std::chrono::seconds(120);
    bool faults = true;    ///< none: users edit, and nothing goes wrong
    /// Vary everything, with every kind of fault. Or else a few sizes, with crashes, cuts and full disks in folders, and with
    /// everything that can go wrong about consensus.
    bool swarm = false;
};

/// A pure function of its arguments.
LOCKSTEP_DECL scenario draw_scenario(std::uint64_t seed, const drawing& how);

/// As lines of text; what is as by default is left out.
LOCKSTEP_DECL std::string to_text(const scenario& s);
/// A line of it.
LOCKSTEP_DECL std::string line_of(const fault& f);
LOCKSTEP_DECL std::string line_of(const planned_edit& e);

struct parsed_scenario {
    scenario what;
    std::string wrong;   ///< "line 3: ..."; empty where all is well
};
LOCKSTEP_DECL parsed_scenario parse_scenario(std::string_view text);

/// "1.5s", "20ms", "7us", "3ns".
LOCKSTEP_DECL std::string to_text(duration d);
LOCKSTEP_DECL bool parse_duration(std::string_view text, duration& out);

}  // namespace lockstep::sim

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <sim/impl/draw_scenario.ipp>
#include <sim/impl/scenario.ipp>
#endif
