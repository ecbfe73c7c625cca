// What the commands share.
#include <sim/commands/commands.hpp>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace lockstep::sim::commands {

int complain(const std::string& line) {
    std::fprintf(stderr, "lockstep-sim: %s\n", line.c_str());
    return static_cast<int>(exit_class::usage);
}

bool parse_number(const std::string& text, std::uint64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size();
}

bool parse_range(const std::string& text, std::uint64_t& from, std::uint64_t& to) {
    const auto dots = text.find("..");
    return dots != std::string::npos && parse_number(text.substr(0, dots), from) && parse_number(text.substr(dots + 2), to) && from <= to;
}

std::string read_file(const std::string& path, std::string& text) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) return path + ": is a directory";
    std::ifstream file(path, std::ios::binary);
    std::ostringstream all;
    all << file.rdbuf();
    if (!file) return path + ": cannot be read";
    text = std::move(all).str();
    return {};
}

bool can_be_written(const std::string& path) {
    std::error_code ignored;
    const bool there = std::filesystem::exists(path, ignored);
    const bool can = std::ofstream(path, std::ios::app).is_open();
    if (can && !there) std::filesystem::remove(path, ignored);
    return can;
}

bool is_same_file(const std::string& a, const std::string& b) {
    std::error_code ignored;
    if (std::filesystem::equivalent(a, b, ignored)) return true;
    const auto whole = [&](const std::string& path) {
        return std::filesystem::weakly_canonical(std::filesystem::absolute(path, ignored), ignored);
    };
    const std::filesystem::path one = whole(a);
    return !one.empty() && one == whole(b);
}

std::string shell_word(const std::string& text) {
    const char* const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=@%+,-";
    if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
    std::string word = "'";
    for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return word + "'";
}

const char* name_of(exit_class what) {
    switch (what) {
        case exit_class::passed: return "passed";
        case exit_class::usage: return "usage";
        case exit_class::crash: return "crash";
        case exit_class::liveness: return "liveness";
        case exit_class::correctness: return "correctness";
    }
    return "?";
}

}  // namespace lockstep::sim::commands
