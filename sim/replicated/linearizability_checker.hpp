// Checks, at the end of a run, that what clients heard is linearizable (testing/linearizability.hpp).
// Source: Herlihy and Wing, Linearizability, 1990; the search is Wing and Gong's, with Lowe's memory of where it was.
#pragma once

#include <sim/replicated/service.hpp>
#include <sim/world.hpp>

#include <lockstep/testing/linearizability.hpp>

#include <functional>
#include <string>
#include <vector>

namespace lockstep::sim {

template <service S>
    requires testing::sequential_model<S>
class linearizability_checker final : public checker {
public:
    using operation = testing::operation<typename S::input, typename S::output>;

    /// The history is looked at once, at the end.
    explicit linearizability_checker(const std::vector<operation>& history) : history_(history) {}

    void at_end(world& w) override {
        const testing::check_result found = testing::check_linearizability<S>(history_, limits);
        undecided_ = found.what == testing::verdict::unknown;
        if (found.what != testing::verdict::violation) return;
        std::string text = "not linearizable: of " + std::to_string(history_.size()) + " operations";
        if (found.misfit) text += " this one fits nowhere: " + line(history_[*found.misfit]);
        w.fail(exit_class::correctness, text);
    }
    /// It could not be decided within the limits.
    bool undecided() const noexcept { return undecided_; }

private:
    static constexpr testing::check_limits limits{2'000'000, std::size_t{64} << 20};

    static std::string line(const operation& o) {
        std::string text = "client " + std::to_string(o.client);
        if constexpr (requires { { S::text(o.input, &o.output) } -> std::convertible_to<std::string>; })
            text += ": " + S::text(o.input, o.returned ? &o.output : nullptr);
        text += ", events " + std::to_string(o.called) + " to ";
        return text + (o.returned ? std::to_string(*o.returned) : "?");
    }

    const std::vector<operation>& history_;
    bool undecided_ = false;
};

}  // namespace lockstep::sim
