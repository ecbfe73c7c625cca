// The `service` concept: a replicated state machine as its clients see it. What a user writes to have a machine of his own
// simulated (replicated_cluster.hpp).
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/ids.hpp>
#include <lockstep/base/random.hpp>
#include <lockstep/concepts/state_machine.hpp>

#include <concepts>
#include <cstdint>
#include <optional>

namespace lockstep::sim {

/// All pure. If a service is a testing::sequential_model besides, what its clients heard is checked for linearizability.
/// With a `static std::string text(const input&, const output*)` a violation is told in its words.
template <class S>
concept service = state_machine<typename S::machine> && std::default_initializable<typename S::machine> &&
                  std::copyable<typename S::input> && std::copyable<typename S::output> &&
                  requires(random_generator& random, const typename S::input& in, const typename S::machine& m, log_index at) {
                      /// Anything that a client might ask for.
                      { S::draw(random) } -> std::same_as<typename S::input>;
                      /// What it proposes; nothing: it only reads, behind a barrier.
                      { S::command(in) } -> std::same_as<std::optional<shared_bytes>>;
                      /// What it hears. Of a command, which was applied at that index of the log: the machine may be
                      /// further by now, so it keeps what commands gave for a while. Nothing: that is gone.
                      { S::answer(m, in, at) } -> std::same_as<std::optional<typename S::output>>;
                  };

}  // namespace lockstep::sim
