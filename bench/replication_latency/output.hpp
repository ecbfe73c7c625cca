// A report in its three forms.
#pragma once

#include "measure.hpp"

#include <string>

namespace bench {

std::string to_table(const report& r);
std::string to_json(const report& r);
std::string to_svg(const report& r);

/// "230 us", "4.1 ms", "1.20 s".
std::string time_text(double us);

}  // namespace bench
