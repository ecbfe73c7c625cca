// Looks after the machines of a run as an operator does: starts a node again that ended itself for a reason that the world
// gave it, and wipes the state of one that will not start over what is damaged; its users' files stay. For any other end
// there is no excuse.
#pragma once

#include <sim/faults/fault_plan.hpp>

#include <lockstep/base/errc.hpp>

#include <map>
#include <string>
#include <utility>

namespace lockstep::sim {

struct attendant_counts {
    std::uint64_t stops_for_room = 0;    ///< of nodes that found no room for their own records
    std::uint64_t stops_for_io = 0;      ///< that a write or sync failed
    std::uint64_t stops_for_damage = 0;  ///< of nodes that found what they keep damaged
};

/// Lifetime: outlives the events of the world.
class attendant {
public:
    attendant(world& w, fault_plan& plan) : world_(w), plan_(plan) {}
    attendant(const attendant&) = delete;
    attendant& operator=(const attendant&) = delete;

    /// A node started, and works.
    void started(node_id id) { refusals_[id] = 0; }

    /// A node ended itself, with a word. False: nothing that befell its machine explains that.
    bool ended(machine& m, const std::string& why) { return see_to(m, why, false); }
    /// A node did not start.
    bool refused(machine& m, error_code code, const std::string& why) { return see_to(m, why + ": " + code.message(), true); }

    /// What ended in order is started again in a while, with its state wiped before if `wipes`.
    void begin_anew(machine& m, bool wipes = false) {
        world_.schedule(world_.now(), trace_kind::fault, nullptr, m.id().value, [this, &m, wipes] {
            m.crash(crash_kind::process);
            start_again(m, wipes);
        });
    }

    const attendant_counts& counts() const noexcept { return counts_; }

private:
    /// So often the same node is started again before its state is wiped: what it read may have been read wrong.
    static constexpr std::uint64_t refusals_max = 2;

    bool see_to(machine& m, const std::string& why, bool at_start) {
        const auto says = [&](errc e) { return why.find(error_code(e).message()) != why.npos; };
        std::uint64_t& explained = failed_calls_[m.id()];
        const bool damaged = plan_.atlas().is_damaged(m.id());
        bool wipes = false;
        if (says(errc::no_space) && std::exchange(refused_for_room_[m.id()], m.disk().refused_for_room()) != m.disk().refused_for_room()) {
            ++counts_.stops_for_room;
        } else if (says(errc::io_error) && m.counts().failed_calls != explained) {
            explained = m.counts().failed_calls;
            ++counts_.stops_for_io;
        } else if (damaged && (says(errc::corrupt) || says(errc::truncated) || says(errc::io_error))) {
            ++counts_.stops_for_damage;
            wipes = at_start && ++refusals_[m.id()] >= refusals_max && !m.damage().rots_reads();
        } else {
            return false;
        }
        begin_anew(m, wipes);
        return true;
    }

    void start_again(machine& m, bool wipes) {
        world_.after(std::chrono::milliseconds(500), trace_kind::fault, nullptr, m.id().value, [this, &m, wipes] {
            if (m.running()) return;   // somebody else did
            if (wipes) {
                refusals_[m.id()] = 0;
                plan_.disks().wipe(m);
            } else if (!m.start()) {
                start_again(m, false);
            }
        });
    }

    world& world_;
    fault_plan& plan_;
    std::map<node_id, std::uint64_t> refusals_;       ///< in a row
    std::map<node_id, std::uint64_t> failed_calls_;   ///< that explained an end, and others before
    std::map<node_id, std::uint64_t> refused_for_room_;   ///< the same
    attendant_counts counts_;
};

}  // namespace lockstep::sim
