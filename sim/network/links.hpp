// Which machine hears which, and how late. Shared by both models of the network.
#pragma once

#include <sim/disk/sim_disk.hpp>

#include <set>

namespace lockstep::sim {

struct link_options {
    duration delay_min = std::chrono::microseconds(50);
    duration delay_max = std::chrono::milliseconds(2);
    std::uint64_t slow_one_in = 200;  ///< much later than that; 0: never
    duration slow_max = std::chrono::milliseconds(80);
};

class links {
public:
    links(world& w, link_options options = {}) : options_(options), random_(w.fork("links")) {}

    bool open(node_id from, node_id to) const { return !cut_.contains({from, to}); }
    /// Cuts or mends one direction.
    void set(node_id from, node_id to, bool is_open) {
        if (is_open) cut_.erase({from, to});
        else cut_.insert({from, to});
    }
    void heal() { cut_.clear(); }
    /// A machine without power answers nothing, not even that nobody is there.
    void set_down(node_id node, bool is_down) {
        if (is_down) down_.insert(node);
        else down_.erase(node);
    }
    bool is_down(node_id node) const { return down_.contains(node); }
    bool whole() const noexcept { return cut_.empty(); }

    duration delay() {
        if (random_.one_in(options_.slow_one_in)) return draw(random_, options_.delay_max, options_.slow_max);
        return draw(random_, options_.delay_min, options_.delay_max);
    }
    /// The faults are over.
    void calm() {
        heal();
        options_.slow_one_in = 0;
    }

    /// How long something that is stuck waits until it looks again, as a retransmission does.
    static constexpr duration retry = std::chrono::milliseconds(40);

private:
    link_options options_;
    random_generator random_;
    std::set<std::pair<node_id, node_id>> cut_;
    std::set<node_id> down_;
};

}  // namespace lockstep::sim
