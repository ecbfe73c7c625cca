// Everything in a directory of a simulated disk goes, as rm -r does it, and is gone for good.
#pragma once

#include <sim/disk/sim_disk.hpp>

namespace lockstep::sim {

inline void empty_directory(sim_disk& disk, sim_disk::fd directory) {
    const auto items = disk.list(directory);
    if (!items) return;
    for (const directory_item& item : *items) {
        if (const auto below = disk.open_directory_at(sim_disk::user, directory, item.name)) {
            empty_directory(disk, *below);
            disk.close(*below);
            (void)disk.remove_directory(directory, item.name);
        } else {
            (void)disk.remove_file(directory, item.name);
        }
    }
    (void)disk.sync_directory(directory);
}

}  // namespace lockstep::sim
