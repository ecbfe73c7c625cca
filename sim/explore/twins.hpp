// The test of fingerprints: two nodes that have the same one must do the same, whatever happens to them next. If what a
// core tells of itself lacked something that it acts on, an exploration would take two states for one and miss what
// comes of the other.
#pragma once

#include <sim/explore/assertions.hpp>
#include <sim/explore/fingerprint.hpp>
#include <sim/explore/member.hpp>
#include <sim/explore/renaming.hpp>

#include <cstddef>
#include <deque>
#include <optional>
#include <string>

namespace lockstep::sim::explore {

namespace detail {
template <class Driver>
fingerprint print_of_step(member<Driver> m, happening h, std::uint64_t what, const raft::message* received) {
    static const renaming same_names = renamings(nodes_max, false).front();
    fingerprint_maker maker(same_names);
    try {
        const doings done = m.step(h, what, received);
        m.fingerprint_into(maker);
        raft::fingerprint_into(maker, done.sent);
        raft::fingerprint_into(maker, done.applied);
        for (const raft::read_result& r : done.reads) maker.number(r.id << 8 | r.index.value << 1 | (r.ok ? 1u : 0u));
        maker.bytes(as_bytes(done.wrong));
    } catch (const assertion_seen& seen) {
        maker.bytes(as_bytes(seen.text));
    }
    return maker.value();
}
}  // namespace detail

/// What the two do differently, or nothing. Tried is everything that can happen to a node, and the newest
/// `messages_max` of `messages` to it.
template <class Driver>
std::optional<std::string> difference_of_twins(const member<Driver>& a, const member<Driver>& b,
                                               const std::deque<raft::message>& messages, std::size_t messages_max) {
    const auto differs = [&](happening h, std::uint64_t what, const raft::message* received) {
        return detail::print_of_step(a, h, what, received) != detail::print_of_step(b, h, what, received);
    };
    const bool leads = a.core().state_role() == raft::role::leader;
    for (const happening h : {happening::time_out, happening::crash, happening::read})
        if (differs(h, 1, nullptr)) return "happening " + std::to_string(static_cast<int>(h));
    for (const happening h : {happening::beat, happening::propose})
        if (leads && differs(h, 1, nullptr)) return "what a leader does";
    for (const happening h : {happening::written, happening::crash_written})
        if (a.write() && differs(h, 0, nullptr)) return "the end of a write";
    if (!leads && differs(happening::lapse, 0, nullptr)) return "the passing of time";
    std::size_t tried = 0;
    for (auto m = messages.rbegin(); m != messages.rend() && tried < messages_max; ++m) {
        if (m->to != a.core().self()) continue;
        ++tried;
        if (differs(happening::receive, 0, &*m)) return "message " + std::to_string(m->body.index());
    }
    return std::nullopt;
}

}  // namespace lockstep::sim::explore
