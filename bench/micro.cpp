// What the smallest parts cost: checksums and content names, by size.
#include <lockstep/base/checksum.hpp>
#include <lockstep/base/random.hpp>
#include <lockstep/base/sha256.hpp>

#include <benchmark/benchmark.h>

namespace {

lockstep::byte_buffer random_bytes(std::size_t count) {
    lockstep::random_generator random(1);
    lockstep::byte_buffer bytes(count);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random() & 0xff);
    return bytes;
}

void checksum_of(benchmark::State& state) {
    const auto bytes = random_bytes(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(lockstep::checksum(bytes));
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

void sha256_of(benchmark::State& state) {
    const auto bytes = random_bytes(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(lockstep::sha256(bytes));
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

}  // namespace

BENCHMARK(checksum_of)->RangeMultiplier(16)->Range(64, 4 << 20);
BENCHMARK(sha256_of)->RangeMultiplier(16)->Range(64, 4 << 20);
