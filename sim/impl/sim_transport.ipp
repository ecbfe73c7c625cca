#pragma once

#include <sim/sim_transport.hpp>

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

/// Looks after all ways: those to dead peers or through cut links break, missing ones are made.
LOCKSTEP_DECL void sim_transport::dial() {
    for (auto& [to, p] : peers_) {
        const bool open = network_.links_.open(who_->node, to) && network_.links_.open(to, who_->node);
        if (p.there && (!p.there->alive || (!open && network_.random_.one_in(16)))) disconnect(to, p);
        else if (!p.there && open) connect(to, p);
    }
    network_.world_.after(network_.options_.dial_every, trace_kind::timer, who_, 0,
                          [this, session = std::weak_ptr(session_)] {
                              if (session.lock()) dial();
                          });
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
    p.there = other.who_;
    ++counters_.connects;
    const auto tell = [](sim_transport& whom, hello said) {
        whom.call([callbacks = whom.callbacks_, said] { callbacks->connected(said); });
    };
    tell(*this, other.self_);
    tell(other, self_);
}

LOCKSTEP_DECL void sim_transport::disconnect(node_id to, peer& p) {
    p.there.reset();
    call([callbacks = callbacks_, to] { callbacks->disconnected(to); });
}

LOCKSTEP_DECL bool sim_transport::send(node_id to, shared_bytes frame) {
    const auto found = peers_.find(to);
    if (!who_->alive || found == peers_.end() || !found->second.there ||
        found->second.under_way + frame.size() > network_.options_.queue_bytes_max) {
        ++counters_.frames_dropped;
        return false;
    }
    peer& p = found->second;
    random_generator& random = network_.random_;
    ++counters_.frames_sent;
    counters_.bytes_sent += frame.size();
    if (random.one_in(network_.options_.broken_one_in)) {
        disconnect(to, p);
        return true;
    }
    if (random.one_in(network_.options_.lost_one_in)) return true;
    if (random.one_in(network_.options_.repeated_one_in)) carry(to, p.there, p.address, frame);
    carry(to, p.there, p.address, std::move(frame));
    return true;
}

LOCKSTEP_DECL void sim_transport::carry(node_id to, const life& there, const std::string& address, shared_bytes frame) {
    peers_[to].under_way += frame.size();
    const duration delay = network_.links_.delay();
    const std::uint64_t digest = checksum(frame.view(), to.value);
    network_.world_.after(delay, trace_kind::message, who_, digest,
                          [this, to, size = frame.size(), session = std::weak_ptr(session_)] {
                              if (session.lock()) peers_[to].under_way -= size;
                          });
    // A frame that left is on its way whatever becomes of the sender.
    network_.world_.after(delay, trace_kind::message, there, digest,
                          [&network = network_, from = who_->node, to, there, address, frame = std::move(frame)] {
                              const auto found = network.listening_.find(address);
                              if (found == network.listening_.end() || found->second->who_ != there) return;
                              if (network.links_.open(from, to)) found->second->receive(from, frame);
                          });
}

LOCKSTEP_DECL void sim_transport::receive(node_id from, const shared_bytes& frame) {
    ++counters_.frames_received;
    counters_.bytes_received += frame.size();
    const auto callbacks = callbacks_;
    callbacks->frame(from, frame);
}

}  // namespace lockstep::sim
