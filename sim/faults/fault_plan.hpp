// Carries out the faults of a run at their times. Everything stops at one time, and whatever is down or cut then is started
// and mended.
#pragma once

#include <sim/faults/fault.hpp>
#include <sim/machine/machine.hpp>

#include <algorithm>
#include <functional>

namespace lockstep::sim {

/// What came of it.
struct fault_counts {
    std::uint64_t crashes = 0;
    std::uint64_t power_failures = 0;   ///< of them
    std::uint64_t partitions = 0;
    std::uint64_t resets = 0;
    std::uint64_t lost_queues = 0;      ///< of kernel events
    std::uint64_t full_disks = 0;
};

/// Lifetime: outlives the events of the world.
class fault_plan {
public:
    fault_plan(world& w, links& l, sim_network& network, message_network* messages, std::vector<machine*> machines,
               std::vector<fault> faults)
        : world_(w), links_(l), network_(network), messages_(messages), machines_(std::move(machines)),
          faults_(std::move(faults)) {}
    fault_plan(const fault_plan&) = delete;
    fault_plan& operator=(const fault_plan&) = delete;

    /// Names the leader's machine, for faults that are aimed at it. No leader: the first machine stands in for it.
    void set_leader(std::function<node_id()> leader) { leader_ = std::move(leader); }

    /// The run begins now; what would come at `end` or later does not come.
    void start(time_point end) {
        end_ = end;
        for (const fault& f : faults_) {
            const time_point at = world_.now() + f.at;
            if (at < end) world_.schedule(at, trace_kind::fault, nullptr, static_cast<std::uint64_t>(f.kind), [this, &f] { begin(f); });
        }
        world_.schedule(end, trace_kind::fault, nullptr, 0, [this] { stop(); });
    }

    /// Whether a disk was full until a moment ago: what fails then may be for want of room.
    bool lacked_room(node_id id) const {
        const auto until = full_until_.find(id);
        return until != full_until_.end() && world_.now() <= std::min(until->second, end_) + std::chrono::seconds(1);
    }
    const fault_counts& counts() const noexcept { return counts_; }

private:
    void begin(const fault& f) {
        switch (f.kind) {
            case fault_kind::crash: return crash(f);
            case fault_kind::cut: return cut(f);
            case fault_kind::reset:
                counts_.resets += network_.reset_one(f.who == some_nodes{} ? no_node : *resolve(f.who, f.from_whom).begin());
                return;
            case fault_kind::lose_events: return lose_events(f);
            case fault_kind::full: return fill(f);
        }
    }

    void crash(const fault& f) {
        for (const node_id id : resolve(f.who, f.from_whom)) {
            machine& m = at(id);
            ++counts_.crashes;
            counts_.power_failures += f.how == crash_kind::power;
            if (f.call != 0) m.crash_at_call(f.call, f.how);
            else m.crash(f.how);
            revive_after(m, f.lasts);
        }
    }

    /// An armed crash comes when it comes.
    void revive_after(machine& m, duration pause) {
        world_.after(pause, trace_kind::fault, nullptr, m.id().value, [this, &m, pause] {
            if (world_.now() >= end_) return;
            if (m.crash_armed()) revive_after(m, std::max<duration>(pause, std::chrono::milliseconds(5)));
            else if (!m.running()) m.start();
        });
    }

    void cut(const fault& f) {
        ++counts_.partitions;
        const auto one = resolve(f.who, f.from_whom);
        const auto other = resolve(f.from_whom, f.who);
        std::vector<std::pair<node_id, node_id>> ways;
        for (const node_id a : one)
            for (const node_id b : other) {
                if (a == b) continue;
                ways.emplace_back(a, b);
                if (!f.one_way) ways.emplace_back(b, a);
            }
        for (const auto& [a, b] : ways) links_.set(a, b, false);
        world_.after(f.lasts, trace_kind::fault, nullptr, ways.size(), [this, ways] {
            for (const auto& [a, b] : ways) links_.set(a, b, true);
        });
    }

    void lose_events(const fault& f) {
        for (const node_id id : resolve(f.who, f.from_whom)) {
            node_system* system = at(id).system();
            if (!system) continue;
            ++counts_.lost_queues;
            system->kernel_events.lose();
        }
    }

    void fill(const fault& f) {
        for (const node_id id : resolve(f.who, f.from_whom)) {
            ++counts_.full_disks;
            machine& m = at(id);
            m.disk().set_capacity(m.disk().used_bytes() + f.room);
            time_point& until = full_until_[id];
            until = std::max(until, world_.now() + f.lasts);
            world_.schedule(until, trace_kind::fault, nullptr, id.value, [this, &m] {
                if (full_until_[m.id()] <= world_.now()) m.disk().set_capacity(m.options().disk.capacity_bytes);
            });
        }
    }

    std::set<node_id> resolve(const some_nodes& who, const some_nodes& opposite) const {
        std::set<node_id> ids = who.ids;
        if (who.leader) ids.insert(leader());
        if (!who.others) return ids;
        std::set<node_id> not_these = opposite.ids;
        if (opposite.leader) not_these.insert(leader());
        for (const machine* m : machines_)
            if (!not_these.contains(m->id())) ids.insert(m->id());
        return ids;
    }
    node_id leader() const {
        const node_id known = leader_ ? leader_() : no_node;
        return known == no_node ? machines_.front()->id() : known;
    }
    machine& at(node_id id) const {
        const auto found = std::find_if(machines_.begin(), machines_.end(), [&](const machine* m) { return m->id() == id; });
        LOCKSTEP_ASSERT(found != machines_.end());
        return **found;
    }

    /// From now on nothing goes wrong.
    void stop() {
        links_.calm();
        if (messages_) messages_->calm();
        for (machine* m : machines_) {
            m->crash_at_call(0, crash_kind::process);
            m->disk().set_capacity(m->options().disk.capacity_bytes);
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
    const std::vector<fault> faults_;
    time_point end_{};
    std::function<node_id()> leader_;
    std::map<node_id, time_point> full_until_;
    fault_counts counts_;
};

}  // namespace lockstep::sim
