// The commands of lockstep-sim. Each reads its own arguments (argv[0] names it), prints, and returns the exit code. They
// are the tool round the simulator and not a part of what it runs: here are files, clocks of the real world, processes.
#pragma once

#include <sim/checker.hpp>

#include <cstdint>
#include <string>

namespace lockstep::sim::commands {

/// Runs seeds: what the program does where no other command is named.
int run(int argc, char** argv);
/// The same with clusters of replicated registers, and clients.
int run_consensus(int argc, char** argv);
/// Checks histories in files for linearizability.
int check_history(int argc, char** argv);
/// Shows a trace.
int view(int argc, char** argv);
/// Takes a small cluster of consensus cores through everything that can happen within bounds.
int explore(int argc, char** argv);

/// One line to stderr, and the exit code for bad usage.
int complain(const std::string& line);
/// Decimal digits and nothing else, up to 64 bits.
bool parse_number(const std::string& text, std::uint64_t& out);
/// What else is too many of anything: whoever wrote -1 meant something else.
inline constexpr std::uint64_t number_max = 1'000'000'000;
/// "A..B", both included.
bool parse_range(const std::string& text, std::uint64_t& from, std::uint64_t& to);
/// Empty, or why there is nothing to be had from the file.
std::string read_file(const std::string& path, std::string& text);
/// Whether it could be, without a trace of having been asked.
bool can_be_written(const std::string& path);
/// By whatever names, and also where neither is there yet.
bool is_same_file(const std::string& a, const std::string& b);
/// As a shell takes it for one word.
std::string shell_word(const std::string& text);
const char* name_of(exit_class what);

}  // namespace lockstep::sim::commands
