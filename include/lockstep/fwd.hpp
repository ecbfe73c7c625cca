// Declarations for headers that only name the library's types: identifiers, and the classes that users meet.
#pragma once

#include <lockstep/base/ids.hpp>

namespace lockstep {

class shared_bytes;
struct content_hash;

namespace raft {
class core;
struct entry;
struct message;
struct options;
struct output;
}  // namespace raft

namespace folder {
class tree;
struct command;
}  // namespace folder

}  // namespace lockstep
