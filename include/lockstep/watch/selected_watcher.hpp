// The watcher that a user asked for, or the best that the machine gives.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/concepts/policies.hpp>
#include <lockstep/watch/inotify_watcher.hpp>
#include <lockstep/watch/polling_watcher.hpp>

#include <memory>
#include <string>
#include <utility>

namespace lockstep {

/// automatic: kernel events, and polling where they cannot start (problem() says so). inotify: start() fails instead.
template <runtime Runtime, file_system FileSystem, class KernelEvents>
class selected_watcher {
    using directory = typename FileSystem::directory;

public:
    selected_watcher(Runtime& rt, FileSystem& fs, KernelEvents& kernel, watcher_choice choice)
        : rt_(rt), choice_(choice), inotify_(rt, fs, kernel), polling_(rt) {}

    result<> start(const directory& marks, watcher_callbacks callbacks) {
        polls_ = choice_ == watcher_choice::polling;
        if (polls_) return polling_.start(marks, std::move(callbacks));
        auto shared = std::make_shared<watcher_callbacks>(std::move(callbacks));
        auto started = inotify_.start(marks, forward(shared));
        if (started || choice_ == watcher_choice::inotify) return started;
        sometimes(probe::kernel_gives_no_events);
        inotify_.stop();
        polls_ = true;
        auto polling = polling_.start(marks, forward(shared));
        alive_ = std::make_shared<int>(0);
        rt_.post([shared, alive = std::weak_ptr<int>(alive_), why = started.error()] {
            if (alive.expired()) return;
            shared->problem("the kernel gives no file events (" + why.message() + "): polling every second" + advice(why));
        });
        return polling;
    }
    void add(const std::string& path, const directory& dir) {
        if (!polls_) inotify_.add(path, dir);
    }
    void remove(const std::string& path) {
        if (!polls_) inotify_.remove(path);
    }
    void flush(unique_function<void(error_code)> done) {
        if (polls_) polling_.flush(std::move(done));
        else inotify_.flush(std::move(done));
    }
    watcher_counters counters() const { return polls_ ? polling_.counters() : inotify_.counters(); }
    void stop() {
        alive_.reset();
        inotify_.stop();
        polling_.stop();
    }

private:
    /// Which of the kernel's limits a person may want to raise.
    static std::string advice(error_code why) {
        if (why == errc::watch_limit) return " (raise fs.inotify.max_user_watches)";
        if (why == errc::instance_limit) return " (raise fs.inotify.max_user_instances)";
        if (why == errc::too_many_open_files) return " (raise the limit of open files)";
        return {};
    }

    static watcher_callbacks forward(const std::shared_ptr<watcher_callbacks>& to) {
        watcher_callbacks out;
        out.hints = [to](std::vector<hint> hints) { to->hints(std::move(hints)); };
        out.problem = [to](std::string text) { to->problem(std::move(text)); };
        return out;
    }

    Runtime& rt_;
    watcher_choice choice_;
    bool polls_ = false;
    inotify_watcher<Runtime, FileSystem, KernelEvents> inotify_;
    polling_watcher<Runtime> polling_;
    std::shared_ptr<int> alive_;   ///< while what was posted may still be told
};

}  // namespace lockstep
