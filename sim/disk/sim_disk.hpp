// The disk of one simulated machine: a POSIX-like tree of inodes that survives the machine's processes, with the rules of
// what a power failure takes. Programs use it through descriptors; an owner is an incarnation's number, or 0 for users.
//
// Durability: contents by disk_inode. A directory's changes are lost from some point on; a rename is whole or absent,
// in both directories alike; different directories are independent, except that no file system loses what was merely
// moved. Permissions are kept and not enforced.
#pragma once

#include <sim/disk/disk_inode.hpp>
#include <sim/node_clock.hpp>

#include <lockstep/concepts/kernel_events.hpp>
#include <lockstep/concepts/file_system.hpp>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::sim {

enum class crash_kind : std::uint8_t {
    process,  ///< the page cache survives
    power,    ///< what was not synced is lost, kept or torn
};

/// Told about each change of a directory, as inotify would be.
class disk_observer {
public:
    virtual ~disk_observer() = default;
    virtual void changed(const disk_inode& directory, event_kind kind, bool is_directory, std::uint32_t cookie,
                         std::string_view name) = 0;
    /// A sync of a file or a directory succeeded: what was written to it, or the names in it, are durable.
    virtual void synced(const disk_inode&) {}
};

struct disk_options {
    std::uint64_t capacity_bytes = std::uint64_t{1} << 32;
    std::int64_t clock_grain_ns = 4'000'000;  ///< stamps are coarse, as Linux's are
};

class sim_disk {
public:
    using fd = std::uint64_t;
    static constexpr std::uint64_t user = 0;

    LOCKSTEP_DECL sim_disk(world& w, std::uint64_t number, disk_options options = {});

    // Descriptors. `owner` frees all of its own when it ends.
    LOCKSTEP_DECL result<fd> open_directory(std::uint64_t owner, std::string_view native_path);
    LOCKSTEP_DECL result<fd> open_directory_at(std::uint64_t owner, fd dir, std::string_view path);
    LOCKSTEP_DECL result<fd> open_file(std::uint64_t owner, fd dir, std::string_view name, open_mode om, std::uint32_t mode);
    LOCKSTEP_DECL result<fd> lock_file(std::uint64_t owner, fd dir, std::string_view name);
    LOCKSTEP_DECL void close(fd f);

    LOCKSTEP_DECL result<std::vector<directory_item>> list(fd dir) const;
    LOCKSTEP_DECL result<file_status> status(fd f) const;
    LOCKSTEP_DECL result<file_status> status_at(fd dir, std::string_view name) const;
    LOCKSTEP_DECL result<> make_directory(fd dir, std::string_view name, std::uint32_t mode);
    LOCKSTEP_DECL result<> remove_directory(fd dir, std::string_view name);
    LOCKSTEP_DECL result<> remove_file(fd dir, std::string_view name);
    LOCKSTEP_DECL result<> make_symlink(fd dir, std::string_view name, std::string_view target);
    LOCKSTEP_DECL result<> make_hard_link(fd from, std::string_view name, fd to, std::string_view new_name);
    LOCKSTEP_DECL result<std::string> read_symlink(fd dir, std::string_view name) const;
    LOCKSTEP_DECL result<> rename(fd from, std::string_view name, fd to, std::string_view new_name, rename_mode how);
    LOCKSTEP_DECL result<> sync_directory(fd dir);
    LOCKSTEP_DECL result<> set_mode(fd f, std::uint32_t mode);
    /// As utimensat does it: with the access time left alone (`touch` sets both, and that is another kernel event).
    LOCKSTEP_DECL result<> set_mtime(fd f, std::int64_t ns, bool touch = false);
    LOCKSTEP_DECL result<> set_mtime_at(fd dir, std::string_view name, std::int64_t ns);
    LOCKSTEP_DECL result<std::size_t> read_at(fd f, std::uint64_t at, std::span<std::byte> out) const;
    LOCKSTEP_DECL result<> write_at(fd f, std::uint64_t at, byte_view in);
    LOCKSTEP_DECL result<> resize(fd f, std::uint64_t size);
    LOCKSTEP_DECL result<> sync(fd f, bool attributes);
    LOCKSTEP_DECL result<> sync_failing(fd f);  ///< io_error, and an unknown part of it durable
    LOCKSTEP_DECL result<bool> has_writers(fd f) const;
    std::uint64_t available_bytes() const noexcept {
        return options_.capacity_bytes > numbers_->used_bytes ? options_.capacity_bytes - numbers_->used_bytes : 0;
    }
    std::uint64_t used_bytes() const noexcept { return numbers_->used_bytes; }
    /// The stamps of files are of the machine's wall clock. Null: the world's.
    void set_clock(const node_clock* clock) noexcept { clock_ = clock; }
    std::int64_t clock_ns() const noexcept {
        const std::int64_t wall = clock_ ? clock_->wall_ns() : world_.wall_ns();
        return wall - wall % options_.clock_grain_ns;
    }
    /// Calls of nodes that failed for that.
    std::uint64_t refused_for_room() const noexcept { return refused_for_room_; }
    void set_capacity(std::uint64_t bytes) noexcept { options_.capacity_bytes = bytes; }

    /// From now on programs may not use what stands at an absolute path: a file is not opened, and nothing below a directory
    /// is reached by its name. Users may. False where nothing is there.
    bool deny(std::string_view path) {
        const inode_ptr inode = find(path);
        return inode && denied_.insert(inode->serial).second;
    }
    void allow(std::uint64_t serial) noexcept { denied_.erase(serial); }
    void allow_all() noexcept { denied_.clear(); }
    /// Whether programs are kept from all names in a directory.
    bool denies(fd dir) const { return !denied_.empty() && is_denied(inode_of(dir), ""); }

    /// An owner's process ended: its descriptors and locks are gone.
    LOCKSTEP_DECL void release(std::uint64_t owner);
    /// The power went, for all owners.
    LOCKSTEP_DECL void lose_power();
    std::uint64_t power_losses() const noexcept { return power_losses_; }
    const unsynced_counts& unsynced() const noexcept { return unsynced_; }

    /// Whose calls are made for as long as what this gives is kept: an owner's, where it is not a user's. For observers.
    class acting {
    public:
        acting(sim_disk& disk, std::uint64_t owner) noexcept : disk_(disk), before_(std::exchange(disk.actor_, owner)) {}
        ~acting() { disk_.actor_ = before_; }
        acting(const acting&) = delete;
        acting& operator=(const acting&) = delete;

    private:
        sim_disk& disk_;
        std::uint64_t before_;
    };
    [[nodiscard]] acting act_as(std::uint64_t owner) noexcept { return {*this, owner}; }
    std::uint64_t actor() const noexcept { return actor_; }

    void add_observer(disk_observer& o) { observers_.push_back(&o); }
    void remove_observer(disk_observer& o) { std::erase(observers_, &o); }
    /// The inode behind a descriptor; nothing where there is none. For observers and checkers.
    LOCKSTEP_DECL inode_ptr inode_of(fd f) const;
    const inode_ptr& root() const noexcept { return root_; }
    /// The inode at an absolute path, without following links. For checkers.
    LOCKSTEP_DECL inode_ptr find(std::string_view path) const;
    /// Whether what a name stands for, and whether it stands for anything, would survive a power failure. For checkers.
    LOCKSTEP_DECL bool is_durable_name(const disk_inode& directory, std::string_view name) const;
    /// Of the newest inode.
    std::uint64_t last_serial() const noexcept { return last_serial_; }
    std::size_t open_descriptors() const noexcept { return descriptors_.size(); }

private:
    struct descriptor {
        inode_ptr inode;
        std::uint64_t owner = user;
        bool writable = false;
        bool lock = false;
        inode_ptr directory;  ///< where it was opened, and where that name was moved since
        std::string name;
    };
    struct name_edit {
        inode_ptr directory;
        std::string name;
        inode_ptr before;
        inode_ptr after;
    };
    /// One call's changes of names: whole or absent after a power failure.
    struct name_change {
        std::vector<name_edit> edits;
        bool moves = false;  ///< from one directory to another
    };

    /// For a file of that size.
    LOCKSTEP_DECL result<> make_room(const descriptor& d, std::uint64_t size);
    LOCKSTEP_DECL bool is_denied(inode_ptr at, std::string_view path) const;
    LOCKSTEP_DECL result<inode_ptr> directory_of(fd dir) const;
    LOCKSTEP_DECL result<inode_ptr> lookup(fd dir, std::string_view name) const;
    LOCKSTEP_DECL fd add_descriptor(descriptor d);
    LOCKSTEP_DECL inode_ptr make_inode(file_type type, std::uint32_t mode);
    LOCKSTEP_DECL file_status status_of(const disk_inode& inode) const;
    LOCKSTEP_DECL result<> check_rename(const inode_ptr& from, const inode_ptr& source, const inode_ptr& to,
                                        const inode_ptr& target, rename_mode how) const;
    LOCKSTEP_DECL void tell_renamed(const inode_ptr& from, std::string_view name, const inode_ptr& to,
                                    std::string_view new_name, const inode_ptr& moved, const inode_ptr& replaced);
    LOCKSTEP_DECL void commit(name_change change);
    LOCKSTEP_DECL void apply(const inode_ptr& directory, const std::string& name, const inode_ptr& after);
    LOCKSTEP_DECL bool may_follow(const name_change& change) const;
    LOCKSTEP_DECL bool is_held(const inode_ptr& directory) const;
    LOCKSTEP_DECL void forget(inode_ptr inode);
    LOCKSTEP_DECL void tell(const inode_ptr& directory, event_kind kind, bool is_directory, std::uint32_t cookie,
                            std::string_view name);
    LOCKSTEP_DECL void tell_of(const descriptor& d, event_kind kind);
    LOCKSTEP_DECL bool is_within(inode_ptr inner, const inode_ptr& outer) const;
    LOCKSTEP_DECL bool is_reachable(inode_ptr inode) const;
    LOCKSTEP_DECL void lose_names();
    LOCKSTEP_DECL void lose_contents(const inode_ptr& inode);

    world& world_;
    std::uint64_t device_;
    disk_options options_;
    const node_clock* clock_ = nullptr;
    random_generator random_;
    std::shared_ptr<inode_numbers> numbers_ = std::make_shared<inode_numbers>();
    std::uint64_t last_serial_ = 0;
    inode_ptr root_;
    fd last_fd_ = 0;
    std::map<fd, descriptor> descriptors_;
    std::deque<name_change> unsynced_names_;
    std::vector<disk_observer*> observers_;
    std::uint64_t actor_ = user;
    std::set<std::uint64_t> denied_;  ///< by serial
    std::uint32_t last_cookie_ = 0;
    std::uint64_t last_mark_ = 0;
    std::uint64_t power_losses_ = 0;
    std::uint64_t refused_for_room_ = 0;
    unsynced_counts unsynced_;
};

inline constexpr std::size_t name_bytes_max = 255;
inline constexpr std::size_t link_bytes_max = 4095;
inline constexpr std::size_t unsynced_names_max = 4096;

/// ok, invalid_argument or name_too_long.
inline error_code check_name(std::string_view name) {
    if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos || name.find('\0') != name.npos)
        return make_error_code(errc::invalid_argument);
    return name.size() > name_bytes_max ? make_error_code(errc::name_too_long) : error_code{};
}

}  // namespace lockstep::sim

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <sim/disk/impl/sim_disk.ipp>
#include <sim/disk/impl/sim_disk_power.ipp>
#endif
