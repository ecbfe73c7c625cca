// Makes a failing run small: leaves out faults, edits and operations, puts back what was varied, takes away nodes, for as long as it
// fails alike. Delta debugging (Zeller and Hildebrandt, 2002). It runs nothing itself.
#pragma once

#include <sim/scenario.hpp>

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

namespace lockstep::sim {

class shrinker {
public:
    /// `fails`: whether a scenario fails as the first one did. It is asked at most `runs_max` times.
    shrinker(scenario first, std::function<bool(const scenario&)> fails, std::uint64_t runs_max)
        : smallest_(std::move(first)), fails_(std::move(fails)), runs_left_(runs_max) {}

    scenario run() {
        for (std::size_t before = size() + 1; before > size() && runs_left_ != 0;) {
            before = size();
            fewer_nodes();
            fewer(&scenario::faults);
            fewer(&scenario::edits);
            fewer(&scenario::operations);
            usual_values();
        }
        return std::move(smallest_);
    }

private:
    std::size_t size() const {
        return smallest_.faults.size() + smallest_.edits.size() + smallest_.operations.size() + smallest_.nodes + varied();
    }

    bool take(scenario candidate) {
        if (runs_left_ == 0) return false;
        --runs_left_;
        if (!fails_(candidate)) return false;
        smallest_ = std::move(candidate);
        return true;
    }

    /// Ever smaller pieces are left out, until no single one can be.
    template <class Item>
    void fewer(std::vector<Item> scenario::* list) {
        std::size_t piece = (smallest_.*list).size();
        while (piece != 0 && runs_left_ != 0) {
            bool less = false;
            for (std::size_t at = 0; at < (smallest_.*list).size();) {
                scenario candidate = smallest_;
                auto& items = candidate.*list;
                const auto from = items.begin() + static_cast<std::ptrdiff_t>(at);
                items.erase(from, from + static_cast<std::ptrdiff_t>(std::min(piece, items.size() - at)));
                if (take(std::move(candidate))) less = true;
                else at += piece;
            }
            if (piece == 1 && !less) return;
            piece = std::max<std::size_t>(piece / 2, 1);
        }
    }

    /// The last one goes, with everything that names it.
    void fewer_nodes() {
        while (smallest_.nodes > 1) {
            scenario candidate = smallest_;
            const node_id last(candidate.nodes--);
            std::erase_if(candidate.edits, [&](const planned_edit& e) { return e.node == last; });
            std::erase_if(candidate.operations, [&](const planned_operation& o) { return o.node == last; });
            std::erase_if(candidate.expected, [&](const expectation& e) { return e.node == last; });
            for (fault& f : candidate.faults) {
                f.who.ids.erase(last);
                f.from_whom.ids.erase(last);
            }
            std::erase_if(candidate.faults, [](const fault& f) {
                const bool aimless = f.who == some_nodes{} && !fault_grammars[static_cast<std::size_t>(f.kind)].anybody;
                return aimless || (f.kind == fault_kind::cut && f.from_whom == some_nodes{});
            });
            if (!take(std::move(candidate))) return;
        }
    }

    std::size_t varied() const {
        std::size_t count = 0;
        for_each_difference([&](std::size_t) { ++count; });
        return count;
    }
    template <class F>
    void for_each_difference(F f) const {
        const std::vector<std::uint64_t> usual = values_of({}), now = values_of(smallest_.tuned);
        for (std::size_t i = 0; i < usual.size(); ++i)
            if (usual[i] != now[i]) f(i);
    }
    static std::vector<std::uint64_t> values_of(const tunables& t) {
        std::vector<std::uint64_t> values;
        for_each_tunable(t, [&](std::string_view, const auto& v, auto, auto) { values.push_back(as_number(v)); });
        return values;
    }
    static std::uint64_t as_number(duration v) { return static_cast<std::uint64_t>(v.count()); }
    static std::uint64_t as_number(std::uint64_t v) { return v; }

    void usual_values() {
        std::vector<std::size_t> places;
        for_each_difference([&](std::size_t i) { places.push_back(i); });
        for (const std::size_t place : places) {
            scenario candidate = smallest_;
            set_usual(candidate.tuned, place);
            make_legal(candidate.tuned);
            if (values_of(candidate.tuned) != values_of(smallest_.tuned)) take(std::move(candidate));
        }
    }
    static void set_usual(tunables& t, std::size_t place) {
        const tunables usual;
        const auto copy = [&](auto& to, const auto& from) { to = from; };
        std::size_t i = 0;
        for_each_tunable(t, [&](std::string_view, auto& value, auto, auto) {
            if (i++ != place) return;
            std::size_t j = 0;
            for_each_tunable(usual, [&](std::string_view, const auto& u, auto, auto) {
                if constexpr (std::is_same_v<std::remove_cvref_t<decltype(u)>, std::remove_cvref_t<decltype(value)>>)
                    if (j == place) copy(value, u);
                ++j;
            });
        });
    }

    scenario smallest_;
    std::function<bool(const scenario&)> fails_;
    std::uint64_t runs_left_;
};

}  // namespace lockstep::sim
