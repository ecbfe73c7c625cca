#include "file_set.hpp"

#include <bench/replication_latency/measure.hpp>
#include <lockstep/base/random.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

namespace bench {
namespace {

namespace fs = std::filesystem;

std::map<std::string, fs::path> files_below(const fs::path& root) {
    std::map<std::string, fs::path> found;
    for (auto at = fs::recursive_directory_iterator(root); at != fs::recursive_directory_iterator(); ++at) {
        if (at.depth() == 0 && at->path().filename() == ".lockstep") at.disable_recursion_pending();
        else found.emplace(at->path().lexically_relative(root).string(), at->path());
    }
    return found;
}

std::string bytes_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

std::size_t file_set::bytes() const {
    std::size_t all = 0;
    for (std::size_t file = 0; file < count_; ++file) all += size_of(file);
    return all;
}

fs::path file_set::directory_of(std::size_t file) const {
    const std::size_t directory = file / per_directory;
    return fs::path(prefix_ + std::to_string(directory / 30)) / std::to_string(directory);
}

lockstep::byte_buffer file_set::contents(std::size_t file) const {
    lockstep::random_generator random(std::hash<std::string>{}(prefix_) + file);
    lockstep::byte_buffer bytes(size_of(file));
    for (auto& byte : bytes) byte = static_cast<std::byte>(random() & 0xff);
    return bytes;
}

void file_set::write(const fs::path& root) const {
    for (std::size_t file = 0; file < count_; ++file) {
        if (file % per_directory == 0) fs::create_directories(root / directory_of(file));
        write_small_file(root / path(file), contents(file));
    }
}

void write_small_file(const fs::path& path, lockstep::byte_view bytes) {
    const int fd = ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    const bool good = fd >= 0 && ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
    const int error = errno;
    if (fd >= 0) ::close(fd);
    if (!good) throw failure("cannot write " + path.string() + ": " + std::strerror(error));
}

std::string difference(const fs::path& a, const fs::path& b) {
    const auto left = files_below(a), right = files_below(b);
    for (const auto& [name, path] : left) {
        const auto other = right.find(name);
        if (other == right.end()) return name + " is missing";
        if (fs::is_directory(path) != fs::is_directory(other->second)) return name + " is of another type";
        if (!fs::is_directory(path) && bytes_of(path) != bytes_of(other->second)) return name + " is not the same";
    }
    for (const auto& [name, path] : right)
        if (!left.contains(name)) return name + " is too many";
    return {};
}

}  // namespace bench
