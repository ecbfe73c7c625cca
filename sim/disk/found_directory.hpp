// A directory that is found by its path, and as the one that it was last while nothing is found there: it was moved away with
// what is above it, and whoever has it open uses it on.
#pragma once

#include <sim/disk/sim_disk.hpp>

#include <memory>
#include <string>
#include <utility>

namespace lockstep::sim {

class found_directory {
public:
    found_directory(const sim_disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}

    /// Null: it was never there, or is gone for good.
    inode_ptr get() const {
        if (inode_ptr there = disk_.find(path_)) last_ = there;
        return last_.lock();
    }
    const std::string& path() const noexcept { return path_; }

private:
    const sim_disk& disk_;
    std::string path_;
    mutable std::weak_ptr<disk_inode> last_;
};

}  // namespace lockstep::sim
