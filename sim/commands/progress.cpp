#include <sim/commands/progress.hpp>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace lockstep::sim::commands {
namespace {

constexpr double interval_s = 0.1;
constexpr std::size_t bar_max = 40;

std::size_t terminal_width() {
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

std::string one_decimal(double n) {
    char text[32];
    std::snprintf(text, sizeof text, n < 100 ? "%.1f" : "%.0f", n);
    return text;
}

/// "40 s", "3:20", "2:03:20".
std::string clock_text(double seconds) {
    const auto s = static_cast<long long>(std::llround(std::max(seconds, 0.0)));
    char text[48];
    if (s < 60) std::snprintf(text, sizeof text, "%lld s", s);
    else if (s < 3600) std::snprintf(text, sizeof text, "%lld:%02lld", s / 60, s % 60);
    else std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    return text;
}

}  // namespace

std::string text_of(const progress& p, std::size_t width) {
    const double part = p.wanted == 0 ? 1 : static_cast<double>(p.done) / static_cast<double>(p.wanted);
    const double rate = p.seconds > 0 ? static_cast<double>(p.done) / p.seconds : 0;
    std::string text = " " + std::to_string(static_cast<int>(part * 100)) + "%  " + std::to_string(p.done) + "/" + std::to_string(p.wanted);
    if (p.failed != 0) text += "  " + std::to_string(p.failed) + " failed";
    text += "  " + one_decimal(rate) + " runs/s";
    double left = rate > 0 ? static_cast<double>(p.wanted - std::min(p.done, p.wanted)) / rate : -1;
    if (p.seconds_left >= 0) left = left < 0 ? p.seconds_left : std::min(left, p.seconds_left);
    if (left >= 0) text += "  " + clock_text(left) + " left";
    if (text.size() + 12 <= width) {
        const std::size_t room = std::min(bar_max, width - text.size() - 2);
        const auto full = static_cast<std::size_t>(part * static_cast<double>(room));
        text = "[" + std::string(full, '#') + std::string(room - full, '.') + "]" + text;
    }
    return text.substr(0, width);
}

progress_line::progress_line() : terminal_(::isatty(STDERR_FILENO) != 0) {}
progress_line::~progress_line() { clear(); }

void progress_line::show(const progress& p) {
    if (!terminal_ || p.seconds - last_ < interval_s) return;
    last_ = p.seconds;
    shown_ = true;
    std::fprintf(stderr, "\r%s\033[K", text_of(p, terminal_width() - 1).c_str());
}

void progress_line::clear() {
    if (shown_) std::fprintf(stderr, "\r\033[K");
    shown_ = false;
    last_ = -1;
}

}  // namespace lockstep::sim::commands
