// Makes a trace of a run: gives each event its number, its parents and its vector clock, and hands it on. A world has one or
// none; where it has none, nothing is paid but the question. What follows from what: docs/decisions/0019-causality.md.
#pragma once

#include <sim/trace/frame_matcher.hpp>
#include <sim/trace/trace_event.hpp>
#include <sim/world.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sim {

class trace_recorder {
public:
    using sink = std::function<void(const trace_event&)>;

    /// Each event of a wanted kind goes to the sink, in order.
    trace_recorder(traced_kinds wanted, sink to) : wanted_(wanted), sink_(std::move(to)) {}
    trace_recorder(const trace_recorder&) = delete;
    trace_recorder& operator=(const trace_recorder&) = delete;

    /// The world that is recorded from now on. It must not run when this is gone.
    void attach(world& w) {
        world_ = &w;
        w.set_recorder(this);
    }
    bool wants(traced what) const noexcept { return wanted_.has(what); }
    /// Called before an event of a node is recorded, so that what changed in it before comes first.
    void set_look(std::function<void(node_id)> look) { look_ = std::move(look); }

    /// Something happens, now. It follows from what happened there before, from what had the running event of the world
    /// scheduled, and from `also` (a 0 is none). What happens next in this event of the world, or is scheduled by it,
    /// follows from it. Returns its number; 0 where its kind is not wanted.
    std::uint64_t record(trace_lane where, traced what, std::string text, trace_values values = {}, trace_values state = {},
                         std::initializer_list<std::uint64_t> also = {}) {
        if (!wants(what)) return 0;
        if (where.what == trace_lane::kind::node) look_at(node_id(where.number));
        trace_event e;
        e.at = world_->now();
        e.where = where;
        e.what = what;
        e.text = std::move(text);
        e.values = std::move(values);
        e.state = std::move(state);
        follow(e, also);
        e.id = ++last_id_;
        keep(e);
        if (what != traced::lost) world_->set_cause(e.id);
        sink_(e);
        return e.id;
    }

    /// The run failed, in the running event of the world; `by_all`: by what did not happen anywhere.
    void violation(std::string text, bool by_all) {
        if (by_all)
            for (const auto& [where, end] : ends_)
                if (where.what == trace_lane::kind::node) record_after_.push_back(end.last);
        record({}, traced::violation, std::move(text));
    }

    std::uint64_t events() const noexcept { return last_id_; }
    /// In the order of their numbers in clocks.
    const std::vector<trace_lane>& lanes() const noexcept { return lanes_; }
    /// What is on connections, where no number can travel with it.
    frame_matcher& frames() noexcept { return frames_; }

    /// Clocks of so many events are kept, the last ones. What follows from an older one names it, and counts nothing of it.
    static constexpr std::size_t clocks_max = std::size_t{1} << 20;

private:
    struct lane_end {
        std::size_t number = 0;        ///< in clocks
        std::uint64_t last = 0;
        std::uint64_t world_cause = 0; ///< the last of the world's that something here followed from
        vector_clock clock;
    };
    struct kept {
        std::size_t lane = 0;          ///< no_lane: of the world
        vector_clock clock;
    };
    static constexpr std::size_t no_lane = ~std::size_t{0};

    void look_at(node_id node) {
        if (!look_ || looking_) return;
        looking_ = true;
        look_(node);
        looking_ = false;
    }

    /// Null: of the world, which has no order of its own.
    lane_end* end_of(const trace_lane& l) {
        if (l.what == trace_lane::kind::world) return nullptr;
        const auto [end, first] = ends_.try_emplace(l);
        if (first) {
            end->second.number = lanes_.size();
            lanes_.push_back(l);
        }
        return &end->second;
    }

    const kept* kept_of(std::uint64_t id) const {
        return last_id_ - id < clocks_.size() ? &clocks_[clocks_.size() - 1 - static_cast<std::size_t>(last_id_ - id)] : nullptr;
    }

    void follow(trace_event& e, std::initializer_list<std::uint64_t> also) {
        lane_end* const here = end_of(e.where);
        if (here && here->last != 0) {
            e.parents.push_back(here->last);
            e.clock = here->clock;
        }
        for (const std::uint64_t id : also) add_parent(e, here, id);
        for (const std::uint64_t id : std::exchange(record_after_, {})) add_parent(e, here, id);
        if (e.what != traced::lost) add_parent(e, here, world_->cause());
        if (!here) return;
        if (e.clock.size() <= here->number) e.clock.resize(here->number + 1);
        ++e.clock[here->number];
    }

    /// One that another parent follows from is left out.
    void add_parent(trace_event& e, lane_end* here, std::uint64_t id) {
        if (id == 0 || std::find(e.parents.begin(), e.parents.end(), id) != e.parents.end()) return;
        const kept* parent = kept_of(id);
        if (!parent) return e.parents.push_back(id);
        if (parent->lane == no_lane) {
            if (here && std::exchange(here->world_cause, id) == id) return;
        } else if (parent->lane < e.clock.size() && e.clock[parent->lane] >= parent->clock[parent->lane]) {
            return;
        }
        e.parents.push_back(id);
        if (e.clock.size() < parent->clock.size()) e.clock.resize(parent->clock.size());
        for (std::size_t i = 0; i < parent->clock.size(); ++i) e.clock[i] = std::max(e.clock[i], parent->clock[i]);
    }

    void keep(const trace_event& e) {
        lane_end* const here = end_of(e.where);
        clocks_.push_back({here ? here->number : no_lane, e.clock});
        if (clocks_.size() > clocks_max) clocks_.pop_front();
        if (!here) return;
        here->last = e.id;
        here->clock = e.clock;
    }

    traced_kinds wanted_;
    sink sink_;
    world* world_ = nullptr;
    std::function<void(node_id)> look_;
    bool looking_ = false;
    std::uint64_t last_id_ = 0;
    std::map<trace_lane, lane_end> ends_;
    std::vector<trace_lane> lanes_;
    std::deque<kept> clocks_;
    std::vector<std::uint64_t> record_after_;  ///< more parents of the next event
    frame_matcher frames_;
};

}  // namespace lockstep::sim
