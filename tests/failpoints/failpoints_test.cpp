// The program as it is shipped, on a real disk, killed or failed at numbered calls: what the simulator claims of any call
// is confirmed for a sample of them. Users edit on all nodes meanwhile, and nothing that they closed may be lost.
#include <tests/program/cluster.hpp>

#include <sys/mman.h>

#include <cstring>

using namespace program_test;
namespace fs = std::filesystem;

namespace {

/// What the shim counts, readable while the process runs and after it was killed.
class counts {
public:
    explicit counts(const scratch& s) : path_((s.path / "counts").string()) {
        std::ofstream(path_, std::ios::binary) << std::string(16, '\0');
    }
    const std::string& path() const { return path_; }
    std::uint64_t met() const { return at(0); }
    std::uint64_t struck() const { return at(8); }
    void clear() const {
        // In place: the file may be mapped.
        std::fstream(path_, std::ios::in | std::ios::out | std::ios::binary) << std::string(16, '\0');
    }

private:
    std::uint64_t at(std::size_t offset) const {
        const std::string bytes = text_of(path_);
        std::uint64_t n = 0;
        REQUIRE(bytes.size() == 16);
        std::memcpy(&n, bytes.data() + offset, sizeof n);
        return n;
    }
    std::string path_;
};

/// Three nodes, of which one has a failpoint; and all that users closed so far.
struct failing_cluster : cluster {
    counts calls{host};

    void arm(std::size_t id, const std::string& failpoint) {
        calls.clear();
        wrapper[id] = {"env", std::string("LD_PRELOAD=") + LOCKSTEP_FAILPOINTS, "LOCKSTEP_FAILPOINT=" + failpoint,
                       "LOCKSTEP_FAILPOINT_COUNTS=" + calls.path()};
    }
    void disarm(std::size_t id) { wrapper[id].clear(); }

    /// Starts it, and waits until it is ready or gone.
    void start_armed(std::size_t id) {
        start(id);
        REQUIRE(within(seconds(20), [&] { return calls.struck() != 0 || is(id, "state", "ready"); }));
    }

    /// What a user closes on a node: files, one of them large, a directory, a rename, a removal.
    void edit(std::size_t id, int round) {
        const std::string name = "n" + std::to_string(id) + "-" + std::to_string(round);
        save(id, name, "small " + name);
        save(id, name + "-large", name + std::string(300'000, static_cast<char>('a' + round % 26)));
        fs::create_directory(dir[id] / (name + "-dir"));
        save(id, name + "-dir/inner", "inner " + name);
        save(id, name + "-moved.tmp", "moved " + name);
        fs::rename(dir[id] / (name + "-moved.tmp"), dir[id] / (name + "-moved"));
        closed_[name + "-moved"] = std::exchange(closed_[name + "-moved.tmp"], {});
        closed_.erase(name + "-moved.tmp");
        save(id, name + "-gone", "gone");
        fs::remove(dir[id] / (name + "-gone"));
        closed_.erase(name + "-gone");
    }

    /// All alike, and everything there. A file has one writer only, so it has its own name.
    void check_nothing_lost() {
        settle();
        for (const auto& [name, text] : closed_) {
            INFO(name);
            CHECK(text_of(dir[1] / name) == text);
        }
        for (std::size_t id : {1u, 2u, 3u}) CHECK(fs::is_empty(dir[id] / ".lockstep" / "staging"));
    }

private:
    void save(std::size_t id, const std::string& name, const std::string& text) {
        write(id, name, text);
        closed_[name] = text;
    }
    std::map<std::string, std::string> closed_;
};

}  // namespace

TEST_CASE("a node that is killed at any call that changes a file has everything once it is started again") {
    failing_cluster nodes;
    nodes.start();
    int round = 0;
    // The calls of one round, with a start and an end of the node: the numbers that there are.
    nodes.node[3]->end(SIGKILL);
    nodes.arm(3, "short:any::1000000000");
    nodes.start_armed(3);
    for (std::size_t id : {1u, 2u, 3u}) nodes.edit(id, round);
    nodes.check_nothing_lost();
    const std::uint64_t all = nodes.calls.met();
    REQUIRE(all > 100);

    int killed = 0;
    for (std::uint64_t number = 1; number <= all; number += std::max<std::uint64_t>(1, all / 25)) {
        INFO("killed at call " << number << " of " << all);
        ++round;
        nodes.node[3]->end(SIGKILL);
        nodes.arm(3, "kill:any::" + std::to_string(number));
        nodes.start_armed(3);
        for (std::size_t id : {1u, 2u, 3u}) nodes.edit(id, round);
        // What it writes differs a little from round to round: the last numbers may not be reached.
        if (within(seconds(3), [&] { return nodes.calls.struck() != 0; })) {
            ++killed;
            CHECK(nodes.node[3]->wait().code == 128 + SIGKILL);
        }
        nodes.node[3].reset();
        nodes.disarm(3);
        nodes.start(3);
        REQUIRE(within(seconds(20), [&] { return nodes.is(3, "state", "ready"); }));
        nodes.check_nothing_lost();
    }
    CHECK(killed >= 20);
}

TEST_CASE("a write or sync of its own records that fails ends a node, and what it did not acknowledge is not believed") {
    failing_cluster nodes;
    nodes.start();
    int round = 0;
    for (const char* part : {"/wal/", "/synced", "/chunks/"}) {
        for (const char* call : {"sync:1", "sync:3", "write:1", "write:3"}) {
            const std::string kind(call, std::string_view(call).find(':')), number = call + kind.size() + 1;
            INFO(kind << " " << number << " of " << part);
            ++round;
            nodes.node[3]->end(SIGKILL);
            nodes.arm(3, "eio:" + kind + ":" + part + ":" + number);
            nodes.start_armed(3);
            for (std::size_t id : {1u, 2u, 3u}) nodes.edit(id, round);
            REQUIRE(within(seconds(20), [&] { return nodes.calls.struck() != 0; }));
            const auto ended = nodes.node[3]->wait();
            INFO(ended.out << ended.err);
            check_refused(ended, {});
            const bool says_why = ended.err.find("input/output error") != ended.err.npos ||
                                  ended.err.find("cannot sync") != ended.err.npos || ended.err.find("cannot write") != ended.err.npos;
            CHECK(says_why);
            nodes.disarm(3);
            nodes.start(3);
            REQUIRE(within(seconds(20), [&] { return nodes.is(3, "state", "ready"); }));
            nodes.check_nothing_lost();
        }
    }
}

TEST_CASE("writes that do less than they were asked are gone on with") {
    failing_cluster nodes;
    nodes.arm(3, "short:write::0");
    nodes.start();
    for (int round = 0; round < 3; ++round)
        for (std::size_t id : {1u, 2u, 3u}) nodes.edit(id, round);
    nodes.check_nothing_lost();
    CHECK(nodes.calls.struck() > 10);
    CHECK(nodes.node[3]->end(SIGTERM).code == 0);
}

TEST_CASE("a disk that is full for one call stops a node in order or is waited for, and nothing is lost") {
    failing_cluster nodes;
    nodes.start();
    int round = 0;
    for (const char* part : {"/wal/", "/synced", "/chunks/", "/staging/"}) {
        INFO("no room at " << part);
        ++round;
        nodes.node[3]->end(SIGKILL);
        nodes.arm(3, std::string("enospc:write:") + part + ":2");
        nodes.start_armed(3);
        for (std::size_t id : {1u, 2u, 3u}) nodes.edit(id, round);
        REQUIRE(within(seconds(20), [&] { return nodes.calls.struck() != 0; }));
        // Either it goes on by itself, or it ends with one line and is started again.
        if (!within(seconds(5), [&] { return nodes.barrier(3, "1s").code == 0; })) {
            check_refused(nodes.node[3]->wait(), {"no space left on device"});
            nodes.disarm(3);
            nodes.start(3);
            REQUIRE(within(seconds(20), [&] { return nodes.is(3, "state", "ready"); }));
        }
        nodes.disarm(3);
        nodes.check_nothing_lost();
    }
}
