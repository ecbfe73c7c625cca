#pragma once

#include <sim/history/history_file.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

namespace lockstep::sim {
namespace detail {

/// Calls f(number, line) for each line that says something; ends where f returns a complaint, and gives it.
template <class F>
std::string for_each_line(std::string_view text, F f) {
    for (std::int64_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty()) continue;
        if (const std::string wrong = f(number, line); !wrong.empty()) return "line " + std::to_string(number) + ": " + wrong;
    }
    return {};
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size();
}

/// Who has called what and not returned yet.
template <class History>
class open_calls {
public:
    using operation = typename History::value_type;

    explicit open_calls(History& history) : history_(history) {}

    std::string call(std::uint64_t client, std::int64_t at, decltype(operation::input) input) {
        if (!open_.emplace(client, history_.size()).second) return "client " + std::to_string(client) + " calls before it returned";
        history_.push_back({client, at, std::nullopt, std::move(input), {}});
        return {};
    }
    /// The operation that returns; nullptr where there is none.
    operation* end(std::uint64_t client) {
        const auto found = open_.extract(client);
        return found.empty() ? nullptr : &history_[found.mapped()];
    }
    /// It is known not to have been done: as if it had never been called.
    void drop(const operation* op) { dropped_.push_back(static_cast<std::size_t>(op - history_.data())); }
    void finish() {
        std::sort(dropped_.begin(), dropped_.end());   // operations end in another order than they were called
        for (auto at = dropped_.rbegin(); at != dropped_.rend(); ++at) history_.erase(history_.begin() + static_cast<std::ptrdiff_t>(*at));
    }

private:
    History& history_;
    std::map<std::uint64_t, std::size_t> open_;
    std::vector<std::size_t> dropped_;
};

/// INFO  jepsen.util - 3 <tab> :invoke <tab> :cas <tab> [1 2]
class jepsen_parser {
public:
    static constexpr std::string_view mark = "jepsen.util - ";

    std::string line(std::int64_t at, std::string_view text) {
        const auto from = text.find(mark);
        if (from == text.npos) return {};   // what else the tool had to say
        text.remove_prefix(from + mark.size());
        std::string_view fields[4];
        for (std::string_view& field : fields) {
            const auto end = std::min(text.find('\t'), text.size());
            field = text.substr(0, end);
            text.remove_prefix(std::min(end + 1, text.size()));
        }
        const auto [who, what, action, value] = fields;
        std::uint64_t client = 0;
        if (!read_number(who, client)) return {};
        if (what == ":invoke") return call(client, at, action, value);
        auto* const op = calls_.end(client);
        if (!op) return "client " + std::to_string(client) + " returns what it did not call";
        if (what == ":info") return {};
        if (what == ":ok") return returned(*op, at, value);
        if (what != ":fail") return "\"" + std::string(what) + "\" is neither call nor return";
        // A compare-and-set that failed has compared. Anything else that failed was not done.
        if (op->input.what != testing::register_model::action::compare_and_set || value == ":timed-out") return calls_.drop(op), std::string{};
        op->returned = at;
        op->output.done = false;
        return {};
    }
    register_history take() {
        calls_.finish();
        return std::move(history_);
    }

private:
    std::string call(std::uint64_t client, std::int64_t at, std::string_view action, std::string_view value) {
        using kind = testing::register_model::action;
        testing::register_model::input in;
        if (action == ":read") {
            in.what = kind::read;
        } else if (action == ":write") {
            in.what = kind::write;
            if (!read_number(value, in.value)) return "\"" + std::string(value) + "\" is no number";
        } else if (action == ":cas") {
            in.what = kind::compare_and_set;
            const auto space = value.find(' ');
            if (!value.starts_with('[') || !value.ends_with(']') || space == value.npos ||
                !read_number(value.substr(1, space - 1), in.expected) ||
                !read_number(value.substr(space + 1, value.size() - space - 2), in.value))
                return "\"" + std::string(value) + "\" is no pair of numbers";
        } else {
            return "\"" + std::string(action) + "\" is no operation of a register";
        }
        return calls_.call(client, at, in);
    }

    std::string returned(register_history::value_type& op, std::int64_t at, std::string_view value) {
        op.returned = at;
        if (op.input.what != testing::register_model::action::read || value == "nil") return {};
        if (!read_number(value, op.output.value.emplace())) return "\"" + std::string(value) + "\" is no number";
        return {};
    }

    register_history history_;
    open_calls<register_history> calls_{history_};
};

/// {:process 3, :type :invoke, :f :append, :key "7", :value "x 3 0 y"}
class text_map_parser {
public:
    std::string line(std::int64_t at, std::string_view text) {
        const auto who = field(text, ":process ", false), what = field(text, ":type ", false), action = field(text, ":f ", false);
        const auto key = field(text, ":key ", true), value = field(text, ":value ", true);
        std::uint64_t client = 0;
        if (!who || !what || !action || !key || !read_number(*who, client)) return "no operation";
        if (*what == ":invoke") {
            using kind = testing::text_map_model::action;
            testing::text_map_model::input in{kind::get, std::string(*key), std::string(value.value_or(""))};
            if (*action == ":put") in.what = kind::put;
            else if (*action == ":append") in.what = kind::append;
            else if (*action != ":get") return "\"" + std::string(*action) + "\" is no operation of texts";
            return calls_.call(client, at, std::move(in));
        }
        auto* const op = calls_.end(client);
        if (!op) return "client " + std::to_string(client) + " returns what it did not call";
        if (*what == ":info") return {};
        if (*what == ":fail") return calls_.drop(op), std::string{};
        if (*what != ":ok") return "\"" + std::string(*what) + "\" is neither call nor return";
        if (*action != name_of(op->input.what) || *key != op->input.key) return "client " + std::to_string(client) + " returns another operation than it called";
        if (!value && op->input.what == testing::text_map_model::action::get && !is_nil(text)) return "a get returns without a value";
        op->returned = at;
        op->output.value = std::string(value.value_or(""));
        return {};
    }
    text_map_history take() {
        calls_.finish();
        return std::move(history_);
    }

private:
    static std::string_view name_of(testing::text_map_model::action what) {
        using kind = testing::text_map_model::action;
        return what == kind::get ? ":get" : what == kind::put ? ":put" : ":append";
    }
    static bool is_nil(std::string_view text) { return text.find(":value nil") != text.npos; }

    /// Of a quoted one what is between the quotes, as it is written; nothing where it is missing, cut, or nil.
    static std::optional<std::string_view> field(std::string_view text, std::string_view name, bool quoted) {
        const auto at = text.find(name);
        if (at == text.npos) return std::nullopt;
        text.remove_prefix(at + name.size());
        if (quoted != text.starts_with('"')) return std::nullopt;
        if (quoted) text.remove_prefix(1);
        auto end = quoted ? text.find('"') : text.find_first_of(",}");
        while (quoted && end != text.npos && end != 0 && text[end - 1] == '\\') end = text.find('"', end + 1);
        return end == text.npos ? std::nullopt : std::optional(text.substr(0, end));
    }

    text_map_history history_;
    open_calls<text_map_history> calls_{history_};
};

template <class Parser>
parsed_history parse_as(std::string_view text) {
    Parser parser;
    parsed_history out;
    out.wrong = for_each_line(text, [&](std::int64_t number, std::string_view line) { return parser.line(number, line); });
    if (out.wrong.empty()) out.what = parser.take();
    return out;
}

inline std::string text_of(const register_history::value_type& op) {
    using kind = testing::register_model::action;
    const auto& in = op.input;
    const std::string value = std::to_string(in.value);
    if (in.what == kind::write) return "write " + value;
    if (in.what == kind::compare_and_set)
        return "compare and set " + std::to_string(in.expected) + " to " + value + (!op.returned ? "" : op.output.done ? ": done" : ": not done");
    return std::string("read") + (!op.returned ? "" : op.output.value ? " " + std::to_string(*op.output.value) : " nothing");
}
inline std::string text_of(const text_map_history::value_type& op) {
    using kind = testing::text_map_model::action;
    const std::string key = "\"" + op.input.key + "\"";
    if (op.input.what == kind::get) return "get " + key + (op.returned ? ": \"" + op.output.value + "\"" : "");
    return (op.input.what == kind::put ? "put " : "append to ") + key + " \"" + op.input.value + "\"";
}

}  // namespace detail

LOCKSTEP_DECL parsed_history parse_history(std::string_view text) {
    if (text.find(detail::jepsen_parser::mark) != text.npos) return detail::parse_as<detail::jepsen_parser>(text);
    if (text.find("{:process") != text.npos) return detail::parse_as<detail::text_map_parser>(text);
    parsed_history out;
    out.wrong = "neither a log of Jepsen's nor a list of operations";
    return out;
}

LOCKSTEP_DECL testing::check_result check(const parsed_history& history, const testing::check_limits& limits) {
    if (const auto* of_register = std::get_if<register_history>(&history.what))
        return testing::check_linearizability<testing::register_model>(*of_register, limits);
    return testing::check_linearizability<testing::text_map_model>(std::get<text_map_history>(history.what), limits);
}

LOCKSTEP_DECL std::size_t size(const parsed_history& history) {
    return std::visit([](const auto& h) { return h.size(); }, history.what);
}

LOCKSTEP_DECL std::string describe(const parsed_history& history, std::size_t operation) {
    return std::visit([&](const auto& h) {
        const auto& op = h.at(operation);
        return "client " + std::to_string(op.client) + ", lines " + std::to_string(op.called) + " to " +
               (op.returned ? std::to_string(*op.returned) : "?") + ": " + detail::text_of(op);
    }, history.what);
}

}  // namespace lockstep::sim
