// Only who was elected in a term makes entries of it: wherever an entry is seen first, on a disk or in an append, it is seen at the
// winner of its term.
// Source: hashicorp/raft #695; traps 23.
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <map>

namespace lockstep::sim {

class entry_provenance final : public witness {
public:
    entry_provenance(world& w, const raft_record& record) : witness(w), record_(record) {}

    void persisted(const seen_write& w) override {
        log_index at = w.what.first;
        for (const entry_mark& mark : w.what.entries) {
            see(w.node, at, mark.term, "holds");
            ++at;
        }
    }
    void said(const seen_message& m) override {
        const auto* append = m.get<raft::append_request>();
        if (!append) return;
        for (const raft::entry& e : append->entries) see(m.what.from, e.index, e.term, "sends");
    }

private:
    void see(node_id node, log_index at, lockstep::term t, const char* does) {
        if (t != term_) end_ = &ends_[t], term_ = t;
        if (at <= *end_) return;
        *end_ = at;
        if (record_.won(node, t)) return;
        wrong(node, std::string(does) + " the first entry ever seen of term " + std::to_string(t.value) + ", which it did not win,", at);
    }

    const raft_record& record_;
    std::map<lockstep::term, log_index> ends_;   ///< the last one seen of each term
    lockstep::term term_{~std::uint64_t{0}};
    log_index* end_ = nullptr;
};

}  // namespace lockstep::sim
