// An acknowledgement is a promise about a disk: when it is said, the term of the leader it is said to is durable, and so is
// everything up to the index it names, alike with that leader's log. As long as that term is the node's, none of it is truncated.
// Source: Ongaro 3.5, 10.2.1; traps 3, 16 (rabbitmq/ra #637), 19, 20 (braft #119).
#pragma once

#include <sim/checkers/raft_record.hpp>
#include <sim/checkers/witness.hpp>

#include <algorithm>
#include <map>
#include <vector>

namespace lockstep::sim {

class ack_durability final : public witness {
public:
    ack_durability(world& w, const raft_record& record) : witness(w), record_(record) {}

    void said(const seen_message& m) override {
        if (const auto* append = m.get<raft::append_request>()) note(m.what.term, *append);
        const auto* reply = m.get<raft::append_reply>();
        if (reply && !reply->rejected) promised(m.what, reply->index);
    }

    void persisted(const seen_write& w) override {
        const promise& p = promises_[w.node];
        if (w.what.term != p.term) return;
        const log_index kept = std::max(w.log.base().index, record_.snapshot(w.node).index);   // in a state that is durable
        log_index at = w.gone.from;
        for (const entry_mark& gone : w.gone.marks) {
            const entry_mark* now = w.log.at(at);
            const bool stays = at <= kept || (now && *now == gone);
            if (at <= p.index && !stays)
                return wrong(w.node, "truncated what it acknowledged to the leader of the same term " + std::to_string(p.term.value), at);
            ++at;
        }
    }
    void wiped(node_id node) override { promises_.erase(node); }

private:
    struct promise {
        lockstep::term term;
        log_index index;
    };

    /// What the leader of the newest term says that its log is.
    void note(lockstep::term t, const raft::append_request& append) {
        if (t < leaders_term_) return;
        if (t > leaders_term_) leaders_log_.clear();
        leaders_term_ = t;
        const std::size_t end = static_cast<std::size_t>(append.prev_index.value) + append.entries.size() + 1;
        if (leaders_log_.size() < end) leaders_log_.resize(end);
        leaders_log_[append.prev_index.value] = append.prev_term;
        std::size_t at = static_cast<std::size_t>(append.prev_index.value);
        for (const raft::entry& e : append.entries) leaders_log_[++at] = e.term;
    }

    void promised(const raft::message& m, log_index index) {
        const durable_log& disk = record_.log(m.from);
        const std::string says = "acknowledges index " + std::to_string(index.value) + in_term(m.term);
        if (disk.term() != m.term) return wrong(m.from, says + ", and its durable term is " + std::to_string(disk.term().value));
        promise& p = promises_[m.from];
        if (p.term != m.term) p = {m.term, {}};
        p.index = std::max(p.index, index);
        if (index <= disk.base().index || index <= record_.snapshot(m.from).index) return;
        if (index > disk.last()) return wrong(m.from, says + ", and its disk holds entries up to " + std::to_string(disk.last().value) + " only");
        const lockstep::term wanted = leaders_term(m, index);
        const lockstep::term held = *disk.term_at(index);
        if (wanted.value != 0 && held != wanted)
            wrong(m.from, says + " to node " + std::to_string(m.to.value) + ", where an entry of term " + std::to_string(wanted.value) +
                              " stands, and holds one of term " + std::to_string(held.value));
    }
    /// 0: not known.
    lockstep::term leaders_term(const raft::message& m, log_index index) const {
        const bool said = m.term == leaders_term_ && index.value < leaders_log_.size();
        if (said && leaders_log_[index.value].value != 0) return leaders_log_[index.value];
        // A leader that has heard of a newer term since may have another log by now.
        if (!record_.won(m.to, m.term) || record_.log(m.to).term() != m.term) return {};
        return record_.log(m.to).term_at(index).value_or(lockstep::term{});
    }

    const raft_record& record_;
    std::map<node_id, promise> promises_;
    lockstep::term leaders_term_;
    std::vector<lockstep::term> leaders_log_;   ///< by index; 0: not said
};

}  // namespace lockstep::sim
