// What goes wrong in a run, drawn from its seed: crashes at times and at calls, restarts, partitions, resets, lost kernel
// events. Everything stops at one time, and whatever is down or cut then is started and mended.
#pragma once

#include <sim/machine/machine.hpp>

#include <algorithm>
#include <functional>

namespace lockstep::sim {

struct fault_options {
    /// Mean times between faults of a kind, over all machines; zero: none of that kind.
    duration crash_every = std::chrono::seconds(4);
    duration partition_every = std::chrono::seconds(5);
    duration reset_every = std::chrono::seconds(1);
    duration lose_events_every = std::chrono::seconds(2);
    duration down_max = std::chrono::seconds(4);
    duration partition_max = std::chrono::seconds(5);
    std::uint64_t power_one_in = 2;         ///< crashes that take the power
    std::uint64_t at_call_one_in = 2;       ///< crashes that wait for one of the next calls
    std::uint64_t calls_max = 400;
    /// Crashes that take all machines at once; they come back one by one.
    std::uint64_t all_one_in = 12;
};

/// Lifetime: outlives the events of the world.
class fault_plan {
public:
    fault_plan(world& w, links& l, sim_network& network, message_network* messages, std::vector<machine*> machines,
               fault_options options = {})
        : world_(w), links_(l), network_(network), messages_(messages), machines_(std::move(machines)), options_(options),
          random_(w.fork("faults")) {}
    fault_plan(const fault_plan&) = delete;
    fault_plan& operator=(const fault_plan&) = delete;

    /// Names the leader's machine, for partitions that isolate it.
    void set_leader(std::function<node_id()> leader) { leader_ = std::move(leader); }

    void start(time_point end) {
        end_ = end;
        repeat(options_.crash_every, [this] { crash(); });
        repeat(options_.partition_every, [this] { partition(); });
        repeat(options_.reset_every, [this] { network_.reset_one(no_node); });
        repeat(options_.lose_events_every, [this] { lose_events(); });
        world_.schedule(end, trace_kind::fault, nullptr, 0, [this] { stop(); });
    }

    std::uint64_t crashes() const noexcept { return crashes_; }
    std::uint64_t partitions() const noexcept { return partitions_; }

private:
    /// Again and again, with a random pause about the mean, until the end.
    void repeat(duration mean, std::function<void()> f) {
        if (mean <= duration::zero()) return;
        world_.after(draw(random_, duration(1), 2 * mean), trace_kind::fault, nullptr, 0, [this, mean, f = std::move(f)] {
            if (world_.now() >= end_) return;
            f();
            repeat(mean, f);
        });
    }

    machine& any() { return *machines_[random_.below(machines_.size())]; }

    void crash() {
        const bool all = random_.one_in(options_.all_one_in);
        const crash_kind how = random_.one_in(options_.power_one_in) ? crash_kind::power : crash_kind::process;
        machine& one = any();
        for (machine* m : machines_) {
            if (!all && m != &one) continue;
            ++crashes_;
            if (random_.one_in(options_.at_call_one_in)) m->crash_at_call(random_.between(1, options_.calls_max), how);
            else m->crash(how);
            watch(*m);
        }
    }

    /// Starts a machine again some time after it went down; an armed crash comes when it comes.
    void watch(machine& m) {
        const duration pause = draw(random_, std::chrono::milliseconds(5), options_.down_max);
        world_.after(pause, trace_kind::fault, nullptr, m.id().value, [this, &m] {
            if (world_.now() >= end_) return;
            if (m.crash_armed()) watch(m);
            else if (!m.running()) m.start();
        });
    }

    void partition() {
        if (!links_.whole()) return;
        ++partitions_;
        const std::uint64_t how = random_.below(4);
        const node_id leader = leader_ ? leader_() : no_node;
        const node_id one = how == 0 && leader != no_node ? leader : any().id();
        const bool into = how != 2;
        const bool out_of = how != 3;  // 2 and 3: one way only
        std::vector<node_id> minority{one};
        for (const machine* m : machines_) {
            const bool room = (minority.size() + 1) * 2 < machines_.size();
            if (room && m->id() != one && random_.one_in(2)) minority.push_back(m->id());
        }
        const auto inside = [&](node_id n) { return std::find(minority.begin(), minority.end(), n) != minority.end(); };
        for (const machine* a : machines_) {
            for (const machine* b : machines_) {
                if (inside(a->id()) && !inside(b->id()) && out_of) links_.set(a->id(), b->id(), false);
                if (!inside(a->id()) && inside(b->id()) && into) links_.set(a->id(), b->id(), false);
            }
        }
        world_.after(draw(random_, std::chrono::milliseconds(50), options_.partition_max), trace_kind::fault, nullptr, one.value,
                     [this] { links_.heal(); });
    }

    void lose_events() {
        if (node_system* system = any().system()) system->kernel_events.lose();
    }

    /// From now on nothing goes wrong.
    void stop() {
        links_.calm();
        if (messages_) messages_->calm();
        for (machine* m : machines_) {
            m->crash_at_call(0, crash_kind::process);
            m->options().runtime.stall_one_in = 0;
            if (node_system* system = m->system()) system->runtime.stop_stalls();
            revive(*m);
        }
    }

    /// A machine that crashed in this very instant is buried first.
    void revive(machine& m) {
        if (m.running() || m.start()) return;
        world_.after(std::chrono::milliseconds(1), trace_kind::fault, nullptr, m.id().value, [this, &m] { revive(m); });
    }

    world& world_;
    links& links_;
    sim_network& network_;
    message_network* messages_;
    std::vector<machine*> machines_;
    fault_options options_;
    random_generator random_;
    time_point end_{};
    std::function<node_id()> leader_;
    std::uint64_t crashes_ = 0;
    std::uint64_t partitions_ = 0;
};

}  // namespace lockstep::sim
