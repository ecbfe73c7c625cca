// The way to one peer on one channel: dials it, again and again, and sends frames on the connection it dialled. Nothing
// but answers (handshake, pongs) comes back on it; the peer's own frames come on the connection that the peer dialled.
#pragma once

#include <lockstep/concepts/byte_streams.hpp>
#include <lockstep/transport/framed_stream.hpp>
#include <lockstep/transport/handshake.hpp>
#include <lockstep/transport/hub.hpp>
#include <lockstep/transport/send_queue.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace lockstep::framing {

/// Held by shared_ptr. All on the loop.
template <class Runtime, class ByteStreams>
class dialled_link : public std::enable_shared_from_this<dialled_link<Runtime, ByteStreams>> {
public:
    using stream = typename ByteStreams::stream;

    /// With `control`, the link to the same peer for that channel, this one is for bulk.
    dialled_link(std::shared_ptr<hub<Runtime>> h, ByteStreams& streams, peer_address peer,
                 std::shared_ptr<dialled_link> control = nullptr)
        : hub_(std::move(h)), streams_(streams), peer_(std::move(peer)), control_(std::move(control)),
          channel_(control_ ? channel::bulk : channel::control), timer_(hub_->runtime),
          back_off_(hub_->options.back_off_min),
          queue_(control_ ? hub_->options.bulk_queue_bytes_max : hub_->options.queue_bytes_max,
                 hub_->options.queue_frames_max) {}

    bool is_up() const noexcept { return state_ == state::up; }
    std::size_t queued_bytes() const noexcept { return queue_.bytes(); }

    /// From now on there shall be a connection.
    void start() {
        wanted_ = true;
        set_timer(hub_->runtime.now(), [](dialled_link& l) { l.dial(); });
    }

    /// The peer is there: a dialler that waits between two attempts stops waiting.
    void hurry() {
        if (state_ != state::waiting || !wanted_) return;
        back_off_ = hub_->options.back_off_min;
        start();
    }

    /// Queues a frame. False: there is no connection, or no room. Bulk is wanted from its first frame on.
    bool send(shared_bytes payload) {
        if (payload.size() > hub_->options.frame_bytes_max) return drop();
        if (!is_up()) {
            queue_.refuse();
            if (state_ == state::waiting && !wanted_) start();
            return drop();
        }
        if (!queue_.push(std::move(payload))) return drop();
        pump();
        return true;
    }

    void stop() {
        state_ = state::stopped;
        ++attempt_;
        timer_.stop();
        drop_connection();
    }

private:
    enum class state { waiting, connecting, greeting, up, stopped };

    /// A member of this link as a callback that does nothing once the link, or the attempt it belongs to, is gone.
    template <class F>
    auto guarded(F f) {
        return [weak = this->weak_from_this(), attempt = attempt_, f](auto... args) mutable {
            const auto self = weak.lock();
            if (self && self->attempt_ == attempt && !self->hub_->stopped) f(*self, std::move(args)...);
        };
    }
    template <class F>
    void set_timer(time_point at, F f) {
        timer_.set(at, guarded(f));
    }

    bool drop() {
        ++hub_->counters.frames_dropped;
        return false;
    }

    // --- connecting ---

    void dial() {
        // Bulk comes after control, which introduces this node and finds out whether the peer is there: until then it
        // waits without a timer, and is hurried.
        if (control_ && !control_->is_up()) return;
        state_ = state::connecting;
        ++attempt_;
        // The deadline covers the handshake too. An attempt that succeeds after it is closed by nobody taking it.
        set_timer(hub_->runtime.now() + hub_->options.handshake_timeout, [](dialled_link& l) { l.retry(); });
        streams_.connect(peer_.address, guarded([](dialled_link& l, result<std::shared_ptr<stream>> connected) {
            if (connected) return l.greet(std::move(*connected));
            const error_code error = connected.error();
            // A peer that is not up yet refuses, times out or is unreachable; anything else a person should read.
            if (error == errc::address_invalid || error == errc::address_unavailable || error == errc::host_not_found ||
                error == errc::too_many_open_files)
                l.hub_->problem("cannot reach node " + std::to_string(l.peer_.node.value) + " at " + l.peer_.address +
                                ": " + error.message());
            l.retry();
        }));
    }

    void greet(std::shared_ptr<stream> connected) {
        state_ = state::greeting;
        connection_ = std::make_shared<framed_stream<stream>>(std::move(connected), handshake_bytes_max);
        typename framed_stream<stream>::callbacks c;
        c.received = guarded([](dialled_link& l, std::size_t bytes) { l.hub_->count_received(l.channel_, bytes); });
        c.arrived = guarded([](dialled_link& l, frame f) { l.arrived(std::move(f)); });
        c.written = guarded([](dialled_link& l, std::size_t bytes) { l.written(bytes); });
        c.broken = guarded([](dialled_link& l, error_code error) { l.broken(error); });
        connection_->start(std::move(c));
        batch b;
        b.add(frame_type::hello, encode(hello_message{protocol_version, hub_->self, peer_.node, channel_}));
        connection_->write(std::move(b));
    }

    void arrived(frame f) {
        if (state_ == state::up && f.type == frame_type::pong && ping_unanswered_) {
            ping_unanswered_ = false;
            set_timer(std::max(ping_due_, hub_->runtime.now()), [](dialled_link& l) { l.watch(); });
        } else if (state_ == state::greeting && f.type == frame_type::welcome) {
            welcomed(f.payload);
        } else if (state_ == state::greeting && f.type == frame_type::refusal) {
            refused(f.payload);
        } else {
            malformed();
        }
    }

    void welcomed(const shared_bytes& payload) {
        const auto m = decode_welcome(payload.view());
        if (!m) return malformed();
        refusal_message why{m->version, refusal_reason::protocol, m->from};
        if (m->version == protocol_version) {
            if (m->from.node != peer_.node) why.reason = refusal_reason::wrong_node;
            else if (!same_cluster(m->from.cluster, hub_->self.cluster)) why.reason = refusal_reason::wrong_cluster;
            else return up(m->from);
        }
        refuse(why);
    }

    void refused(const shared_bytes& payload) {
        const auto m = decode_refusal(payload.view());
        if (!m) return malformed();
        refuse(*m);
    }

    void refuse(const refusal_message& why) {
        ++hub_->counters.rejected;
        retry();
        hub_->problem(describe(why, hub_->self, peer_));
        if (why.reason == refusal_reason::wrong_cluster) hub_->another_cluster(peer_.node);
    }

    void up(const hello& from) {
        state_ = state::up;
        back_off_ = hub_->options.back_off_min;
        ping_unanswered_ = ping_owed_ = false;
        set_timer(hub_->runtime.now() + hub_->options.ping_interval, [](dialled_link& l) { l.watch(); });
        ++hub_->counters.connects;
        if (channel_ == channel::bulk) return tell_drained();
        hub_->control_up(peer_.node);
        hub_->callbacks.connected(from);
    }

    // --- up ---

    /// Fills the stream. One write at a time; while it lasts, frames gather for the next.
    void pump() {
        if (connection_->writing()) return;
        batch b;
        if (std::exchange(ping_owed_, false)) b.add(frame_type::ping);
        while (!queue_.empty() && b.bytes() < hub_->options.write_bytes) {
            b.add(frame_type::data, queue_.pop());
            ++hub_->counters.frames_sent;
        }
        if (!b.empty()) connection_->write(std::move(b));
    }

    void written(std::size_t bytes) {
        hub_->count_sent(channel_, bytes);
        if (state_ != state::up) return;
        // A ping waits behind what is being written. Where that is much, its progress shows that somebody reads: the
        // buffers of a connection whose other end is gone fill up soon.
        if (bytes >= progress_bytes) silent_since_ = hub_->runtime.now();
        if (connection_->writing()) return;
        queue_.written();
        pump();
        tell_drained();
    }

    void tell_drained() {
        if (channel_ == channel::bulk && queue_.take_drained()) hub_->callbacks.drained(peer_.node);
    }

    /// Pings, and notices that no pong comes: a peer that lost power closes nothing.
    void watch() {
        const auto& o = hub_->options;
        const time_point now = hub_->runtime.now();
        if (!ping_unanswered_) {
            ping_unanswered_ = ping_owed_ = true;
            ping_due_ = now + o.ping_interval;
            silent_since_ = now;
            pump();
        } else if (silent_since_ + o.silence_max <= now) {
            return broken(errc::timed_out);
        }
        set_timer(silent_since_ + o.silence_max, [](dialled_link& l) { l.watch(); });
    }

    // --- breaking ---

    void malformed() { broken(errc::corrupt); }

    void broken(error_code error) {
        const bool was_up = is_up();
        const bool foreign = is_malformed(error);
        if (foreign) ++hub_->counters.malformed;
        retry();
        if (foreign)
            hub_->problem("node " + std::to_string(peer_.node.value) + " at " + peer_.address +
                          " does not answer as a node does: " + error.message());
        if (was_up && channel_ == channel::control && !hub_->stopped) hub_->callbacks.disconnected(peer_.node);
    }

    /// Closes what there is and dials again after a while.
    void retry() {
        drop_connection();
        state_ = state::waiting;
        ++attempt_;
        const auto most = static_cast<std::uint64_t>(back_off_.count());
        const auto wait = duration(static_cast<duration::rep>(most / 2 + hub_->runtime.random() % (most / 2 + 1)));
        back_off_ = std::min(back_off_ * 2, hub_->options.back_off_max);
        set_timer(hub_->runtime.now() + wait, [](dialled_link& l) { l.dial(); });
    }

    void drop_connection() {
        if (const auto old = std::exchange(connection_, nullptr)) old->close();
        hub_->counters.frames_dropped += queue_.clear();
    }

    static constexpr std::size_t progress_bytes = 64 * 1024;

    std::shared_ptr<hub<Runtime>> hub_;
    ByteStreams& streams_;
    peer_address peer_;
    std::shared_ptr<dialled_link> control_;  ///< none: this is control
    const channel channel_;
    timer<Runtime> timer_;
    duration back_off_;
    state state_ = state::waiting;
    bool wanted_ = false;
    std::uint64_t attempt_ = 0;  ///< callbacks of an earlier one are ignored
    std::shared_ptr<framed_stream<stream>> connection_;

    send_queue queue_;

    time_point ping_due_{};
    time_point silent_since_{};
    bool ping_owed_ = false;       ///< to be part of the next write
    bool ping_unanswered_ = false;
};

}  // namespace lockstep::framing
