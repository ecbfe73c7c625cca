// The `kernel_events` of one incarnation: inotify on a simulated disk. One ordered bounded queue; identical adjacent
// events merge; what does not fit is lost behind one overflow; the queue dies with its process. On request it is also as
// bad as file systems of networks and stacked ones are: events are dropped without a word, repeated, late, or their halves
// come apart.
#pragma once

#include <sim/disk/sim_file_system.hpp>

#include <deque>
#include <map>
#include <memory>
#include <optional>

namespace lockstep::sim {

struct kernel_event_options {
    std::size_t queue_max = 256;      ///< events; small, so that overflows are common
    std::size_t read_max = 64;        ///< events a read() gives at most
    std::size_t watches_max = 8192;
    duration delay_max = std::chrono::milliseconds(2);
    bool fails_to_start = false;      ///< no instances left
    // One in so many; 0: none.
    std::uint64_t dropped_one_in = 0;   ///< events that nobody hears of
    std::uint64_t repeated_one_in = 0;
    std::uint64_t late_one_in = 0;      ///< times that the owner is told later than `delay_max`
    duration late_max = std::chrono::milliseconds(500);
    std::uint64_t apart_one_in = 0;     ///< renames whose second half comes after what happens next
    std::uint64_t halved_one_in = 0;    ///< renames of which one half does not come
    std::uint64_t refused_one_in = 0;   ///< watches, as if there were too many
};

struct kernel_event_counts {
    std::uint64_t overflows = 0;
    std::uint64_t merged = 0;
    std::uint64_t dropped = 0;
    std::uint64_t repeated = 0;
    std::uint64_t late = 0;
    std::uint64_t apart = 0;
    std::uint64_t halved = 0;
    std::uint64_t refused = 0;
    std::uint64_t filled_before = 0;   ///< watches on directories that were made while this ran, and had something in them by then
};

class sim_kernel_events final : disk_observer {
public:
    /// `counts`, where given, goes on over incarnations.
    sim_kernel_events(world& w, sim_disk& disk, life who, kernel_event_options options = {},
                      kernel_event_counts* counts = nullptr)
        : world_(w), disk_(disk), who_(std::move(who)), options_(options),
          random_(w.fork("kernel events", who_->node.value * 1'000'003 + who_->number)),
          faults_(w.fork("kernel event faults", who_->node.value * 1'000'003 + who_->number)),
          counts_(counts ? *counts : own_counts_) {}
    ~sim_kernel_events() { stop(); }
    sim_kernel_events(const sim_kernel_events&) = delete;
    sim_kernel_events& operator=(const sim_kernel_events&) = delete;

    result<> start(unique_function<void()> ready) {
        if (!who_->alive) return make_error_code(errc::halted);
        if (options_.fails_to_start) return make_error_code(errc::instance_limit);
        LOCKSTEP_ASSERT(!started_);
        ready_ = std::make_shared<unique_function<void()>>(std::move(ready));
        started_ = armed_ = true;
        made_before_ = disk_.last_serial();
        disk_.add_observer(*this);
        return {};
    }

    result<watch_id> add(const sim_file_system::directory& dir) {
        if (!who_->alive || !started_) return make_error_code(errc::halted);
        const inode_ptr inode = disk_.inode_of(dir.fd_);
        if (!inode || inode->links == 0) return make_error_code(errc::not_found);
        const auto known = watches_.find(inode->serial);
        if (known != watches_.end()) return known->second;
        if (watches_.size() >= options_.watches_max || faults_.one_in(options_.refused_one_in)) {
            ++counts_.refused;
            return make_error_code(errc::watch_limit);
        }
        if (inode->serial > made_before_ && !inode->entries.empty()) ++counts_.filled_before;
        return watches_.emplace(inode->serial, ++last_watch_).first->second;
    }

    void remove(watch_id id) {
        for (auto watch = watches_.begin(); watch != watches_.end(); ++watch) {
            if (watch->second != id) continue;
            watches_.erase(watch);
            push({id, event_kind::ignored, false, 0, {}});
            return;
        }
    }

    std::vector<kernel_event> read() {
        std::vector<kernel_event> out;
        while (!queue_.empty() && out.size() < options_.read_max) {
            out.push_back(std::move(queue_.front()));
            queue_.pop_front();
        }
        overflowed_ = overflowed_ && !queue_.empty();
        losing_ = losing_ && !lost_;
        armed_ = started_;
        if (!queue_.empty()) tell();
        return out;
    }

    void stop() {
        if (!std::exchange(started_, false)) return;
        disk_.remove_observer(*this);
        ready_.reset();
        watches_.clear();
        queue_.clear();
        held_back_.reset();
        armed_ = false;
    }

    /// The queue is as good as full: what comes next is lost, and all behind it until the queue was read.
    void lose() {
        losing_ = started_;
        lost_ = false;
    }
    void set_queue_max(std::size_t events) noexcept { options_.queue_max = events; }
    kernel_event_options& options() noexcept { return options_; }
    /// The faults are over. What was dropped stays dropped.
    void calm() {
        options_.dropped_one_in = options_.repeated_one_in = options_.late_one_in = options_.apart_one_in = 0;
        options_.halved_one_in = options_.refused_one_in = 0;
    }
    const kernel_event_counts& counts() const noexcept { return counts_; }

private:
    void changed(const disk_inode& directory, event_kind kind, bool is_directory, std::uint32_t cookie,
                 std::string_view name) override {
        const auto watch = watches_.find(directory.serial);
        if (!who_->alive || watch == watches_.end()) return;
        const watch_id id = watch->second;
        if (kind == event_kind::ignored) watches_.erase(watch);
        spoil({id, kind, is_directory, cookie, std::string(name)});
    }

    /// What happens to an event on its way to the queue. The kernel's own word that a watch is gone is never lost.
    void spoil(kernel_event e) {
        if (e.kind == event_kind::ignored) return push(std::move(e));
        if (faults_.one_in(options_.dropped_one_in)) {
            ++counts_.dropped;
            return;
        }
        const bool half = e.kind == event_kind::moved_from || e.kind == event_kind::moved_to;
        if (half && faults_.one_in(options_.halved_one_in)) {
            ++counts_.halved;
            return;
        }
        const bool apart = e.kind == event_kind::moved_to && !held_back_ && faults_.one_in(options_.apart_one_in);
        if (apart) return hold_back(std::move(e));
        const bool repeated = faults_.one_in(options_.repeated_one_in) && queue_.size() + 1 < options_.queue_max;
        push(e);
        if (repeated) {
            ++counts_.repeated;
            enqueue(std::move(e));
        }
        release();
    }

    /// Until the next event, or for a short while if there is none.
    void hold_back(kernel_event e) {
        ++counts_.apart;
        held_back_ = std::move(e);
        world_.after(options_.delay_max, trace_kind::kernel, nullptr, 0, [this, ready = std::weak_ptr(ready_)] {
            if (ready.lock()) release();
        });
    }
    void release() {
        if (!held_back_) return;
        kernel_event e = std::move(*held_back_);
        held_back_.reset();
        push(std::move(e));
    }

    static bool same(const kernel_event& a, const kernel_event& b) {
        return a.watch == b.watch && a.kind == b.kind && a.is_directory == b.is_directory && a.cookie == b.cookie &&
               a.name == b.name;
    }

    void push(kernel_event e) {
        if (!started_) return;
        // Linux puts `ignored` in too when the queue is full; the marker of the loss is always last.
        const bool full = losing_ || queue_.size() >= options_.queue_max;
        if (full && e.kind != event_kind::ignored) return overflow();
        if (!queue_.empty() && same(queue_.back(), e)) {
            ++counts_.merged;
            return;
        }
        enqueue(std::move(e));
    }

    void enqueue(kernel_event e) {
        queue_.push_back(std::move(e));
        tell();
    }

    void overflow() {
        lost_ = true;
        ++counts_.overflows;
        if (!overflowed_) queue_.push_back({-1, event_kind::overflow, false, 0, {}});
        overflowed_ = true;
        tell();
    }

    void tell() {
        if (!std::exchange(armed_, false)) return;
        duration delay = draw(random_, duration(1000), options_.delay_max);
        if (faults_.one_in(options_.late_one_in)) {
            ++counts_.late;
            delay = draw(faults_, options_.delay_max, options_.late_max);
        }
        world_.after(delay, trace_kind::kernel, who_, queue_.size(),
                     [ready = std::weak_ptr(ready_)] {
                         if (const auto f = ready.lock()) (*f)();
                     });
    }

    world& world_;
    sim_disk& disk_;
    life who_;
    kernel_event_options options_;
    random_generator random_;
    random_generator faults_;
    kernel_event_counts own_counts_;
    kernel_event_counts& counts_;
    bool started_ = false;
    bool armed_ = false;       ///< the next event tells the owner
    bool overflowed_ = false;  ///< an overflow waits in the queue
    bool losing_ = false;      ///< whatever comes is lost
    bool lost_ = false;        ///< something was, since that began
    watch_id last_watch_ = 0;
    std::uint64_t made_before_ = 0;   ///< the newest inode when it started
    std::shared_ptr<unique_function<void()>> ready_;
    std::map<std::uint64_t, watch_id> watches_;  ///< by the inode's serial
    std::deque<kernel_event> queue_;
    std::optional<kernel_event> held_back_;
};

static_assert(kernel_events<sim_kernel_events, sim_file_system::directory>);

}  // namespace lockstep::sim
