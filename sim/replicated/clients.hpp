// The clients of a simulated cluster of replicated state machines: they ask nodes for operations, wait for answers, give up,
// and write down what they asked and heard.
#pragma once

#include <sim/replicated/operations.hpp>
#include <sim/replicated/service.hpp>
#include <sim/trace/recorder.hpp>

#include <lockstep/base/result.hpp>
#include <lockstep/base/unique_function.hpp>
#include <lockstep/testing/linearizability.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::sim {

/// Lifetime: outlives the events of the world.
template <service S>
class clients {
public:
    using input = typename S::input;
    using output = typename S::output;
    using operation = testing::operation<input, output>;
    using answered = unique_function<void(std::optional<output>)>;
    /// Asks a node, or another one if that is down. Not done: an error, and `answered` is never called.
    using ask_function = unique_function<result<>(node_id, const input&, answered)>;

    /// `planned`: by time.
    clients(world& w, const client_options& options, std::vector<planned_operation> planned, ask_function ask)
        : world_(w), options_(options), planned_(std::move(planned)), ask_(std::move(ask)),
          each_(static_cast<std::size_t>(options.clients)) {}
    clients(const clients&) = delete;
    clients& operator=(const clients&) = delete;

    /// The run begins now.
    void start() {
        begun_ = world_.now();
        wait_for_next();
    }
    /// Nothing is begun any more.
    void stop() {
        planned_.clear();
        for (client& c : each_) c.due.clear();
    }

    /// One more operation, apart from all clients. Its place in the history; nothing: it was not done.
    std::optional<std::size_t> ask_now(node_id node, std::uint64_t number, operation_kind kind) {
        return ask({{}, node, number, kind}, options_.clients);
    }

    /// Times are numbers of events: what one event did, another one did not do at the same time. What never was
    /// answered may have been done.
    const std::vector<operation>& history() const noexcept { return history_; }
    /// Whether the operation of that number was.
    bool is_answered(std::uint64_t number) const {
        const auto place = std::find(numbers_.begin(), numbers_.end(), number);
        return place != numbers_.end() && history_[static_cast<std::size_t>(place - numbers_.begin())].returned.has_value();
    }
    std::uint64_t unanswered() const {
        std::uint64_t count = 0;
        for (const operation& o : history_) count += !o.returned;
        return count;
    }

private:
    struct client {
        std::optional<std::size_t> waits_for;   ///< place in the history
        event_key gives_up{};
        std::deque<planned_operation> due;
    };
    static constexpr std::uint64_t draws_max = 1000;

    void wait_for_next() {
        if (next_ >= planned_.size()) return;
        const planned_operation& next = planned_[next_];
        world_.schedule(begun_ + next.at, trace_kind::user, nullptr, next.number, [this] {
            if (next_ >= planned_.size()) return;   // stopped meanwhile
            const planned_operation now = planned_[next_++];
            const std::size_t who = static_cast<std::size_t>(now.number % options_.clients);
            each_[who].due.push_back(now);
            if (!each_[who].waits_for) go_on(who);
            wait_for_next();
        });
    }

    /// The client is free.
    void go_on(std::size_t who) {
        client& c = each_[who];
        c.waits_for.reset();
        while (!c.due.empty() && !c.waits_for) {
            const planned_operation next = c.due.front();
            c.due.pop_front();
            c.waits_for = ask(next, who);
        }
        if (!c.waits_for) return;
        c.gives_up = world_.after(options_.timeout, trace_kind::user, nullptr, who, [this, who] {
            tell(traced::done, *each_[who].waits_for, who, "given up: no answer");
            go_on(who);
        });
    }

    std::optional<std::size_t> ask(const planned_operation& what, std::size_t who) {
        const std::size_t place = history_.size();
        history_.push_back({who, moment(), std::nullopt, input_of(what), {}});
        numbers_.push_back(what.number);
        const input in = history_.back().input;   // asking may add to the history
        const cause_scope own(world_, world_.cause());
        tell(traced::call, place, who, text_of(in, nullptr) + ", of node " + std::to_string(what.node.value));
        const result<> asked = ask_(what.node, in, [this, place, who](std::optional<output> heard) { hear(place, who, heard); });
        if (asked) return place;
        tell(traced::done, place, who, "given up: the node refused");
        history_.pop_back();
        numbers_.pop_back();
        return std::nullopt;
    }

    void hear(std::size_t place, std::size_t who, const std::optional<output>& heard) {
        operation& o = history_[place];
        if (heard) {
            o.output = *heard;
            o.returned = moment();
        }
        tell(traced::done, place, who, heard ? text_of(o.input, &o.output) : "nobody knows");
        if (who >= each_.size() || each_[who].waits_for != place) return;
        world_.cancel(each_[who].gives_up);
        go_on(who);
    }

    input input_of(const planned_operation& what) const {
        random_generator random = world_.fork("operation", what.number);
        for (std::uint64_t i = 0;; ++i) {
            const input in = S::draw(random);
            const bool proposes = S::command(in).has_value();
            if (what.kind == operation_kind::any || proposes == (what.kind == operation_kind::propose)) return in;
            LOCKSTEP_ASSERT(i < draws_max);   // a service of which nothing reads, or nothing is proposed
        }
    }
    /// In a trace: an operation begins or ends.
    void tell(traced what, std::size_t place, std::size_t who, std::string text) {
        if (trace_recorder* r = world_.recorder())
            r->record(trace_lane::client(who + 1), what, std::move(text), trace_values().add("call", place + 1));
    }
    static std::string text_of(const input& in, const output* out) {
        if constexpr (requires { { S::text(in, out) } -> std::convertible_to<std::string>; }) return S::text(in, out);
        else return out ? "answered" : "an operation";
    }
    std::int64_t moment() const { return static_cast<std::int64_t>(world_.events_executed()); }

    world& world_;
    client_options options_;
    std::vector<planned_operation> planned_;
    ask_function ask_;
    std::vector<client> each_;
    std::vector<operation> history_;
    std::vector<std::uint64_t> numbers_;   ///< of what is in the history, place by place
    time_point begun_{};
    std::size_t next_ = 0;
};

}  // namespace lockstep::sim
