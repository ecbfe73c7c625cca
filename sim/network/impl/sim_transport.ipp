#pragma once

#include <sim/network/sim_transport.hpp>

namespace lockstep::sim {

LOCKSTEP_DECL result<> sim_transport::start(const hello& self, const std::string& listen, std::vector<peer_address> peers,
                                            transport_callbacks callbacks) {
    if (!who_->alive) return make_error_code(errc::halted);
    if (network_.listening_.contains(listen)) return make_error_code(errc::address_in_use);
    network_.listening_[listen] = this;
    self_ = self;
    address_ = listen;
    callbacks_ = std::make_shared<transport_callbacks>(std::move(callbacks));
    session_ = std::make_shared<int>(0);
    for (auto& p : peers)
        if (p.node != self.node) peers_[p.node].address = p.address;
    dial();
    return {};
}

LOCKSTEP_DECL void sim_transport::stop() {
    const auto mine = network_.listening_.find(address_);
    if (mine != network_.listening_.end() && mine->second == this) network_.listening_.erase(mine);
    session_.reset();
    peers_.clear();
}

/// Looks after all ways: those to dead peers or through cut links break, missing ones are made. Where all is well, not as often.
LOCKSTEP_DECL void sim_transport::dial() {
    bool well = true;
    for (auto& [to, p] : peers_) {
        const bool open = network_.links_.open(who_->node, to) && network_.links_.open(to, who_->node);
        if (p.control.there && (!p.control.there->alive || (!open && network_.random_.one_in(16)))) disconnect(to, p);
        else if (!p.control.there && open) connect(to, p);
        if (p.bulk.wanted) dial_bulk(to, p, open);
        well = well && open && p.control.there && (!p.bulk.wanted || p.bulk.there);
    }
    network_.world_.after(well ? 4 * network_.options_.dial_every : network_.options_.dial_every, trace_kind::timer, who_, 0,
                          [this, session = std::weak_ptr(session_)] {
                              if (session.lock()) dial();
                          });
}

/// Bulk breaks by itself, and comes back only to a peer that control has reached.
LOCKSTEP_DECL void sim_transport::dial_bulk(node_id to, peer& p, bool open) {
    if (p.bulk.there) {
        if (!p.bulk.there->alive || (!open && network_.random_.one_in(16))) p.bulk.there.reset();
    } else if (open && p.control.there && p.control.there->alive && !network_.random_.one_in(4)) {
        p.bulk.there = p.control.there;
        ++counters_.connects;
        tell_drained(to, p.bulk);
    }
}

LOCKSTEP_DECL bool message_network::break_bulk(node_id from, node_id to) {
    for (const auto& [address, transport] : listening_) {
        if (transport->self_.node != from) continue;
        const auto p = transport->peers_.find(to);
        if (p != transport->peers_.end() && p->second.bulk.there) {
            p->second.bulk.there.reset();
            return true;
        }
    }
    return false;
}

LOCKSTEP_DECL void sim_transport::connect(node_id to, peer& p) {
    const auto found = network_.listening_.find(p.address);
    if (found == network_.listening_.end() || !found->second->who_->alive) return;
    sim_transport& other = *found->second;
    const bool foreign = !self_.cluster.empty() && !other.self_.cluster.empty() && self_.cluster != other.self_.cluster;
    if (other.self_.node != to || foreign || !other.peers_.contains(self_.node)) {
        ++counters_.rejected;
        if (foreign && callbacks_->another_cluster) call([callbacks = callbacks_, to] { callbacks->another_cluster(to); });
        return;
    }
    p.control.there = other.who_;
    ++counters_.connects;
    const auto tell = [](sim_transport& whom, hello said) {
        whom.call([&whom, callbacks = whom.callbacks_, said] {
            whom.introduced_[said.node] = said.disk;
            callbacks->connected(said);
        });
    };
    tell(*this, other.self_);
    tell(other, self_);
}

LOCKSTEP_DECL void sim_transport::disconnect(node_id to, peer& p) {
    p.control.there.reset();
    call([callbacks = callbacks_, to] { callbacks->disconnected(to); });
}

LOCKSTEP_DECL sim_transport::odds sim_transport::odds_of(channel on) const {
    const message_options& o = network_.options_;
    if (on == channel::bulk)
        return {o.bulk_lost_one_in, o.bulk_repeated_one_in, o.bulk_broken_one_in, o.bulk_queue_bytes_max};
    return {o.lost_one_in, o.repeated_one_in, o.broken_one_in, o.queue_bytes_max};
}

LOCKSTEP_DECL bool sim_transport::send(node_id to, channel on, shared_bytes frame) {
    const auto found = peers_.find(to);
    if (!who_->alive || found == peers_.end()) {
        ++counters_.frames_dropped;
        return false;
    }
    way& w = found->second.way_of(on);
    const odds o = odds_of(on);
    const bool fits = w.under_way == 0 || w.under_way + frame.size() <= o.queue_bytes_max;
    w.wanted = true;
    if (!w.there || !fits) {
        w.refused = true;
        ++counters_.frames_dropped;
        return false;
    }
    random_generator& random = network_.random_;
    ++counters_.frames_sent;
    counters_.bytes_sent += frame.size();
    if (on == channel::bulk) counters_.bulk_bytes_sent += frame.size();
    message_counts& counts = network_.counts_;
    const std::uint64_t sent = trace_sent(network_.world_, who_->node, to, frame);
    if (random.one_in(o.broken_one_in)) {
        ++counts.broken;
        trace_lost(network_.world_, sent, to, "its way broke");
        if (on == channel::bulk) w.there.reset();
        else disconnect(to, found->second);
        return true;
    }
    if (random.one_in(o.lost_one_in)) {
        ++counts.lost;
        trace_lost(network_.world_, sent, to, "lost on the way");
        return true;
    }
    if (random.one_in(o.repeated_one_in)) {
        ++counts.repeated;
        carry(to, on, frame, sent);
    }
    carry(to, on, std::move(frame), sent);
    return true;
}

/// Bulk has a width, so that it queues; nothing of it is in the way of control. Nothing where the link lost the frame.
LOCKSTEP_DECL std::optional<duration> sim_transport::travel_time(node_id to, channel on, std::size_t bytes) {
    const std::optional<duration> delay = network_.links_.travel(who_->node, to, bytes);
    if (!delay || on == channel::control) return delay;
    way& w = peers_[to].bulk;
    const auto takes = bytes * std::uint64_t{1'000'000'000} / network_.options_.bulk_bytes_per_second;
    w.busy_until = std::max(w.busy_until, network_.world_.now()) + std::chrono::nanoseconds(takes);
    return w.busy_until - network_.world_.now() + *delay;
}

/// Of frames that overtake others.
LOCKSTEP_DECL duration sim_transport::arrange(way& w, duration delay) {
    const time_point now = network_.world_.now();
    if (now + delay < w.last_arrival) {
        if (network_.options_.in_order) return w.last_arrival - now;
        ++network_.counts_.reordered;
    }
    w.last_arrival = std::max(w.last_arrival, now + delay);
    return delay;
}

LOCKSTEP_DECL void sim_transport::carry(node_id to, channel on, shared_bytes frame, std::uint64_t sent) {
    peer& p = peers_[to];
    way& w = p.way_of(on);
    const std::optional<duration> travel = travel_time(to, on, frame.size());
    if (!travel) return trace_lost(network_.world_, sent, to, "lost by the link");
    w.under_way += frame.size();
    const duration delay = arrange(w, *travel);
    const std::uint64_t digest = checksum(frame.view(), to.value);
    network_.world_.after(delay, trace_kind::message, who_, digest,
                          [this, to, on, size = frame.size(), session = std::weak_ptr(session_)] {
                              if (session.lock()) left(to, on, size);
                          });
    // A frame that left is on its way whatever becomes of the sender.
    network_.world_.after(delay, trace_kind::message, w.there, digest,
                          [&network = network_, from = who_->node, disk = self_.disk, to, on, there = w.there, address = p.address,
                           sent, frame = std::move(frame)] {
                              const auto found = network.listening_.find(address);
                              if (found == network.listening_.end() || found->second->who_ != there)
                                  return trace_lost(network.world_, sent, to, "the receiver is gone");
                              if (!network.links_.open(from, to)) return trace_lost(network.world_, sent, to, "the link is cut");
                              if (!found->second->knows(from, disk)) return trace_lost(network.world_, sent, to, "its sender is a stranger");
                              found->second->receive(from, on, frame, sent);
                          });
}

LOCKSTEP_DECL void sim_transport::left(node_id to, channel on, std::size_t bytes) {
    way& w = peers_[to].way_of(on);
    w.under_way -= bytes;
    if (on == channel::bulk) tell_drained(to, w);
}

LOCKSTEP_DECL void sim_transport::tell_drained(node_id to, way& bulk) {
    if (!bulk.there || !bulk.refused || bulk.under_way > network_.options_.bulk_queue_bytes_max / 2) return;
    bulk.refused = false;
    call([callbacks = callbacks_, to] {
        if (callbacks->drained) callbacks->drained(to);
    });
}

LOCKSTEP_DECL void sim_transport::receive(node_id from, channel on, const shared_bytes& frame, std::uint64_t sent) {
    trace_received(network_.world_, sent, from, who_->node, frame);
    ++counters_.frames_received;
    counters_.bytes_received += frame.size();
    if (on == channel::bulk) counters_.bulk_bytes_received += frame.size();
    const auto callbacks = callbacks_;
    callbacks->frame(from, on, frame);
}

}  // namespace lockstep::sim
