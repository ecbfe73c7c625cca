// Histories of operations as other tools write them: Jepsen's logs of a register, and maps of operations on texts by key.
// Which of the two a text is, its content tells. Format: docs/formats/history.md.
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/testing/models.hpp>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lockstep::sim {

using register_history = std::vector<testing::operation<testing::register_model::input, testing::register_model::output>>;
using text_map_history = std::vector<testing::operation<testing::text_map_model::input, testing::text_map_model::output>>;

struct parsed_history {
    std::variant<register_history, text_map_history> what;
    std::string wrong;   ///< "line 3: ..."; empty where all is well
};
/// Time is the number of the line. What never returned, or with an answer that tells nothing, may have happened.
LOCKSTEP_DECL parsed_history parse_history(std::string_view text);

LOCKSTEP_DECL testing::check_result check(const parsed_history& history, const testing::check_limits& limits);
/// How many operations.
LOCKSTEP_DECL std::size_t size(const parsed_history& history);
/// One operation, for a person.
LOCKSTEP_DECL std::string describe(const parsed_history& history, std::size_t operation);

}  // namespace lockstep::sim

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <sim/history/impl/history_file.ipp>
#endif
