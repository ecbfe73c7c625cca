// The least that is a `file_system`: what templates over one may use, and nothing else. Never run.
#pragma once

#include <lockstep/concepts/file_system.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace lockstep::testing {

class file_system_archetype {
    struct handle {
        handle(handle&&);
        handle& operator=(handle&&);
        ~handle();
    };

public:
    struct directory : handle {};
    struct file : handle {};
    struct lock : handle {};

    file_system_archetype(const file_system_archetype&) = delete;
    file_system_archetype& operator=(const file_system_archetype&) = delete;

    result<directory> open_directory(const std::string& native_path);
    result<directory> open_directory_at(directory& dir, std::string_view path);
    result<std::vector<directory_item>> list(directory& dir);
    result<file_status> status(directory& dir);
    result<file_status> status_at(directory& dir, std::string_view name);
    result<> make_directory(directory& dir, std::string_view name, std::uint32_t mode);
    result<> remove_directory(directory& dir, std::string_view name);
    result<> remove_file(directory& dir, std::string_view name);
    result<> make_symlink(directory& dir, std::string_view name, std::string_view target);
    result<std::string> read_symlink(directory& dir, std::string_view name);
    result<> rename(directory& from, std::string_view name, directory& to, std::string_view new_name, rename_mode how);
    result<> sync_directory(directory& dir);
    result<> set_mode(directory& dir, std::uint32_t mode);
    result<> set_directory_mode_at(directory& dir, std::string_view name, std::uint32_t mode);
    result<> set_mtime(directory& dir, std::int64_t ns);
    result<> set_symlink_mtime(directory& dir, std::string_view name, std::int64_t ns);
    result<std::uint64_t> available_bytes(directory& dir);
    std::string boot_id();
    std::int64_t clock_ns();
    result<lock> lock_file(directory& dir, std::string_view name);

    result<file> open_file(directory& dir, std::string_view name, open_mode how, std::uint32_t mode);
    result<file_status> status(file& f);
    result<std::size_t> read_at(file& f, std::uint64_t at, std::span<std::byte> out);
    result<> write_at(file& f, std::uint64_t at, byte_view in);
    result<> resize(file& f, std::uint64_t size);
    result<> sync_data(file& f);
    result<> sync_file(file& f);
    result<> set_mode(file& f, std::uint32_t mode);
    result<> set_mtime(file& f, std::int64_t ns);
    result<bool> has_writers(file& f);
};

static_assert(file_system<file_system_archetype>);

}  // namespace lockstep::testing
