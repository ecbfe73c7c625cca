// What is measured and how it is summed up: samples of time, the floor beside them, and what came of a case.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

using clock = std::chrono::steady_clock;

/// One line for a person; ends the program.
struct failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline double microseconds(clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

/// Times in microseconds.
class samples {
public:
    void add(double us) {
        values_.push_back(us);
        sorted_ = false;
    }
    std::size_t count() const noexcept { return values_.size(); }
    double sum() const {
        double all = 0;
        for (const double v : values_) all += v;
        return all;
    }
    /// Nearest rank: of 100 samples the 99th is the second largest. 0 of none.
    double percentile(double p) {
        if (values_.empty()) return 0;
        if (!sorted_) std::sort(values_.begin(), values_.end());
        sorted_ = true;
        const auto rank = static_cast<std::size_t>(std::ceil(p / 100 * static_cast<double>(values_.size())));
        return values_[std::clamp<std::size_t>(rank, 1, values_.size()) - 1];
    }

private:
    std::vector<double> values_;
    bool sorted_ = false;
};

struct summary {
    std::size_t count = 0;
    double p50_us = 0;
    double p99_us = 0;
    double max_us = 0;
};

inline summary summarise(samples& s) {
    return {s.count(), s.percentile(50), s.percentile(99), s.percentile(100)};
}

/// The median time of each bare operation without which the promise cannot be kept.
struct floor_times {
    double fdatasync_us = 0;
    double round_trip_us = 0;
    double renames_us = 0;  ///< files only: write, fsync and rename, three times
    double total_us() const noexcept { return fdatasync_us + round_trip_us + renames_us; }
};

struct case_result {
    std::string name;           ///< as --only takes it
    std::size_t in_flight = 0;  ///< commits only
    std::size_t files = 0;      ///< files only, of one sample
    std::size_t bytes_each = 0;
    std::string outcome;  ///< "measured", or why there are no times
    std::string why;      ///< more of that, in the node's words
    summary times;
    double per_second = 0;  ///< commits, or files
    double bytes_per_second = 0;
    floor_times floor;

    bool measured() const { return outcome == measured_text; }
    /// What every visible change costs more than its floor; 0 where nothing was measured.
    double ratio() const { return measured() && floor.total_us() > 0 ? times.p50_us / floor.total_us() : 0; }

    static constexpr const char* measured_text = "measured";
    static constexpr const char* not_yet_text = "not replicated yet";
};

struct expectation {
    std::string what;
    std::string unit;
    double limit = 0;
    bool at_least = false;           ///< else: below
    std::optional<double> measured;  ///< none: the case was not run, or has no times
    bool met() const { return measured && (at_least ? *measured >= limit : *measured < limit); }
};

struct report {
    bool quick = false;
    std::string directory;
    std::string file_system;
    std::string kernel;
    std::size_t cores = 0;
    std::vector<case_result> commits;
    std::vector<case_result> files;
    std::vector<expectation> expectations;
};

}  // namespace bench
