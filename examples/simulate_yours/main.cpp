// Puts a state machine of our own through a thousand simulated disasters: a bank, its clients, and a checker of our own.
// Three nodes crash, lose power, are cut off and paused, and messages get lost, all by a seed that tells the same again.
#include <sim/replicated/replicated_cluster.hpp>

#include <array>
#include <iostream>
#include <numeric>
#include <string>

namespace sim = lockstep::sim;

// begin
struct bank {
    // What is replicated, as for lockstep::replicated.
    struct machine {
        std::array<std::uint8_t, 4> accounts{50, 50, 50, 50};
        void apply(lockstep::log_index, const lockstep::shared_bytes& order) {
            lockstep::byte_reader reader(order.view());
            const auto from = reader.number<std::uint8_t>(), to = reader.number<std::uint8_t>();
            if (!reader.finished() || from > 3 || to > 3 || accounts[from] == 0) return;   // alike on every node
            --accounts[from];
            ++accounts[to];
        }
        std::uint64_t digest() const { return lockstep::checksum(std::as_bytes(std::span(accounts))); }
    };
    // What clients do: order that money goes from one account to another, or look at an account.
    struct input { std::size_t from, to; bool looks; };
    using output = std::uint8_t;
    static input draw(lockstep::random_generator& random) {
        return {random.below(4), random.below(4), random.one_in(2)};
    }
    static std::optional<lockstep::shared_bytes> command(const input& in) {
        if (in.looks) return std::nullopt;
        return lockstep::shared_bytes(lockstep::byte_buffer{std::byte(in.from), std::byte(in.to)});
    }
    static std::optional<output> answer(const machine& m, const input& in, lockstep::log_index) {
        return m.accounts.at(in.to);
    }
};

// What must hold on every node after every event.
class no_money_is_lost : public sim::checker {
public:
    explicit no_money_is_lost(const sim::replicated_cluster<bank>& nodes) : nodes_(nodes) {}
    void after_event(sim::world& w) override {
        nodes_.for_each_state([&](lockstep::node_id id, const bank::machine& m) {
            if (std::accumulate(m.accounts.begin(), m.accounts.end(), 0) != 200)
                w.fail(sim::exit_class::correctness, "money came or went on node " + std::to_string(id.value));
        });
    }
private:
    const sim::replicated_cluster<bank>& nodes_;
};

int main() {
    constexpr std::uint64_t seeds = 1000;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        const sim::drawing how{.workload = sim::workload_kind::consensus, .faulty = std::chrono::seconds(5)};
        const sim::scenario what = sim::draw_scenario(seed, how);
        sim::replicated_cluster<bank> nodes(what);
        no_money_is_lost mine(nodes);
        nodes.add_checker(mine);
        const sim::failure outcome = nodes.run().outcome;
        if (outcome.what == sim::exit_class::passed) continue;
        std::cout << "# seed " << seed << ": " << outcome.text << '\n' << sim::to_text(what);
        return static_cast<int>(outcome.what);
    }
    std::cout << seeds << " seeds passed\n";
}
// end
