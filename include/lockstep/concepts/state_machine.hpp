// The `state_machine` concept: what a replicated log drives.
#pragma once

#include <lockstep/base/bytes.hpp>
#include <lockstep/base/ids.hpp>

#include <concepts>
#include <cstdint>

namespace lockstep {

/// Deterministic: the same commands in the same order give the same state and digest on every node. Invalid bytes must
/// be ignored alike everywhere, never throw. Called on the loop, in log order, each index once per run of the process.
template <class M>
concept state_machine = requires(M& m, const M& cm, log_index index, const shared_bytes& command) {
    { m.apply(index, command) };
    { cm.digest() } -> std::same_as<std::uint64_t>;  // of everything that apply reads, independent of its shape in memory
};

}  // namespace lockstep
