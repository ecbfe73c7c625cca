// What goes wrong in a run, drawn from its seed: how often, whom, and for how long.
#pragma once

#include <sim/faults/fault.hpp>
#include <sim/world.hpp>

#include <algorithm>
#include <vector>

namespace lockstep::sim {

struct fault_rates {
    /// Mean times between faults of a kind, over all machines; zero: none of that kind.
    duration crash_every = std::chrono::seconds(4);
    duration cut_every = std::chrono::seconds(5);
    duration reset_every = std::chrono::seconds(1);
    duration lose_events_every = std::chrono::seconds(2);
    duration full_every = std::chrono::seconds(30);
    duration down_max = std::chrono::seconds(4);
    duration cut_max = std::chrono::seconds(5);
    duration full_max = std::chrono::seconds(8);
    std::uint64_t room_max = 40'000;    ///< bytes left on a full disk
    std::uint64_t power_one_in = 2;     ///< crashes that take the power
    std::uint64_t at_call_one_in = 2;   ///< crashes that wait for one of the next calls
    std::uint64_t calls_max = 400;
    std::uint64_t all_one_in = 12;      ///< crashes that take all machines at once; they come back one by one
};

/// Ordered by time, all of them before `end`. Each kind draws from a generator of its own, so that one that is switched
/// off shifts none of the others.
class fault_drawer {
public:
    fault_drawer(const world& w, std::uint64_t nodes, duration end, fault_rates rates)
        : world_(w), nodes_(nodes), end_(end), rates_(rates) {}

    std::vector<fault> draw() {
        repeat(fault_kind::crash, rates_.crash_every, [this](random_generator& r, duration at) { crash(r, at); });
        repeat(fault_kind::cut, rates_.cut_every, [this](random_generator& r, duration at) { cut(r, at); });
        repeat(fault_kind::reset, rates_.reset_every, [this](random_generator&, duration at) { add(at, fault_kind::reset); });
        repeat(fault_kind::lose_events, rates_.lose_events_every, [this](random_generator& r, duration at) {
            add(at, fault_kind::lose_events).who.ids = {any(r)};
        });
        repeat(fault_kind::full, rates_.full_every, [this](random_generator& r, duration at) {
            fault& f = add(at, fault_kind::full);
            f.who.ids = {any(r)};
            f.room = r.below(rates_.room_max);
            f.lasts = sim::draw(r, std::chrono::milliseconds(20), rates_.full_max);
        });
        std::stable_sort(faults_.begin(), faults_.end(), [](const fault& a, const fault& b) { return a.at < b.at; });
        return std::move(faults_);
    }

private:
    /// Again and again, with a random pause about the mean.
    template <class F>
    void repeat(fault_kind kind, duration mean, F f) {
        if (mean <= duration::zero()) return;
        random_generator random = world_.fork("faults", static_cast<std::uint64_t>(kind));
        for (duration at = sim::draw(random, duration(1), 2 * mean); at < end_; at += sim::draw(random, duration(1), 2 * mean))
            f(random, at);
    }

    fault& add(duration at, fault_kind kind) {
        fault& f = faults_.emplace_back();
        f.at = at;
        f.kind = kind;
        return f;
    }
    node_id any(random_generator& random) const { return node_id(1 + random.below(nodes_)); }

    void crash(random_generator& random, duration at) {
        const bool all = random.one_in(rates_.all_one_in);
        const crash_kind how = random.one_in(rates_.power_one_in) ? crash_kind::power : crash_kind::process;
        const node_id one = any(random);
        for (std::uint64_t id = 1; id <= nodes_; ++id) {
            if (!all && node_id(id) != one) continue;
            fault& f = add(at, fault_kind::crash);
            f.who.ids = {node_id(id)};
            f.how = how;
            if (random.one_in(rates_.at_call_one_in)) f.call = random.between(1, rates_.calls_max);
            f.lasts = sim::draw(random, std::chrono::milliseconds(5), rates_.down_max);
        }
    }

    /// One at a time: a minority, or the leader alone, from all others; in both directions or in one.
    void cut(random_generator& random, duration at) {
        if (at < whole_again_) return;
        fault& f = add(at, fault_kind::cut);
        some_nodes minority, rest;
        rest.others = true;
        if (random.one_in(4)) {
            minority.leader = true;
        } else {
            minority.ids = {any(random)};
            for (std::uint64_t id = 1; id <= nodes_; ++id)
                if ((minority.ids.size() + 1) * 2 < nodes_ && random.one_in(2)) minority.ids.insert(node_id(id));
        }
        const std::uint64_t how = random.below(4);
        f.one_way = how >= 2;
        f.who = how == 3 ? rest : minority;
        f.from_whom = how == 3 ? minority : rest;
        f.lasts = sim::draw(random, std::chrono::milliseconds(50), rates_.cut_max);
        whole_again_ = at + f.lasts;
    }

    const world& world_;
    std::uint64_t nodes_;
    duration end_;
    fault_rates rates_;
    std::vector<fault> faults_;
    duration whole_again_{};
};

}  // namespace lockstep::sim
