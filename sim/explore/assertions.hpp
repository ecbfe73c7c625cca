// Assertions of the library as results: while one of these lives, one that fails throws instead of ending the process.
#pragma once

#include <lockstep/base/assert.hpp>

#include <string>
#include <string_view>

namespace lockstep::sim::explore {

struct assertion_seen {
    std::string text;
};

class assertions_as_results {
public:
    assertions_as_results() : before_(set_assertion_handler(&seen)) {}
    ~assertions_as_results() { set_assertion_handler(before_); }
    assertions_as_results(const assertions_as_results&) = delete;
    assertions_as_results& operator=(const assertions_as_results&) = delete;

private:
    static void seen(const char* what, const char* file, int line) {
        std::string_view name(file);
        name.remove_prefix(name.rfind('/') == std::string_view::npos ? 0 : name.rfind('/') + 1);
        throw assertion_seen{std::string(what) + " (" + std::string(name) + ":" + std::to_string(line) + ")"};
    }

    assertion_handler before_;
};

}  // namespace lockstep::sim::explore
