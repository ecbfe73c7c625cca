// A state of the whole cluster: small, because nodes and messages are numbers here (interned.hpp), and the same few
// come in millions of states.
#pragma once

#include <sim/explore/bounds.hpp>
#include <sim/explore/packed_log.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace lockstep::sim::explore {

/// How much of each bound is left.
struct allowance {
    std::uint8_t crashes = 0, drops = 0, repeats = 0, overtakes = 0, heartbeats = 0, lapses = 0, stalls = 0, timeouts = 0;

    std::uint64_t packed() const noexcept {
        std::uint64_t all = 0;
        for (const std::uint8_t n : {crashes, drops, repeats, overtakes, heartbeats, lapses, stalls, timeouts}) all = all << 8 | n;
        return all;
    }
};

/// Whether `a` leaves at least as much of everything as `b`; both packed, and no number above 127.
inline bool leaves_as_much(std::uint64_t a, std::uint64_t b) noexcept {
    constexpr std::uint64_t tops = 0x8080808080808080u;
    return (((a | tops) - b) & tops) == tops;
}

/// What the properties have to remember beside what the nodes hold.
struct memory {
    packed_log committed;                                    ///< everything that any node ever counted as committed
    std::uint8_t committed_in = 0;                           ///< the latest term in which that was
    std::array<std::uint8_t, terms_max + 1> leader_of{};     ///< by term; 0: nobody
    std::array<std::uint8_t, reads_max> owed{};              ///< of each unanswered read: 1 + the index that it must reach
};

/// A message on its way: its link in the upper bits, so that messages are in order by link, and by age within one.
struct flying {
    static constexpr unsigned link_shift = 24;
    static constexpr std::size_t messages_max = std::size_t{1} << link_shift;

    std::uint32_t value = 0;

    std::uint32_t message() const noexcept { return value & ((std::uint32_t{1} << link_shift) - 1); }
    std::uint32_t link() const noexcept { return value >> link_shift; }
    friend bool operator==(flying, flying) = default;
};

inline std::uint32_t link_of(std::uint64_t from, std::uint64_t to) noexcept {
    return static_cast<std::uint32_t>((from - 1) * nodes_max + (to - 1));
}
inline std::uint8_t sender_of(std::uint32_t link) noexcept { return static_cast<std::uint8_t>(link / nodes_max + 1); }
inline std::uint8_t receiver_of(std::uint32_t link) noexcept { return static_cast<std::uint8_t>(link % nodes_max + 1); }

struct cluster_state {
    static constexpr std::size_t flying_max = 40;

    std::array<std::uint32_t, nodes_max> members{};
    allowance left;
    std::uint8_t proposed = 0;
    std::uint8_t reads = 0;
    memory known;
    std::uint8_t count = 0;
    std::array<flying, flying_max> messages;  // as many as `count`; must be the last member

    std::size_t begin_of(std::uint32_t link) const noexcept {
        std::size_t at = 0;
        while (at < count && messages[at].link() < link) ++at;
        return at;
    }
    std::size_t count_of(std::uint32_t link) const noexcept {
        std::size_t n = 0;
        for (std::size_t at = begin_of(link); at < count && messages[at].link() == link; ++at) ++n;
        return n;
    }
    void remove(std::size_t at) noexcept {
        for (std::size_t i = at + 1; i < count; ++i) messages[i - 1] = messages[i];
        --count;
    }
    /// Precondition: below flying_max.
    void insert(std::size_t at, flying f) noexcept {
        for (std::size_t i = count; i > at; --i) messages[i] = messages[i - 1];
        messages[at] = f;
        ++count;
    }
};

/// States in a row, each as long as it needs to be.
class state_queue {
public:
    bool empty() const noexcept { return read_ == bytes_.size(); }
    std::size_t bytes() const noexcept { return bytes_.capacity(); }

    void push(const cluster_state& s) {
        const auto* const from = reinterpret_cast<const std::byte*>(&s);
        bytes_.insert(bytes_.end(), from, from + head + s.count * sizeof(flying));
    }
    void pop(cluster_state& s) {
        std::memcpy(static_cast<void*>(&s), bytes_.data() + read_, head);
        std::memcpy(s.messages.data(), bytes_.data() + read_ + head, s.count * sizeof(flying));
        read_ += head + s.count * sizeof(flying);
    }
    void clear() noexcept {
        bytes_.clear();
        read_ = 0;
    }

private:
    static constexpr std::size_t head = offsetof(cluster_state, messages);

    std::vector<std::byte> bytes_;
    std::size_t read_ = 0;
};

}  // namespace lockstep::sim::explore
