// What every `transport` must do (docs/concepts/transport.md), as checks to run on a model of your own.
//
// A Fixture is a few machines on a network of their own, made anew for each check:
//     using transport = …;
//     std::unique_ptr<transport> make(node_id);  a transport, not started, on the machine of nodes 1 to 3
//     std::string address(node_id);              where that machine listens
//     bool drive(predicate, duration most);      runs the loop until predicate() holds; false if not in time
// check_transport<Fixture>() returns what failed, a line each; nothing means that all is well.
#pragma once

#include <lockstep/base/time.hpp>
#include <lockstep/concepts/transport.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::testing {

template <class Fixture>
class transport_check {
    using transport_type = typename Fixture::transport;
    static_assert(transport<transport_type>);

public:
    std::vector<std::string> run() {
        run("frames arrive whole and in order", [](auto& c) { c.exchange(); });
        run("a hello comes before the first frame", [](auto& c) { c.introduction(); });
        run("a full queue drops", [](auto& c) { c.full_queue(); });
        run("each channel keeps its order", [](auto& c) { c.both_channels(); });
        run("a full queue of bulk refuses, and tells when to go on", [](auto& c) { c.full_bulk(); });
        run("control does not wait behind bulk", [](auto& c) { c.control_first(); });
        run("an unknown or unconnected peer gets nothing", [](auto& c) { c.nobody(); });
        run("an address that is another node's", [](auto& c) { c.wrong_node(); });
        run("another cluster", [](auto& c) { c.other_cluster(); });
        run("a node that is not a peer", [](auto& c) { c.not_a_peer(); });
        run("a peer goes and comes back", [](auto& c) { c.back_again(); });
        run("an address in use", [](auto& c) { c.address_in_use(); });
        run("stopped or destroyed inside a callback", [](auto& c) { c.stop_inside(); });
        return std::move(failures_);
    }

private:
    static constexpr channel control = channel::control;
    static constexpr channel bulk = channel::bulk;
    static constexpr duration patience = std::chrono::seconds(20);
    static constexpr duration moment = std::chrono::milliseconds(300);

    /// A transport and what it told.
    struct machine {
        std::unique_ptr<transport_type> link;
        std::vector<std::pair<node_id, shared_bytes>> frames;  ///< on control
        std::vector<std::pair<node_id, shared_bytes>> bulk;
        std::size_t drained = 0;
        std::function<void(node_id)> on_drained;
        std::vector<hello> hellos;
        std::vector<node_id> lost;
        std::vector<std::string> problems;
        std::vector<node_id> foreign;
        bool frame_from_stranger = false;
    };

    template <class Check>
    void run(std::string name, Check check) {
        name_ = std::move(name);
        fixture_ = std::make_unique<Fixture>();
        check(*this);
        machines_.clear();
        fixture_ = nullptr;
    }
    bool expect(bool held, const char* what) {
        if (!held) failures_.push_back(name_ + ": " + what);
        return held;
    }
    template <class Predicate>
    bool wait(Predicate p) {
        return fixture_->drive(p, patience);
    }
    void pass(duration time) {
        fixture_->drive([] { return false; }, time);
    }

    static hello identity(std::uint64_t id, std::uint64_t cluster) {
        return {node_id(id), disk_id::from(id, 77), cluster ? cluster_id::from(cluster, cluster) : cluster_id()};
    }

    /// Starts a node on its machine; `peers` are node ids, each at its own address unless another is given.
    machine& start(std::uint64_t id, std::vector<std::uint64_t> peers, std::uint64_t cluster = 0,
                   std::map<std::uint64_t, std::string> elsewhere = {}) {
        machine& m = machines_[id];
        m = machine();
        m.link = fixture_->make(node_id(id));
        std::vector<peer_address> list;
        for (const auto p : peers)
            list.push_back({node_id(p), elsewhere.contains(p) ? elsewhere[p] : fixture_->address(node_id(p))});
        transport_callbacks c;
        c.frame = [&m](node_id from, channel on, shared_bytes f) {
            bool introduced = false;
            for (const auto& h : m.hellos) introduced |= h.node == from;
            m.frame_from_stranger |= !introduced;
            (on == bulk ? m.bulk : m.frames).emplace_back(from, std::move(f));
        };
        c.drained = [&m](node_id n) {
            ++m.drained;
            if (m.on_drained) m.on_drained(n);
        };
        c.connected = [&m](const hello& h) { m.hellos.push_back(h); };
        c.disconnected = [&m](node_id n) { m.lost.push_back(n); };
        c.problem = [&m](std::string text) { m.problems.push_back(std::move(text)); };
        c.another_cluster = [&m](node_id n) { m.foreign.push_back(n); };
        const auto started = m.link->start(identity(id, cluster), fixture_->address(node_id(id)), list, std::move(c));
        expect(started.has_value(), "start failed");
        return m;
    }
    bool connected(std::uint64_t from, std::uint64_t to) {
        return expect(wait([&] { return machines_[from].link->is_connected(node_id(to), control); }), "no connection");
    }

    /// The first frame on bulk is refused and has the connection made.
    bool bulk_connected(std::uint64_t from, std::uint64_t to) {
        machine& m = machines_[from];
        const std::size_t before = m.drained;
        expect(!m.link->send(node_id(to), bulk, numbered(0, 1)), "bulk is connected before it was wanted");
        const bool told = expect(wait([&] { return m.drained > before; }), "nobody told that bulk may go on");
        return told && expect(m.link->is_connected(node_id(to), bulk), "no connection for bulk");
    }

    static shared_bytes numbered(std::size_t number, std::size_t bytes) {
        byte_buffer b(bytes);
        for (std::size_t i = 0; i < bytes; ++i) b[i] = static_cast<std::byte>((number * 131 + i * 7 + i / 256) & 0xff);
        return shared_bytes(std::move(b));
    }

    void exchange() {
        machine& a = start(1, {2});
        machine& b = start(2, {1});
        if (!connected(1, 2) || !connected(2, 1)) return;
        constexpr std::size_t count = 1000;
        const auto size = [](std::size_t i) { return i == 500 ? std::size_t(5u << 20) : i * i % 40'000; };
        for (std::size_t i = 0; i < count; ++i) {
            expect(a.link->send(node_id(2), control, numbered(i, size(i))), "a frame was dropped");
            expect(b.link->send(node_id(1), control, numbered(i + 1, i % 100)), "a frame was dropped");
        }
        expect(a.frames.empty() && b.frames.empty(), "a callback came from inside send()");
        expect(wait([&] { return a.frames.size() >= count && b.frames.size() >= count; }), "not all frames arrived");
        bool right = a.frames.size() == count && b.frames.size() == count;
        for (std::size_t i = 0; right && i < count; ++i)
            right = b.frames[i].first == node_id(1) && b.frames[i].second == numbered(i, size(i)) &&
                    a.frames[i].first == node_id(2) && a.frames[i].second == numbered(i + 1, i % 100);
        expect(right, "other frames arrived");
        expect(wait([&] { return a.link->queued_bytes(node_id(2), control) == 0; }), "something stays queued");
        expect(a.link->counters().frames_sent == count, "sent frames are counted wrongly");
        expect(b.link->counters().frames_received == count, "received frames are counted wrongly");
    }

    void introduction() {
        machine& a = start(1, {2});
        machine& b = start(2, {1}, 5);
        if (!connected(1, 2) || !connected(2, 1)) return;
        a.link->send(node_id(2), control, numbered(1, 10));
        if (!expect(wait([&] { return !b.frames.empty(); }), "the frame did not arrive")) return;
        expect(!b.frame_from_stranger, "a frame before its sender's hello");
        if (!bulk_connected(2, 1)) return;
        expect(b.link->send(node_id(1), bulk, numbered(1, 10)), "a frame was dropped");
        if (!expect(wait([&] { return !a.bulk.empty(); }), "the frame did not arrive")) return;
        expect(!a.frame_from_stranger, "a frame on bulk before its sender's hello");
        expect(a.hellos.size() <= 2 && b.hellos.size() <= 2, "bulk was told as a connection");
        expect(b.hellos.front() == identity(1, 0), "node 1 was introduced as another");
        expect(!a.hellos.empty() && a.hellos.front() == identity(2, 5), "node 2 was introduced as another");
    }

    void full_queue() {
        machine& a = start(1, {2});
        machine& b = start(2, {1});
        if (!connected(1, 2) || !connected(2, 1)) return;
        std::size_t sent = 0;
        const shared_bytes frame = numbered(1, 1u << 20);
        while (sent < 2000 && a.link->send(node_id(2), control, frame)) ++sent;
        expect(sent > 0 && sent < 2000, "the queue has no bound");
        expect(a.link->queued_bytes(node_id(2), control) <= sent * frame.size(), "more is queued than was sent");
        expect(a.link->counters().frames_dropped == 1, "the dropped frame is not counted");
        expect(wait([&] { return b.frames.size() >= sent; }), "a frame was lost after send() took it");
        expect(a.link->send(node_id(2), control, frame), "the queue stays full");
    }

    void both_channels() {
        machine& a = start(1, {2});
        machine& b = start(2, {1});
        if (!connected(1, 2)) return;
        constexpr std::size_t count = 600;
        const auto size = [](std::size_t i) { return i == 300 ? std::size_t(20u << 20) : i * i % 200'000; };
        std::size_t sent = 0;
        const auto produce = [&] {
            while (sent < count && a.link->send(node_id(2), bulk, numbered(sent, size(sent)))) ++sent;
        };
        a.on_drained = [&](node_id to) {
            expect(to == node_id(2), "another node was named");
            produce();
        };
        produce();
        expect(a.drained == 0, "a callback came from inside send()");
        std::size_t controls = 0;
        const auto done = [&] {
            if (controls < 200 && a.link->send(node_id(2), control, numbered(controls, controls))) ++controls;
            return b.bulk.size() >= count && b.frames.size() >= 200;
        };
        if (!expect(wait(done), "not all frames arrived")) return;
        bool right = b.bulk.size() == count && b.frames.size() == 200;
        for (std::size_t i = 0; right && i < count; ++i)
            right = b.bulk[i].first == node_id(1) && b.bulk[i].second == numbered(i, size(i));
        for (std::size_t i = 0; right && i < 200; ++i) right = b.frames[i].second == numbered(i, i);
        expect(right, "other frames arrived");
        expect(wait([&] { return a.link->queued_bytes(node_id(2), bulk) == 0; }), "something stays queued");
        std::size_t payloads = 0;
        for (const auto& f : b.bulk) payloads += f.second.size();
        const transport_counters out = a.link->counters(), in = b.link->counters();
        expect(out.bulk_bytes_sent >= payloads && out.bulk_bytes_sent < out.bytes_sent, "sent bytes are counted wrongly");
        expect(in.bulk_bytes_received >= payloads && in.bulk_bytes_received < in.bytes_received,
               "received bytes are counted wrongly");
    }

    /// Fills the queue of bulk from node 1 to node 2; how many frames it took.
    std::size_t fill_bulk(const shared_bytes& frame) {
        std::size_t sent = 0;
        while (sent < 2000 && machines_[1].link->send(node_id(2), bulk, frame)) ++sent;
        expect(sent > 0 && sent < 2000, "the queue has no bound");
        return sent;
    }

    void full_bulk() {
        machine& a = start(1, {2});
        machine& b = start(2, {1});
        if (!connected(1, 2) || !bulk_connected(1, 2)) return;
        const shared_bytes frame = numbered(1, 1u << 20);
        const std::size_t sent = fill_bulk(frame);
        const std::size_t full = a.link->queued_bytes(node_id(2), bulk);
        expect(full <= sent * frame.size(), "more is queued than was sent");
        expect(a.link->queued_bytes(node_id(2), control) == 0, "bulk counts as control");
        expect(a.link->send(node_id(2), control, frame), "a full queue of bulk stops control");
        std::size_t left = full;
        a.on_drained = [&](node_id to) { left = a.link->queued_bytes(to, bulk); };
        expect(wait([&] { return a.drained == 2; }), "nobody told that bulk may go on");
        expect(left <= full / 2, "told to go on while more than half is queued");
        expect(wait([&] { return b.bulk.size() >= sent; }), "a frame was lost after send() took it");
        expect(a.link->send(node_id(2), bulk, frame), "the queue stays full");
        pass(moment);
        expect(a.drained == 2, "told again without having been asked");
    }

    void control_first() {
        machine& a = start(1, {2});
        machine& b = start(2, {1});
        if (!connected(1, 2) || !bulk_connected(1, 2)) return;
        const std::size_t sent = fill_bulk(numbered(1, 1u << 20));
        expect(a.link->send(node_id(2), control, numbered(1, 100)), "a full queue of bulk stops control");
        expect(wait([&] { return !b.frames.empty(); }), "the frame did not arrive");
        expect(b.bulk.size() < sent / 2, "bulk that was queued before went first");
        expect(wait([&] { return b.bulk.size() == sent; }), "a frame was lost after send() took it");
    }

    void nobody() {
        machine& a = start(1, {2});
        expect(!a.link->send(node_id(2), control, numbered(1, 1)), "a frame was taken for a peer that is not there");
        expect(!a.link->send(node_id(3), control, numbered(1, 1)), "a frame was taken for an unknown node");
        expect(!a.link->send(node_id(2), bulk, numbered(1, 1)), "a frame was taken for a peer that is not there");
        expect(!a.link->send(node_id(3), bulk, numbered(1, 1)), "a frame was taken for an unknown node");
        expect(a.link->counters().frames_dropped == 4, "dropped frames are not counted");
        expect(!a.link->is_connected(node_id(2), bulk) && !a.link->is_connected(node_id(3), bulk), "bulk to nobody");
        pass(moment);
        expect(a.drained == 0, "told to go on with nobody");
        expect(!a.link->is_connected(node_id(2), control), "connected to nobody");
        expect(a.link->queued_bytes(node_id(2), control) == 0, "something is queued for nobody");
    }

    void wrong_node() {
        start(3, {1});
        machine& a = start(1, {2, 3}, 0, {{2, fixture_->address(node_id(3))}});
        if (!connected(1, 3)) return;
        expect(wait([&] { return !a.problems.empty(); }), "no problem was told");
        pass(moment);
        expect(!a.link->is_connected(node_id(2), control), "connected to another node than meant");
        expect(a.problems.size() == 1, "told more than once");
        expect(a.link->counters().rejected > 0, "not counted");
    }

    void other_cluster() {
        machine& a = start(1, {2}, 4);
        machine& b = start(2, {1}, 5);
        expect(wait([&] { return !a.problems.empty() && !b.problems.empty(); }), "no problem was told");
        pass(moment);
        const bool met = a.link->is_connected(node_id(2), control) || b.link->is_connected(node_id(1), control);
        expect(!met, "connected to another cluster");
        expect(a.hellos.empty() && b.hellos.empty(), "a node of another cluster was introduced");
        expect(wait([&] { return !a.foreign.empty() && !b.foreign.empty(); }), "a node of another cluster was not named");
        expect(a.foreign.at(0) == node_id(2) && b.foreign.at(0) == node_id(1), "another node was named");
        // New handshakes tell what set_cluster() said.
        b.link->set_cluster(identity(2, 4).cluster);
        if (!connected(1, 2) || !connected(2, 1)) return;
        expect(a.hellos.front().cluster == identity(2, 4).cluster, "the old cluster was told");
    }

    void not_a_peer() {
        machine& a = start(1, {2});
        machine& b = start(2, {3});
        expect(wait([&] { return !b.problems.empty() && !a.problems.empty(); }), "no problem was told");
        pass(moment);
        expect(!a.link->is_connected(node_id(2), control) && b.hellos.empty(), "a stranger was let in");
        expect(b.link->counters().rejected > 0, "not counted");
    }

    void back_again() {
        machine& a = start(1, {2});
        start(2, {1});
        for (std::size_t round = 1; round <= 3; ++round) {
            if (!connected(1, 2) || !connected(2, 1)) return;
            a.link->send(node_id(2), control, numbered(round, 100));
            expect(wait([&] { return !machines_[2].frames.empty(); }), "the frame did not arrive");
            // Bulk comes back by itself, to a producer that waits too.
            if (round == 1 && !bulk_connected(1, 2)) return;
            expect(wait([&] { return a.drained == round; }), "nobody told that bulk may go on");
            expect(a.link->send(node_id(2), bulk, numbered(round, 200)), "bulk did not come back");
            expect(wait([&] { return !machines_[2].bulk.empty(); }), "the frame on bulk did not arrive");
            machines_[2].link = nullptr;
            expect(wait([&] { return a.lost.size() == round; }), "nobody told that the peer is gone");
            expect(!a.link->is_connected(node_id(2), control), "still connected");
            expect(wait([&] { return !a.link->send(node_id(2), bulk, numbered(round, 300)); }), "bulk to nobody");
            start(2, {1});
        }
        if (!connected(1, 2)) return;
        expect(a.link->counters().connects >= 4, "not counted");
    }

    void address_in_use() {
        machine& a = start(1, {});
        const auto second = fixture_->make(node_id(2));
        const auto started = second->start(identity(2, 0), fixture_->address(node_id(1)), {}, {});
        expect(!started && started.error() == errc::address_in_use, "not address_in_use");
        a.link->stop();
        a.link->stop();
        const auto third = fixture_->make(node_id(2));
        expect(third->start(identity(2, 0), fixture_->address(node_id(1)), {}, {}).has_value(), "stop() keeps it");
    }

    void stop_inside() {
        for (const int way : {0, 1, 2, 3}) {
            const bool destroy = way % 2 == 1, on_bulk = way >= 2;
            start(1, {2});
            auto b = fixture_->make(node_id(2));
            bool stopped = false;
            std::size_t late = 0;
            const auto leave = [&] {
                late += stopped;
                stopped = true;
                if (destroy) b.reset();
                else b->stop();
            };
            transport_callbacks c;
            c.frame = [&](node_id, channel, shared_bytes) { leave(); };
            c.drained = [&](node_id) { on_bulk ? leave() : void(late += stopped); };
            c.connected = [&](const hello&) { late += stopped; };
            c.disconnected = [&](node_id) { late += stopped; };
            c.problem = [&](std::string) { late += stopped; };
            const std::string at = fixture_->address(node_id(2));
            const peer_address peer{node_id(1), fixture_->address(node_id(1))};
            expect(b->start(identity(2, 0), at, {peer}, std::move(c)).has_value(), "start failed");
            if (!connected(1, 2)) return;
            if (on_bulk) b->send(node_id(1), bulk, numbered(0, 1000));
            else for (std::size_t i = 0; i < 10; ++i) machines_[1].link->send(node_id(2), control, numbered(i, 1000));
            expect(wait([&] { return stopped; }), on_bulk ? "nobody told that bulk may go on" : "no frame arrived");
            pass(moment);
            expect(late == 0, "a callback after stop()");
            machines_.clear();
        }
    }

    std::string name_;
    std::vector<std::string> failures_;
    std::unique_ptr<Fixture> fixture_;
    std::map<std::uint64_t, machine> machines_;
};

/// Runs every check; what failed.
template <class Fixture>
std::vector<std::string> check_transport() {
    return transport_check<Fixture>().run();
}

}  // namespace lockstep::testing
