// What starting a node came to.
#pragma once

#include <lockstep/base/errc.hpp>

#include <string>

namespace lockstep {

/// What start() came to. `text` is one line for a person, empty on success.
struct start_result {
    error_code code;
    std::string text;
};

}  // namespace lockstep
