#include "commands.hpp"

#include <charconv>
#include <limits>

namespace program {
namespace {

/// Four numbers up to 255: else what looks like an address would be looked for as a name.
bool is_ipv4(const std::string& host) {
    const char* at = host.data();
    const char* const end = at + host.size();
    for (int part = 0; part < 4; ++part) {
        unsigned number = 0;
        const auto parsed = std::from_chars(at, end, number);
        if (parsed.ec != std::errc{} || number > 255) return false;
        at = parsed.ptr;
        if (part < 3 && (at == end || *at++ != '.')) return false;
    }
    return at == end;
}

}  // namespace

bool parse_address(const std::string& text, address& out) {
    const auto colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0) return false;
    std::string host = text.substr(0, colon);
    const std::string port = text.substr(colon + 1);
    if (host.front() == '[') {
        if (host.back() != ']' || host.size() < 3) return false;
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string::npos) {
        return false;
    }
    if (host.find_first_of(" /\t\n") != std::string::npos) return false;
    if (host.find_first_not_of("0123456789.") == std::string::npos && !is_ipv4(host)) return false;
    unsigned number = 0;
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), number);
    if (parsed.ec != std::errc{} || parsed.ptr != port.data() + port.size() || number == 0 || number > 65535)
        return false;
    out = {host, port};
    return true;
}

bool parse_duration(const std::string& text, std::chrono::milliseconds& out) {
    double number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc{} || !(number >= 0) || number > 1e6) return false;
    const std::string unit(parsed.ptr, text.data() + text.size());
    const double scale = unit == "ms"                  ? 1
                         : unit.empty() || unit == "s" ? 1e3
                         : unit == "m"                 ? 60e3
                         : unit == "h"                 ? 3600e3
                                                       : 0;
    if (scale == 0) return false;
    out = std::chrono::milliseconds(static_cast<std::int64_t>(number * scale));
    return out <= std::chrono::hours(24);
}

bool parse_size(const std::string& text, std::uint64_t& out) {
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc{}) return false;
    std::string unit(parsed.ptr, text.data() + text.size());
    if (unit.ends_with("iB")) unit.resize(unit.size() - 2);
    const int shift = unit.empty() ? 0 : unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : -1;
    if (shift < 0 || number > (std::numeric_limits<std::uint64_t>::max() >> shift)) return false;
    out = number << shift;
    return true;
}

}  // namespace program
