// The payload gate: no log entry reaches the core before the chunks that it names are durable here. An append that has
// to wait stands outside the core, which to Raft is a slow network. Appends of one leader stay in order; all else passes.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/node/named_manifest.hpp>
#include <lockstep/raft/message.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace lockstep {

/// `Host` has, all on one loop:
///     void let_through(raft::message)
///     bool has_content(const shared_bytes& manifest)
///     Wish want_content(const shared_bytes& manifest, node_id source, unique_function<void()> done)   done may come at once
///     void cancel_wish(Wish)                                  of one that was not told that it is done
///     void hint_content(const shared_bytes& manifest, node_id source)   it may be wanted soon
template <class Host, class Wish>
class payload_gate {
public:
    /// More is dropped, as if the network had lost it.
    static constexpr std::size_t waiting_bytes_max = 64 << 20;

    explicit payload_gate(Host& host) : host_(host) {}

    void pass(raft::message m) {
        if (auto* forwarded = std::get_if<raft::forwarded_proposal>(&m.body)) return pass_proposal(m, *forwarded);
        const auto* append = std::get_if<raft::append_request>(&m.body);
        if (!append) return host_.let_through(std::move(m));
        forget_before(m.term);
        auto missing = missing_of(*append);
        auto& queue = queues_[m.from];
        if (missing.empty() && queue.empty()) return host_.let_through(std::move(m));
        // What only asks is asked again, and answered by what stands before it.
        if (append->entries.empty()) return;
        const std::size_t bytes = bytes_of(*append);
        if (bytes_ + bytes > waiting_bytes_max && !queue.empty()) return;
        sometimes(probe::append_waited_for_content);
        auto waiting = std::make_shared<waiting_message>();
        waiting->bytes = bytes;
        waiting->missing = std::move(missing);
        const node_id from = m.from;
        waiting->message = std::move(m);
        bytes_ += bytes;
        queue.push_back(waiting);
        for (missing_content& wanted : waiting->missing)
            wanted.wish = host_.want_content(wanted.manifest, from, [this, from, &wanted, w = std::weak_ptr(waiting)] {
                if (const auto still = w.lock()) {
                    wanted.here = true;
                    release(from);
                }
            });
        release(from);
    }

    /// Everything up to `index` is decided and applied here: what such entries name need not come any more.
    void covered(log_index index) {
        for (auto& [from, queue] : queues_) {
            for (const auto& w : queue)
                for (missing_content& wanted : w->missing)
                    if (wanted.index <= index && !std::exchange(wanted.here, true)) {
                        sometimes(probe::waiting_content_covered);
                        host_.cancel_wish(wanted.wish);
                    }
            release(from);
        }
    }

    /// What messages that wait name: it is here, or on its way.
    void add_roots(std::vector<content_hash>& manifests) const {
        for (const auto& [from, queue] : queues_)
            for (const auto& w : queue)
                for (const auto& e : std::get<raft::append_request>(w->message.body).entries)
                    if (auto manifest = manifest_named_by(e.data)) manifests.push_back(sha256(manifest->view()));
    }

    std::size_t waiting_bytes() const noexcept { return bytes_; }
    std::size_t waiting() const noexcept {
        std::size_t count = 0;
        for (const auto& [from, queue] : queues_) count += queue.size();
        return count;
    }

private:
    struct missing_content {
        log_index index;         ///< of the entry that names it
        shared_bytes manifest;
        Wish wish = {};
        bool here = false;
    };
    struct waiting_message {
        raft::message message;
        std::size_t bytes = 0;
        std::vector<missing_content> missing;
    };

    std::vector<missing_content> missing_of(const raft::append_request& append) const {
        std::vector<missing_content> missing;
        for (const auto& e : append.entries) {
            if (e.kind != raft::entry_kind::command) continue;
            if (auto manifest = manifest_named_by(e.data); manifest && !host_.has_content(*manifest))
                missing.push_back({e.index, std::move(*manifest)});
        }
        return missing;
    }

    /// A proposal whose content is not here is dropped and its content fetched: its origin says it again. What stands
    /// behind it in its session would be a gap, and goes with it; but what that lacks is fetched now too, or each time that
    /// all is said again would bring one command on and no more.
    void pass_proposal(raft::message& m, raft::forwarded_proposal& proposal) {
        std::size_t whole = proposal.commands.size();
        for (std::size_t i = 0; i < proposal.commands.size(); ++i) {
            const auto manifest = manifest_named_by(proposal.commands[i]);
            if (!manifest || host_.has_content(*manifest)) continue;
            sometimes(probe::proposal_without_its_content);
            host_.hint_content(*manifest, m.from);
            whole = std::min(whole, i);
        }
        proposal.commands.resize(whole);
        if (!proposal.commands.empty()) host_.let_through(std::move(m));
    }

    /// A new term drops what waited: its leader says again what it has.
    void forget_before(term now) {
        for (auto& [from, queue] : queues_)
            while (!queue.empty() && queue.front()->message.term < now) {
                sometimes(probe::waiting_append_dropped_by_term);
                for (const missing_content& wanted : queue.front()->missing)
                    if (!wanted.here) host_.cancel_wish(wanted.wish);
                pop(queue);
            }
    }

    void release(node_id from) {
        auto& queue = queues_[from];
        const auto is_here = [](const missing_content& wanted) { return wanted.here; };
        while (!queue.empty() && std::ranges::all_of(queue.front()->missing, is_here)) {
            raft::message m = std::move(queue.front()->message);
            pop(queue);
            host_.let_through(std::move(m));
        }
    }

    void pop(std::deque<std::shared_ptr<waiting_message>>& queue) {
        bytes_ -= queue.front()->bytes;
        queue.pop_front();
    }

    static std::size_t bytes_of(const raft::append_request& append) {
        std::size_t bytes = sizeof(raft::message);
        for (const auto& e : append.entries) bytes += sizeof(e) + e.data.size();
        return bytes;
    }

    Host& host_;
    std::map<node_id, std::deque<std::shared_ptr<waiting_message>>> queues_;
    std::size_t bytes_ = 0;
};

}  // namespace lockstep
