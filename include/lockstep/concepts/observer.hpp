// The `observer` concept: where a node tells what a person may want to read. The library itself never logs.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>

namespace lockstep {

struct report {
    enum class level : std::uint8_t { debug, info, warning, error, fatal };
    level severity = level::info;
    std::string text;  ///< one line, no full stop
};

/// Called on the loop; must not call back into the node. After a `fatal` report the node has stopped for good.
template <class O>
concept observer = requires(O& o, const report& r) {
    { o.observe(r) };
};

}  // namespace lockstep
