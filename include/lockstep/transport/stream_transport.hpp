// The `transport` over any `byte_streams`: framing, handshake, reconnection, keep-alive, bounded queues.
// Each node dials every peer and sends on the connections it dialled, one for each channel.
#pragma once

#include <lockstep/concepts/byte_streams.hpp>
#include <lockstep/concepts/runtime.hpp>
#include <lockstep/concepts/transport.hpp>
#include <lockstep/transport/accepted_link.hpp>
#include <lockstep/transport/dialled_link.hpp>
#include <lockstep/transport/hub.hpp>
#include <lockstep/transport/options.hpp>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

/// Models `transport` (docs/concepts/transport.md); on the wire: docs/formats/frames.md.
/// Thread safety: all on the loop of the runtime. Lifetime: runtime and streams outlive it; it may be stopped or
/// destroyed at any time, from within its own callbacks too, and calls nothing back after that.
template <class Runtime, class ByteStreams>
class stream_transport {
    static_assert(runtime<Runtime>, "Runtime does not model `runtime`: docs/concepts/runtime.md");
    static_assert(byte_streams<ByteStreams>,
                  "ByteStreams does not model `byte_streams`: docs/concepts/byte_streams.md");

public:
    stream_transport(Runtime& rt, ByteStreams& streams, stream_transport_options options = {})
        : streams_(streams), hub_(std::make_shared<hub>(rt, options)) {}
    ~stream_transport() { stop(); }
    stream_transport(const stream_transport&) = delete;
    stream_transport& operator=(const stream_transport&) = delete;

    /// Listens, and begins to dial the peers. An own entry among the peers is ignored; callbacks left empty are too.
    /// Errors: those of listen(); nothing was started then. Precondition: called once.
    result<> start(const hello& self, const std::string& listen, std::vector<peer_address> peers,
                   transport_callbacks callbacks) {
        LOCKSTEP_ASSERT(!acceptor_ && self.node != no_node);
        std::vector<node_id> ids;
        std::map<way, std::shared_ptr<link>> links;
        for (auto& p : peers) {
            if (p.node == self.node) continue;
            const node_id id = p.node;
            LOCKSTEP_ASSERT(id != no_node && !links.contains({id, channel::control}));
            ids.push_back(id);
            auto control = std::make_shared<link>(hub_, streams_, p);
            auto bulk = std::make_shared<link>(hub_, streams_, std::move(p), control);
            links.emplace(way(id, channel::control), std::move(control));
            links.emplace(way(id, channel::bulk), std::move(bulk));
        }
        auto accepts = std::make_shared<acceptor>(hub_, std::move(ids));
        LOCKSTEP_TRY(streams_.listen(listen, [accepts, h = hub_](std::shared_ptr<stream> s) {
            if (!h->stopped) accepts->accept(std::move(s));
        }));
        hub_->self = self;
        hub_->callbacks = completed(std::move(callbacks));
        // Not called once this is stopped, and destroying it stops it.
        hub_->reachable = [this](node_id peer) { links_.at({peer, channel::control})->hurry(); };
        hub_->control_up = [this](node_id peer) { links_.at({peer, channel::bulk})->hurry(); };
        acceptor_ = std::move(accepts);
        links_ = std::move(links);
        for (const auto& [to, l] : links_)
            if (to.second == channel::control) l->start();
        return {};
    }

    /// From now on, in new handshakes; connections that stand stay.
    void set_cluster(cluster_id cluster) { hub_->self.cluster = cluster; }

    /// Queues a frame for a peer. False, and counted, where it was dropped: an unknown or unconnected peer, a full
    /// queue, a frame beyond frame_bytes_max. The first one on bulk is dropped too: it has the connection made.
    /// O(log peers), no copy.
    bool send(node_id to, channel on, shared_bytes frame) {
        const auto l = links_.find({to, on});
        if (l != links_.end()) return l->second->send(std::move(frame));
        ++hub_->counters.frames_dropped;
        return false;
    }

    /// Bytes accepted by send() and not yet taken by the stream.
    std::size_t queued_bytes(node_id to, channel on) const {
        const auto l = links_.find({to, on});
        return l == links_.end() ? 0 : l->second->queued_bytes();
    }
    bool is_connected(node_id to, channel on) const {
        const auto l = links_.find({to, on});
        return l != links_.end() && l->second->is_up();
    }
    transport_counters counters() const { return hub_->counters; }

    /// Closes everything; what was queued is dropped. Again, or before start(): no effect.
    void stop() {
        if (!acceptor_ || hub_->stopped) return;
        hub_->stopped = true;
        streams_.stop_listening();
        for (const auto& [to, l] : links_) l->stop();
        acceptor_->stop();
    }

private:
    using stream = typename ByteStreams::stream;
    using hub = framing::hub<Runtime>;
    using link = framing::dialled_link<Runtime, ByteStreams>;
    using acceptor = framing::acceptor<Runtime, stream>;
    using way = std::pair<node_id, channel>;

    static transport_callbacks completed(transport_callbacks c) {
        if (!c.frame) c.frame = [](node_id, channel, shared_bytes) {};
        if (!c.connected) c.connected = [](const hello&) {};
        if (!c.disconnected) c.disconnected = [](node_id) {};
        if (!c.drained) c.drained = [](node_id) {};
        if (!c.problem) c.problem = [](std::string) {};
        if (!c.another_cluster) c.another_cluster = [](node_id) {};
        return c;
    }

    ByteStreams& streams_;
    std::shared_ptr<hub> hub_;
    std::shared_ptr<acceptor> acceptor_;  ///< made by start()
    std::map<way, std::shared_ptr<link>> links_;
};

}  // namespace lockstep
