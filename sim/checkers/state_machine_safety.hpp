// State-machine safety: at each index all nodes apply the same entry and come to the same state, by applying or by installing it.
// Source: Ongaro and Ousterhout, figure 3.
#pragma once

#include <sim/checkers/witness.hpp>

#include <vector>

namespace lockstep::sim {

class state_machine_safety final : public witness {
public:
    explicit state_machine_safety(world& w) : witness(w) {}

    void applied(const seen_apply& a) override {
        decided& d = at(a.entry.index);
        if (d.mark.term.value == 0) d.mark = a.mark;
        if (d.mark != a.mark) wrong(a.node, "applied another entry than others", a.entry.index);
        came_to(a.node, d, a.entry.index, a.state);
    }
    void installed(node_id node, log_position p, std::uint64_t state) override { came_to(node, at(p.index), p.index, state); }

private:
    struct decided {
        entry_mark mark;
        std::uint64_t state = 0;
        bool known = false;
    };
    decided& at(log_index index) {
        if (index.value >= decided_.size()) decided_.resize(index.value + 1);
        return decided_[index.value];
    }
    void came_to(node_id node, decided& d, log_index index, std::uint64_t state) {
        if (!d.known) d.known = true, d.state = state;
        if (d.state != state) wrong(node, "came to another state than others", index);
    }

    std::vector<decided> decided_;   ///< by index
};

}  // namespace lockstep::sim
