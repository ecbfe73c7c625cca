// An append is what its head says: its entries begin behind prev, without a gap, their terms never fall and are not above the
// message's, and what it says stands before them is what its sender sends or holds there.
// Source: Ongaro 3.5; traps 22 (openraft #1795).
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

namespace lockstep::sim {

class append_shape final : public witness {
public:
    append_shape(world& w, const raft_record& record) : witness(w), record_(record) {}

    void said(const seen_message& m) override {
        const auto* append = m.get<raft::append_request>();
        if (!append) return;
        const node_id node = m.what.from;
        log_position before{append->prev_index, append->prev_term};
        if (before.term > m.what.term) return wrong(node, "sends an append behind an entry of a later term than its own", before.index);
        for (const raft::entry& e : append->entries) {
            if (e.index != before.index + 1)
                return wrong(node, "sends an append with index " + std::to_string(e.index.value) + " behind index " + std::to_string(before.index.value));
            if (e.term < before.term || e.term > m.what.term)
                return wrong(node, "sends an entry of term " + std::to_string(e.term.value) + " behind one of term " +
                                       std::to_string(before.term.value) + in_term(m.what.term), e.index);
            before = {e.index, e.term};
        }
        // What a leader had before its term it never changes: its disk may only be behind.
        const auto held = record_.log(node).term_at(append->prev_index);
        if (held && *held != append->prev_term && append->prev_index <= record_.committed().index)
            wrong(node, "says that its entry before an append is of term " + std::to_string(append->prev_term.value) +
                            ", and its disk holds one of term " + std::to_string(held->value), append->prev_index);
    }

private:
    const raft_record& record_;
};

}  // namespace lockstep::sim
