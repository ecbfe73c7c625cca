// Log matching: entries of one index and term, on any disk and in any append, are the same, and so are all before them. It
// follows from this: each is alike everywhere, and stands behind an entry of the same term everywhere.
// Source: Ongaro and Ousterhout, figure 3.
#pragma once

#include <sim/checkers/witness.hpp>

#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace lockstep::sim {

class log_matching final : public witness {
public:
    explicit log_matching(world& w) : witness(w) {}

    void persisted(const seen_write& w) override {
        if (w.what.entries.empty()) return;
        std::optional<lockstep::term> before = w.log.term_at(w.what.first - 1);
        log_index at = w.what.first;
        for (const entry_mark& mark : w.what.entries) {
            see(w.node, at, mark, before, "holds");
            before = mark.term;
            ++at;
        }
    }
    void said(const seen_message& m) override {
        const auto* append = m.get<raft::append_request>();
        if (!append) return;
        lockstep::term before = append->prev_term;
        for (std::size_t i = 0; i < m.marks.size(); ++i) {
            see(m.what.from, append->entries[i].index, m.marks[i], before, "sends");
            before = m.marks[i].term;
        }
    }

private:
    struct known {
        entry_mark mark;
        std::optional<lockstep::term> before;   ///< the term of the entry before it; none: not seen yet
    };

    void see(node_id node, log_index at, entry_mark mark, std::optional<lockstep::term> before, const char* does) {
        if (at.value == 0) return wrong(node, std::string(does) + " an entry before the first one");
        if (at.value >= first_.size()) first_.resize(at.value + 1);
        known& first = first_[at.value];
        if (first.mark.term.value == 0) first = {mark, before};
        known& k = first.mark.term == mark.term ? first : others_.try_emplace({at, mark.term}, known{mark, before}).first->second;
        if (k.mark.digest != mark.digest) wrong(node, std::string(does) + " another entry of term " + std::to_string(mark.term.value) + " than others", at);
        if (!k.before) k.before = before;
        if (before && k.before != before)
            wrong(node, std::string(does) + " an entry of term " + std::to_string(mark.term.value) + " behind one of term " +
                            std::to_string(before->value) + ", which stands behind one of term " + std::to_string(k.before->value) + " elsewhere", at);
    }

    std::vector<known> first_;   ///< by index: the entry that was seen first there
    std::map<std::pair<log_index, lockstep::term>, known> others_;
};

}  // namespace lockstep::sim
