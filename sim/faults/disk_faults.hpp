// Carries out the faults of disks, as far as the fault_atlas lets them, and knows what it did to whom.
#pragma once

#include <sim/faults/fault.hpp>
#include <sim/faults/fault_atlas.hpp>
#include <sim/machine/machine.hpp>
#include <sim/machine/older_log.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

namespace lockstep::sim {

/// Lifetime: outlives the events of the world.
class disk_faults {
public:
    disk_faults(world& w, std::uint64_t voters) : world_(w), atlas_(voters) {}
    disk_faults(const disk_faults&) = delete;
    disk_faults& operator=(const disk_faults&) = delete;

    /// Called before all that a machine's node keeps goes. False: not yet.
    void set_wiping(std::function<bool(machine&)> wiping) { wiping_ = std::move(wiping); }
    /// Whether the cluster is there: until then nothing is damaged, as it is founded once, with the disks of all.
    void set_founded(std::function<bool()> founded) { founded_ = std::move(founded); }

    /// Precondition: is_of_disks(f.kind). Counts each time that it made a difference, but for what comes later: see add_to().
    /// Nothing is begun at `end` or later.
    void befall(const fault& f, machine& m, std::uint64_t& count, time_point end) {
        end_ = end;
        const auto amount = static_cast<std::uint64_t>(std::max<std::int64_t>(f.by, 1));
        if (damages(f.kind) && m.options().state.empty()) return;   // it is not known what is kept
        if (damages(f.kind) && ((founded_ && !founded_()) || !atlas_.take(m.id()))) return;
        switch (f.kind) {
            case fault_kind::rot: count += m.damage().rot(amount); return;
            case fault_kind::bad_sector: count += m.damage().spoil_sector(amount); return;
            case fault_kind::misdirect: return m.damage().misdirect(amount);
            case fault_kind::rot_reads:
                m.damage().rot_reads(amount);
                return until(m, f, [](machine& x) { x.damage().rot_reads(0); });
            case fault_kind::fail_write: return m.fail_at_call(amount, errc::io_error, &is_write);
            case fault_kind::fail_sync: return m.fail_at_call(amount, errc::io_error, &is_sync);
            case fault_kind::slow_disk:
                ++count;
                m.set_disk_slowness(amount);
                return until(m, f, [](machine& x) { x.set_disk_slowness(1); });
            case fault_kind::stall_disk:
                ++count;
                return m.stall_disk(f.lasts);
            case fault_kind::wipe:
                m.crash(crash_kind::process);
                return later(f.lasts, m, [this, &count](machine& x) {
                    if (world_.now() < end_) wipe(x, &count);
                });
            case fault_kind::older:
                m.crash(crash_kind::process);
                return later(f.lasts, m, [this, &count](machine& x) { make_older(x, count); });
            default: return;
        }
    }

    /// Nothing that a machine's node keeps is left, and it is started. When nothing of it runs, and nothing hinders.
    /// Precondition: the atlas knows it as damaged.
    void wipe(machine& m, std::uint64_t* count = nullptr) {
        LOCKSTEP_ASSERT(atlas_.is_damaged(m.id()));
        m.crash(crash_kind::process);
        if (!m.is_down() || (wiping_ && !wiping_(m)))
            return later(std::chrono::milliseconds(50), m, [this, count](machine& x) { wipe(x, count); });
        m.wipe(m.options().state);
        atlas_.wiped(m.id());
        ++wiped_;
        if (count) ++*count;
        m.start();
    }

    /// The faults are over. What is damaged stays so.
    void calm(machine& m) {
        m.damage().calm();
        m.fail_at_call(0, errc::io_error);
        m.set_disk_slowness(1);
        m.end_disk_stall();
    }

    /// What came when its time had come.
    template <class Counts>
    static void add_to(Counts& counts, const machine& m) {
        const auto add = [&](fault_kind kind, std::uint64_t n) { counts[static_cast<std::size_t>(kind)] += n; };
        add(fault_kind::crash, m.counts().armed_crashes);
        add(fault_kind::misdirect, m.damage().counts().astray_writes);
        add(fault_kind::rot_reads, m.damage().counts().rotten_reads);
        add(fault_kind::fail_write, m.counts().failed_calls - m.counts().failed_syncs);
        add(fault_kind::fail_sync, m.counts().failed_syncs);
    }

    const fault_atlas& atlas() const noexcept { return atlas_; }
    /// Wiped disks, and state that was wiped because a node refused it.
    std::uint64_t wiped() const noexcept { return wiped_; }

private:
    template <class F>
    void later(duration delay, machine& m, F f) {
        world_.after(delay, trace_kind::fault, nullptr, m.id().value, [&m, f] { f(m); });
    }

    /// Ends what lasts: the longest counts.
    void until(machine& m, const fault& f, void (*end)(machine&)) {
        time_point& last = until_[{m.id(), f.kind}];
        last = std::max(last, world_.now() + f.lasts);
        world_.schedule(last, trace_kind::fault, nullptr, m.id().value, [this, &m, kind = f.kind, end] {
            if (until_[{m.id(), kind}] <= world_.now()) end(m);
        });
    }

    void make_older(machine& m, std::uint64_t& count) {
        if (m.running() || world_.now() >= end_) return;   // somebody was faster
        count += make_log_older(m.disk(), m.options().state + "/wal");
        if (!m.start()) later(std::chrono::milliseconds(5), m, [this, &count](machine& x) { make_older(x, count); });
    }

    world& world_;
    fault_atlas atlas_;
    time_point end_{};
    std::function<bool(machine&)> wiping_;
    std::function<bool()> founded_;
    std::map<std::pair<node_id, fault_kind>, time_point> until_;
    std::uint64_t wiped_ = 0;
};

}  // namespace lockstep::sim
