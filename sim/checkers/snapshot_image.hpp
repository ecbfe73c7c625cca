// Reads from a node's simulated disk which state it keeps durably beside its log: the record of its newest snapshot. Nodes
// that keep none have none.
#pragma once

#include <sim/disk/found_directory.hpp>
#include <sim/disk/sim_disk.hpp>

#include <lockstep/codec/state.hpp>
#include <lockstep/storage/durable_file.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace lockstep::sim {

/// Lifetime: until the last change of the disk; the two may go in any order.
class snapshot_image final : public disk_observer {
public:
    /// `directory` holds the record, as a file called "snapshot".
    snapshot_image(sim_disk& disk, std::string directory, std::function<void(log_position)> kept)
        : disk_(disk), directory_(disk, std::move(directory)), kept_(std::move(kept)) {
        disk_.add_observer(*this);
    }
    snapshot_image(const snapshot_image&) = delete;
    snapshot_image& operator=(const snapshot_image&) = delete;

    void changed(const disk_inode&, event_kind, bool, std::uint32_t, std::string_view) override {}
    /// A record is durable once its content is, and then its name.
    void synced(const disk_inode& inode) override {
        if (inode.is_directory() && directory_.path().ends_with(inode.name)) look();
    }
    /// The power went: a name that was not durable may have come to the disk nevertheless.
    void power_lost() { look(); }
    /// What a program finds that starts now, whether it is durable or not.
    log_position found() const {
        const inode_ptr file = record();
        return file ? read(file->content).value_or(log_position{}) : log_position{};
    }

private:
    inode_ptr record() const {
        const inode_ptr directory = directory_.get();
        if (!directory) return nullptr;
        const auto found = directory->entries.find("snapshot");
        return found == directory->entries.end() ? nullptr : found->second;
    }
    static std::optional<log_position> read(byte_view bytes) {
        bytes = bytes.subspan(std::min(bytes.size(), storage::durable_file_format::header_size));
        const auto record = decode_snapshot_record(shared_bytes::copy_of(bytes));
        return record ? std::optional(record->at) : std::nullopt;
    }
    void look() {
        const inode_ptr file = record();
        if (!file || file->serial == serial_ || !disk_.is_durable_name(*directory_.get(), "snapshot")) return;
        const auto at = read(file->synced_bytes());
        if (!at) return;
        serial_ = file->serial;
        kept_(*at);
    }

    sim_disk& disk_;
    found_directory directory_;
    std::function<void(log_position)> kept_;
    std::uint64_t serial_ = 0;   ///< of the file that was read
};

}  // namespace lockstep::sim
