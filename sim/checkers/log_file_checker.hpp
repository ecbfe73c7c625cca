// Checks that a file which is kept open and written on and on shows on every disk only as it stood at some moment: never a
// splice of two, never half a write.
// Source: traps, "the watched directory" 9 and 11.
#pragma once

#include <sim/workload/log_writer.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sim {

class log_file_checker final : public checker {
public:
    log_file_checker(std::map<node_id, const sim_disk*> disks, std::string root) : disks_(std::move(disks)), root_(std::move(root)) {}

    /// Outlives the run.
    void add(const log_writer& writer) { writers_.push_back(&writer); }

    void after_event(world& w) override {
        if (++events_ % every == 0) check(w);
    }
    void at_end(world& w) override { check(w); }

    /// How often a state was seen that was not there at the look before.
    std::uint64_t states() const noexcept { return states_; }

private:
    static constexpr std::uint64_t every = 128;

    struct seen {
        std::uint64_t serial = 0;
        std::size_t bytes = 0;
        friend bool operator==(const seen&, const seen&) = default;
    };

    void check(world& w) {
        for (std::size_t i = 0; i < writers_.size(); ++i) {
            const log_writer& writer = *writers_[i];
            for (const auto& [node, disk] : disks_) {
                const inode_ptr inode = disk->find(root_ + "/" + writer.name());
                if (!inode) continue;
                const seen now{inode->serial, inode->content.size()};
                if (std::exchange(last_[{node, i}], now) == now) continue;
                ++states_;
                if (!writer.stood(inode->content))
                    w.fail(exit_class::correctness, "node " + std::to_string(node.value) + " shows " + std::to_string(now.bytes) +
                                                        " bytes of " + writer.name() + " that never stood there");
            }
        }
    }

    std::map<node_id, const sim_disk*> disks_;
    std::string root_;
    std::vector<const log_writer*> writers_;
    std::map<std::pair<node_id, std::size_t>, seen> last_;
    std::uint64_t events_ = 0;
    std::uint64_t states_ = 0;
};

}  // namespace lockstep::sim
