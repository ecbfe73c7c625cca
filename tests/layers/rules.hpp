// The table of layers and the banned names, as functions from a file's path and text to complaints.
// Pure: layers_test.cpp reads the tree and feeds it in.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::layers {

using names = std::set<std::string, std::less<>>;

/// What an area may include beside itself and the standard library.
struct area_rule {
    names areas;                 ///< areas of the library
    names foreign;               ///< beginnings of other projects' headers
    bool deterministic = true;   ///< runs in the simulator: neither clocks, randomness, threads nor the environment
};

/// The area of "include/lockstep/raft/core.hpp" is "raft", that of "sim/world.hpp" is "sim", that of the simulator's
/// program (sim/main.cpp, sim/commands/) is "commands", and that of a header directly in include/lockstep is "".
std::string area_of(std::string_view path);

/// The table of docs/architecture.md, by area.
const std::map<std::string, area_rule, std::less<>>& layer_table();

/// The text with comments blanked, and the insides of literals too but for those of #include lines.
std::string without_comments_and_literals(std::string_view text);

/// The targets of the #include lines of a text, without brackets or quotes.
std::vector<std::string> includes_of(std::string_view text);

/// Complaints about the edges from one file to what it includes.
std::vector<std::string> check_includes(std::string_view path, std::string_view text);

/// Complaints about names that a file's area may not use.
std::vector<std::string> check_names(std::string_view path, std::string_view text);

/// Complaints about what a compiler read to compile all headers of an area; `files` are absolute paths.
std::vector<std::string> check_reached(std::string_view area, const std::vector<std::string>& files);

/// The paths in a make rule as the compiler's -M writes it.
std::vector<std::string> parse_dependencies(std::string_view rule);

}  // namespace lockstep::layers
