// A `byte_streams` in memory, over any runtime, for tests of what stands on streams: with hooks to cut connections, to
// stall the network, to deliver in small pieces and to damage bytes.
#pragma once

#include <lockstep/concepts/byte_streams.hpp>
#include <lockstep/concepts/runtime.hpp>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::testing {

/// The network: lives longer than the streams of its nodes. All nodes share one runtime, so all is on one loop.
template <class Runtime>
class loopback_network {
    struct connection;
    using connection_ptr = std::shared_ptr<connection>;

public:
    class stream;
    class node;

    explicit loopback_network(Runtime& rt) : runtime_(rt) {}
    loopback_network(const loopback_network&) = delete;
    loopback_network& operator=(const loopback_network&) = delete;

    // --- hooks ---

    /// Each read gives at most so many bytes.
    std::size_t read_max = 1 << 20;
    /// Sees, and may change, the bytes of each read before they are given.
    unique_function<void(std::span<std::byte>)> damage;
    std::size_t connects = 0;  ///< calls of connect() so far

    /// Breaks every connection: both ends are told.
    void cut() {
        for (const auto& c : live()) cut(c);
    }
    /// Breaks the one that was made first, or last, of those that stand. Precondition: there is one.
    void cut_first() { cut(uncut().front()); }
    void cut_last() { cut(uncut().back()); }
    /// Nothing moves, nobody is told, no connection is made or refused, until it is let go again.
    void stall(bool stalled) {
        stalled_ = stalled;
        for (const auto& c : live()) wake(c);
    }
    /// As stall(), for ever, for what is connected now: the other ends lost power.
    void strand() {
        for (const auto& c : live()) c->stranded = true;
    }
    std::size_t connections() { return live().size(); }

private:
    static constexpr std::size_t inbox_max = 256 * 1024;

    struct end {
        bool open = true;
        std::span<std::byte> into;
        unique_function<void(result<std::size_t>)> read_done;
        std::deque<shared_bytes> outgoing;
        unique_function<void(error_code)> written;
        byte_buffer inbox;  ///< arrived, not read
    };
    struct connection {
        std::array<end, 2> ends;
        bool cut = false;
        bool stranded = false;
        bool awake = false;  ///< an event that moves it is under way
    };

    void cut(const connection_ptr& c) {
        c->cut = true;
        wake(c);
    }

    std::vector<connection_ptr> live() {
        std::vector<connection_ptr> all;
        std::erase_if(connections_, [](const auto& c) { return c.expired(); });
        for (const auto& weak : connections_)
            if (auto c = weak.lock()) all.push_back(std::move(c));
        return all;
    }

    std::vector<connection_ptr> uncut() {
        auto all = live();
        std::erase_if(all, [](const auto& c) { return c->cut; });
        return all;
    }

    void wake(const connection_ptr& c) {
        if (std::exchange(c->awake, true)) return;
        runtime_.post([this, c] {
            c->awake = false;
            if (!stalled_ && !c->stranded) move(c);
        });
    }

    /// One callback at most, then again in a later event. Reads first: a busy writer keeps no reader waiting.
    void move(const connection_ptr& c) {
        for (std::size_t i = 0; i < 2; ++i)
            if (finish_read(c, c->ends[i], c->ends[1 - i])) return;
        for (std::size_t i = 0; i < 2; ++i)
            if (finish_write(c, c->ends[i], c->ends[1 - i])) return;
    }

    bool finish_write(const connection_ptr& c, end& from, end& to) {
        if (!from.open || !from.written) return false;
        while (!from.outgoing.empty() && to.inbox.size() < inbox_max && to.open && !c->cut) {
            const byte_view bytes = from.outgoing.front().view();
            const std::size_t part = std::min(bytes.size(), inbox_max - to.inbox.size());
            to.inbox.insert(to.inbox.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(part));
            from.outgoing.front() = from.outgoing.front().slice(part, bytes.size() - part);
            if (from.outgoing.front().empty()) from.outgoing.pop_front();
            wake(c);
        }
        const bool lost = c->cut || !to.open;
        if (!lost && !from.outgoing.empty()) return false;
        wake(c);
        from.outgoing.clear();
        const auto done = std::exchange(from.written, nullptr);
        done(lost ? error_code(errc::connection_lost) : error_code());
        return true;
    }

    bool finish_read(const connection_ptr& c, end& self, end& other) {
        if (!self.open || !self.read_done || (self.inbox.empty() && other.open && !c->cut)) return false;
        wake(c);
        const auto done = std::exchange(self.read_done, nullptr);
        if (c->cut || self.inbox.empty()) {
            done(error_code(c->cut ? errc::connection_lost : errc::end_of_stream));
            return true;
        }
        const std::size_t count = std::min({self.into.size(), self.inbox.size(), read_max});
        std::copy_n(self.inbox.begin(), count, self.into.begin());
        self.inbox.erase(self.inbox.begin(), self.inbox.begin() + static_cast<std::ptrdiff_t>(count));
        if (damage) damage(self.into.first(count));
        done(count);
        return true;
    }

    void connect(const std::string& address, unique_function<void(result<std::shared_ptr<stream>>)> connected) {
        ++connects;
        runtime_.post([this, address, connected = std::move(connected)]() mutable {
            if (stalled_) {
                unanswered_.push_back(std::move(connected));
                return;
            }
            const auto l = listeners_.find(address);
            if (l == listeners_.end()) return connected(error_code(errc::connection_refused));
            auto c = std::make_shared<connection>();
            connections_.push_back(c);
            const auto accepted = l->second;
            (*accepted)(std::make_shared<stream>(*this, c, 1));
            connected(std::make_shared<stream>(*this, c, 0));
        });
    }

    using accept_function = unique_function<void(std::shared_ptr<stream>)>;
    Runtime& runtime_;
    bool stalled_ = false;
    std::map<std::string, std::shared_ptr<accept_function>> listeners_;
    std::vector<std::weak_ptr<connection>> connections_;
    std::vector<unique_function<void(result<std::shared_ptr<stream>>)>> unanswered_;
};

template <class Runtime>
class loopback_network<Runtime>::stream {
public:
    stream(loopback_network& n, connection_ptr c, std::size_t which)
        : network_(n), connection_(std::move(c)), which_(which) {}
    ~stream() { close(); }
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;

    void read(std::span<std::byte> into, unique_function<void(result<std::size_t>)> done) {
        LOCKSTEP_ASSERT(!into.empty() && !self().read_done);
        self().into = into;
        self().read_done = std::move(done);
        network_.wake(connection_);
    }
    void write(std::vector<shared_bytes> buffers, unique_function<void(error_code)> done) {
        LOCKSTEP_ASSERT(!self().written);
        std::erase_if(buffers, [](const shared_bytes& b) { return b.empty(); });
        self().outgoing.assign(buffers.begin(), buffers.end());
        self().written = std::move(done);
        network_.wake(connection_);
    }
    void close() {
        if (!std::exchange(self().open, false)) return;
        self().outgoing.clear();
        const auto read_dropped = std::exchange(self().read_done, nullptr);
        const auto write_dropped = std::exchange(self().written, nullptr);
        network_.wake(connection_);
    }

private:
    end& self() { return connection_->ends[which_]; }
    loopback_network& network_;
    connection_ptr connection_;
    std::size_t which_;
};

/// The byte streams of one node.
template <class Runtime>
class loopback_network<Runtime>::node {
public:
    using stream = typename loopback_network<Runtime>::stream;

    explicit node(loopback_network& n) : network_(n) {}
    ~node() { stop_listening(); }
    node(const node&) = delete;
    node& operator=(const node&) = delete;

    result<> listen(const std::string& address, unique_function<void(std::shared_ptr<stream>)> accepted) {
        if (network_.listeners_.contains(address)) return error_code(errc::address_in_use);
        network_.listeners_[address] = std::make_shared<accept_function>(std::move(accepted));
        address_ = address;
        return {};
    }
    void stop_listening() {
        if (!address_.empty()) network_.listeners_.erase(std::exchange(address_, {}));
    }
    void connect(const std::string& address, unique_function<void(result<std::shared_ptr<stream>>)> connected) {
        network_.connect(address, std::move(connected));
    }

private:
    loopback_network& network_;
    std::string address_;
};

}  // namespace lockstep::testing
