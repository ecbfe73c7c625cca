// A node's status as JSON. The keys are part of the program's interface: docs/formats/admin.md.
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/node/status.hpp>

#include <string>

namespace lockstep {

LOCKSTEP_DECL std::string to_json(const node_status& status);
LOCKSTEP_DECL std::string to_json(const barrier_result& result);

}  // namespace lockstep

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <lockstep/http/impl/status_json.ipp>
#endif
