// A user at one simulated machine: programs that edit the directory as editors, shells and scripts do, in separate
// calls between which the node may do its work. One program at a time.
#pragma once

#include <sim/disk/sim_disk.hpp>
#include <sim/workload/edit_history.hpp>
#include <sim/workload/edit_order.hpp>
#include <sim/trace/recorder.hpp>

#include <algorithm>
#include <deque>
#include <functional>
#include <vector>

namespace lockstep::sim {

struct user_options {
    std::string root = "/data";            ///< edited below here, except its ".lockstep"
    std::string author;                    ///< told apart from another user at the same machine by this
    duration pause_max = std::chrono::milliseconds(400);   ///< between the beginnings of edits
    duration step_max = std::chrono::milliseconds(3);      ///< between the calls of one edit
    std::uint64_t bytes_max = 6000;
    std::uint64_t names = 6;               ///< few, so that users meet
    std::uint64_t depth_max = 3;
    std::uint64_t synced_one_in = 3;       ///< edits whose author syncs them
    std::uint64_t slow_one_in = 4;         ///< edits that hold their file open for long, before they write and between
    duration hold_max = std::chrono::milliseconds(600);
    bool hard_links = false;
    std::uint64_t logs = 0;                ///< machines, from the first on, with a log_writer beside the user
    std::uint64_t trees_one_in = 0;        ///< new directories that are filled at once, with others in them; 0: none
    std::uint64_t rewrites_one_in = 0;     ///< appends instead of which a file is written anew, to the same size, in a moment; 0: none
};

/// The n-th edit of a user, and when it begins. What it does, unless that is said, its own generator says: leaving others out changes
/// nothing of it.
struct planned_edit {
    duration at{};
    node_id node;
    std::uint64_t number = 0;
    std::uint64_t call = 0;    ///< made at once, from its first call to its last, before the n-th call of the node from then on; 0: at its time
    edit_order what = {};
    friend bool operator==(const planned_edit&, const planned_edit&) = default;
};

/// One user's edits, by time, all of them before `end`.
LOCKSTEP_DECL std::vector<planned_edit> draw_edits(const world& w, node_id node, const user_options& options, duration end);

class sim_user {
public:
    LOCKSTEP_DECL sim_user(world& w, sim_disk& disk, node_id node, edit_history& history, user_options options = {});
    sim_user(const sim_user&) = delete;
    sim_user& operator=(const sim_user&) = delete;

    /// The run begins now. One edit after the other: what is due while another one is under way waits for that.
    LOCKSTEP_DECL void start(const std::vector<planned_edit>& edits);
    /// Nothing is begun any more; an edit under way goes on to its end.
    void stop() { due_.clear(), at_calls_due_.clear(); }
    /// The node is about to make a call.
    LOCKSTEP_DECL void before_call();
    /// Makes one call now, if an edit is under way and not holding on: from inside a call of the node.
    LOCKSTEP_DECL void act();
    /// Begins an edit of that path, if none is under way, and makes its first call now: from inside a call of the node.
    LOCKSTEP_DECL void race(const std::string& path);
    /// The machine lost its power: the program is gone, with its descriptors.
    LOCKSTEP_DECL void power_lost();
    bool idle() const noexcept { return steps_.empty() && due_.empty(); }
    std::uint64_t edits() const noexcept { return edits_; }

    // Edits by name, for tests: the steps are queued and made by the world's events or act().
    LOCKSTEP_DECL void write_file(const std::string& path, shared_bytes content, bool truncate, bool synced);
    LOCKSTEP_DECL void save_by_rename(const std::string& path, shared_bytes content, bool synced);
    LOCKSTEP_DECL void append(const std::string& path, shared_bytes content);
    LOCKSTEP_DECL void truncate(const std::string& path, std::uint64_t size);
    /// Again and again in a moment, and to the same size: neither that nor stamps tell one from the next.
    LOCKSTEP_DECL void rewrite(const std::string& path);
    LOCKSTEP_DECL void remove(const std::string& path);
    LOCKSTEP_DECL void remove_tree(const std::string& path);
    LOCKSTEP_DECL void make_directory(const std::string& path);
    /// As `cp -r` does it, in one go: no node can watch a directory before something is in it.
    LOCKSTEP_DECL void make_tree(const std::string& path);
    LOCKSTEP_DECL void rename(const std::string& path, const std::string& to);
    LOCKSTEP_DECL void make_symlink(const std::string& path, const std::string& target);
    LOCKSTEP_DECL void make_hard_link(const std::string& path, const std::string& to);
    LOCKSTEP_DECL void set_mode(const std::string& path, std::uint32_t mode);
    LOCKSTEP_DECL void set_directory_mode(const std::string& path, std::uint32_t mode);
    LOCKSTEP_DECL void touch(const std::string& path);

private:
    /// One call; false: it failed and the rest of the edit is given up.
    using step = std::function<bool()>;
    using fd = sim_disk::fd;
    static constexpr std::uint64_t append_at = ~std::uint64_t{0};
    static constexpr int rewrites = 3;   ///< of one edit

    LOCKSTEP_DECL void wake();
    LOCKSTEP_DECL void run_step();
    LOCKSTEP_DECL void begin(const planned_edit& edit);
    LOCKSTEP_DECL void choose();
    LOCKSTEP_DECL void obey(const planned_edit& edit);
    LOCKSTEP_DECL void choose_race(const std::string& path);
    LOCKSTEP_DECL std::string signature() const;
    LOCKSTEP_DECL void come_again();
    LOCKSTEP_DECL shared_bytes new_content();
    LOCKSTEP_DECL std::string new_path();
    LOCKSTEP_DECL std::string some_path(bool directories);
    LOCKSTEP_DECL void collect(const inode_ptr& directory, const std::string& path, bool directories,
                               std::vector<std::string>& into) const;
    LOCKSTEP_DECL void queue_open(const std::string& path, open_mode om, bool truncate);
    LOCKSTEP_DECL void queue_writes(const shared_bytes& content, std::uint64_t at);
    LOCKSTEP_DECL void queue_close(const std::string& path, bool synced);
    LOCKSTEP_DECL void queue_hold();
    LOCKSTEP_DECL void close_file();
    LOCKSTEP_DECL void give_up(const disk_inode& inode, byte_view held);
    LOCKSTEP_DECL void give_up(const std::string& path);
    LOCKSTEP_DECL inode_ptr standing_in(fd dir, const std::string& name) const;
    LOCKSTEP_DECL void sync_above(const std::string& path);
    /// It, or all files below it.
    LOCKSTEP_DECL void tell_moved(const inode_ptr& what, const std::string& from);
    /// Calls f(descriptor of the directory, last name); false where the directory is not there.
    template <class F>
    bool in_directory(const std::string& path, F f);
    void queue(step s) { steps_.push_back(std::move(s)); }
    LOCKSTEP_DECL void tell(std::string what);
    LOCKSTEP_DECL void tell_end(bool done);

    world& world_;
    sim_disk& disk_;
    node_id node_;
    edit_history& history_;
    user_options options_;
    random_generator random_;        ///< of the edit under way
    random_generator at_calls_;
    std::deque<planned_edit> due_;
    std::vector<planned_edit> at_calls_due_;   ///< `call`: of how many to come
    bool awake_ = false;
    std::uint64_t edits_ = 0;
    std::uint64_t told_ = 0;         ///< in a trace: the last thing of the edit under way; 0: none
    std::uint64_t root_ = 0;         ///< its serial: another directory that stands there is not edited
    bool slow_ = false;              ///< the edit that is being queued: it holds what it opens, for how long, the seed says
    duration hold_{};                ///< likewise: a scenario does
    time_point held_until_{};
    std::deque<step> steps_;
    fd file_ = 0;                    ///< what the edit under way has open
};

}  // namespace lockstep::sim

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <sim/workload/impl/choose_edit.ipp>
#include <sim/workload/impl/sim_user.ipp>
#endif
