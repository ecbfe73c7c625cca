// Each command of a session counts once, in order, and none of a session that a later one fenced: what a node keeps of the sessions
// after each entry is what a count of its own says, and an entry that does not count changes nothing. A session's number is
// durable before it is used, and no two runs of a node use the same.
// Source: Ongaro 6.3; the design, §5 "Commands"; traps 40.
#pragma once

#include <sim/checkers/witness.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sim {

/// A command as it stands in the log.
struct numbered_entry {
    log_index index;
    session_id session;
    std::uint64_t sequence = 0;
    bool opens = false;          ///< the session
};

/// Of one node's commands: its session, and the last of it that counted.
struct session_mark {
    std::uint64_t number = 0;
    std::uint64_t last = 0;
    friend bool operator==(const session_mark&, const session_mark&) = default;
};

class exactly_once final : public witness {
public:
    using witness::witness;

    /// A node applied `e`. What it keeps of the session's node since, and digests of its state before and after.
    void applied(node_id node, const numbered_entry& e, session_mark kept, std::uint64_t before, std::uint64_t after) {
        const verdict v = judge(e);
        const std::string what = "session " + std::to_string(e.session.number) + " of node " + std::to_string(e.session.node.value);
        if (kept != v.after)
            wrong(node, "has " + std::to_string(kept.last) + " as the last command of session " + std::to_string(kept.number) + " of node " +
                            std::to_string(e.session.node.value) + ", and it is " + std::to_string(v.after.last) + " of session " +
                            std::to_string(v.after.number) + ",", e.index);
        if (!v.counts && before != after)
            wrong(node, "changed its state by command " + std::to_string(e.sequence) + " of " + what + ", which counted before or never,", e.index);
    }
    using witness::applied;

    /// A node saw its own session opened, with this number on its disk.
    void opened(node_id node, std::uint64_t number, std::uint64_t durable) {
        if (durable < number)
            wrong(node, "uses session " + std::to_string(number) + ", and its disk knows of " + std::to_string(durable));
    }

private:
    struct verdict {
        session_mark after;
        bool counts = false;
        bool known = false;
    };

    /// By the first node that gets there; the others have to come to the same.
    const verdict& judge(const numbered_entry& e) {
        if (e.index.value >= verdicts_.size()) verdicts_.resize(e.index.value + 1);
        verdict& v = verdicts_[e.index.value];
        if (v.known) return v;
        session_mark& now = sessions_[e.session.node];
        if (e.opens) {
            v.counts = e.session.number > now.number;
            if (v.counts) now = {e.session.number, 0};
        } else {
            v.counts = e.session.number == now.number && e.sequence == now.last + 1;
            if (v.counts) ++now.last;
        }
        v.after = now;
        v.known = true;
        return v;
    }

    std::map<node_id, session_mark> sessions_;
    std::vector<verdict> verdicts_;   ///< by index
};

}  // namespace lockstep::sim
