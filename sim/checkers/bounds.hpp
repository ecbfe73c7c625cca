// Memory stays within its named bounds, whatever peers, clients and users do: what it is given (folder_checkers.hpp: what is not
// committed, not acknowledged, waits for contents, or is proposed) is looked at now and then, and is at most what the options say.
// Source: the design, "everything is bounded"; traps 41 (scylla #31402).
#pragma once

#include <sim/world.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sim {

/// One bounded thing of one node, as it is now. The bound is what its name in the options says, with one item more where the
/// last one that is let in may be of any size.
struct bounded_size {
    node_id node;
    const char* name = "";
    std::uint64_t size = 0;
    std::uint64_t bound = 0;
};

class bounds final : public checker {
public:
    using look = std::function<void(std::vector<bounded_size>&)>;

    /// Looked at after each `every` events.
    explicit bounds(look l, std::uint64_t every = 256) : look_(std::move(l)), every_(every) {}

    void after_event(world& w) override {
        if (++events_ % every_ == 0) check(w);
    }
    void at_end(world& w) override { check(w); }
    std::uint64_t looks() const noexcept { return looks_; }

private:
    void check(world& w) {
        sizes_.clear();
        look_(sizes_);
        looks_ += sizes_.size();
        for (const bounded_size& s : sizes_)
            if (s.size > s.bound)
                w.fail(exit_class::correctness, "node " + std::to_string(s.node.value) + " keeps " + std::to_string(s.size) + " in " + s.name +
                                                    ", whose bound is " + std::to_string(s.bound));
    }

    look look_;
    std::uint64_t every_;
    std::uint64_t events_ = 0;
    std::uint64_t looks_ = 0;
    std::vector<bounded_size> sizes_;   ///< scratch
};

}  // namespace lockstep::sim
