// A watcher that needs no kernel: it says "look everywhere" at a fixed interval.
#pragma once

#include <lockstep/concepts/runtime.hpp>
#include <lockstep/concepts/watcher.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

template <runtime Runtime>
class polling_watcher {
public:
    explicit polling_watcher(Runtime& rt, duration interval = std::chrono::seconds(1)) : rt_(rt), interval_(interval) {}
    polling_watcher(const polling_watcher&) = delete;
    polling_watcher& operator=(const polling_watcher&) = delete;
    ~polling_watcher() { stop(); }

    template <class Directory>
    result<> start(const Directory&, watcher_callbacks callbacks) {
        callbacks_ = std::move(callbacks);
        alive_ = std::make_shared<int>(0);
        arm();
        return {};
    }
    template <class Directory>
    void add(const std::string&, const Directory&) {}
    void remove(const std::string&) {}

    /// A full pass that begins after the call covers every change before it.
    void flush(unique_function<void(error_code)> done) {
        rt_.post([this, alive = std::weak_ptr<int>(alive_), done = std::move(done)] {
            if (alive.expired()) return;
            poll();
            if (!alive.expired()) done(error_code{});
        });
    }

    watcher_counters counters() const noexcept {
        watcher_counters c;
        c.polls = polls_;
        c.polling = true;
        c.told_within = interval_;
        return c;
    }

    void stop() {
        rt_.cancel(timer_);
        timer_ = 0;
        alive_.reset();
    }

private:
    void arm() {
        timer_ = rt_.schedule(rt_.now() + interval_, [this, alive = std::weak_ptr<int>(alive_)] {
            poll();
            // Whoever was told may have stopped it.
            if (!alive.expired()) arm();
        });
    }

    void poll() {
        ++polls_;
        callbacks_.hints(std::vector<hint>{hint{}});
    }

    Runtime& rt_;
    duration interval_;
    watcher_callbacks callbacks_;
    timer_id timer_ = 0;
    std::uint64_t polls_ = 0;
    std::shared_ptr<int> alive_;
};

}  // namespace lockstep
