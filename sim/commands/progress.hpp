// The line that tells somebody at a terminal how far many runs are. Where nobody looks, nothing is written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace lockstep::sim::commands {

struct progress {
    std::uint64_t done = 0;
    std::uint64_t wanted = 0;
    std::uint64_t failed = 0;
    double seconds = 0;          ///< since the first began
    double seconds_left = 0;     ///< until no more is begun; below 0: no limit
};

/// At most so many characters: a bar, counts, the rate, and how long it will take yet.
std::string text_of(const progress& p, std::size_t width);

/// On the terminal of stderr, over what it said last; gone when this is.
class progress_line {
public:
    progress_line();
    ~progress_line();
    progress_line(const progress_line&) = delete;
    progress_line& operator=(const progress_line&) = delete;

    void show(const progress& p);
    /// Before something else is written: takes the line away until it is shown next.
    void clear();

private:
    bool terminal_;
    bool shown_ = false;
    double last_ = -1;
};

}  // namespace lockstep::sim::commands
