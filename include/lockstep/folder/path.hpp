// What a name and a path may be. Both are bytes: no encoding is assumed and nothing is normalised, so two names that
// look alike (NFC and NFD) are two names. A path is relative to the root, its names joined by '/'; "" is the root.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace lockstep::folder {

inline constexpr std::size_t name_bytes_max = 255;
/// Names in a path. It bounds every walk to the root.
inline constexpr std::size_t depth_max = 128;
/// Of a whole path that a command may name. Below PATH_MAX by some names, as a conflict lengthens a name.
inline constexpr std::size_t path_bytes_max = 3072;
/// At the top level it belongs to the node itself and is never replicated.
inline constexpr std::string_view reserved_name = ".lockstep";

inline bool valid_name(std::string_view name) noexcept {
    return !name.empty() && name.size() <= name_bytes_max && name != "." && name != ".." &&
           name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

/// The directory part ("" where there is none) and the last name.
inline std::pair<std::string_view, std::string_view> split_last(std::string_view path) noexcept {
    const auto slash = path.rfind('/');
    if (slash == std::string_view::npos) return {std::string_view{}, path};
    return {path.substr(0, slash), path.substr(slash + 1)};
}

/// The first name and the rest ("" where there is none).
inline std::pair<std::string_view, std::string_view> split_first(std::string_view path) noexcept {
    const auto slash = path.find('/');
    if (slash == std::string_view::npos) return {path, std::string_view{}};
    return {path.substr(0, slash), path.substr(slash + 1)};
}

inline std::string join(std::string_view directory, std::string_view name) {
    std::string path(directory);
    if (!path.empty() && !name.empty()) path += '/';
    path += name;
    return path;
}

/// How many names are in a path.
inline std::size_t depth_of(std::string_view path) noexcept {
    return path.empty() ? 0 : 1 + static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

/// Whether a path names the reserved top-level directory or something in it.
inline bool is_reserved(std::string_view path) noexcept { return split_first(path).first == reserved_name; }

/// Within all bounds, of valid names, not reserved and not the root.
inline bool valid_path(std::string_view path) noexcept {
    if (path.empty() || path.size() > path_bytes_max || depth_of(path) > depth_max || is_reserved(path)) return false;
    if (path.back() == '/') return false;
    while (!path.empty()) {
        const auto [name, rest] = split_first(path);
        if (!valid_name(name)) return false;
        path = rest;
    }
    return true;
}

}  // namespace lockstep::folder
