// A program that keeps a file open and writes on and on, as servers write their logs. When the faults of a run
// are over it writes no more; some close it then, others keep it open to the end, and what they wrote comes to the others anyway.
// Nobody else edits that file, so each state of it that anybody ever sees must be one that stood there.
#pragma once

#include <sim/disk/sim_disk.hpp>
#include <sim/workload/edit_history.hpp>

#include <memory>
#include <set>
#include <string>

namespace lockstep::sim {

/// Names at the top that begin so are of such programs alone.
inline constexpr std::string_view log_prefix = "log-";

/// Lifetime: outlives the events of the world.
class log_writer {
public:
    log_writer(world& w, sim_disk& disk, node_id node, edit_history& history, std::string root)
        : world_(w), disk_(disk), node_(node), history_(history), root_(std::move(root)), random_(w.fork("log", node.value)) {}
    log_writer(const log_writer&) = delete;
    log_writer& operator=(const log_writer&) = delete;

    void start() {
        writes_on_ = true;
        wake();
    }
    /// What the file holds is the cluster's to keep.
    void stop() {
        writes_on_ = false;
        if (file_ == 0) return;
        history_.closed(node_, name(), disk_.inode_of(file_)->content, world_.now(), false);
        if (never_closes_) stay();
        else disk_.close(std::exchange(file_, 0));
    }
    /// The program is gone, and what is left of the file is what the disk kept. It is started again in a while.
    void power_lost() {
        file_ = 0;
        if (const inode_ptr inode = disk_.find(root_ + "/" + name())) note(*inode);
        if (const inode_ptr inode = written_.lock()) note(*inode);   // the directory may be away
    }

    std::string name() const { return std::string(log_prefix) + std::to_string(node_.value); }
    /// Whether the file ever held this.
    bool stood(byte_view content) const { return stood_.contains(checksum(content)); }
    std::uint64_t writes() const noexcept { return writes_; }
    bool has_it_open() const noexcept { return file_ != 0; }

private:
    void wake() {
        if (!writes_on_) return;
        world_.trace(trace_kind::user, node_, writes_);
        if (file_ == 0) open();
        else write();
        world_.after(draw(random_, duration(1000), pause_max), trace_kind::user, nullptr, node_.value, [this] { wake(); });
    }

    /// It holds its file open and does nothing. One that another file took the place of is nothing to hold on to.
    void stay() {
        if (file_ == 0) return;
        if (disk_.find(root_ + "/" + name()) != disk_.inode_of(file_)) return disk_.close(std::exchange(file_, 0));
        world_.after(look_every, trace_kind::user, nullptr, node_.value, [this] { stay(); });
    }

    /// Not now, where the directory is away.
    void open() {
        const auto root = disk_.open_directory(sim_disk::user, root_);
        if (!root) return;
        const inode_ptr seen = disk_.inode_of(*root);
        if (root_serial_ == 0) root_serial_ = seen->serial;
        if (seen->serial == root_serial_)
            if (const auto file = disk_.open_file(sim_disk::user, *root, name(), open_mode::create_or_open, 0644)) file_ = *file;
        disk_.close(*root);
        if (file_ == 0) return;
        written_ = disk_.inode_of(file_);
        note(*disk_.inode_of(file_));
    }

    void write() {
        const std::string line = "node " + std::to_string(node_.value) + " line " + std::to_string(++writes_) + " of its log, at " +
                                 std::to_string(world_.now().time_since_epoch().count()) + "\n";
        const inode_ptr inode = disk_.inode_of(file_);
        if (disk_.write_at(file_, inode->content.size(), as_bytes(line))) note(*inode);
    }

    void note(const disk_inode& inode) {
        stood_.insert(checksum(inode.content));
        history_.stood(inode.content);
    }

    static constexpr duration look_every = std::chrono::seconds(1);
    static constexpr duration pause_max = std::chrono::milliseconds(200);

    world& world_;
    sim_disk& disk_;
    node_id node_;
    edit_history& history_;
    std::string root_;
    random_generator random_;
    std::set<std::uint64_t> stood_;
    std::uint64_t root_serial_ = 0;
    std::uint64_t writes_ = 0;
    sim_disk::fd file_ = 0;
    std::weak_ptr<disk_inode> written_;   ///< a number of it that is free may be taken
    bool writes_on_ = false;
    const bool never_closes_ = world_.fork("never closes", node_.value).one_in(3);
};

}  // namespace lockstep::sim
