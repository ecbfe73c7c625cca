// The replicated directory as a place that may vanish: it is opened anew for each piece of work and trusted only
// while it carries this node's marker. A missing or foreign root is an error, never a reason to propose removals.
#pragma once

#include <lockstep/base/ids.hpp>
#include <lockstep/concepts/file_system.hpp>
#include <lockstep/folder/path.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace lockstep::sync {

inline constexpr std::string_view control_directory = ".lockstep";  ///< at the top; the only name never replicated
inline constexpr std::string_view marker_name = "marker";
inline constexpr std::string_view staging_name = "staging";
inline constexpr std::string_view marks_name = "marks";             ///< where a watcher leaves its flush marks
inline constexpr std::size_t marker_bytes_max = 4096;               ///< that somebody may have put there
inline constexpr std::size_t marker_text_bytes_max = 64;            ///< of what we write

/// Where the root is, and what its marker says.
struct root_location {
    std::string native_path;
    std::string marker;
};

inline std::string marker_text(disk_id disk) { return "lockstep root 1\n" + disk.to_string() + "\n"; }

template <file_system FileSystem>
struct open_root_result {
    typename FileSystem::directory root;
    typename FileSystem::directory control;
};

/// Reads a whole small file; too_large beyond `bytes_max`.
template <file_system FileSystem>
result<byte_buffer> read_small_file(FileSystem& fs, typename FileSystem::directory& directory, std::string_view name,
                                    std::size_t bytes_max) {
    auto file = fs.open_file(directory, name, open_mode::read, 0);
    if (!file) return file.error();
    byte_buffer bytes(bytes_max + 1);
    auto got = fs.read_at(*file, 0, std::span<std::byte>(bytes));
    if (!got) return got.error();
    if (*got > bytes_max) return make_error_code(errc::too_large);
    bytes.resize(*got);
    return bytes;
}

/// Whether the marker says what it should. Asked at each piece of work: it needs no memory of its own.
template <file_system FileSystem>
result<bool> has_marker(FileSystem& fs, typename FileSystem::directory& control, std::string_view text) {
    auto file = fs.open_file(control, marker_name, open_mode::read, 0);
    if (!file) return {boost::system::in_place_error, file.error()};
    std::array<std::byte, marker_text_bytes_max + 1> bytes;   // one more: it may be longer
    const auto got = fs.read_at(*file, 0, bytes);
    if (!got) return {boost::system::in_place_error, got.error()};
    return as_text(byte_view(bytes).first(*got)) == text;
}

/// Opens the root and its control directory. not_found: the root is gone, or is not the one that carries our marker.
template <file_system FileSystem>
result<open_root_result<FileSystem>> open_root(FileSystem& fs, const root_location& where) {
    auto root = fs.open_directory(where.native_path);
    if (!root) return root.error();
    auto control = fs.open_directory_at(*root, control_directory);
    if (!control) return control.error();
    const auto ours = has_marker(fs, *control, where.marker);
    if (!ours) return ours.error();
    if (!*ours) return make_error_code(errc::not_found);
    return open_root_result<FileSystem>{std::move(*root), std::move(*control)};
}

}  // namespace lockstep::sync
