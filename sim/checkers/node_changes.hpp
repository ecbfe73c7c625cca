// What a node's own process changes on its machine's disk, told apart from what users and faults do there. The ground of the
// checkers of what users may see.
#pragma once

#include <sim/disk/sim_disk.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace lockstep::sim {

/// Where a directory stands: its path from the top of the disk; none where it hangs nowhere any more.
inline std::optional<std::string> path_on(const sim_disk& disk, const disk_inode& directory) {
    if (&directory == disk.root().get()) return std::string();
    std::string path;
    const disk_inode* at = &directory;
    while (at != disk.root().get()) {
        const inode_ptr above = at->parent.lock();
        if (!above || at->links == 0) return std::nullopt;
        path = "/" + at->name + path;
        at = above.get();
    }
    return path;
}

inline bool is_below(std::string_view path, std::string_view top) {
    return path.starts_with(top) && (path.size() == top.size() || path[top.size()] == '/');
}

/// The changes of names and contents by a node, one a call, after it was made. Lifetime: until the last change of the disk;
/// the two may go in any order.
class node_changes : public disk_observer {
public:
    explicit node_changes(sim_disk& disk) : disk_(disk) { disk_.add_observer(*this); }
    node_changes(const node_changes&) = delete;
    node_changes& operator=(const node_changes&) = delete;

    void changed(const disk_inode& directory, event_kind kind, bool is_directory, std::uint32_t, std::string_view name) final {
        if (disk_.actor() != sim_disk::user) node_changed(directory, kind, is_directory, name);
        else user_changed(directory, kind, name);
    }

protected:
    virtual void node_changed(const disk_inode& directory, event_kind kind, bool is_directory, std::string_view name) = 0;
    virtual void user_changed(const disk_inode&, event_kind, std::string_view) {}

    sim_disk& disk_;
};

}  // namespace lockstep::sim
