#include "rules.hpp"

#include <algorithm>
#include <cctype>
#include <regex>
#include <sstream>

namespace lockstep::layers {
namespace {

// Headers with these beginnings belong to nobody in particular; "boost/" is the rest of Boost.
const std::vector<std::string> foreign_roots = {"boost/asio", "boost/beast", "boost/json", "boost/system", "boost/",
                                                "cereal/",    "range/v3",    "openssl/",   "spdlog/",      "fmt/",
                                                "CLI/",       "catch2/",     "xxhash.h"};

const names pure_areas = {"base", "concepts", "raft", "content", "folder"};

bool starts_with_any(std::string_view text, const names& beginnings) {
    return std::any_of(beginnings.begin(), beginnings.end(), [&](const auto& b) { return text.starts_with(b); });
}

bool is_body(std::string_view path) { return path.ends_with(".ipp") || path.ends_with(".cpp"); }

/// The area that an included name lies in; false if it is not one of ours.
bool own_area(std::string_view include, std::string& area) {
    if (include.starts_with("lockstep/")) area = area_of("include/" + std::string(include));
    else if (include.starts_with("sim/")) area = area_of(include);
    else return false;
    return true;
}

bool is_operating_system(std::string_view include) {
    return include.ends_with(".h") && include != "xxhash.h" && !include.starts_with("openssl/");
}

std::string foreign_root_of(std::string_view include) {
    for (const auto& root : foreign_roots)
        if (include.starts_with(root)) return root;
    return {};
}

struct banned_name {
    std::regex pattern;
    const char* why;
};

const std::vector<banned_name>& banned_names() {
    static const auto make = [](const char* pattern) { return std::regex(pattern, std::regex::optimize); };
    static const std::vector<banned_name> list = {
        {make(R"(\brandom_device\b)"), "randomness of its own"},
        {make(R"(\b(std\s*::\s*)?s?rand\s*\()"), "randomness of its own"},
        {make(R"(\b\w*clock\s*::\s*now\b)"), "reads a clock"},
        {make(R"(\b(clock_gettime|gettimeofday)\b|\bstd\s*::\s*time\s*\()"), "reads a clock"},
        {make(R"(\bstd\s*::\s*(j?thread|async|this_thread)\b)"), "threads"},
        {make(R"(\b(shared_|recursive_|timed_|(shared|recursive)_timed_)?mutex\b|\bcondition_variable)"), "threads"},
        {make(R"(\b(secure_)?getenv\b)"), "reads the environment"},
        {make(R"(\bunordered_(flat_|node_)?(multi)?(map|set)\b)"), "unordered containers have no order to iterate in"},
        {make(R"(\b(map|set|multimap|multiset|less|greater|hash)\s*<[^<>,;(){}]*\*\s*[,>])"), "orders by pointer"},
        {make(R"(\b(map|set|multimap|multiset|less|greater|hash)\s*<\s*(std\s*::\s*)?(shared|unique)_ptr\b)"),
         "orders by pointer"},
        {make(R"(\buintptr_t\b)"), "an address as a number"},
    };
    return list;
}

const names refused_headers = {"thread",    "mutex", "shared_mutex", "condition_variable", "future",       "semaphore",
                               "latch",     "barrier", "stop_token", "unordered_map",      "unordered_set"};

std::size_t line_at(std::string_view text, std::size_t position) {
    const auto before = text.substr(0, position);
    return 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
}

/// The area's own areas and, by the table, all that those may include in turn.
names reachable_areas(const std::string& area) {
    names reached{area};
    std::vector<std::string> todo{area};
    while (!todo.empty()) {
        const auto it = layer_table().find(todo.back());
        todo.pop_back();
        if (it == layer_table().end()) continue;
        for (const auto& next : it->second.areas)
            if (reached.insert(next).second) todo.push_back(next);
    }
    return reached;
}

}  // namespace

std::string area_of(std::string_view path) {
    if (path.starts_with("sim/commands/") || path == "sim/main.cpp") return "commands";
    if (path.starts_with("sim/")) return "sim";
    constexpr std::string_view root = "include/lockstep/";
    if (!path.starts_with(root)) return {};
    path.remove_prefix(root.size());
    const auto slash = path.find('/');
    return slash == std::string_view::npos ? std::string() : std::string(path.substr(0, slash));
}

const std::map<std::string, area_rule, std::less<>>& layer_table() {
    static const names above = {"base", "concepts", "raft",  "content", "folder",
                                "codec", "storage", "transport", "watch", "sync", "node"};
    static const names everything = [] {
        names all = above;
        all.insert({"os", "http", "testing", ""});
        return all;
    }();
    static const names everything_simulated = [] {
        names all = above;
        all.insert({"testing", ""});
        return all;
    }();
    static const names program = [] {
        names all = everything_simulated;
        all.insert("sim");
        return all;
    }();
    static const names below_node = [] {
        names all = above;
        all.erase("node");
        return all;
    }();
    static const std::map<std::string, area_rule, std::less<>> table = {
        {"base", {{}, {"boost/system", "xxhash.h"}}},
        {"concepts", {{"base"}, {}}},
        {"raft", {{"base"}, {}}},
        {"content", {{"base"}, {}}},
        {"folder", {{"base", "content"}, {}}},
        {"codec", {{"base", "raft", "content", "folder"}, {"cereal/", "range/v3"}}},
        {"storage", {{"base", "concepts", "content"}, {"range/v3"}}},
        {"transport", {{"base", "concepts"}, {"range/v3"}}},
        {"watch", {{"base", "concepts"}, {"range/v3"}}},
        {"sync", {{"base", "concepts", "content", "folder", "codec"}, {"range/v3"}}},
        {"node", {below_node, {"range/v3"}}},
        {"os", {{"base", "concepts"}, {"boost/asio", "boost/system", "range/v3"}, false}},
        {"http", {{"base", "concepts", "node", "os"}, {"boost/", "range/v3"}, false}},
        {"testing", {{"base", "concepts"}, {}, false}},
        {"sim", {everything_simulated, {"range/v3"}}},
        {"commands", {program, {"range/v3", "CLI/", "boost/json"}, false}},
        {"", {everything, {"boost/system"}, false}},
    };
    return table;
}

std::string without_comments_and_literals(std::string_view text) {
    std::string out(text);
    enum class state { code, line_comment, block_comment, literal };
    state now = state::code;
    char quote = 0;
    bool include_line = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const char next = i + 1 < text.size() ? text[i + 1] : '\0';
        if (c == '\n') {
            if (now == state::line_comment || now == state::literal) now = state::code;
            include_line = false;
            continue;
        }
        switch (now) {
            case state::code:
                if (c == '#') include_line = text.substr(i, 8) == "#include";
                if (c == '/' && (next == '/' || next == '*')) {
                    now = next == '/' ? state::line_comment : state::block_comment;
                    out[i] = out[i + 1] = ' ';
                    ++i;
                } else if ((c == '"' || c == '\'') && !include_line) {
                    // An apostrophe between digits separates them.
                    const bool separator = c == '\'' && i > 0 && std::isxdigit(static_cast<unsigned char>(text[i - 1]));
                    if (!separator) { now = state::literal; quote = c; }
                }
                break;
            case state::line_comment: out[i] = ' '; break;
            case state::block_comment:
                out[i] = ' ';
                if (c == '*' && next == '/') { out[++i] = ' '; now = state::code; }
                break;
            case state::literal:
                if (c == quote) { now = state::code; break; }
                out[i] = ' ';
                if (c == '\\' && next != '\n' && i + 1 < text.size()) out[++i] = ' ';
                break;
        }
    }
    return out;
}

std::vector<std::string> includes_of(std::string_view text) {
    std::vector<std::string> found;
    std::istringstream lines(without_comments_and_literals(text));
    static const std::regex include(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
    for (std::string line; std::getline(lines, line);) {
        std::smatch match;
        if (std::regex_search(line, match, include)) found.push_back(match[1]);
    }
    return found;
}

std::vector<std::string> check_includes(std::string_view path, std::string_view text) {
    std::vector<std::string> complaints;
    const std::string area = area_of(path);
    const auto it = layer_table().find(area);
    if (it == layer_table().end()) return {std::string(path) + ": the table of layers has no area \"" + area + '"'};
    const area_rule& rule = it->second;
    const auto complain = [&](const std::string& include, const char* why) {
        complaints.push_back(std::string(path) + ": includes <" + include + ">: " + why);
    };
    for (const auto& include : includes_of(text)) {
        std::string other;
        if (own_area(include, other)) {
            if (other != area && !rule.areas.contains(other)) complain(include, "this layer may not include that one");
        } else if (include.starts_with("openssl/")) {
            if (path != "include/lockstep/base/impl/sha256.ipp") complain(include, "only base/impl/sha256.ipp may");
        } else if (const auto root = foreign_root_of(include); !root.empty()) {
            const bool ranges_in_a_body = root == "range/v3" && is_body(path);
            if (!ranges_in_a_body && !starts_with_any(include, rule.foreign))
                complain(include, "this layer may not use it");
        } else if (is_operating_system(include)) {
            if (area != "os" && area != "commands") complain(include, "only os/ speaks to the operating system");
        } else if (rule.deterministic && refused_headers.contains(include)) {
            complain(include, "runs in the simulator, which has one thread and one order");
        }
    }
    return complaints;
}

std::vector<std::string> check_names(std::string_view path, std::string_view text) {
    std::vector<std::string> complaints;
    const auto it = layer_table().find(area_of(path));
    if (it == layer_table().end() || !it->second.deterministic) return complaints;
    const std::string code = without_comments_and_literals(text);
    for (const auto& banned : banned_names()) {
        for (std::sregex_iterator match(code.begin(), code.end(), banned.pattern), end; match != end; ++match) {
            const auto line = line_at(code, static_cast<std::size_t>(match->position()));
            const auto where = std::string(path) + ':' + std::to_string(line);
            complaints.push_back(where + ": " + match->str() + ": " + banned.why);
        }
    }
    return complaints;
}

std::vector<std::string> check_reached(std::string_view area, const std::vector<std::string>& files) {
    std::vector<std::string> complaints;
    const names areas = reachable_areas(std::string(area));
    const auto complain = [&](const std::string& file) {
        complaints.push_back("compiling " + std::string(area) + "/ reads " + file);
    };
    const bool pure = pure_areas.contains(area);
    const auto any_may_use = [&](std::string_view root) {
        return std::any_of(areas.begin(), areas.end(),
                           [&](const auto& a) { return starts_with_any(root, layer_table().find(a)->second.foreign); });
    };
    for (const auto& file : files) {
        const auto reads = [&](std::string_view part) { return file.find(part) != std::string::npos; };
        constexpr std::string_view own = "/include/lockstep/";
        if (const auto at = file.rfind(own); at != std::string::npos) {
            if (!areas.contains(area_of(std::string_view(file).substr(at + 1)))) complain(file);
            continue;
        }
        for (const char* root : {"boost/asio", "boost/beast", "boost/json", "cereal/", "spdlog/", "catch2/"})
            if (reads(std::string("/") + root) && !any_may_use(root)) complain(file);
        // Of <filesystem> the header that it reads: clang also lists what only a __has_include asked for.
        if (pure && (reads("/sys/inotify.h") || reads("/sys/socket.h") || file.ends_with("/bits/fs_path.h")))
            complain(file);
    }
    return complaints;
}

std::vector<std::string> parse_dependencies(std::string_view rule) {
    std::vector<std::string> files;
    const auto colon = rule.find(':');
    if (colon == std::string_view::npos) return files;
    std::istringstream words{std::string(rule.substr(colon + 1))};
    for (std::string word; words >> word;)
        if (word != "\\") files.push_back(word);
    return files;
}

}  // namespace lockstep::layers
