// Shows a trace: as one page for a browser, or in the formats of other tools.
#include <sim/commands/commands.hpp>
#include <sim/commands/view_page.hpp>
#include <sim/scenario.hpp>
#include <sim/trace/exports.hpp>
#include <sim/trace/trace_reader.hpp>

#include <CLI/CLI.hpp>

#include <fstream>
#include <string>
#include <vector>

namespace lockstep::sim::commands {
namespace {

/// Texts in JSON are the only place where one can stand: in none of them is it the end of the script that they are in.
void write_escaped(std::ostream& to, std::string_view line) {
    for (const char c : line) {
        if (c == '<') to << "\\u003c";
        else to << c;
    }
    to << '\n';
}

/// The page with its style, its scripts and the trace in their places.
void write_page(std::ostream& to, const parsed_trace& t) {
    std::string_view page = view_page.at("page.html");
    const auto until = [&](std::string_view mark) {
        const auto at = page.find(mark);
        to << page.substr(0, at);
        page.remove_prefix(at + mark.size());
    };
    until("@STYLE@");
    to << view_page.at("style.css");
    until("@TRACE@");
    write_escaped(to, t.head);
    for (const event_line& e : t.events) write_escaped(to, e.line);
    until("@SCRIPT@");
    for (const char* part : {"trace.js", "diagram.js", "panels.js", "selftest.js", "main.js"}) to << view_page.at(part);
    to << page;
}

/// Empty, or what went wrong.
template <class F>
std::string write(const std::string& path, F f) {
    if (path.empty()) return {};
    std::ofstream out(path, std::ios::binary);
    f(out);
    out.close();
    return out ? std::string{} : path + ": cannot be written";
}

}  // namespace

int view(int argc, char** argv) {
    CLI::App app{"Shows a trace that lockstep-sim --trace wrote: as a page for a browser, for ShiViz, for Mermaid.", "lockstep-sim view"};
    std::string file, page, shiviz, mermaid, from, to;
    diagram_window window;
    app.add_option("trace", file, "the trace")->required();
    app.add_option("-o,--page", page, "where to write the page");
    app.add_option("--shiviz", shiviz, "where to write a log for ShiViz; its expression: " + std::string(shiviz_expression));
    app.add_option("--mermaid", mermaid, "where to write a sequence diagram for Mermaid, without heartbeats");
    app.add_option("--from", from, "of the diagram: from this time, as 12.5s");
    app.add_option("--to", to, "of the diagram: up to this time");
    app.add_option("--lines", window.lines_max, "of the diagram: at most so many lines, the last ones");
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp& help) {
        return app.exit(help);
    } catch (const CLI::ParseError& error) {
        return complain(error.what());
    }
    for (const CLI::Option* option : app.get_options())
        if (option->count() != 0 && option->get_expected_max() != 0 && option->as<std::string>().empty())
            return complain(option->get_name() + ": is empty");
    if (page.empty() && shiviz.empty() && mermaid.empty()) return complain("view: say what to write: -o PAGE, --shiviz LOG or --mermaid DIAGRAM");
    if (app.count("--from") + app.count("--to") + app.count("--lines") != 0 && mermaid.empty())
        return complain("--from, --to, --lines: of the diagram, and there is no --mermaid");
    duration begin{0}, end = duration::max();
    if (!from.empty() && !parse_duration(from, begin)) return complain("--from " + from + ": want a time, as 12.5s");
    if (!to.empty() && !parse_duration(to, end)) return complain("--to " + to + ": want a time, as 12.5s");
    if (begin > end) return complain("--from " + from + " --to " + to + ": it would end before it begins");
    if (window.lines_max < 1 || window.lines_max > number_max) return complain("--lines: want 1 to " + std::to_string(number_max));
    window.from_ns = begin.count();
    window.to_ns = end.count();

    std::vector<std::string> outs;
    for (const std::string& out : {page, shiviz, mermaid}) {
        if (out.empty()) continue;
        if (is_same_file(out, file)) return complain(out + ": is the trace itself");
        for (const std::string& other : outs)
            if (is_same_file(out, other)) return complain(out + ": cannot be written twice");
        outs.push_back(out);
    }

    std::string text;
    if (const std::string wrong = read_file(file, text); !wrong.empty()) return complain(wrong);
    const parsed_trace t = parse_trace(text);
    if (!t.wrong.empty()) return complain(file + ": " + t.wrong);
    for (const std::string& out : outs)   // all of them or none
        if (!can_be_written(out)) return complain(out + ": cannot be written");
    for (const std::string& trouble : {write(page, [&](std::ostream& out) { write_page(out, t); }),
                                       write(shiviz, [&](std::ostream& out) { out << to_shiviz(t); }),
                                       write(mermaid, [&](std::ostream& out) { out << to_mermaid(t, window); })})
        if (!trouble.empty()) return complain(trouble);
    return 0;
}

}  // namespace lockstep::sim::commands
