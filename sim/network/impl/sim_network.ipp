#pragma once

#include <sim/network/sim_network.hpp>

namespace lockstep::sim {

// --- making a connection --------------------------------------------------------------------------------------------

LOCKSTEP_DECL result<> sim_streams::listen(const std::string& address,
                                           unique_function<void(std::shared_ptr<stream>)> accepted) {
    if (!who_->alive) return make_error_code(errc::halted);
    if (address.rfind(':') == address.npos) return make_error_code(errc::address_invalid);
    if (network_.listeners_.contains(address)) return make_error_code(errc::address_in_use);
    stop_listening();
    address_ = address;
    network_.addresses_[address] = who_->node;
    network_.listeners_[address] = {who_, std::make_shared<sim_network::accept_function>(std::move(accepted))};
    return {};
}

LOCKSTEP_DECL void sim_streams::stop_listening() {
    const auto found = network_.listeners_.find(address_);
    if (found != network_.listeners_.end() && found->second.who == who_) network_.listeners_.erase(found);
    address_.clear();
}

LOCKSTEP_DECL void sim_streams::connect(const std::string& address,
                                        unique_function<void(result<std::shared_ptr<stream>>)> connected) {
    if (!who_->alive) return;
    auto done = std::make_shared<unique_function<void(result<std::shared_ptr<stream>>)>>(std::move(connected));
    if (address.rfind(':') == address.npos)
        return network_.call(who_, 0, [done] { (*done)(make_error_code(errc::address_invalid)); });
    auto c = std::make_shared<detail::connection>();
    c->number = ++network_.last_number_;
    c->ends[0].who = who_;
    sim_network& network = network_;
    const auto answer = [&network, c, done](error_code failed) {
        if (failed) return (*done)(failed);
        (*done)(std::make_shared<stream>(network, c, 0));
    };
    network.world_.after(network.links_.delay(), trace_kind::network, who_, c->number,
                         [&network, c, address, answer, give_up = network.world_.now() + network.options_.refused_after] {
                             network.shake_hands(c, address, give_up, answer);
                         });
}

/// At the time at which the first packet comes to the other machine. Nothing answers through a cut link: it is tried
/// again until the caller's kernel gives up.
LOCKSTEP_DECL void sim_network::shake_hands(const connection_ptr& c, const std::string& address, time_point give_up,
                                            std::function<void(error_code)> answer) {
    const life caller = c->ends[0].who;
    const auto found = listeners_.find(address);
    const bool listening = found != listeners_.end() && found->second.who->alive;
    const auto known = addresses_.find(address);
    const node_id there = known == addresses_.end() ? caller->node : known->second;
    if (!links_.open(caller->node, there) || !links_.open(there, caller->node) || links_.is_down(there)) {
        if (world_.now() >= give_up) return answer(make_error_code(errc::timed_out));
        world_.after(links::retry, trace_kind::network, caller, c->number,
                     [this, c, address, give_up, answer] { shake_hands(c, address, give_up, answer); });
        return;
    }
    const duration back = links_.delay();
    if (!listening) {
        world_.after(back, trace_kind::network, caller, c->number,
                     [answer] { answer(make_error_code(errc::connection_refused)); });
        return;
    }
    c->ends[1].who = found->second.who;
    c->ends[0].open = c->ends[1].open = true;
    std::erase_if(connections_, [](const auto& item) { return is_over(*item.second); });
    connections_.emplace(c->number, c);
    // A listener that stopped meanwhile resets what its backlog held.
    call(c->ends[1].who, c->number, [this, c, address, accepted = std::weak_ptr(found->second.accepted)] {
        auto mine = std::make_shared<sim_stream>(*this, c, 1);
        if (const auto f = accepted.lock()) (*f)(std::move(mine));
    });
    world_.after(back, trace_kind::network, caller, c->number, [answer] { answer({}); });
}

// --- a stream -------------------------------------------------------------------------------------------------------------

LOCKSTEP_DECL void sim_stream::read(std::span<std::byte> into, unique_function<void(result<std::size_t>)> done) {
    if (!self().who->alive || !self().open) return;
    LOCKSTEP_ASSERT(!self().read_done && !into.empty());
    self().read_into = into;
    self().read_done = std::make_shared<unique_function<void(result<std::size_t>)>>(std::move(done));
    network_.finish_read(connection_, end_);
}

LOCKSTEP_DECL void sim_stream::write(std::vector<shared_bytes> buffers, unique_function<void(error_code)> done) {
    if (!self().who->alive || !self().open) return;
    LOCKSTEP_ASSERT(!self().written);
    self().written = std::make_shared<unique_function<void(error_code)>>(std::move(done));
    if (!self().broken) {
        for (auto& b : buffers) {
            if (b.empty()) continue;
            self().out.sending_bytes += b.size();
            self().out.sending.push_back(std::move(b));
        }
        network_.move(connection_, end_);
    }
    network_.finish_write(connection_, end_);
}

LOCKSTEP_DECL void sim_stream::close() { network_.close_end(connection_, end_); }

LOCKSTEP_DECL void sim_network::close_end(const connection_ptr& c, std::size_t end) {
    detail::endpoint& self = c->ends[end];
    if (!self.open) return;
    self.open = false;
    // What is pending is dropped: the caller asked for it.
    self.read_done.reset();
    self.written.reset();
    if (self.broken || !self.who->alive) return;
    if (c->ends[1 - end].out.received_bytes != 0) {
        // Closing with unread bytes is a reset, as in Linux.
        self.broken = make_error_code(errc::connection_lost);
        world_.after(links_.delay(), trace_kind::network, nullptr, c->number,
                     [this, c, end] { break_end(c, 1 - end, make_error_code(errc::connection_lost)); });
        return;
    }
    self.out.end_written = true;
    move(c, end);
}

// --- moving bytes ---------------------------------------------------------------------------------------------------------

LOCKSTEP_DECL void sim_network::move(const connection_ptr& c, std::size_t from) {
    detail::pipe& out = c->ends[from].out;
    if (out.moving || (out.sending.empty() && (!out.end_written || out.end_received))) return;
    const node_id here = c->ends[from].who->node, there = c->ends[1 - from].who->node;
    // Where the width is bounded, what is written meanwhile has to wait for its own turn.
    const bool bounded = links_.has_width(here, there);
    out.moving_bytes = bounded ? out.sending_bytes : options_.buffer_max;
    deliver_later(c, from, links_.travel_surely(here, there, bounded ? out.sending_bytes : 0));
}

LOCKSTEP_DECL void sim_network::deliver_later(const connection_ptr& c, std::size_t from, duration delay) {
    c->ends[from].out.moving = true;
    world_.after(delay, trace_kind::network, nullptr, c->number * 2 + from,
                 [this, c, from] { c->ends[from].out.moving = false; deliver(c, from); });
}

LOCKSTEP_DECL void sim_network::deliver(const connection_ptr& c, std::size_t from) {
    detail::endpoint& sender = c->ends[from];
    detail::endpoint& receiver = c->ends[1 - from];
    detail::pipe& out = sender.out;
    if (sender.broken) return;
    if (world_.now() < out.stalled_until) return deliver_later(c, from, out.stalled_until - world_.now());
    const bool stuck = !links_.open(sender.who->node, receiver.who->node) || out.received_bytes >= options_.buffer_max;
    if (stuck) return deliver_later(c, from, links::retry);
    if (receiver.broken || !receiver.open || !receiver.who->alive) {
        // Nobody is there: the other kernel answers with a reset, or, where it is down, nothing does.
        if (out.sending.empty() && receiver.who->alive) return;
        if (links_.is_down(receiver.who->node)) return deliver_later(c, from, links::retry);
        return break_end(c, from, make_error_code(errc::connection_lost));
    }
    std::size_t bytes = std::min({out.sending_bytes, out.moving_bytes, options_.buffer_max});
    if (bytes > 1 && random_.one_in(options_.split_one_in)) bytes = random_.between(1, bytes);
    const bool cut = out.cut_in_frame && bytes > 1;
    if (cut) bytes = faults_.between(1, bytes - 1);
    world_.trace(trace_kind::network, receiver.who->node, transfer(out, bytes));
    if (cut) {
        ++counts_.cut_in_frame;
        // Late enough for a receiver that runs to have read what arrived.
        world_.after(std::chrono::milliseconds(1), trace_kind::fault, nullptr, c->number, [this, c] { reset(c); });
        return finish_read(c, 1 - from);
    }
    if (out.sending.empty() && out.end_written) out.end_received = true;
    finish_read(c, 1 - from);
    finish_write(c, from);
    move(c, from);
}

/// From what was written to what arrived. Returns a digest of that.
LOCKSTEP_DECL std::uint64_t sim_network::transfer(detail::pipe& out, std::size_t bytes) {
    const bool corrupts = bytes != 0 && faults_.one_in(options_.corrupted_one_in);
    std::uint64_t digest = 0;
    for (std::size_t left = bytes; left != 0;) {
        shared_bytes& first = out.sending.front();
        const std::size_t part = std::min(left, first.size());
        out.received.push_back(first.slice(0, part));
        if (corrupts && left == bytes) corrupt(out.received.back());
        digest = checksum(out.received.back().view(), digest);
        if (part == first.size()) out.sending.pop_front();
        else first = first.slice(part, first.size() - part);
        left -= part;
    }
    out.sending_bytes -= bytes;
    out.received_bytes += bytes;
    return digest;
}

/// Others hold the same bytes: this one gets a copy of its own.
LOCKSTEP_DECL void sim_network::corrupt(shared_bytes& bytes) {
    byte_buffer copy(bytes.size());
    std::memcpy(copy.data(), bytes.data(), bytes.size());
    const std::uint64_t bit = faults_.below(std::uint64_t{bytes.size()} * 8);
    copy.data()[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    bytes = shared_bytes(std::move(copy));
    ++counts_.corrupted;
}

LOCKSTEP_DECL bool sim_network::can_read(const detail::connection& c, std::size_t end) {
    const detail::pipe& in = c.ends[1 - end].out;
    return c.ends[end].read_done && (c.ends[end].broken || in.received_bytes != 0 || in.end_received);
}

LOCKSTEP_DECL bool sim_network::can_end_write(const detail::connection& c, std::size_t end) const {
    return c.ends[end].written && (c.ends[end].broken || c.ends[end].out.sending_bytes <= options_.buffer_max);
}

LOCKSTEP_DECL void sim_network::finish_read(const connection_ptr& c, std::size_t end) {
    if (!can_read(*c, end)) return;
    call(c->ends[end].who, c->number, [c, end] {
        // An earlier event may have answered that read, and the owner may have begun another one.
        if (!can_read(*c, end)) return;
        detail::endpoint& self = c->ends[end];
        detail::pipe& in = c->ends[1 - end].out;
        const auto done = std::exchange(self.read_done, nullptr);
        if (self.broken) return (*done)(self.broken);
        std::size_t got = 0;
        while (got < self.read_into.size() && !in.received.empty()) {
            shared_bytes& first = in.received.front();
            const std::size_t part = std::min(self.read_into.size() - got, first.size());
            std::memcpy(self.read_into.data() + got, first.data(), part);
            got += part;
            if (part == first.size()) in.received.pop_front();
            else first = first.slice(part, first.size() - part);
        }
        in.received_bytes -= got;
        if (got == 0) return (*done)(make_error_code(errc::end_of_stream));
        (*done)(got);
    });
}

LOCKSTEP_DECL void sim_network::finish_write(const connection_ptr& c, std::size_t end) {
    if (!can_end_write(*c, end)) return;
    call(c->ends[end].who, c->number, [this, c, end] {
        if (!can_end_write(*c, end)) return;
        const auto done = std::exchange(c->ends[end].written, nullptr);
        (*done)(c->ends[end].broken);
    });
}

/// What was under way to this end and from it is gone, and what it had not read yet too.
LOCKSTEP_DECL void sim_network::break_end(const connection_ptr& c, std::size_t end, error_code why) {
    detail::endpoint& self = c->ends[end];
    if (self.broken) return;
    self.broken = why;
    self.out.sending.clear();
    self.out.sending_bytes = 0;
    detail::pipe& in = c->ends[1 - end].out;
    in.received.clear();
    in.received_bytes = 0;
    finish_read(c, end);
    finish_write(c, end);
}

// --- faults ---------------------------------------------------------------------------------------------------------------

/// An established connection that involves the node, or any; null where there is none.
LOCKSTEP_DECL sim_network::connection_ptr sim_network::one_of(node_id node, random_generator& random) const {
    std::vector<connection_ptr> candidates;
    for (const auto& [number, c] : connections_) {
        const bool lives = !c->ends[0].broken && !c->ends[1].broken;
        const bool involved = node == no_node || c->ends[0].who->node == node || c->ends[1].who->node == node;
        if (lives && involved) candidates.push_back(c);
    }
    return candidates.empty() ? nullptr : candidates[random.below(candidates.size())];
}

LOCKSTEP_DECL void sim_network::reset(const connection_ptr& c) {
    break_end(c, 0, make_error_code(errc::connection_lost));
    break_end(c, 1, make_error_code(errc::connection_lost));
}

LOCKSTEP_DECL bool sim_network::reset_one(node_id node) {
    const connection_ptr c = one_of(node, random_);
    if (!c) return false;
    ++counts_.resets;
    reset(c);
    return true;
}

LOCKSTEP_DECL bool sim_network::cut_one_in_frame(node_id node) {
    const connection_ptr c = one_of(node, faults_);
    if (c) c->ends[faults_.below(2)].out.cut_in_frame = true;
    return c != nullptr;
}

LOCKSTEP_DECL bool sim_network::stall_one(node_id node, duration time) {
    const connection_ptr c = one_of(node, faults_);
    if (!c) return false;
    ++counts_.stalls;
    c->ends[faults_.below(2)].out.stalled_until = world_.now() + time;
    return true;
}

LOCKSTEP_DECL bool sim_network::is_over(const detail::connection& c) {
    for (const auto& end : c.ends)
        if (end.open && !end.broken && end.who->alive) return false;
    return true;
}

LOCKSTEP_DECL std::vector<std::shared_ptr<void>> sim_network::node_died(const life& who, crash_kind how) {
    std::vector<std::shared_ptr<void>> remains;
    for (auto it = listeners_.begin(); it != listeners_.end();) {
        if (it->second.who != who) { ++it; continue; }
        remains.push_back(std::move(it->second.accepted));
        it = listeners_.erase(it);
    }
    for (auto it = connections_.begin(); it != connections_.end();) {
        const connection_ptr c = it->second;
        const std::size_t end = c->ends[0].who == who ? 0 : 1;
        if (c->ends[end].who != who) { ++it; continue; }
        break_end(c, end, make_error_code(errc::connection_lost));
        remains.push_back(std::move(c->ends[end].read_done));
        remains.push_back(std::move(c->ends[end].written));
        if (how == crash_kind::process)
            world_.after(links_.delay(), trace_kind::network, nullptr, c->number,
                         [this, c, end] { break_end(c, 1 - end, make_error_code(errc::connection_lost)); });
        it = c->ends[1 - end].who->alive && c->ends[1 - end].who != who ? std::next(it) : connections_.erase(it);
    }
    return remains;
}

}  // namespace lockstep::sim
