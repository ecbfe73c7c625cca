#pragma once

#include <sim/trace/trace_file.hpp>
#include <sim/trace/trace_reader.hpp>

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>

namespace lockstep::sim {
namespace detail {

/// One JSON text, read from front to back. After the first mistake `ok` stays false and nothing moves.
class json_reader {
public:
    explicit json_reader(std::string_view text) : text_(text) {}

    bool ok() const noexcept { return ok_; }
    bool at_end() {
        blanks();
        return ok_ && text_.empty();
    }
    std::string_view rest() const noexcept { return text_; }
    char peek() {
        blanks();
        return text_.empty() ? '\0' : text_.front();
    }

    /// f(name) reads each member's value.
    template <class F>
    void object(F f) {
        if (!take('{')) return;
        if (peek() == '}') return void(take('}'));
        do {
            const std::string name = string();
            take(':');
            if (ok_) f(name);
        } while (ok_ && peek() == ',' && take(','));
        take('}');
    }
    /// f() reads each element.
    template <class F>
    void array(F f) {
        if (!take('[')) return;
        if (peek() == ']') return void(take(']'));
        do f();
        while (ok_ && peek() == ',' && take(','));
        take(']');
    }

    std::string string() {
        std::string out;
        if (!take('"')) return out;
        while (!text_.empty() && text_.front() != '"') {
            if (text_.front() == '\\') escape(out);
            else if (static_cast<unsigned char>(text_.front()) < 0x20) ok_ = false;
            else out += next();
            if (!ok_) return out;
        }
        take('"');
        return out;
    }

    template <class Number>
    Number number() {
        blanks();
        Number n{};
        const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), n);
        if (error != std::errc{}) ok_ = false;
        else text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
        return n;
    }

    /// Over any value; a text or a number is returned as text.
    std::string skip(std::size_t depth = 0) {
        if (depth > depth_max) ok_ = false;
        if (!ok_) return {};
        const char first = peek();
        if (first == '"') return string();
        if (first == '{') return object([&](const std::string&) { skip(depth + 1); }), std::string{};
        if (first == '[') return array([&] { skip(depth + 1); }), std::string{};
        const auto end = std::min(text_.find_first_of(",}] \t"), text_.size());
        const std::string word(text_.substr(0, end));
        ok_ = !word.empty() && (word == "true" || word == "false" || word == "null" || word.find_first_not_of("0123456789+-.eE") == word.npos);
        text_.remove_prefix(end);
        return word;
    }

private:
    static constexpr std::size_t depth_max = 16;

    void blanks() {
        while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\t' || text_.front() == '\r')) text_.remove_prefix(1);
    }
    bool take(char c) {
        if (peek() != c) ok_ = false;
        else text_.remove_prefix(1);
        return ok_;
    }
    char next() {
        const char c = text_.front();
        text_.remove_prefix(1);
        return c;
    }
    void escape(std::string& out) {
        next();
        const char c = text_.empty() ? '\0' : next();
        static constexpr std::string_view from = "\"\\/bfnrt", to = "\"\\/\b\f\n\r\t";
        if (const auto at = from.find(c); c != '\0' && at != from.npos) return void(out += to[at]);
        unsigned code = 0;
        ok_ = c == 'u' && text_.size() >= 4 &&
              std::from_chars(text_.data(), text_.data() + 4, code, 16).ptr == text_.data() + 4;
        if (!ok_) return;
        text_.remove_prefix(4);
        // Traces escape byte by byte: what is beyond a byte is no trace of ours, and is told apart from one.
        out += code < 0x100 ? static_cast<char>(code) : '?';
    }

    std::string_view text_;
    bool ok_ = true;
};

/// Empty, or what is wrong.
inline std::string parse_event(std::string_view line, event_line& e) {
    json_reader in(line);
    unsigned seen = 0;
    std::size_t clock_from = 0, clock_to = 0;
    in.object([&](const std::string& name) {
        const auto at = [&] { return line.size() - in.rest().size(); };
        if (name == "id") e.id = in.number<std::uint64_t>(), seen |= 1;
        else if (name == "t") e.at_ns = in.number<std::int64_t>(), seen |= 2;
        else if (name == "lane") e.lane = in.string(), seen |= 4;
        else if (name == "kind") e.kind = in.string(), seen |= 8;
        else if (name == "text") e.text = in.string(), seen |= 16;
        else if (name == "parents") in.array([&] { e.parents.push_back(in.number<std::uint64_t>()); }), seen |= 32;
        else if (name == "values") in.object([&](const std::string& n) { e.values[n] = in.skip(); });
        else if (name == "clock") clock_from = at(), in.skip(), clock_to = at();
        else in.skip();
    });
    if (!in.at_end() || seen != 63) return "no event";
    e.line = line;
    // It is written last, after a comma and its name.
    constexpr std::string_view before = ",\"clock\":";
    if (clock_to != 0 && line.substr(0, clock_from).ends_with(before)) e.line.erase(clock_from - before.size(), clock_to - clock_from + before.size());
    return {};
}

/// "world", or a node, a user or a client with its number.
inline bool is_lane(std::string_view name) {
    if (name == "world") return true;
    for (const std::string_view whose : {"node", "user", "client"}) {
        if (!name.starts_with(whose)) continue;
        name.remove_prefix(whose.size());
        std::uint64_t number = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
        return error == std::errc{} && end == name.data() + name.size() && name.front() != '0';
    }
    return false;
}

/// Empty, or what is wrong with an event after the one before it, if there is one.
inline std::string check_event(const event_line& e, const event_line* before) {
    if (e.id == 0) return "events are numbered from 1";
    if (before && e.id != before->id + 1) return "events are missing before this one";
    if (e.at_ns < 0) return "a time before the run";
    if (before && e.at_ns < before->at_ns) return "its time goes back";
    if (!is_lane(e.lane)) return "no lane is called " + json_text(e.lane);
    for (const std::uint64_t p : e.parents)
        if (p == 0 || p >= e.id) return "event " + std::to_string(p) + " is no parent of event " + std::to_string(e.id);
    return {};
}

inline std::string parse_trace_head(std::string_view line, std::optional<std::uint64_t>& events) {
    json_reader in(line);
    std::uint64_t version = 0;
    in.object([&](const std::string& name) {
        if (name == "lockstep-trace") version = in.number<std::uint64_t>();
        else if (name == "events") events = in.number<std::uint64_t>();
        else in.skip();
    });
    if (!in.at_end() || version == 0) return "no trace of lockstep-sim";
    if (version != trace_version) return "a trace of version " + std::to_string(version) + ": this program reads version " + std::to_string(trace_version);
    return {};
}

}  // namespace detail

LOCKSTEP_DECL parsed_trace parse_trace(std::string_view text) {
    parsed_trace out;
    std::optional<std::uint64_t> events;
    for (std::uint64_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        std::string wrong;
        if (line.size() > trace_line_max) wrong = "too long";
        else if (number == 1) {
            wrong = detail::parse_trace_head(line, events);
            out.head = line;
        } else {
            wrong = detail::parse_event(line, out.events.emplace_back());
            const std::size_t n = out.events.size();
            if (wrong.empty()) wrong = detail::check_event(out.events[n - 1], n > 1 ? &out.events[n - 2] : nullptr);
        }
        if (!wrong.empty()) {
            out.wrong = "line " + std::to_string(number) + ": " + wrong;
            return out;
        }
    }
    if (out.head.empty()) out.wrong = "line 1: no trace of lockstep-sim";
    else if (events && *events != out.events.size())
        out.wrong = "cut short: it has " + std::to_string(out.events.size()) + " of " + std::to_string(*events) + " events";
    return out;
}

}  // namespace lockstep::sim
