// What the smallest parts cost: checksums and content names, cutting a content into chunks, a turn of the consensus core, the codec, an append to the
// write-ahead log.
#include <lockstep/base/checksum.hpp>
#include <lockstep/base/random.hpp>
#include <lockstep/base/sha256.hpp>
#include <lockstep/codec/command.hpp>
#include <lockstep/codec/envelope.hpp>
#include <lockstep/content/chunker.hpp>
#include <lockstep/os/asio_runtime.hpp>
#include <lockstep/os/posix_file_system.hpp>
#include <lockstep/raft/core.hpp>
#include <lockstep/storage/wal.hpp>

#include <benchmark/benchmark.h>

#include <stdlib.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

using lockstep::log_index;
using lockstep::node_id;
using lockstep::shared_bytes;
namespace raft = lockstep::raft;

constexpr std::size_t entry_bytes = 256;

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

/// A content of so many bytes, of which no piece is like another.
void chunker_cut(benchmark::State& state) {
    const auto bytes = random_bytes(static_cast<std::size_t>(state.range(0)));
    std::int64_t chunks = 0;
    for (auto _ : state)
        for (lockstep::byte_view rest(bytes); !rest.empty(); ++chunks) {
            const auto size = lockstep::content::next_cut(rest);
            benchmark::DoNotOptimize(size);
            rest = rest.subspan(size);
        }
    state.SetItemsProcessed(chunks);
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

/// As a large file is read: cut, and each chunk named.
void chunker_cut_and_name(benchmark::State& state) {
    const auto bytes = random_bytes(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state)
        for (lockstep::byte_view rest(bytes); !rest.empty();) {
            const auto size = lockstep::content::next_cut(rest);
            benchmark::DoNotOptimize(lockstep::sha256(rest.first(size)));
            rest = rest.subspan(size);
        }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

/// Three cores whose messages and writes take no time: what is left is their own work.
class cores {
public:
    cores() {
        raft::initial_state initial;
        for (std::uint64_t id = 1; id <= 3; ++id) initial.voters.insert(node_id(id));
        for (const node_id id : initial.voters) {
            initial.self = id;
            initial.seed = id.value;
            members_.emplace(id, raft::core(raft::options{}, initial, now_));
        }
        raft::core& first = members_.at(node_id(1));
        while (first.state_role() != raft::role::leader || first.applied_index().value == 0) {
            now_ = first.deadline();
            first.step(raft::input::wake{}, now_);
            // Enough for votes and their answers: waking it before they are counted would begin anew.
            for (int i = 0; i < 10; ++i) turn();
        }
    }

    /// Proposes so many entries at the leader, as one input, and goes on until all of them are applied there.
    void commit(std::size_t count) {
        raft::core& leader = members_.at(node_id(1));
        now_ += std::chrono::microseconds(100);
        leader.step(raft::input::propose{std::vector<shared_bytes>(count, command_)}, now_);
        const log_index last = leader.last_index();
        while (leader.applied_index() < last) turn();
    }

private:
    void turn() {
        for (auto& [id, core] : members_) {
            raft::output out = core.take_output();
            for (auto& m : out.send) deliver(std::move(m));
            if (out.persist) {
                for (auto& m : out.persist->send_durable) deliver(std::move(m));
                core.step(raft::input::persisted{out.persist->ticket}, now_);
            }
            if (!out.commit.empty()) core.step(raft::input::applied{out.commit.back().index}, now_);
        }
    }
    void deliver(raft::message m) { members_.at(m.to).step(std::move(m), now_); }

    lockstep::time_point now_{};
    std::map<node_id, raft::core> members_;
    shared_bytes command_{random_bytes(entry_bytes)};
};

void core_commit(benchmark::State& state) {
    cores three;
    for (auto _ : state) three.commit(static_cast<std::size_t>(state.range(0)));
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

raft::message append_of(std::size_t count) {
    raft::append_request request;
    const shared_bytes data(random_bytes(entry_bytes));
    for (std::size_t i = 1; i <= count; ++i)
        request.entries.push_back({log_index(i), lockstep::term(1), raft::entry_kind::command, data});
    return {node_id(1), node_id(2), lockstep::term(1), std::move(request)};
}

void codec_encode_append(benchmark::State& state) {
    const auto message = append_of(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(lockstep::encode_envelope(lockstep::group_id(1), message));
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

void codec_decode_append(benchmark::State& state) {
    const auto bytes =
        lockstep::encode_envelope(lockstep::group_id(1), append_of(static_cast<std::size_t>(state.range(0))));
    for (auto _ : state) {
        auto envelope = lockstep::decode_envelope(bytes);
        if (!envelope) return state.SkipWithError("does not decode");
        benchmark::DoNotOptimize(envelope);
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

lockstep::folder::command write_command(std::size_t bytes) {
    lockstep::folder::command command;
    command.session = {node_id(1), 1};
    command.sequence = 1;
    command.what = lockstep::folder::operation::write;
    command.path = "documents/a-name-of-some-length.txt";
    command.where.name = "a-name-of-some-length.txt";
    command.size = bytes;
    command.content = shared_bytes(random_bytes(bytes));
    return command;
}

void codec_encode_command(benchmark::State& state) {
    const auto command = write_command(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(lockstep::encode_command(command));
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

void codec_decode_command(benchmark::State& state) {
    const auto bytes = lockstep::encode_command(write_command(static_cast<std::size_t>(state.range(0))));
    for (auto _ : state) {
        auto command = lockstep::decode_command(bytes);
        if (!command) return state.SkipWithError("does not decode");
        benchmark::DoNotOptimize(command);
    }
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

/// From the call to its answer, through the lane and on a disk: below the directory for temporary files.
void wal_append(benchmark::State& state) {
    std::string path = (std::filesystem::temp_directory_path() / "lockstep-micro-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) return state.SkipWithError("no temporary directory");
    {
        lockstep::asio_runtime rt;
        lockstep::os::posix_file_system fs;
        lockstep::storage::wal<lockstep::asio_runtime, lockstep::os::posix_file_system> log(rt, fs, path);
        const shared_bytes data(random_bytes(entry_bytes));
        bool answered = false;
        bool failed = false;
        const auto wait = [&] {
            while (!std::exchange(answered, false)) rt.context().run_one();
        };
        log.open([&](const lockstep::recovered_log&, const lockstep::storage_error& error) {
            answered = true;
            failed = static_cast<bool>(error.code);
        });
        wait();
        std::uint64_t last = 0;
        for (auto _ : state) {
            if (failed) break;
            lockstep::log_batch batch{lockstep::term(1), node_id(1), {}};
            for (std::int64_t i = 0; i < state.range(0); ++i)
                batch.records.push_back({log_index(++last), lockstep::term(1), 1, data});
            log.append(std::move(batch), [&](const lockstep::storage_error& error) {
                answered = true;
                failed = failed || error.code;
            });
            wait();
        }
        if (failed) state.SkipWithError("the log failed");
        log.close();
        rt.stop();
    }
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

}  // namespace

BENCHMARK(checksum_of)->RangeMultiplier(16)->Range(64, 4 << 20);
BENCHMARK(sha256_of)->RangeMultiplier(16)->Range(64, 4 << 20);
BENCHMARK(chunker_cut)->Arg(64 << 10)->Arg(4 << 20);
BENCHMARK(chunker_cut_and_name)->Arg(4 << 20);
BENCHMARK(core_commit)->Arg(1)->Arg(16)->Arg(256);
BENCHMARK(codec_encode_append)->Arg(1)->Arg(64);
BENCHMARK(codec_decode_append)->Arg(1)->Arg(64);
BENCHMARK(codec_encode_command)->Arg(1 << 10)->Arg(64 << 10);
BENCHMARK(codec_decode_command)->Arg(1 << 10)->Arg(64 << 10);
BENCHMARK(wal_append)->Arg(1)->Arg(64)->UseRealTime()->Unit(benchmark::kMicrosecond);
