// One inode of a simulated disk: what a program sees of it now, and what would be left of it after a power failure.
#pragma once

#include <lockstep/base/config.hpp>
#include <lockstep/base/random.hpp>
#include <lockstep/concepts/file_system.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace lockstep::sim {

/// Inode numbers, lowest free first: a number comes back as soon as nothing refers to the inode that had it.
struct inode_numbers {
    std::set<std::uint64_t> free;
    std::uint64_t next = 2;
    std::uint64_t used_bytes = 0;  ///< of all contents
};

/// What became of unsynced changes when the power went, or a sync failed.
struct unsynced_counts {
    std::uint64_t kept = 0;
    std::uint64_t lost = 0;
    std::uint64_t torn = 0;       ///< some sectors of it came to the disk
    std::uint64_t names_kept = 0;
    std::uint64_t names_lost = 0;
};

struct disk_inode {
    disk_inode(std::shared_ptr<inode_numbers> numbers, std::uint64_t unique, file_type kind, std::uint32_t permissions,
               std::int64_t now_ns)
        : pool(std::move(numbers)), serial(unique), type(kind), mode(permissions), durable_mode(permissions),
          mtime_ns(now_ns), ctime_ns(now_ns), birth_ns(now_ns), durable_mtime_ns(now_ns) {
        if (pool->free.empty()) number = pool->next++;
        else number = pool->free.extract(pool->free.begin()).value();
    }
    ~disk_inode() {
        pool->used_bytes -= content.size();
        pool->free.insert(number);
    }
    disk_inode(const disk_inode&) = delete;
    disk_inode& operator=(const disk_inode&) = delete;

    /// A change of the content that is not durable yet, and how to undo it.
    struct change {
        bool resize = false;
        std::uint64_t at = 0;  ///< offset; of a resize the new size
        byte_buffer bytes;
        std::uint64_t old_size = 0;
        byte_buffer old_bytes;  ///< that stood from `at` on
    };

    LOCKSTEP_DECL void write(std::uint64_t at, byte_view bytes);
    LOCKSTEP_DECL void resize(std::uint64_t size);
    /// fdatasync, and fsync if `attributes`.
    LOCKSTEP_DECL void sync(bool attributes);
    /// A sync that failed: some of it is on the disk, and the kernel counts all of it as clean.
    LOCKSTEP_DECL void sync_failed(random_generator& random, unsynced_counts& counts);
    /// The power went: of what was not synced, each change is lost, kept or torn at sectors.
    LOCKSTEP_DECL void lose_power(random_generator& random, unsynced_counts& counts);

    /// From now on these bytes are read there instead of the content.
    void alter(std::uint64_t at, byte_view bytes) {
        for (std::size_t i = 0; i < bytes.size() && at + i < content.size(); ++i) {
            const std::byte wrong = content[static_cast<std::size_t>(at) + i] ^ bytes[i];
            if (wrong == std::byte{0}) altered.erase(at + i);
            else altered[at + i] = wrong;
        }
    }

    bool is_directory() const noexcept { return type == file_type::directory; }
    /// What is durable of a file that was just synced, or has not been changed since it was. Nothing otherwise.
    byte_view synced_bytes() const noexcept {
        if (!unsynced.empty()) return {};
        return durable ? byte_view(*durable) : byte_view(content);
    }

    std::shared_ptr<inode_numbers> pool;
    std::uint64_t serial;  ///< never used again, unlike `number`
    std::uint64_t number = 0;
    file_type type;
    std::uint32_t mode;
    std::uint32_t durable_mode;
    std::int64_t mtime_ns;
    std::int64_t ctime_ns;
    std::int64_t birth_ns;
    std::int64_t durable_mtime_ns;
    std::uint64_t links = 0;    ///< names that stand for it
    std::uint64_t open = 0;     ///< descriptors
    std::uint64_t writers = 0;  ///< descriptors open for writing
    bool locked = false;
    bool told_gone = false;  ///< watchers know that it was deleted
    std::uint64_t mark = 0;  ///< of the disk's current walk

    byte_buffer content;  ///< of a symlink its target
    std::map<std::string, std::shared_ptr<disk_inode>, std::less<>> entries;
    // Of a directory where it stands, or stood when it was removed: an open one is still known by that.
    std::weak_ptr<disk_inode> parent;
    std::string name;

    std::deque<change> unsynced;
    // What the device makes of it, until it is written again. What ought to be there is still the content.
    std::set<std::uint64_t> unreadable;          ///< sectors
    std::map<std::uint64_t, std::byte> altered;  ///< by offset, the bits that read wrong
    std::optional<byte_buffer> before_loss;      ///< what stood there when the power went, where it took some of it
    std::optional<byte_buffer> durable;  ///< the durable content, where undoing `unsynced` does not give it

private:
    byte_buffer durable_content();
    void note(change c);
    void set_size(std::uint64_t size);
};
using inode_ptr = std::shared_ptr<disk_inode>;

inline constexpr std::size_t sector_bytes = 512;
/// More unsynced changes than this, and the oldest are written back: a kernel may do that at any time.
inline constexpr std::size_t unsynced_changes_max = 512;

}  // namespace lockstep::sim

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <sim/disk/impl/disk_inode.ipp>
#endif
