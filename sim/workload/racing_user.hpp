// A user who edits what a node is at work on at this very moment: between the calls that read it, replace it and look at what
// came out.
#pragma once

#include <sim/machine/machine.hpp>
#include <sim/workload/log_writer.hpp>
#include <sim/workload/sim_user.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace lockstep::sim {

/// Lifetime: outlives the node's calls.
class racing_user {
public:
    /// Races at one in so many calls, but not again at once: each race makes the node call more. 0: never.
    racing_user(world& w, machine& m, edit_history& history, const user_options& options, std::uint64_t one_in)
        : world_(w), machine_(m), root_(options.root), one_in_(one_in), user_(w, m.disk(), m.id(), history, as_racer(options)),
          chance_(w.fork("races", m.id().value)) {}
    racing_user(const racing_user&) = delete;
    racing_user& operator=(const racing_user&) = delete;

    /// The node is about to make a call.
    void before_call() {
        if (stopped_ || one_in_ == 0) return;
        look();
        if (!user_.idle()) {
            if (chance_.one_in(2)) user_.act();
        } else if (world_.now() >= next_ && !path_.empty() && chance_.one_in(one_in_)) {
            ++races_;
            next_ = world_.now() + pause;
            user_.race(path_);
        }
    }
    /// Nothing is begun any more.
    void stop() { stopped_ = true; }
    void power_lost() { user_.power_lost(); }
    bool idle() const noexcept { return user_.idle(); }
    std::uint64_t races() const noexcept { return races_; }

private:
    static user_options as_racer(user_options o) {
        o.author = "racing on";
        return o;
    }

    /// The last name of a user's that the node named: what it does in its own directories is about that one.
    void look() {
        const auto& [directory, name] = machine_.system()->file_system.at_hand();
        if (name.empty() || name == control_name) return;
        std::string path = name;
        const inode_ptr root = machine_.disk().find(root_);
        for (inode_ptr at = machine_.disk().inode_of(directory); at != root; at = at->parent.lock()) {
            if (!at || at->name == control_name || at->name.empty()) return;
            path = at->name + "/" + path;
        }
        if (!path.starts_with(log_prefix)) path_ = std::move(path);
    }

    static constexpr std::string_view control_name = ".lockstep";
    static constexpr duration pause = std::chrono::milliseconds(100);

    world& world_;
    machine& machine_;
    std::string root_;
    std::uint64_t one_in_;
    sim_user user_;
    random_generator chance_;
    std::string path_;
    time_point next_{};
    std::uint64_t races_ = 0;
    bool stopped_ = false;
};

}  // namespace lockstep::sim
