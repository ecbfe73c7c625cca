// The plot: a row for each case on one logarithmic axis of time, the floor as a bar from the left, and on the same row
// the median, the 99th percentile and the longest.
#include "output.hpp"

#include <cmath>
#include <cstdio>

namespace bench {
namespace {

constexpr double left = 150, right = 760, row_height = 30, top = 92, width = 960;
constexpr double axis_min_us = 10;

std::string number(double v) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", v);
    return text;
}

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text)
        out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
    return out;
}

class picture {
public:
    explicit picture(const report& r) : report_(r) {
        double longest = 100;
        std::size_t rows = 0;
        for (const auto* group : {&r.commits, &r.files}) {
            rows += group->empty() ? 0 : group->size() + 1;
            for (const auto& c : *group) longest = std::max({longest, c.times.max_us, c.floor.total_us()});
        }
        decades_ = std::ceil(std::log10(longest / axis_min_us));
        bottom_ = top + row_height * static_cast<double>(rows);
    }

    std::string draw() {
        const double height = bottom_ + 34;
        out_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + number(width) + "\" height=\"" +
               number(height) + "\" viewBox=\"0 0 " + number(width) + " " + number(height) +
               "\" font-family=\"sans-serif\" font-size=\"13\">\n";
        box(0, 0, width, height, "#ffffff");
        text(20, 28, "Replication latency beside its floor", "start", "#111111", 17);
        text(20, 48,
             "three nodes as processes on " + std::to_string(report_.cores) + " cores, " +
                 report_.file_system + "; time on a logarithmic scale",
             "start", "#555555");
        legend();
        axis();
        double y = top;
        for (const auto* group : {&report_.commits, &report_.files}) {
            if (group->empty()) continue;
            text(20, y + 20,
                 group == &report_.commits ? "commits of 256 bytes, by how many are in flight"
                                           : "files, from close to the same bytes on the last node",
                 "start", "#111111", 13, true);
            y += row_height;
            for (const auto& c : *group) {
                row(c, y + row_height / 2);
                y += row_height;
            }
        }
        return out_ + "</svg>\n";
    }

private:
    double at(double us) const {
        const double share = std::log10(std::max(us, axis_min_us) / axis_min_us) / decades_;
        return left + share * (right - left);
    }

    void text(double x, double y, const std::string& what, const char* anchor, const char* colour,
              int size = 13, bool bold = false) {
        out_ += "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" text-anchor=\"" + anchor +
                "\" fill=\"" + colour + "\" font-size=\"" + std::to_string(size) + "\"" +
                (bold ? " font-weight=\"bold\"" : "") + ">" + escaped(what) + "</text>\n";
    }
    void box(double x, double y, double w, double h, const char* colour) {
        out_ += "<rect x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(w) +
                "\" height=\"" + number(h) + "\" fill=\"" + colour + "\"/>\n";
    }
    void line(double x1, double y1, double x2, double y2, const char* colour, double thick) {
        out_ += "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) + "\" y2=\"" +
                number(y2) + "\" stroke=\"" + colour + "\" stroke-width=\"" + number(thick) + "\"/>\n";
    }
    void dot(double x, double y, const char* fill) {
        out_ += "<circle cx=\"" + number(x) + "\" cy=\"" + number(y) + "\" r=\"5\" fill=\"" + fill +
                "\" stroke=\"#1f5fa8\" stroke-width=\"2\"/>\n";
    }

    void axis() {
        for (double d = 0; d <= decades_; ++d) {
            const double us = axis_min_us * std::pow(10, d);
            line(at(us), top, at(us), bottom_, "#dddddd", 1);
            const std::string unit = us < 1e3 ? " us" : us < 1e6 ? " ms" : " s";
            const double value = us < 1e3 ? us : us < 1e6 ? us / 1e3 : us / 1e6;
            text(at(us), bottom_ + 20, std::to_string(static_cast<long>(value)) + unit, "middle", "#555555");
        }
    }

    void legend() {
        double x = left;
        box(x, 63, 26, 10, "#c9c9c9");
        text(x + 32, 73, "floor", "start", "#333333");
        x += 90;
        dot(x, 68, "#1f5fa8");
        text(x + 11, 73, "p50", "start", "#333333");
        x += 62;
        dot(x, 68, "#ffffff");
        text(x + 11, 73, "p99", "start", "#333333");
        x += 62;
        line(x, 62, x, 74, "#1f5fa8", 2);
        text(x + 8, 73, "max", "start", "#333333");
        text(right + 90, 73, "p50 / floor", "end", "#333333");
        text(width - 16, 73, "per second", "end", "#333333");
    }

    void row(const case_result& c, double y) {
        text(left - 12, y + 5, c.name.substr(c.name.find('/') + 1), "end", "#111111");
        box(left, y - 6, at(c.floor.total_us()) - left, 12, "#c9c9c9");
        if (!c.measured()) {
            text(at(c.floor.total_us()) + 10, y + 5, c.outcome, "start", "#a04000");
            return;
        }
        line(at(c.times.p50_us), y, at(c.times.max_us), y, "#1f5fa8", 2);
        line(at(c.times.max_us), y - 6, at(c.times.max_us), y + 6, "#1f5fa8", 2);
        dot(at(c.times.p99_us), y, "#ffffff");
        dot(at(c.times.p50_us), y, "#1f5fa8");
        text(right + 90, y + 5, number(c.ratio()) + " x", "end", "#111111");
        text(width - 16, y + 5,
             c.per_second < 100 ? number(c.per_second) : std::to_string(std::lround(c.per_second)), "end",
             "#111111");
    }

    const report& report_;
    double decades_ = 1;
    double bottom_ = 0;
    std::string out_;
};

}  // namespace

std::string to_svg(const report& r) { return picture(r).draw(); }

}  // namespace bench
