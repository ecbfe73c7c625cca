// The page that shows a trace, as its files in sim/view are: built into the program by sim/view/embed.cmake.
#pragma once

#include <map>
#include <string_view>

namespace lockstep::sim::commands {

extern const std::map<std::string_view, std::string_view> view_page;

}  // namespace lockstep::sim::commands
