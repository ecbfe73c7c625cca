// What a user is told to do, where a scenario says it in words instead of leaving it to the seed.
#pragma once

#include <lockstep/base/time.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep::sim {

enum class edit_verb : std::uint8_t {
    any,           ///< nothing is said: the seed says what
    write,         ///< anew, in place
    overwrite,     ///< likewise, and what is behind stays
    save,          ///< beside it, and renamed over it
    append,
    truncate,
    rewrite,       ///< three times in a moment, each time to the same size
    remove,
    remove_tree,
    mkdir,
    move,          ///< to `to`, over what stands there
    symlink,       ///< to `to`
    link,          ///< a hard one, `to`
    chmod,         ///< `number`, written as an octal one
    touch,
};

struct edit_order {
    edit_verb verb = edit_verb::any;
    std::string path;           ///< below the root
    std::string to;
    std::uint64_t number = 0;   ///< bytes, or a mode
    bool synced = false;        ///< with the directories above it
    duration held{};            ///< from opening the file to the first write, and from one write to the next
    friend bool operator==(const edit_order&, const edit_order&) = default;
};

enum class edit_number : std::uint8_t { none, bytes, mode };

/// How a verb is written, and what is said of it behind the path.
struct edit_grammar {
    std::string_view name;
    bool to = false;
    edit_number number = edit_number::none;
    bool may_sync = false;
    bool opens = false;   ///< something, and may hold it open
};
inline constexpr edit_grammar edit_grammars[] = {
    {""}, {"write", false, edit_number::bytes, true, true}, {"overwrite", false, edit_number::bytes, true, true},
    {"save", false, edit_number::bytes, true, true}, {"append", false, edit_number::bytes, false, true},
    {"truncate", false, edit_number::bytes, false, true}, {"rewrite"}, {"remove"}, {"remove-tree"}, {"mkdir"}, {"move", true},
    {"symlink", true}, {"link", true}, {"chmod", false, edit_number::mode, false, true}, {"touch", false, edit_number::none, false, true},
};
inline constexpr std::uint64_t ordered_bytes_max = 1'000'000;

/// Of something that users edit: below the root, and not what the node keeps there.
inline bool is_edited_path(std::string_view path) {
    for (bool first = true;; first = false) {
        const std::string_view name = path.substr(0, path.find('/'));
        if (name.empty() || name == "." || name == ".." || (first && name == ".lockstep")) return false;
        if (name.size() == path.size()) return true;
        path.remove_prefix(name.size() + 1);
    }
}

}  // namespace lockstep::sim
