// Carries out the faults of a run at their times. Everything stops at one time, and whatever is down or cut then is started
// and mended.
#pragma once

#include <sim/faults/directory_faults.hpp>
#include <sim/faults/disk_faults.hpp>
#include <sim/faults/fault.hpp>
#include <sim/machine/machine.hpp>
#include <sim/scenario.hpp>
#include <sim/trace/recorder.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace lockstep::sim {

/// How often each kind came to pass: a fault that finds nothing to befall does not count.
using fault_counts = std::array<std::uint64_t, fault_kind_count>;
inline std::uint64_t count_of(const fault_counts& counts, fault_kind kind) { return counts[static_cast<std::size_t>(kind)]; }

/// Lifetime: outlives the events of the world.
class fault_plan {
public:
    fault_plan(world& w, links& l, sim_network& network, message_network* messages, std::vector<machine*> machines,
               std::vector<fault> faults)
        : world_(w), links_(l), network_(network), messages_(messages), machines_(std::move(machines)),
          faults_(std::move(faults)), disks_(w, machines_.size()) {}
    fault_plan(const fault_plan&) = delete;
    fault_plan& operator=(const fault_plan&) = delete;

    /// Names the leader's machine, for faults that are aimed at it. No leader: the first machine stands in for it.
    void set_leader(std::function<node_id()> leader) { leader_ = std::move(leader); }
    /// Likewise the machine of who would be elected if the leader went. Nobody: the first one but the leader's.
    void set_next_leader(std::function<node_id()> next) { next_leader_ = std::move(next); }
    /// What users edit and nodes replicate. Without one, no fault befalls it.
    void set_directory(directory_faults& directory) { directory_ = &directory; }

    /// Tells how long a machine's node waits until it stands for election; nothing: it leads, or nothing runs there.
    void set_election_timers(std::function<std::optional<duration>(const machine&)> left) { timer_left_ = std::move(left); }

    /// When everything stops, those that `who` then says stay away, without power (`down`) or cut off from all others, until
    /// they are brought back.
    void leave_out(bool down, std::function<std::set<node_id>()> who) {
        left_out_down_ = down;
        leave_out_ = std::move(who);
    }
    void bring_back() {
        for (const node_id id : std::exchange(left_out_, {})) {
            links_.set_apart(id, false);
            revive(at(id));
        }
    }

    /// The run begins now; what would come at `end` or later does not come.
    void start(time_point end) {
        end_ = end;
        for (const fault& f : faults_) {
            const time_point at = world_.now() + f.at;
            if (at < end) world_.schedule(at, trace_kind::fault, nullptr, static_cast<std::uint64_t>(f.kind), [this, &f] { begin(f); });
        }
        world_.schedule(end, trace_kind::fault, nullptr, 0, [this] { stop(); });
    }

    fault_counts counts() const {
        fault_counts all = counts_;
        for (const machine* m : machines_) disk_faults::add_to(all, *m);
        return all;
    }
    const partition_counts& partitions() const noexcept { return partitions_; }
    /// Which disks were damaged, and what else befell them.
    disk_faults& disks() noexcept { return disks_; }
    const fault_atlas& atlas() const noexcept { return disks_.atlas(); }
    time_point end() const noexcept { return end_; }

private:
    void begin(const fault& f) {
        tell_begin(f);
        if (f.who.leader || f.from_whom.leader) ++partitions_.at_leader;
        if (f.who.next || f.from_whom.next) ++partitions_.at_next;
        std::uint64_t& count = counts_[static_cast<std::size_t>(f.kind)];
        switch (f.kind) {
            case fault_kind::cut: return cut(f);
            case fault_kind::reset: count += network_.reset_one(anybody(f)); return;
            case fault_kind::cut_frame: count += network_.cut_one_in_frame(anybody(f)); return;
            case fault_kind::stall: count += network_.stall_one(anybody(f), f.lasts); return;
            default: break;
        }
        for (const node_id id : resolve(f.who, f.from_whom)) {
            const cause_scope own(world_, world_.cause());   // that of one node is none for the next
            if (is_of_disks(f.kind)) disks_.befall(f, at(id), count, end_);
            else count += befall(f, at(id));
        }
    }

    /// True: it made a difference.
    bool befall(const fault& f, machine& m) {
        const auto amount = static_cast<std::uint64_t>(std::max<std::int64_t>(f.by, 0));
        switch (f.kind) {
            case fault_kind::crash: return crash(f, m);
            case fault_kind::crash_loop:
                if (m.running()) m.crash_loop(std::max<std::uint64_t>(amount, 1), f.lasts, f.how);
                return true;
            case fault_kind::lose_events:
                if (!m.running()) return false;
                m.system()->kernel_events.lose();
                return true;
            case fault_kind::full: return fill(m, amount, f.lasts);
            case fault_kind::pause:
                m.pause(std::min(f.lasts, end_ - world_.now()));   // and goes on when the faults are over, as all does
                return m.running();
            case fault_kind::slow: return slow_down(m, std::max<std::uint64_t>(amount, 1), f.lasts);
            case fault_kind::drift:
                m.set_drift(static_cast<std::int32_t>(std::clamp<std::int64_t>(f.by, -drift_max, drift_max)));
                return true;
            case fault_kind::stall_clock: m.stall_clock(std::min(f.lasts, end_ - world_.now())); return true;
            case fault_kind::step_clock: m.step_clock(f.by); return true;
            case fault_kind::campaign: return campaign(m);
            case fault_kind::deny: return directory_ && directory_->deny(m, amount, f.lasts);
            case fault_kind::root_gone:
                return directory_ && directory_->take_root(m, amount == 0 ? stand_in::nothing : stand_in::empty_directory, f.lasts);
            default: break;
        }
        return false;
    }

    node_id anybody(const fault& f) const { return f.who == some_nodes{} ? no_node : *resolve(f.who, f.from_whom).begin(); }

    bool crash(const fault& f, machine& m) {
        const bool ran = m.running();
        if (f.call != 0) m.crash_at_call(f.call, f.how, f.at_sync ? &is_sync : &is_any);
        else m.crash(f.how);
        revive_after(m, f.lasts);
        return ran && f.call == 0;   // counted when it comes
    }

    bool campaign(machine& m) {
        const auto left = timer_left_ ? timer_left_(m) : std::nullopt;
        if (left) m.leap_clock(*left);
        return left.has_value();
    }

    bool slow_down(machine& m, std::uint64_t times, duration lasts) {
        m.set_slowness(times);
        time_point& until = slow_until_[m.id()];
        until = std::max(until, world_.now() + lasts);
        world_.schedule(until, trace_kind::fault, nullptr, m.id().value, [this, &m] {
            if (slow_until_[m.id()] > world_.now()) return;
            m.set_slowness(1);
            tell_end("node " + std::to_string(m.id().value) + " is as fast as before");
        });
        return true;
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
        ++counts_[static_cast<std::size_t>(fault_kind::cut)];
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
            count_partition();
            for (const auto& [a, b] : ways) links_.set(a, b, true);
            tell_end("the cut is mended");
        });
    }

    /// As it was until now: a partition may be made of several cuts, which end at the same time.
    void count_partition() {
        if (links_.whole() || (partitions_end_ == world_.now() && partitions_end_ != time_point{})) return;
        partitions_end_ = world_.now();
        std::vector<node_id> nodes;
        for (const machine* m : machines_) nodes.push_back(m->id());
        if (const auto shape = shape_of(links_.cut(), nodes)) ++partitions_.of_shape[static_cast<std::size_t>(*shape)];
        else ++partitions_.of_none;
    }

    bool fill(machine& m, std::uint64_t room, duration lasts) {
        m.disk().set_capacity(m.disk().used_bytes() + room);
        time_point& until = full_until_[m.id()];
        until = std::max(until, world_.now() + lasts);
        world_.schedule(until, trace_kind::fault, nullptr, m.id().value, [this, &m] {
            if (full_until_[m.id()] > world_.now()) return;
            m.disk().set_capacity(m.options().disk.capacity_bytes);
            tell_end("the disk of node " + std::to_string(m.id().value) + " has room again");
        });
        return true;
    }

    std::set<node_id> resolve(const some_nodes& who, const some_nodes& opposite) const {
        std::set<node_id> ids = who.ids;
        if (who.leader) ids.insert(leader());
        if (who.next) ids.insert(next_leader());
        if (!who.others) return ids;
        std::set<node_id> not_these = opposite.ids;
        if (opposite.leader) not_these.insert(leader());
        if (opposite.next) not_these.insert(next_leader());
        for (const machine* m : machines_)
            if (!not_these.contains(m->id())) ids.insert(m->id());
        return ids;
    }
    node_id leader() const {
        const node_id known = leader_ ? leader_() : no_node;
        return known == no_node ? machines_.front()->id() : known;
    }
    node_id next_leader() const {
        const node_id known = next_leader_ ? next_leader_() : no_node;
        if (known != no_node) return known;
        return machines_.size() > 1 && machines_.front()->id() == leader() ? machines_[1]->id() : machines_.front()->id();
    }
    machine& at(node_id id) const {
        const auto found = std::find_if(machines_.begin(), machines_.end(), [&](const machine* m) { return m->id() == id; });
        LOCKSTEP_ASSERT(found != machines_.end());
        return **found;
    }

    /// In a trace all that the fault does follows from this.
    void tell_begin(const fault& f) {
        trace_recorder* r = world_.recorder();
        if (!r) return;
        trace_values values;
        values.add("fault", std::string(fault_grammars[static_cast<std::size_t>(f.kind)].name));
        values.add("lasts", static_cast<std::uint64_t>(std::max<duration::rep>(f.lasts.count(), 0)));
        std::string whom;
        for (const auto& [who, opposite] : {std::pair(&f.who, &f.from_whom), std::pair(&f.from_whom, &f.who)})
            for (const node_id id : resolve(*who, *opposite)) whom += (whom.empty() ? "" : " ") + std::to_string(id.value);
        values.add("nodes", std::move(whom));
        r->record({}, traced::fault, line_of(f), std::move(values));
    }
    void tell_end(std::string text) {
        if (trace_recorder* r = world_.recorder()) r->record({}, traced::mend, std::move(text));
    }

    /// From now on nothing goes wrong.
    void stop() {
        tell_end("from now on nothing goes wrong");
        count_partition();
        links_.calm();
        network_.calm();
        if (messages_) messages_->calm();
        if (leave_out_) left_out_ = leave_out_();
        for (machine* m : machines_) {
            if (directory_) directory_->heal(*m);
            m->crash_at_call(0, crash_kind::process);
            m->disk().set_capacity(m->options().disk.capacity_bytes);
            m->set_slowness(1);
            m->options().runtime.stall_one_in = 0;
            m->options().kernel_events = calmed(m->options().kernel_events);
            disks_.calm(*m);
            if (node_system* system = m->system()) {
                system->runtime.stop_stalls();
                system->kernel_events.calm();
            }
            if (!left_out_.contains(m->id())) revive(*m);
            else if (left_out_down_) m->crash(crash_kind::power);
            else {
                links_.set_apart(m->id(), true);
                revive(*m);
            }
        }
    }

    /// A machine that crashed in this very instant is buried first.
    void revive(machine& m) {
        if (m.running() || m.start()) return;
        world_.after(std::chrono::milliseconds(1), trace_kind::fault, nullptr, m.id().value, [this, &m] { revive(m); });
    }

    static kernel_event_options calmed(kernel_event_options o) {
        o.dropped_one_in = o.repeated_one_in = o.late_one_in = o.apart_one_in = o.halved_one_in = o.refused_one_in = 0;
        return o;
    }

    world& world_;
    links& links_;
    sim_network& network_;
    message_network* messages_;
    std::vector<machine*> machines_;
    const std::vector<fault> faults_;
    time_point end_{};
    std::function<node_id()> leader_;
    std::function<std::optional<duration>(const machine&)> timer_left_;
    std::function<std::set<node_id>()> leave_out_;
    bool left_out_down_ = false;
    std::set<node_id> left_out_;
    std::function<node_id()> next_leader_;
    directory_faults* directory_ = nullptr;
    std::map<node_id, time_point> full_until_;
    std::map<node_id, time_point> slow_until_;
    disk_faults disks_;
    fault_counts counts_{};
    partition_counts partitions_;
    time_point partitions_end_{};
};

}  // namespace lockstep::sim
