// What can be seen of nodes from outside, and who looks at it: a checker of the consensus derives from `witness` and takes
// what it needs. Nothing here is a core's own opinion: what a node holds is read from its disk, what it says from its frames.
#pragma once

#include <sim/checkers/durable_log.hpp>
#include <sim/world.hpp>

#include <lockstep/raft/message.hpp>

#include <cstdint>
#include <source_location>
#include <span>
#include <string>

namespace lockstep::sim {

/// A message with the marks of the entries in it.
struct seen_message {
    const raft::message& what;
    std::span<const entry_mark> marks;

    template <class Body>
    const Body* get() const noexcept { return std::get_if<Body>(&what.body); }
};

struct seen_write {
    node_id node;
    const durable_log& log;          ///< with it
    const durable_write& what;
    const durable_log::cut& gone;
};

struct seen_apply {
    node_id node;
    const raft::entry& entry;
    entry_mark mark;
    std::uint64_t state;             ///< a digest of the state that came out
};

/// One property. It reports through wrong(); the first failure of a run is the one that counts.
class witness {
public:
    explicit witness(world& w) : world_(w) {}
    virtual ~witness() = default;
    witness(const witness&) = delete;
    witness& operator=(const witness&) = delete;

    /// A process of the node begins; nothing of it was seen yet. It finds the state of that position.
    virtual void started(node_id, log_position) {}
    virtual void ended(node_id) {}
    /// Handed to the transport, which took it.
    virtual void said(const seen_message&) {}
    /// Given to the node by its transport.
    virtual void heard(const seen_message&) {}
    /// Became durable, at this moment.
    virtual void persisted(const seen_write&) {}
    /// All that the node kept is gone for good.
    virtual void wiped(node_id) {}
    virtual void applied(const seen_apply&) {}
    /// A state of another node, of that position, took the place of what was applied, and is durable.
    virtual void installed(node_id, log_position, std::uint64_t /*state*/) {}

protected:
    void wrong(node_id node, const std::string& what, log_index at = {}, const std::source_location& by = std::source_location::current()) {
        const std::string where = at.value ? " at index " + std::to_string(at.value) : std::string();
        world_.fail(exit_class::correctness, "node " + std::to_string(node.value) + " " + what + where, by);
    }
    static std::string in_term(lockstep::term t) { return " in term " + std::to_string(t.value); }

    world& world_;
};

}  // namespace lockstep::sim
