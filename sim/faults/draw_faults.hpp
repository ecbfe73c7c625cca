// What goes wrong in a run, drawn from its seed: how often, whom, and for how long.
#pragma once

#include <sim/faults/fault.hpp>
#include <sim/network/partition.hpp>
#include <sim/world.hpp>

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <vector>

namespace lockstep::sim {

struct fault_rates {
    /// Mean times between faults of a kind, over all machines; zero: none of that kind.
    duration crash_every = std::chrono::seconds(4);
    duration cut_every = std::chrono::seconds(5);
    duration reset_every = std::chrono::seconds(1);
    duration lose_events_every = std::chrono::seconds(2);
    duration full_every = std::chrono::seconds(30);
    duration cut_frame_every = std::chrono::seconds(2);
    duration stall_every = std::chrono::seconds(4);
    duration crash_loop_every = std::chrono::seconds(30);
    duration pause_every = std::chrono::seconds(8);
    duration slow_every = std::chrono::seconds(15);
    duration drift_every = std::chrono::seconds(15);
    duration stall_clock_every = std::chrono::seconds(15);
    duration step_clock_every = std::chrono::seconds(15);
    duration deny_every = std::chrono::seconds(12);
    duration root_gone_every = std::chrono::seconds(20);
    duration rot_every = std::chrono::seconds(8);
    duration rot_reads_every = std::chrono::seconds(30);
    duration bad_sector_every = std::chrono::seconds(20);
    duration misdirect_every = std::chrono::seconds(20);
    duration fail_write_every = std::chrono::seconds(20);
    duration fail_sync_every = std::chrono::seconds(15);
    duration slow_disk_every = std::chrono::seconds(15);
    duration stall_disk_every = std::chrono::seconds(10);
    duration wipe_every = std::chrono::seconds(40);
    duration older_every = std::chrono::seconds(40);
    duration down_max = std::chrono::seconds(4);
    duration cut_max = std::chrono::seconds(5);
    duration full_max = std::chrono::seconds(8);
    std::int64_t room_max = 40'000;     ///< bytes left on a full disk
    std::uint64_t power_one_in = 2;     ///< crashes that take the power
    std::uint64_t at_call_one_in = 2;   ///< crashes that wait for one of the next calls
    std::uint64_t calls_max = 400;
    std::uint64_t aimed_one_in = 0;     ///< faults of one machine that befall who leads, or who would next; 0: none
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
        const auto simple = [this](fault_kind kind, duration every, duration longest, std::int64_t low, std::int64_t high) {
            repeat(kind, every, [=, this](random_generator& r, duration at) {
                fault& f = add(at, kind);
                if (!fault_grammars[static_cast<std::size_t>(kind)].anybody) f.who.ids = {any(r)};
                if (longest > duration::zero()) f.lasts = sim::draw(r, std::chrono::milliseconds(10), longest);
                f.by = low + static_cast<std::int64_t>(r.below(static_cast<std::uint64_t>(high - low) + 1));
            });
        };
        using std::chrono::milliseconds, std::chrono::seconds;
        constexpr std::int64_t hour_ns = 3'600'000'000'000;
        simple(fault_kind::full, rates_.full_every, rates_.full_max, 0, rates_.room_max);
        simple(fault_kind::cut_frame, rates_.cut_frame_every, {}, 0, 0);
        simple(fault_kind::stall, rates_.stall_every, seconds(8), 0, 0);
        simple(fault_kind::crash_loop, rates_.crash_loop_every, milliseconds(300), 2, 8);
        simple(fault_kind::pause, rates_.pause_every, seconds(5), 0, 0);
        simple(fault_kind::slow, rates_.slow_every, seconds(5), 2, 30);
        simple(fault_kind::drift, rates_.drift_every, {}, -50'000, 50'000);
        simple(fault_kind::stall_clock, rates_.stall_clock_every, seconds(3), 0, 0);
        simple(fault_kind::step_clock, rates_.step_clock_every, {}, -hour_ns, hour_ns);
        simple(fault_kind::deny, rates_.deny_every, seconds(6), 0, 1000);
        simple(fault_kind::root_gone, rates_.root_gone_every, seconds(4), 0, 1);
        take_aim();
        const std::set<node_id> unlucky = some_disks();
        const auto damage = [&](fault_kind kind, duration every, duration longest, std::int64_t low, std::int64_t high) {
            const std::size_t before = faults_.size();
            simple(kind, every, longest, low, high);
            aim(before, unlucky);
        };
        constexpr std::int64_t anything = std::numeric_limits<std::int64_t>::max() - 1;
        damage(fault_kind::rot, rates_.rot_every, {}, 1, anything);
        damage(fault_kind::rot_reads, rates_.rot_reads_every, seconds(4), 2, 200);
        damage(fault_kind::bad_sector, rates_.bad_sector_every, {}, 1, anything);
        damage(fault_kind::misdirect, rates_.misdirect_every, {}, 1, anything);
        damage(fault_kind::wipe, rates_.wipe_every, seconds(4), 0, 0);
        simple(fault_kind::fail_write, rates_.fail_write_every, {}, 1, 200);
        simple(fault_kind::fail_sync, rates_.fail_sync_every, {}, 1, 60);
        simple(fault_kind::slow_disk, rates_.slow_disk_every, seconds(5), 2, 50);
        simple(fault_kind::stall_disk, rates_.stall_disk_every, seconds(6), 0, 0);
        simple(fault_kind::older, rates_.older_every, seconds(4), 0, 0);
        order_by_time(faults_);
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

    /// With a generator of its own: who is hit changes nothing of when and how.
    void take_aim() {
        if (rates_.aimed_one_in == 0) return;
        random_generator random = world_.fork("roles");
        for (fault& f : faults_) {
            const bool now = random.one_in(rates_.aimed_one_in), next = random.one_in(2);
            if (!now) continue;
            if (f.kind == fault_kind::cut) {
                if (f.who.leader) f.who.leader = !next, f.who.next = next;
                if (f.from_whom.leader) f.from_whom.leader = !next, f.from_whom.next = next;
            } else if (f.who.ids.size() == 1) {
                f.who = {};
                (next ? f.who.next : f.who.leader) = true;
            }
        }
    }

    /// What damages is aimed at a few disks, or the fault_atlas would refuse most of it; but not always.
    std::set<node_id> some_disks() const {
        random_generator random = world_.fork("unlucky disks");
        std::set<node_id> unlucky{any(random)};
        while (unlucky.size() < (nodes_ - 1) / 2) unlucky.insert(any(random));
        return unlucky;
    }
    void aim(std::size_t from, const std::set<node_id>& unlucky) {
        for (; from < faults_.size(); ++from) {
            random_generator random = world_.fork("aim", static_cast<std::uint64_t>(faults_[from].at.count()));
            if (random.one_in(8)) continue;
            faults_[from].who.ids = {*std::next(unlucky.begin(), static_cast<std::ptrdiff_t>(random.below(unlucky.size())))};
        }
    }

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
            // What is written and not synced yet is torn then.
            f.at_sync = f.call != 0 && how == crash_kind::power && world_.fork("at a sync", static_cast<std::uint64_t>(at.count()) + id).one_in(2);
            if (f.at_sync) f.call = 1 + f.call / 20;
            f.lasts = sim::draw(random, std::chrono::milliseconds(5), rates_.down_max);
        }
    }

    /// One at a time, of any of the shapes that partition.hpp knows; or the leader alone from all others.
    void cut(random_generator& random, duration at) {
        if (at < whole_again_) return;
        const duration lasts = sim::draw(random, std::chrono::milliseconds(50), rates_.cut_max);
        whole_again_ = at + lasts;
        if (random.one_in(4)) {
            fault& f = add(at, fault_kind::cut);
            const std::uint64_t how = random.below(4);
            f.one_way = how >= 2;
            (how == 3 ? f.from_whom : f.who).leader = true;
            (how == 3 ? f.who : f.from_whom).others = true;
            f.lasts = lasts;
            return;
        }
        std::vector<node_id> nodes;
        for (std::uint64_t id = 1; id <= nodes_; ++id) nodes.push_back(node_id(id));
        const auto kind = static_cast<partition_kind>(random.below(partition_kind_count));
        // A cut for each node that is kept from hearing others.
        std::map<node_id, std::set<node_id>> unheard_by;
        for (const auto& [from, to] : partition(kind, nodes, any(random), random)) unheard_by[from].insert(to);
        for (const auto& [from, to] : unheard_by) {
            fault& f = add(at, fault_kind::cut);
            f.one_way = true;
            f.who.ids = {from};
            f.from_whom.ids = to;
            f.lasts = lasts;
        }
    }

    const world& world_;
    std::uint64_t nodes_;
    duration end_;
    fault_rates rates_;
    std::vector<fault> faults_;
    duration whole_again_{};
};

}  // namespace lockstep::sim
