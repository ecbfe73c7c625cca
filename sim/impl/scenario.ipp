#pragma once

#include <sim/scenario.hpp>

#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

namespace lockstep::sim {
namespace detail {

inline constexpr std::uint64_t scenario_version = 1;

struct time_unit {
    std::string_view name;
    std::int64_t ns;
};
inline constexpr time_unit time_units[] = {{"ns", 1}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000},
                                          {"m", 60'000'000'000}, {"h", 3'600'000'000'000}};

inline bool parse_whole(std::string_view text, std::uint64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

inline bool parse_octal(std::string_view text, std::uint64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, 8);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

inline bool parse_signed(std::string_view text, std::int64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

inline std::string to_text(std::uint64_t v) { return std::to_string(v); }
inline std::string to_text(std::uint32_t v) { return std::to_string(v); }
inline std::string to_text(bool v) { return v ? "yes" : "no"; }
inline std::string to_text(duration v) { return sim::to_text(v); }

inline bool parse(std::string_view text, std::uint64_t& out) { return parse_whole(text, out); }
inline bool parse(std::string_view text, std::uint32_t& out) {
    std::uint64_t wide = 0;
    if (!parse_whole(text, wide) || wide > 0xffffffffu) return false;
    out = static_cast<std::uint32_t>(wide);
    return true;
}
inline bool parse(std::string_view text, bool& out) {
    out = text == "yes";
    return out || text == "no";
}
inline bool parse(std::string_view text, duration& out) { return parse_duration(text, out); }

inline constexpr std::string_view workload_names[] = {"folder", "consensus"};
inline constexpr std::string_view operation_names[] = {"ask", "propose", "read"};

inline std::string_view name_of(workload_kind kind) { return workload_names[static_cast<std::size_t>(kind)]; }
inline std::string_view name_of(operation_kind kind) { return operation_names[static_cast<std::size_t>(kind)]; }

/// Which of the names it is; nothing: none of them.
template <std::size_t N>
std::optional<std::size_t> place_of(std::string_view word, const std::string_view (&names)[N]) {
    for (std::size_t i = 0; i < N; ++i)
        if (names[i] == word) return i;
    return std::nullopt;
}

inline std::string to_text(const some_nodes& who) {
    if (who.others) return " others";
    std::string text;
    if (who.leader) text += " leader";
    if (who.next) text += " next";
    for (const node_id id : who.ids) text += " " + std::to_string(id.value);
    return text;
}

inline std::string to_text(const fault& f) {
    std::string text = "at " + sim::to_text(f.at) + " " + std::string(fault_grammars[static_cast<std::size_t>(f.kind)].name);
    text += to_text(f.who);
    if (f.kind == fault_kind::cut) {
        text += f.one_way ? " >" : " |";
        text += to_text(f.from_whom) + " for " + sim::to_text(f.lasts);
    } else if (f.kind == fault_kind::crash) {
        text += f.how == crash_kind::power ? " power" : " process";
        if (f.call != 0) text += (f.at_sync ? " sync " : " call ") + std::to_string(f.call);
        text += " down " + sim::to_text(f.lasts);
    } else {
        const fault_grammar& g = fault_grammars[static_cast<std::size_t>(f.kind)];
        if (g.by) text += " by " + std::to_string(f.by);
        if (g.lasts) text += " for " + sim::to_text(f.lasts);
    }
    return text;
}

inline std::string to_text(const planned_edit& e) {
    std::string text = "at " + sim::to_text(e.at) + " edit " + std::to_string(e.node.value) + " n" + std::to_string(e.number);
    if (e.what.verb == edit_verb::any) return text;
    const edit_grammar& g = edit_grammars[static_cast<std::size_t>(e.what.verb)];
    if (e.call != 0) text += " call " + std::to_string(e.call);
    text += " " + std::string(g.name) + " " + e.what.path;
    if (g.to) text += " " + e.what.to;
    if (g.number == edit_number::bytes) text += " " + std::to_string(e.what.number);
    if (g.number == edit_number::mode) {
        char octal[24];
        text.append(" ").append(octal, std::to_chars(octal, octal + sizeof octal, e.what.number, 8).ptr);
    }
    if (e.what.synced) text += " synced";
    if (e.what.held != duration::zero()) text += " held " + sim::to_text(e.what.held);
    return text;
}

/// Reads one text; the first mistake ends it.
class scenario_parser {
public:
    parsed_scenario run(std::string_view text) {
        while (!text.empty() && out_.wrong.empty()) {
            const auto end = std::min(text.find('\n'), text.size());
            ++line_number_;
            words_of(text.substr(0, end));
            text.remove_prefix(std::min(end + 1, text.size()));
            if (words_.empty()) continue;
            if (const std::string wrong = line(); !wrong.empty()) refuse(line_number_, wrong);
        }
        if (out_.wrong.empty() && !begun_) out_.wrong = "line 1: \"scenario 1\" expected";
        check();
        return std::move(out_);
    }

private:
    void refuse(std::uint64_t number, const std::string& why) { out_.wrong = "line " + std::to_string(number) + ": " + why; }
    void words_of(std::string_view line) {
        words_.clear();
        at_ = 0;
        line = line.substr(0, std::min(line.find('#'), line.size()));
        while (true) {
            const auto from = line.find_first_not_of(" \t\r");
            if (from == line.npos) return;
            line.remove_prefix(from);
            const auto to = std::min(line.find_first_of(" \t\r"), line.size());
            words_.push_back(line.substr(0, to));
            line.remove_prefix(to);
        }
    }
    std::string_view next() { return at_ < words_.size() ? words_[at_++] : std::string_view{}; }
    std::string_view peek() const { return at_ < words_.size() ? words_[at_] : std::string_view{}; }

    std::string line() {
        const std::string_view what = next();
        const std::string value(peek());
        scenario& s = out_.what;
        bool ok = true;
        if (what != "at" && what != "expect" && !said_.insert(what == "set" ? "set " + value : std::string(what)).second)
            return what == "set" ? value + " is set twice" : std::string(what) + " is said twice";
        if (what == "scenario") {
            if (value != std::to_string(scenario_version)) return "scenario " + value + ": this program reads version 1";
            begun_ = true;
            ok = (next(), true);
        } else if (!begun_) {
            return "\"scenario 1\" expected";
        } else if (what == "workload") {
            const auto kind = place_of(next(), workload_names);
            ok = kind.has_value();
            s.workload = static_cast<workload_kind>(kind.value_or(0));
        } else if (what == "seed") {
            ok = parse_whole(next(), s.seed);
        } else if (what == "nodes") {
            ok = parse_whole(next(), s.nodes) && s.nodes >= 1 && s.nodes <= 9;
        } else if (what == "faulty") {
            ok = parse_duration(next(), s.faulty);
        } else if (what == "calm") {
            ok = parse_duration(next(), s.calm);
        } else if (what == "set") {
            return set();
        } else if (what == "quiet") {
            make_quiet(s.tuned);
            return rest();
        } else if (what == "expect") {
            return expect_probe();
        } else if (what == "at") {
            return at();
        } else {
            return "\"" + std::string(what) + "\" is no word that a line begins with";
        }
        if (!ok) return std::string(what) + " " + value + ": bad value";
        return rest();
    }

    std::string rest() const { return at_ == words_.size() ? std::string{} : "\"" + std::string(peek()) + "\" is too much"; }

    static bool is_never(std::string_view name, std::string_view value) {
        return (value == "0" && name.ends_with("-one-in")) || (value == "0s" && name == "rescan-interval");
    }

    std::string set() {
        const std::string_view name = next(), value = next();
        bool known = false, ok = false;
        for_each_tunable(out_.what.tuned, [&](std::string_view n, auto& v, auto low, auto high) {
            if (n != name) return;
            known = true;
            ok = parse(value, v) && (is_never(n, value) || (v >= low && v <= high));
        });
        if (!known) return "nothing is called \"" + std::string(name) + "\"";
        if (!ok) return "set " + std::string(name) + " " + std::string(value) + ": bad value";
        return rest();
    }

    std::string at() {
        duration when{};
        const std::string text(next());
        if (!parse_duration(text, when)) return "at " + text + ": no time";
        const std::string_view what = next();
        if (what == "edit") return edit(when);
        if (what == "expect") return expect(when);
        if (const auto kind = place_of(what, operation_names)) return operation(when, static_cast<operation_kind>(*kind));
        for (std::size_t k = 0; k < fault_kind_count; ++k) {
            if (what != fault_grammars[k].name) continue;
            fault f;
            f.at = when;
            f.kind = static_cast<fault_kind>(k);
            return read(f);
        }
        return "\"" + std::string(what) + "\" is nothing that happens";
    }

    /// A node, and a number behind a letter.
    bool node_and_number(char letter, node_id& node, std::uint64_t& number) {
        const bool who = parse_whole(next(), node.value);
        const std::string_view which = next();
        return who && which.starts_with(letter) && parse_whole(which.substr(1), number);
    }

    std::string edit(duration when) {
        planned_edit e;
        e.at = when;
        if (!node_and_number('n', e.node, e.number)) return "edit: want a node and n with a number";
        if (at_ < words_.size())
            if (const std::string wrong = order(e); !wrong.empty()) return wrong;
        check_later([this, e] {
            if (is_consensus()) return "nobody edits anything where there are no folders";
            if (!is_node(e.node)) return no_such_node;
            return e.at < out_.what.faulty ? "" : after_the_end;
        });
        out_.what.edits.push_back(e);
        return rest();
    }

    /// What is to be done, and at which call of the node.
    std::string order(planned_edit& e) {
        if (peek() == "call") {
            next();
            if (!parse_whole(next(), e.call) || e.call == 0) return "edit: call wants a number; calls are counted from 1";
        }
        const auto verb = std::ranges::find(edit_grammars, next(), &edit_grammar::name);
        if (verb == std::begin(edit_grammars) || verb == std::end(edit_grammars)) return "edit: want a verb, as write or move";
        const std::string name(verb->name);
        e.what.verb = static_cast<edit_verb>(verb - std::begin(edit_grammars));
        e.what.path = next();
        if (!is_edited_path(e.what.path)) return name + ": want a path below the directory";
        if (verb->to) {
            e.what.to = next();
            const bool anything = e.what.verb == edit_verb::symlink;   // links may lead anywhere
            if (anything ? e.what.to.empty() : !is_edited_path(e.what.to)) return name + ": want a second path";
        }
        if (verb->number == edit_number::bytes && (!parse_whole(next(), e.what.number) || e.what.number > ordered_bytes_max))
            return name + ": want a number of bytes, up to " + std::to_string(ordered_bytes_max);
        if (verb->number == edit_number::mode && (!parse_octal(next(), e.what.number) || e.what.number > 07777)) return name + ": want a mode, as 644";
        e.what.synced = verb->may_sync && peek() == "synced" && (next(), true);
        if (verb->opens && peek() == "held") {
            if (e.call != 0) return name + ": an edit at a call holds nothing";
            if (next(); !parse_duration(next(), e.what.held) || e.what.held == duration::zero()) return name + ": held wants a time";
        }
        return {};
    }

    std::string operation(duration when, operation_kind kind) {
        planned_operation o{when, {}, 0, kind};
        if (!node_and_number('o', o.node, o.number)) return std::string(name_of(kind)) + ": want a node and o with a number";
        check_later([this, o] {
            if (!is_consensus()) return "nobody asks anything of folders: \"workload consensus\" is missing";
            if (!is_node(o.node)) return no_such_node;
            return o.at < out_.what.faulty ? "" : after_the_end;
        });
        out_.what.operations.push_back(o);
        return rest();
    }

    /// Of the run as a whole.
    std::string expect_probe() {
        const auto what = place_of(next(), expectation_names);
        const std::string name(next());
        expectation e;
        e.kind = static_cast<expectation::what>(what.value_or(0));
        const auto place = probe_named(name);
        if (!what || !e.of_probe() || !place) return "expect: want reached or not-reached, and the name of a probe";
        e.place = *place;
        out_.what.expected.push_back(e);
        return rest();
    }

    /// Of an operation or a node, as it is then.
    std::string expect(duration when) {
        expectation e;
        e.at = when;
        std::string_view who = next();
        const bool of_operation = who.starts_with('o');
        if (of_operation) who.remove_prefix(1);
        const bool named = parse_whole(who, of_operation ? e.number : e.node.value);
        const auto what = place_of(next(), expectation_names);
        e.kind = static_cast<expectation::what>(what.value_or(0));
        if (!named || !what || e.of_probe() || of_operation != e.of_operation())
            return "expect: want a node and how it stands, or an operation and whether it is answered";
        if (e.has_number() && !parse_whole(next(), e.number)) return "expect " + std::string(expectation_names[*what]) + ": want a number";
        check_later([this, e] {
            if (e.of_operation() && !is_consensus()) return "nobody asks anything of folders, and none is answered";
            if (!e.of_operation() && !is_node(e.node)) return no_such_node;
            if (e.kind == expectation::what::synced && is_consensus()) return "no node shows anything where there are no folders";
            return e.at <= out_.what.faulty + out_.what.calm ? "" : "no run goes on for so long: \"faulty\" and \"calm\" say how long";
        });
        out_.what.expected.push_back(e);
        return rest();
    }

    std::optional<some_nodes> nodes() {
        some_nodes who;
        for (std::uint64_t id = 0; at_ < words_.size(); ++at_) {
            if (peek() == "leader") who.leader = true;
            else if (peek() == "next") who.next = true;
            else if (peek() == "others") who.others = true;
            else if (parse_whole(peek(), id)) who.ids.insert(node_id(id));
            else break;
        }
        if (who.ids.contains(no_node) || (who.others && (who.leader || who.next || !who.ids.empty()))) return std::nullopt;
        return who;
    }

    /// What is over at once has not been; but what ends a node may let it start at once.
    static bool may_last(const fault& f) {
        return f.lasts > duration::zero() || f.kind == fault_kind::wipe || f.kind == fault_kind::older;
    }

    std::string read(fault f) {
        auto who = nodes();
        if (!who) return "these are no nodes";
        f.who = *who;
        if (f.kind == fault_kind::cut) {
            const std::string_view how = next();
            f.one_way = how == ">";
            who = nodes();
            if ((how != "|" && how != ">") || !who) return "cut: want two sides, with | or > between them";
            f.from_whom = *who;
            if (next() != "for" || !parse_duration(next(), f.lasts) || !may_last(f)) return "cut: want \"for\" and a time";
            if (f.who == some_nodes{} || f.from_whom == some_nodes{}) return "cut: want two sides, with | or > between them";
            if (f.who.others && f.from_whom.others) return "cut: both sides cannot be the others";
            if (f.who == f.from_whom && f.who.ids.size() + f.who.leader + f.who.next == 1) return "cut: nothing lies between a node and itself";
        } else if (f.kind == fault_kind::crash) {
            const std::string_view how = next();
            f.how = how == "power" ? crash_kind::power : crash_kind::process;
            if (how != "power" && how != "process") return "crash: want process or power";
            if (peek() == "call" || peek() == "sync") {
                f.at_sync = next() == "sync";
                if (!parse_whole(next(), f.call)) return "crash: call and sync want a number";
                if (f.call == 0) return "crash: calls are counted from 1";
            }
            if (next() != "down" || !parse_duration(next(), f.lasts)) return "crash: want \"down\" and a time";
        } else {
            const fault_grammar& g = fault_grammars[static_cast<std::size_t>(f.kind)];
            if (g.by && (next() != "by" || !parse_signed(next(), f.by))) return std::string(g.name) + ": want \"by\" and a number";
            if (g.by && (f.by < g.low || f.by > g.high))
                return std::string(g.name) + ": want a number from " + std::to_string(g.low) + " to " + std::to_string(g.high);
            if (g.lasts && (next() != "for" || !parse_duration(next(), f.lasts) || !may_last(f))) return std::string(g.name) + ": want \"for\" and a time";
        }
        if (!fault_grammars[static_cast<std::size_t>(f.kind)].anybody && f.who == some_nodes{}) return "whom?";
        check_later([this, f] {
            const auto there = [&](const some_nodes& whom) { return std::ranges::all_of(whom.ids, [&](node_id id) { return is_node(id); }); };
            if (!there(f.who) || !there(f.from_whom)) return no_such_node;
            if (is_consensus() && is_of_folders(f.kind)) return "that befalls folders only: there are none";
            return f.at < out_.what.faulty ? "" : after_the_end;
        });
        out_.what.faults.push_back(std::move(f));
        return rest();
    }

    /// What only the whole tells of this line: gives what is wrong about it, or "".
    template <class F>
    void check_later(F wrong) {
        later_.emplace_back(line_number_, std::move(wrong));
    }
    bool is_consensus() const { return out_.what.workload == workload_kind::consensus; }
    bool is_node(node_id id) const { return id != no_node && id.value <= out_.what.nodes; }
    static constexpr const char* no_such_node = "there is no such node";
    static constexpr const char* after_the_end = "that is when all is mended already: \"faulty\" says for how long things happen";

    void check() {
        for (const auto& [number, wrong] : later_) {
            if (!out_.wrong.empty()) return;
            if (const std::string_view why = wrong(); !why.empty()) refuse(number, std::string(why));
        }
        if (!out_.wrong.empty()) return;
        order_by_time(out_.what.faults);
        order_by_time(out_.what.edits);
        order_by_time(out_.what.operations);
        order_by_time(out_.what.expected);
        make_legal(out_.what.tuned);
    }

    parsed_scenario out_;
    std::vector<std::string_view> words_;
    std::size_t at_ = 0;
    std::uint64_t line_number_ = 0;
    bool begun_ = false;
    std::set<std::string> said_;
    std::vector<std::pair<std::uint64_t, std::function<std::string_view()>>> later_;
};

}  // namespace detail

LOCKSTEP_DECL std::string to_text(duration d) {
    const std::int64_t ns = d.count();
    std::string text = std::to_string(ns / 1'000'000'000);
    if (std::int64_t part = ns % 1'000'000'000; part != 0) {
        std::string digits = std::to_string(part);
        digits.insert(0, 9 - digits.size(), '0');
        while (digits.back() == '0') digits.pop_back();
        text += "." + digits;
    }
    return text + "s";
}

LOCKSTEP_DECL bool parse_duration(std::string_view text, duration& out) {
    const auto digits_end = std::min(text.find_first_not_of("0123456789."), text.size());
    const std::string_view unit_name = text.substr(digits_end);
    text = text.substr(0, digits_end);
    for (const auto& unit : detail::time_units) {
        if (unit.name != unit_name) continue;
        const auto dot = std::min(text.find('.'), text.size());
        std::uint64_t whole = 0, part = 0;
        if (!detail::parse_whole(text.substr(0, dot), whole) || whole > 1'000'000) return false;
        std::string_view after = text.substr(std::min(dot + 1, text.size()));
        if (dot != text.size() && (after.size() > 9 || !detail::parse_whole(after, part))) return false;
        std::int64_t scale = unit.ns;
        for (std::size_t i = 0; i < after.size(); ++i) {
            if (scale % 10 != 0) return false;   // less than a nanosecond
            scale /= 10;
        }
        out = duration(static_cast<std::int64_t>(whole) * unit.ns + static_cast<std::int64_t>(part) * scale);
        return true;
    }
    return false;
}

LOCKSTEP_DECL std::string line_of(const fault& f) { return detail::to_text(f); }
LOCKSTEP_DECL std::string line_of(const planned_edit& e) { return detail::to_text(e); }

LOCKSTEP_DECL std::string to_text(const scenario& s) {
    std::string text = "scenario " + std::to_string(detail::scenario_version) + "\n";
    if (s.workload != workload_kind::folder) text += "workload " + std::string(detail::name_of(s.workload)) + "\n";
    text += "seed " + std::to_string(s.seed) + "\nnodes " + std::to_string(s.nodes) + "\nfaulty " + to_text(s.faulty) + "\ncalm " +
            to_text(s.calm) + "\n";
    const tunables usual;
    std::vector<std::string> before;
    for_each_tunable(usual, [&](std::string_view, const auto& value, auto, auto) { before.push_back(detail::to_text(value)); });
    std::size_t i = 0;
    for_each_tunable(s.tuned, [&](std::string_view name, const auto& value, auto, auto) {
        const std::string now = detail::to_text(value);
        if (now != before[i++]) text += "set " + std::string(name) + " " + now + "\n";
    });
    for (const fault& f : s.faults) text += detail::to_text(f) + "\n";
    for (const planned_edit& e : s.edits) text += detail::to_text(e) + "\n";
    for (const planned_operation& o : s.operations)
        text += "at " + to_text(o.at) + " " + std::string(detail::name_of(o.kind)) + " " + std::to_string(o.node.value) + " o" +
                std::to_string(o.number) + "\n";
    for (const expectation& e : s.expected)
        text += (e.of_probe() ? "expect " : "at " + to_text(e.at) + " expect ") + to_text(e) + "\n";
    return text;
}

LOCKSTEP_DECL parsed_scenario parse_scenario(std::string_view text) { return detail::scenario_parser().run(text); }

}  // namespace lockstep::sim
