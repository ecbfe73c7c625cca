// Many small files with contents that are a function of their number, spread over directories; and whether two
// directories hold the same.
#pragma once

#include <lockstep/base/bytes.hpp>

#include <cstddef>
#include <filesystem>
#include <string>

namespace bench {

class file_set {
public:
    static constexpr std::size_t per_directory = 100;

    /// `prefix`: of the directories' names, so that two sets can stand side by side.
    file_set(std::string prefix, std::size_t count) : prefix_(std::move(prefix)), count_(count) {}

    std::size_t count() const noexcept { return count_; }
    std::size_t bytes() const;
    /// In tens of directories below tens of directories.
    std::filesystem::path directory_of(std::size_t file) const;
    std::filesystem::path path(std::size_t file) const { return directory_of(file) / std::to_string(file); }
    /// 100 to 2000 bytes that no other file has.
    lockstep::byte_buffer contents(std::size_t file) const;
    /// All of them, one after the other, as an archive would be unpacked.
    void write(const std::filesystem::path& root) const;

private:
    std::size_t size_of(std::size_t file) const { return 100 + file * 7919 % 1901; }

    std::string prefix_;
    std::size_t count_;
};

/// As an editor would write it, without a sync.
void write_small_file(const std::filesystem::path& path, lockstep::byte_view bytes);

/// The first difference between two directories, the nodes' own state left out; empty where there is none.
std::string difference(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace bench
