// Reads what is durable of a node's write-ahead log straight from its simulated disk, at each sync: a reader of its own, which
// shares the bytes' format with the product (storage/wal_format.hpp) and nothing else. A batch counts once it and the name
// of its segment are durable, and all batches before it are.
#pragma once

#include <sim/checkers/durable_log.hpp>
#include <sim/disk/found_directory.hpp>
#include <sim/disk/sim_disk.hpp>

#include <lockstep/storage/wal_format.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace lockstep::sim {

/// Lifetime: until the last change of the disk; the two may go in any order.
class wal_image final : public disk_observer {
public:
    /// `directory` holds the segments; it need not be there yet. `persisted` is told each batch, in order.
    wal_image(sim_disk& disk, std::string directory, std::function<void(durable_write)> persisted)
        : disk_(disk), directory_(disk, std::move(directory)), persisted_(std::move(persisted)) {
        disk_.add_observer(*this);
    }
    wal_image(const wal_image&) = delete;
    wal_image& operator=(const wal_image&) = delete;

    void changed(const disk_inode&, event_kind, bool, std::uint32_t, std::string_view) override {}
    LOCKSTEP_DECL void synced(const disk_inode& inode) override;

    /// The power went: what was written and not synced may have come to the disk nevertheless.
    void power_lost() { follow(); }
    /// All that stood there is gone for good: the next log is another one.
    void wiped() {
        segment_.reset();
        sequence_ = seed_ = offset_ = number_ = 0;
    }

private:
    LOCKSTEP_DECL void follow();
    LOCKSTEP_DECL void take_batches();
    LOCKSTEP_DECL bool next_segment();
    LOCKSTEP_DECL std::optional<durable_write> next_batch();

    sim_disk& disk_;
    found_directory directory_;
    std::function<void(durable_write)> persisted_;
    inode_ptr segment_;               ///< that is being followed
    std::uint64_t sequence_ = 0;      ///< of it; 0: none was found yet
    std::uint64_t seed_ = 0;
    std::uint64_t offset_ = 0;        ///< behind the last durable batch
    std::uint64_t number_ = 0;        ///< of that batch
};

}  // namespace lockstep::sim

#ifndef LOCKSTEP_SEPARATE_COMPILATION
#include <sim/checkers/impl/wal_image.ipp>
#endif
