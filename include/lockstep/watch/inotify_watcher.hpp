// Turns kernel events into hints. It keeps which watch stands for which path; whether a path holds what is believed is
// never its business.
//
// After a directory was renamed its watch goes on under the old path until the owner adds it again. Nothing is lost by
// that: the rename itself is hinted through its parents, the owner then looks at the new path, adds every directory below
// it before listing it, and so sees whatever happened under the old name meanwhile. A stale hint costs one look.
#pragma once

#include <lockstep/base/probe.hpp>
#include <lockstep/concepts/file_system.hpp>
#include <lockstep/concepts/kernel_events.hpp>
#include <lockstep/concepts/runtime.hpp>
#include <lockstep/concepts/watcher.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

struct inotify_watcher_options {
    duration poll_interval = std::chrono::seconds(2);   ///< once there are no watches left
    duration flush_deadline = std::chrono::seconds(2);  ///< a mark whose event does not come is given up
};

template <runtime Runtime, file_system FileSystem, class KernelEvents>
class inotify_watcher {
    using directory = typename FileSystem::directory;

public:
    inotify_watcher(Runtime& rt, FileSystem& fs, KernelEvents& kernel, inotify_watcher_options options = {})
        : rt_(rt), fs_(fs), kernel_(kernel), options_(options) {}
    inotify_watcher(const inotify_watcher&) = delete;
    inotify_watcher& operator=(const inotify_watcher&) = delete;
    ~inotify_watcher() { stop(); }

    /// instance_limit, watch_limit where the kernel has none to give.
    result<> start(const directory& marks, watcher_callbacks callbacks) {
        callbacks_ = std::move(callbacks);
        alive_ = std::make_shared<int>(0);
        LOCKSTEP_TRY(kernel_.start(guarded([this] { ready(); })));
        auto opened = fs_.open_directory_at(marks, "");
        if (!opened) return kernel_.stop(), opened.error();
        marks_.emplace(std::move(*opened));
        auto watch = kernel_.add(*marks_);
        if (!watch) return kernel_.stop(), watch.error();
        marks_watch_ = *watch;
        return {};
    }

    void add(const std::string& path, const directory& dir) {
        if (broken_) return;
        auto watch = kernel_.add(dir);
        if (!watch) {
            if (watch.error() == errc::watch_limit)
                start_polling("no inotify watches left: polling every few seconds as well "
                              "(raise fs.inotify.max_user_watches)");
            else post_hints({hint{hint::kind::directory, path, false}});   // it went before it could be watched: look
            return;
        }
        if (auto old = paths_.find(*watch); old != paths_.end() && old->second != path) {
            if (auto at = watches_.find(old->second); at != watches_.end() && at->second == *watch) watches_.erase(at);
        }
        if (auto other = watches_.find(path); other != watches_.end() && other->second != *watch) forget(other->second);
        paths_[*watch] = path;
        watches_[path] = *watch;
    }

    void remove(const std::string& path) {
        std::vector<watch_id> gone;
        if (auto at = watches_.find(path); at != watches_.end()) gone.push_back(at->second);
        const std::string below = path.empty() ? path : path + "/";
        for (auto at = watches_.lower_bound(below); at != watches_.end() && at->first.starts_with(below); ++at)
            gone.push_back(at->second);
        for (watch_id id : gone) forget(id);
    }

    /// Leaves a mark and waits for its event: the queue is in order, so every event before it has been given by then.
    void flush(unique_function<void(error_code)> done) {
        const std::uint64_t number = ++last_mark_;
        const std::string name = mark_name(number);
        auto made = fs_.open_file(*marks_, name, open_mode::create_or_open, 0600);
        if (made) (void)fs_.remove_file(*marks_, name);
        auto [at, fresh] = flushes_.emplace(number, pending_flush{std::move(done), 0});
        const time_point until = rt_.now() + (made && !counters_.polling ? options_.flush_deadline : duration{});
        at->second.timer = rt_.schedule(until, guarded([this, number] { finish(number, true); }));
    }

    watcher_counters counters() const {
        watcher_counters c = counters_;
        c.watches = paths_.size();
        return c;
    }

    void stop() {
        if (!alive_) return;
        alive_.reset();
        for (auto& [number, waits] : flushes_) rt_.cancel(waits.timer);
        flushes_.clear();
        rt_.cancel(poll_timer_);
        kernel_.stop();
        marks_.reset();
    }

private:
    struct pending_flush {
        unique_function<void(error_code)> done;
        timer_id timer = 0;
    };

    template <class F>
    auto guarded(F f) {
        return [alive = std::weak_ptr<int>(alive_), f = std::move(f)] {
            if (alive.lock()) f();
        };
    }

    static std::string mark_name(std::uint64_t number) { return "mark-" + std::to_string(number); }

    void forget(watch_id id) {
        auto path = paths_.find(id);
        if (path == paths_.end()) return;
        if (auto at = watches_.find(path->second); at != watches_.end() && at->second == id) watches_.erase(at);
        paths_.erase(path);
        kernel_.remove(id);
    }

    void ready() {
        const auto events = kernel_.read();
        std::vector<hint> hints;
        std::map<std::pair<std::string, hint::kind>, std::size_t> said;   // where in hints
        std::vector<std::uint64_t> reached;
        // One hint for each path of a batch; the last event tells whether a writer still holds it.
        const auto say = [&](hint h) {
            const auto [at, fresh] = said.try_emplace({h.path, h.what}, hints.size());
            if (fresh) return hints.push_back(std::move(h));
            hints[at->second].open_for_write = h.open_for_write;
        };
        for (const auto& event : events) {
            ++counters_.events;
            if (event.kind == event_kind::overflow || event.kind == event_kind::unmounted ||
                event.kind == event_kind::broken) {
                if (sometimes(probe::event_queue_overflowed, event.kind == event_kind::overflow)) ++counters_.overflows;
                if (event.kind == event_kind::broken) give_up_watching();
                say(hint{});
                // The marks of the flushes under way may be among what was lost: the look that begins now covers them.
                for (const auto& [number, waits] : flushes_) reached.push_back(number);
            } else if (event.watch == marks_watch_) {
                if (event.kind != event_kind::created) continue;
                for (const auto& [number, waits] : flushes_)
                    if (event.name == mark_name(number)) reached.push_back(number);
            } else {
                translate(event, say);
            }
        }
        if (!hints.empty()) callbacks_.hints(std::move(hints));
        for (std::uint64_t number : reached) finish(number, false);
    }

    template <class Say>
    void translate(const kernel_event& event, Say& say) {
        auto path = paths_.find(event.watch);
        if (path == paths_.end()) return;
        if (sometimes(probe::watch_ended_with_its_directory, event.kind == event_kind::ignored)) {
            const std::string where = path->second;
            if (auto at = watches_.find(where); at != watches_.end() && at->second == event.watch) watches_.erase(at);
            paths_.erase(path);
            return say(hint{hint::kind::directory, where, false});
        }
        if (event.name.empty()) return say(hint{hint::kind::directory, path->second, false});
        const std::string name = path->second.empty() ? event.name : path->second + "/" + event.name;
        say(hint{hint::kind::name, name, event.kind == event_kind::modified});
    }

    void finish(std::uint64_t number, bool late) {
        auto node = flushes_.extract(number);
        if (node.empty()) return;
        rt_.cancel(node.mapped().timer);
        const std::weak_ptr<int> alive = alive_;
        // Without a watch everywhere the mark's event says nothing about what is not watched.
        if (late || counters_.polling) callbacks_.hints({hint{}});
        if (!alive.expired()) node.mapped().done(error_code{});
    }

    void post_hints(std::vector<hint> hints) {
        rt_.post([this, alive = std::weak_ptr<int>(alive_), hints = std::move(hints)]() mutable {
            if (alive.lock()) callbacks_.hints(std::move(hints));
        });
    }

    void give_up_watching() {
        broken_ = true;
        paths_.clear();
        watches_.clear();
        start_polling("the kernel's file events cannot be read any more: polling every few seconds");
    }

    void start_polling(std::string why) {
        if (counters_.polling) return;
        counters_.polling = true;
        counters_.told_within = options_.poll_interval;
        rt_.post([this, alive = std::weak_ptr<int>(alive_), why = std::move(why)]() mutable {
            if (alive.lock()) callbacks_.problem(std::move(why));
        });
        arm_poll();
    }
    void arm_poll() {
        poll_timer_ = rt_.schedule(rt_.now() + options_.poll_interval, guarded([this] {
            ++counters_.polls;
            callbacks_.hints({hint{}});
            if (alive_) arm_poll();
        }));
    }

    Runtime& rt_;
    FileSystem& fs_;
    KernelEvents& kernel_;
    inotify_watcher_options options_;
    watcher_callbacks callbacks_;
    watcher_counters counters_;
    std::optional<directory> marks_;
    watch_id marks_watch_ = -1;
    std::map<watch_id, std::string> paths_;
    std::map<std::string, watch_id> watches_;
    std::map<std::uint64_t, pending_flush> flushes_;
    std::uint64_t last_mark_ = 0;
    bool broken_ = false;   ///< no events come any more, and nothing can be watched
    timer_id poll_timer_ = 0;
    std::shared_ptr<int> alive_;
};

}  // namespace lockstep
