// Which machine hears which, how late, how much at a time, and what gets lost on the way. Shared by both models of the
// network: one loses the packets that are lost here, the other one sends them again, as TCP does.
#pragma once

#include <sim/disk/sim_disk.hpp>
#include <sim/network/delays.hpp>
#include <sim/network/partition.hpp>

#include <map>
#include <optional>
#include <set>

namespace lockstep::sim {

struct link_options {
    duration delay_min = std::chrono::microseconds(50);
    duration delay_max = std::chrono::milliseconds(2);
    delay_shape shape = delay_shape::uniform;
    std::uint64_t slow_one_in = 200;  ///< much later than that; 0: never
    duration slow_max = std::chrono::milliseconds(80);
    std::uint64_t lost_one_in = 0;    ///< packets; 0: none
    /// Packets of a link at which a burst begins there: the next ones, `burst_packets` on average, are all as slow as
    /// the slow ones. 0: never.
    std::uint64_t burst_one_in = 0;
    std::uint64_t burst_packets = 20;
    std::uint64_t bytes_per_second = 0;  ///< of each link; 0: any number
    std::size_t queue_bytes_max = 256 * 1024;  ///< that wait for this width; what comes on top is lost
};

struct link_counts {
    std::uint64_t slow = 0;
    std::uint64_t bursts = 0;
    std::uint64_t lost = 0;
    std::uint64_t queue_full = 0;  ///< lost because of that
    std::uint64_t sent_again = 0;  ///< on connections
};

class links {
public:
    links(world& w, link_options options = {})
        : world_(w), options_(options), random_(w.fork("links")), faults_(w.fork("link faults")) {}

    bool open(node_id from, node_id to) const {
        return !cut_.contains({from, to}) && !apart_.contains(from) && !apart_.contains(to);
    }
    /// Cuts a node off from all others, whatever is cut and mended beside.
    void set_apart(node_id node, bool is_apart) {
        if (is_apart) apart_.insert(node);
        else apart_.erase(node);
    }
    /// Cuts or mends one direction.
    void set(node_id from, node_id to, bool is_open) {
        if (is_open) cut_.erase({from, to});
        else cut_.insert({from, to});
    }
    /// Cuts these too.
    void cut(const cut_links& more) { cut_.insert(more.begin(), more.end()); }
    void heal() { cut_.clear(); }
    const cut_links& cut() const noexcept { return cut_; }
    /// A machine without power answers nothing, not even that nobody is there.
    void set_down(node_id node, bool is_down) {
        if (is_down) down_.insert(node);
        else down_.erase(node);
    }
    bool is_down(node_id node) const { return down_.contains(node); }
    bool whole() const noexcept { return cut_.empty(); }
    /// What goes through one link in a second, instead of what the options say.
    void set_width(node_id from, node_id to, std::uint64_t bytes_per_second) {
        ways_[{from, to}].bytes_per_second = bytes_per_second;
    }
    bool has_width(node_id from, node_id to) const {
        const auto known = ways_.find({from, to});
        return (known == ways_.end() ? options_.bytes_per_second : width_of(known->second)) != 0;
    }
    link_options& options() noexcept { return options_; }
    const link_counts& counts() const noexcept { return counts_; }

    /// Of something small that is not lost.
    duration delay() {
        if (random_.one_in(options_.slow_one_in)) {
            ++counts_.slow;
            return draw(random_, options_.delay_max, options_.slow_max);
        }
        return draw(random_, options_.shape, options_.delay_min, options_.delay_max, options_.slow_max);
    }

    /// How long a packet takes from one machine to another; nothing where it gets lost.
    std::optional<duration> travel(node_id from, node_id to, std::size_t bytes) {
        way& w = ways_[{from, to}];
        const duration takes = is_in_burst(w) ? draw(random_, options_.delay_max, options_.slow_max) : delay();
        const std::optional<duration> waits = queue(w, bytes);
        if (!waits) return std::nullopt;
        if (faults_.one_in(options_.lost_one_in)) {
            ++counts_.lost;
            return std::nullopt;
        }
        return *waits + takes;
    }

    /// The same on a connection: what gets lost is sent again, after a time that doubles, and all behind it waits.
    duration travel_surely(node_id from, node_id to, std::size_t bytes) {
        duration late{};
        for (duration pause = send_again; pause <= send_again_max; pause *= 2) {
            if (const auto takes = travel(from, to, bytes)) return late + *takes;
            late += pause;
            ++counts_.sent_again;
        }
        return late + delay();
    }

    /// The faults are over.
    void calm() {
        heal();
        options_.slow_one_in = options_.lost_one_in = options_.burst_one_in = options_.bytes_per_second = 0;
        options_.shape = delay_shape::uniform;
        ways_.clear();
    }

    /// How long something that is stuck waits until it looks again, as a retransmission does.
    static constexpr duration retry = std::chrono::milliseconds(40);
    /// Linux' shortest time-out of a retransmission, and the longest one here.
    static constexpr duration send_again = std::chrono::milliseconds(200);
    static constexpr duration send_again_max = std::chrono::milliseconds(3200);

private:
    struct way {
        std::optional<std::uint64_t> bytes_per_second;
        time_point busy_until{};
        bool in_burst = false;
    };

    std::uint64_t width_of(const way& w) const { return w.bytes_per_second.value_or(options_.bytes_per_second); }

    bool is_in_burst(way& w) {
        if (w.in_burst) w.in_burst = !faults_.one_in(options_.burst_packets);
        else if (faults_.one_in(options_.burst_one_in)) {
            w.in_burst = true;
            ++counts_.bursts;
        }
        return w.in_burst;
    }

    /// How long a packet waits for the way to be free and takes to get on it; nothing where the queue is full.
    std::optional<duration> queue(way& w, std::size_t bytes) {
        __extension__ using wide = unsigned __int128;
        const std::uint64_t width = width_of(w);
        if (width == 0) return duration::zero();
        const time_point free = std::max(w.busy_until, world_.now());
        const auto ahead = static_cast<wide>((free - world_.now()).count()) * width / 1'000'000'000;
        if (ahead != 0 && ahead + bytes > options_.queue_bytes_max) {
            ++counts_.queue_full;
            return std::nullopt;
        }
        const wide takes = static_cast<wide>(bytes) * 1'000'000'000 / width;
        w.busy_until = free + duration(static_cast<duration::rep>(takes));
        return w.busy_until - world_.now();
    }

    world& world_;
    link_options options_;
    random_generator random_;
    random_generator faults_;  ///< apart, so that a fault that is off shifts no delay
    link_counts counts_;
    std::map<directed_link, way> ways_;
    cut_links cut_;
    std::set<node_id> down_;
    std::set<node_id> apart_;
};

}  // namespace lockstep::sim
