// What is due in a simulated world, the earliest first: a heap of small keys over slots that hold the events. An event that
// is taken back leaves its key behind, which is dropped when it comes up, or when such keys are the greater part.
#pragma once

#include <lockstep/base/assert.hpp>
#include <lockstep/base/time.hpp>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace lockstep::sim {

/// Names a scheduled event; also its place in the order of things: time first, then the order of scheduling.
struct event_key {
    time_point at{};
    std::uint64_t sequence = 0;  ///< never used again; 0: none
    std::uint32_t slot = 0;
    friend auto operator<=>(const event_key&, const event_key&) = default;
};

/// `Event` is moved, never copied; one that was moved from holds nothing. It may do anything to the queue when it is destroyed.
template <class Event>
class event_queue {
public:
    /// O(log n), and no allocation once there were as many events.
    event_key add(time_point at, Event&& e) {
        std::uint32_t slot = static_cast<std::uint32_t>(slots_.size());
        if (free_.empty()) {
            slots_.emplace_back();
        } else {
            slot = free_.back();
            free_.pop_back();
        }
        slots_[slot].event = std::move(e);
        return push(at, slot);
    }

    /// Does nothing where that event has been taken, or was put off.
    void remove(const event_key& key) {
        if (!is_due(key)) return;
        const Event gone = vacate(key.slot);
        if (++stale_ > heap_.size() / 2 && heap_.size() >= cleaned_from) clean();
    }

    /// The key of the earliest event; null: there is none.
    const event_key* first() {
        while (!heap_.empty() && !is_due(heap_.front())) {
            --stale_;
            pop();
        }
        return heap_.empty() ? nullptr : &heap_.front();
    }
    // Of the earliest one: first() was asked, and gave a key.
    const Event& front() const { return slots_[heap_.front().slot].event; }
    Event take_first() {
        const std::uint32_t slot = heap_.front().slot;
        pop();
        return vacate(slot);
    }
    /// It goes behind all that is scheduled for that time by now. Its key names nothing any more.
    void put_off_first(time_point at) {
        const std::uint32_t slot = heap_.front().slot;
        pop();
        push(at, slot);
    }

    /// Takes all those out that `which` picks, in their order.
    template <class Predicate>
    std::vector<Event> take_if(Predicate which) {
        std::vector<event_key> keys;
        for (const event_key& key : heap_)
            if (is_due(key) && which(slots_[key.slot].event)) keys.push_back(key);
        std::sort(keys.begin(), keys.end());
        std::vector<Event> taken;
        taken.reserve(keys.size());
        for (const event_key& key : keys) taken.push_back(vacate(key.slot));
        stale_ += keys.size();
        clean();
        return taken;
    }

    std::size_t size() const noexcept { return heap_.size() - stale_; }

private:
    struct place {
        std::uint64_t sequence = 0;  ///< of the event that is here; 0: free
        Event event{};
    };

    /// Children of one node: four keys are two cache lines, and the heap is half as deep as with two.
    static constexpr std::size_t fanout = 4;
    /// A smaller heap is not cleaned.
    static constexpr std::size_t cleaned_from = 64;

    bool is_due(const event_key& key) const {
        return key.sequence != 0 && key.slot < slots_.size() && slots_[key.slot].sequence == key.sequence;
    }

    Event vacate(std::uint32_t at) {
        slots_[at].sequence = 0;
        free_.push_back(at);
        return std::move(slots_[at].event);
    }

    static bool is_before(const event_key& a, const event_key& b) {
        return a.at != b.at ? a.at < b.at : a.sequence < b.sequence;
    }

    event_key push(time_point at, std::uint32_t slot) {
        const event_key key{at, ++last_, slot};
        slots_[slot].sequence = key.sequence;
        heap_.push_back(key);
        std::size_t hole = heap_.size() - 1;
        while (hole != 0) {
            const std::size_t above = (hole - 1) / fanout;
            if (!is_before(key, heap_[above])) break;
            heap_[hole] = heap_[above];
            hole = above;
        }
        heap_[hole] = key;
        return key;
    }

    void pop() {
        const event_key last = heap_.back();
        heap_.pop_back();
        if (!heap_.empty()) sink(0, last);
    }

    /// Puts a key where a hole is, or as far below as it belongs.
    void sink(std::size_t hole, event_key key) {
        for (;;) {
            const std::size_t begin = hole * fanout + 1;
            if (begin >= heap_.size()) break;
            const std::size_t end = std::min(begin + fanout, heap_.size());
            std::size_t least = begin;
            for (std::size_t child = begin + 1; child < end; ++child)
                if (is_before(heap_[child], heap_[least])) least = child;
            if (!is_before(heap_[least], key)) break;
            heap_[hole] = heap_[least];
            hole = least;
        }
        heap_[hole] = key;
    }

    /// Drops the keys of what is gone.
    void clean() {
        std::erase_if(heap_, [this](const event_key& key) { return !is_due(key); });
        stale_ = 0;
        for (std::size_t i = heap_.size(); i-- > 0;) sink(i, heap_[i]);
    }

    std::vector<event_key> heap_;
    std::vector<place> slots_;
    std::vector<std::uint32_t> free_;
    std::size_t stale_ = 0;  ///< keys in the heap that name nothing any more
    std::uint64_t last_ = 0;
};

}  // namespace lockstep::sim
