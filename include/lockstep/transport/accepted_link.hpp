// The ways from the peers: connections that they dialled. Here they are asked who they are, frames come in, and only
// answers (handshake, pongs) go out.
#pragma once

#include <lockstep/transport/framed_stream.hpp>
#include <lockstep/transport/handshake.hpp>
#include <lockstep/transport/hub.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::framing {

template <class Runtime, class Stream>
class accepted_link;

/// The accepted connections: strangers until they identify themselves, then at most one of each peer and channel.
template <class Runtime, class Stream>
class acceptor : public std::enable_shared_from_this<acceptor<Runtime, Stream>> {
public:
    using link = accepted_link<Runtime, Stream>;

    acceptor(std::shared_ptr<hub<Runtime>> h, std::vector<node_id> peers)
        : hub_(std::move(h)), peers_(std::move(peers)) {}

    void accept(std::shared_ptr<Stream> stream) {
        // A flood of strangers costs only connections, never the members' ones: closed by being dropped.
        if (strangers_.size() >= hub_->options.strangers_max) {
            ++hub_->counters.rejected;
            return;
        }
        strangers_.push_back(std::make_shared<link>(hub_, this->weak_from_this(), std::move(stream)));
        const auto added = strangers_.back();
        added->start();
    }

    bool knows(node_id peer) const { return std::find(peers_.begin(), peers_.end(), peer) != peers_.end(); }

    /// Whether control has told who this is. What control did not introduce may not deliver on bulk: a node that came
    /// back with another disk would be taken for the one before.
    bool introduced(const hello& who) const {
        const auto known = introduced_.find(who.node);
        return known != introduced_.end() && known->second == who.disk;
    }

    /// A stranger is `who` now. An older connection of the same peer and channel is a leftover of a network that broke
    /// unseen; so is bulk of a disk that the node no longer has.
    void identified(std::shared_ptr<link> l, const hello& who, channel on) {
        std::erase(strangers_, l);
        replace({who.node, on}, std::move(l));
        if (on == channel::bulk) return;
        if (!introduced(who)) replace({who.node, channel::bulk}, nullptr);
        introduced_[who.node] = who.disk;
    }

    void gone(const link& l) {
        std::erase_if(strangers_, [&](const auto& s) { return s.get() == &l; });
        std::erase_if(members_, [&](const auto& m) { return m.second.get() == &l; });
    }

    void stop() {
        for (const auto& s : std::exchange(strangers_, {})) s->close();
        for (const auto& m : std::exchange(members_, {})) m.second->close();
    }

private:
    using way = std::pair<node_id, channel>;

    void replace(way w, std::shared_ptr<link> l) {
        std::shared_ptr<link> old;
        if (const auto found = members_.find(w); found != members_.end()) {
            old = std::move(found->second);
            members_.erase(found);
        }
        if (l) members_.emplace(w, std::move(l));
        if (old) old->close();
    }

    std::shared_ptr<hub<Runtime>> hub_;
    std::vector<node_id> peers_;
    std::vector<std::shared_ptr<link>> strangers_;
    std::map<way, std::shared_ptr<link>> members_;
    std::map<node_id, disk_id> introduced_;  ///< by their latest connections for control
};

/// One accepted connection. Held by shared_ptr. All on the loop.
template <class Runtime, class Stream>
class accepted_link : public std::enable_shared_from_this<accepted_link<Runtime, Stream>> {
public:
    using owner = acceptor<Runtime, Stream>;

    accepted_link(std::shared_ptr<hub<Runtime>> h, std::weak_ptr<owner> o, std::shared_ptr<Stream> stream)
        : hub_(std::move(h)), owner_(std::move(o)), timer_(hub_->runtime),
          connection_(std::make_shared<framed_stream<Stream>>(std::move(stream), handshake_bytes_max)) {}

    void start() {
        typename framed_stream<Stream>::callbacks c;
        c.received = guarded([](accepted_link& l, std::size_t bytes) {
            l.hub_->count_received(l.channel_, bytes);
            l.heard_at_ = l.hub_->runtime.now();
        });
        c.arrived = guarded([](accepted_link& l, frame f) { l.arrived(std::move(f)); });
        c.written = guarded([](accepted_link& l, std::size_t bytes) { l.written(bytes); });
        c.broken = guarded([](accepted_link& l, error_code error) { l.broken(error); });
        connection_->start(std::move(c));
        timer_.set(hub_->runtime.now() + hub_->options.handshake_timeout, guarded([](accepted_link& l) { l.end(); }));
    }

    /// Precondition: the caller lets go of it.
    void close() {
        timer_.stop();
        connection_->close();
    }

private:
    enum class state { greeting, refusing, up };

    template <class F>
    auto guarded(F f) {
        return [weak = this->weak_from_this(), f](auto... args) mutable {
            const auto self = weak.lock();
            if (self && !self->hub_->stopped) f(*self, std::move(args)...);
        };
    }

    void arrived(frame f) {
        if (state_ == state::up && f.type == frame_type::data) {
            ++hub_->counters.frames_received;
            hub_->callbacks.frame(peer_, channel_, std::move(f.payload));
        } else if (state_ == state::up && f.type == frame_type::ping) {
            pong_owed_ = true;
            answer();
        } else if (state_ == state::greeting && f.type == frame_type::hello) {
            greeted(f.payload);
        } else if (state_ != state::refusing) {
            broken(errc::corrupt);
        }
    }

    void greeted(const shared_bytes& payload) {
        const auto m = decode_hello(payload.view());
        const auto from_owner = owner_.lock();
        if (!m || !from_owner) return broken(errc::corrupt);
        if (const auto why = reason_to_refuse(*m, *from_owner)) return refuse(*m, *why);
        if (m->on == channel::bulk && !from_owner->introduced(m->from)) {
            // No mistake of anybody's: this node was started anew, and the dialler's control has not noticed yet.
            ++hub_->counters.rejected;
            return end();
        }
        state_ = state::up;
        peer_ = m->from.node;
        channel_ = m->on;
        connection_->set_payload_max(hub_->options.frame_bytes_max);
        batch b;
        b.add(frame_type::welcome, encode(welcome_message{protocol_version, hub_->self}));
        connection_->write(std::move(b));
        from_owner->identified(this->shared_from_this(), m->from, channel_);
        watch();
        ++hub_->counters.connects;
        if (channel_ == channel::bulk) return;
        hub_->reachable(peer_);
        hub_->callbacks.connected(m->from);
    }

    std::optional<refusal_reason> reason_to_refuse(const hello_message& m, const owner& o) const {
        if (m.version != protocol_version) return refusal_reason::protocol;
        if (m.from.node == hub_->self.node) return refusal_reason::own_id;
        if (m.expected != hub_->self.node) return refusal_reason::wrong_node;
        if (!o.knows(m.from.node)) return refusal_reason::unknown_node;
        if (!same_cluster(m.from.cluster, hub_->self.cluster)) return refusal_reason::wrong_cluster;
        if (m.on != channel::control && m.on != channel::bulk) return refusal_reason::unknown_channel;
        return std::nullopt;
    }

    void refuse(const hello_message& m, refusal_reason why) {
        state_ = state::refusing;
        ++hub_->counters.rejected;
        batch b;
        b.add(frame_type::refusal, encode(refusal_message{protocol_version, why, hub_->self}));
        connection_->write(std::move(b));
        // The other reasons are the dialler's to tell: there is its mistake, and its person.
        const std::string who = "node " + std::to_string(m.from.node.value);
        if (why == refusal_reason::unknown_node) hub_->problem(who + " connects but is not a peer of this node");
        if (why == refusal_reason::wrong_cluster) {
            hub_->problem(who + " connects but belongs to another cluster");
            hub_->another_cluster(m.from.node);
        }
        if (why == refusal_reason::own_id && m.from.disk != hub_->self.disk)
            hub_->problem("another node connects with this node's own id " + std::to_string(m.from.node.value));
    }

    void answer() {
        if (!pong_owed_ || connection_->writing()) return;
        pong_owed_ = false;
        batch b;
        b.add(frame_type::pong);
        connection_->write(std::move(b));
    }

    void written(std::size_t bytes) {
        hub_->count_sent(channel_, bytes);
        if (state_ == state::refusing) end();
        else answer();
    }

    /// Closes what has been silent for long: its other end pings, if it still is there.
    void watch() {
        const time_point until = heard_at_ + hub_->options.silence_max;
        if (until <= hub_->runtime.now()) return end();
        timer_.set(until, guarded([](accepted_link& l) { l.watch(); }));
    }

    void broken(error_code error) {
        end();
        if (!is_malformed(error)) return;
        ++hub_->counters.malformed;
        if (peer_ != no_node)
            hub_->problem("node " + std::to_string(peer_.value) + " sends what is no frame: " + error.message());
    }

    void end() {
        close();
        if (const auto from_owner = owner_.lock()) from_owner->gone(*this);
    }

    std::shared_ptr<hub<Runtime>> hub_;
    std::weak_ptr<owner> owner_;
    timer<Runtime> timer_;
    std::shared_ptr<framed_stream<Stream>> connection_;
    state state_ = state::greeting;
    node_id peer_;  ///< none before it identified itself
    channel channel_ = channel::control;  ///< what is read before that counts here
    time_point heard_at_{};
    bool pong_owed_ = false;
};

}  // namespace lockstep::framing
