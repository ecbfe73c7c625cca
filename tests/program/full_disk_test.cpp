// A disk that is full: the node on it stops taking what it cannot keep and says so, the others go on, nothing is lost,
// and once there is room again all are alike. The disks are small ones in memory.
#include <tests/program/cluster.hpp>

#include <sys/mount.h>

using namespace program_test;
namespace fs = std::filesystem;

namespace {

/// A file system of a few megabytes on `at`; where none can be mounted, the test says so and is not run.
class small_disk {
public:
    small_disk(const fs::path& at, int megabytes) : at_(at) {
        fs::create_directories(at);
        mounted_ = ::mount("tmpfs", at.c_str(), "tmpfs", 0, size(megabytes).c_str()) == 0;
        if (!mounted_) WARN("not run: nothing can be mounted here");
        else fs::permissions(at, fs::perms(0755));
    }
    small_disk(const small_disk&) = delete;
    small_disk& operator=(const small_disk&) = delete;
    ~small_disk() {
        if (mounted_) (void)::umount2(at_.c_str(), MNT_DETACH);
    }
    explicit operator bool() const { return mounted_; }
    void grow(int megabytes) {
        REQUIRE(::mount("tmpfs", at_.c_str(), "tmpfs", MS_REMOUNT, size(megabytes).c_str()) == 0);
    }
    void fill() const {
        std::ofstream file(at_ / "in_the_way", std::ios::binary);
        const std::string piece(4096, 'x');
        while (file.write(piece.data(), 4096).flush()) {
        }
    }
    /// Of what fill() took, how much is left free.
    void leave(std::uintmax_t bytes) const {
        const auto file = at_ / "in_the_way";
        fs::resize_file(file, fs::file_size(file) - bytes);
    }
    void empty() const { fs::remove(at_ / "in_the_way"); }

private:
    static std::string size(int megabytes) { return "size=" + std::to_string(megabytes) + "m"; }
    fs::path at_;
    bool mounted_ = false;
};

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
    return n;
}

std::string block(int number) { return std::string(500'000, static_cast<char>('a' + number % 26)); }

/// Of which no two pieces are alike.
std::string noise(std::size_t bytes, std::uint64_t seed) {
    std::string text;
    for (text.reserve(bytes + 8); text.size() < bytes; seed = seed * 6364136223846793005u + 1442695040888963407u) {
        const std::uint64_t word = (seed >> 29) ^ seed;
        text.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
    text.resize(bytes);
    return text;
}

/// What /healthz answers: the line with the status.
std::string health(const cluster& nodes, std::size_t id) {
    const auto& address = nodes.admin[id];
    const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
    std::string answer;
    const std::string request = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    if (::connect(s, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0 &&
        ::send(s, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
        char buffer[4096];
        for (ssize_t got = 0; (got = ::recv(s, buffer, sizeof buffer, 0)) > 0;)
            answer.append(buffer, static_cast<std::size_t>(got));
    }
    ::close(s);
    return answer;
}

/// The node ended by itself, with one line that says why.
void check_stopped(process& node) {
    const auto ended = node.wait();
    check_refused(ended, {"no space left on device", "this node stops"});
    INFO(ended.out);
    CHECK(ended.out.size() < 10'000);
}

}  // namespace

TEST_CASE("where only the replicated directory is full, the node says so, waits, and goes on by itself") {
    cluster nodes;
    small_disk disk(nodes.dir[3], 3);
    if (!disk) return;
    nodes.state[3] = nodes.host.path / "state3";
    nodes.start();
    for (int i = 0; i < 10; ++i) nodes.write(1, "f" + std::to_string(i), block(i));
    const auto refused = nodes.barrier(1);
    check_refused(refused, {"node 3 cannot write", "no space left on device"});
    CHECK(nodes.is(3, "state", "disk_full"));
    CHECK(health(nodes, 3).find(" 503 ") != std::string::npos);
    CHECK(health(nodes, 3).find("no space left on device") != std::string::npos);
    CHECK(health(nodes, 1).find(" 200 ") != std::string::npos);

    // The others go on, and so do its own edits: removing something is how a person makes room.
    nodes.write(2, "small", "small");
    CHECK(within(seconds(10), [&] { return text_of(nodes.dir[1] / "small") == "small"; }));
    const auto first = tree_of(nodes.dir[3]).begin()->first;
    fs::remove(nodes.dir[3] / first);
    CHECK(within(seconds(10), [&] { return !fs::exists(nodes.dir[1] / first); }));

    disk.grow(30);
    CHECK(within(seconds(10), [&] { return nodes.is(3, "state", "ready"); }));
    nodes.settle();
    CHECK(nodes.node[3]->cpu_ms() < 2000);
    CHECK(fs::is_empty(nodes.dir[3] / ".lockstep" / "staging"));
    const auto ended = nodes.node[3]->end(SIGTERM);
    CHECK(ended.code == 0);
    INFO(ended.out);
    CHECK(count(ended.out, "the disk cannot take what is committed (no space left on device") <= 2);
    CHECK(count(ended.out, "no space left") <= 2);
}

TEST_CASE("where there is no room for the contents of large files the node waits, however often it starts, and goes on") {
    cluster nodes;
    small_disk disk(nodes.dir[3], 20);   // the first segment of the log, and a little
    if (!disk) return;
    nodes.start();
    for (int i = 0; i < 40; ++i) nodes.write(1, "f" + std::to_string(i), block(i));
    check_refused(nodes.barrier(1), {"node 3 cannot write", "no space left on device"});
    const auto is_full = [&] { return nodes.is(3, "state", "disk_full"); };
    CHECK(is_full());
    CHECK(health(nodes, 3).find(" 503 ") != std::string::npos);
    nodes.write(2, "meanwhile", "meanwhile");
    nodes.write(2, "large meanwhile", block(0) + block(1));
    CHECK(within(seconds(10), [&] { return text_of(nodes.dir[1] / "large meanwhile") == block(0) + block(1); }));
    CHECK(text_of(nodes.dir[1] / "meanwhile") == "meanwhile");

    // What its own users write waits too, and is not lost. Less than that is in the way of a small file.
    const std::string own = "written on the full disk " + std::string(70'000, 'o');
    fs::remove(nodes.dir[3] / tree_of(nodes.dir[3]).begin()->first);
    nodes.write(3, "own", own);
    REQUIRE(text_of(nodes.dir[3] / "own") == own);
    const auto ended = nodes.node[3]->end(SIGTERM);
    CHECK(ended.code == 0);
    INFO(ended.out);
    CHECK(count(ended.out, "contents of large files wait until there is room") <= 2);
    CHECK(count(ended.out, "no space left") <= 4);
    nodes.start(3);
    CHECK(within(seconds(10), is_full));
    check_refused(nodes.barrier(3, "300ms"), {"no space left on device"});
    disk.grow(200);
    CHECK(within(seconds(20), [&] { return nodes.is(3, "state", "ready"); }));
    nodes.settle();
    CHECK(text_of(nodes.dir[3] / "meanwhile") == "meanwhile");
    CHECK(text_of(nodes.dir[1] / "own") == own);
    CHECK(fs::is_empty(nodes.dir[3] / ".lockstep" / "staging"));
}

TEST_CASE("where there is no room for the log the node stops in order, and has everything once there is room") {
    cluster nodes;
    small_disk disk(nodes.dir[3], 20);   // the first segment of the log, and a little
    if (!disk) return;
    nodes.start();
    for (int i = 0; i < 400; ++i) nodes.write(1, "f" + std::to_string(i), std::string(60'000, static_cast<char>('a' + i % 26)));
    check_stopped(*nodes.node[3]);
    CHECK(nodes.barrier(1).code == 0);   // without node 3, which is gone
    nodes.write(2, "meanwhile", "meanwhile");
    CHECK(nodes.barrier(2).code == 0);

    nodes.start(3);   // as full as before: the same, and the log is whole
    check_stopped(*nodes.node[3]);
    disk.grow(100);
    nodes.start(3);
    CHECK(within(seconds(20), [&] { return nodes.is(3, "state", "ready"); }));
    nodes.settle();
    CHECK(text_of(nodes.dir[3] / "meanwhile") == "meanwhile");
}

TEST_CASE("where the chunk store has no room the node says so, waits with what needs it, and goes on by itself") {
    cluster nodes;
    nodes.state[3] = nodes.host.path / "small" / "state";
    small_disk disk(nodes.host.path / "small", 28);
    if (!disk) return;
    nodes.start();
    const auto full = [&] { return nodes.is(3, "state", "disk_full"); };
    const auto ready = [&] { return nodes.is(3, "state", "ready"); };

    // What its user wrote is not in the cluster yet. All else goes on, also what this user does.
    nodes.write(3, "mine", noise(15'000'000, 1));
    CHECK(within(seconds(10), full));
    check_refused(nodes.barrier(3, "1s"), {nodes.state[3].string(), "no space left on device"});
    CHECK(health(nodes, 3).find(" 503 ") != std::string::npos);
    nodes.write(3, "small", "small");
    nodes.write(2, "other", "other");
    CHECK(within(seconds(10), [&] { return text_of(nodes.dir[1] / "small") == "small"; }));
    CHECK(within(seconds(10), [&] { return text_of(nodes.dir[3] / "other") == "other"; }));
    CHECK_FALSE(fs::exists(nodes.dir[1] / "mine"));
    SECTION("its user removes it") {
        fs::remove(nodes.dir[3] / "mine");
        CHECK(within(seconds(15), ready));
    }
    SECTION("there is more room") {
        disk.grow(100);
        CHECK(within(seconds(15), ready));
    }
    SECTION("what another wrote waits, too") {
        nodes.write(1, "theirs", noise(15'000'000, 2));
        check_refused(nodes.barrier(1), {"node 3 cannot write", nodes.state[3].string(), "no space left on device"});
        CHECK(within(seconds(10), [&] { return fs::exists(nodes.dir[2] / "theirs"); }));
        CHECK(full());
        nodes.node[3]->end(SIGKILL);   // as full after a start, with nothing lost
        nodes.start(3);
        CHECK(within(seconds(20), full));
        disk.grow(100);
        CHECK(within(seconds(20), ready));
    }
    nodes.settle();
    const auto ended = nodes.node[3]->end(SIGTERM);
    CHECK(ended.code == 0);
    INFO(ended.out);
    CHECK(count(ended.out, "contents of large files wait until there is room") == 1);
    CHECK(count(ended.out, "has room for contents again") == 1);
    CHECK(count(ended.out, "no space left") <= 2);
}

TEST_CASE("a full chunk store makes room of what was removed, though the log names it yet") {
    cluster nodes;
    nodes.state[3] = nodes.host.path / "small" / "state";
    small_disk disk(nodes.host.path / "small", 110);
    if (!disk) return;
    nodes.start();
    nodes.write(1, "old", noise(70'000'000, 1));
    nodes.settle();
    fs::remove(nodes.dir[1] / "old");
    nodes.write(2, "new", noise(50'000'000, 2));
    CHECK(within(seconds(10), [&] { return nodes.is(3, "state", "disk_full"); }));
    const bool healed = within(seconds(30), [&] { return nodes.is(3, "state", "ready"); });
    INFO(nodes.status(3));
    REQUIRE(healed);
    nodes.settle();
    CHECK(nodes.status(3).find("\"collections\":0") == std::string::npos);
}

TEST_CASE("where only the state is full the node waits or stops in order, and loses nothing") {
    cluster nodes;
    nodes.state[3] = nodes.host.path / "small" / "state";
    small_disk disk(nodes.host.path / "small", 20);
    if (!disk) return;
    nodes.start();
    for (int i = 0; i < 200; ++i) nodes.write(1, "old" + std::to_string(i), "old");
    nodes.write(3, "mine", "before");
    nodes.settle();
    disk.fill();
    // Its log has room yet, its journal has not: before something is done that is waited for, after it not.
    const auto ready = [&] { return nodes.is(3, "state", "ready"); };
    for (int i = 0; i < 1000 && ready(); ++i) nodes.write(1, "f" + std::to_string(i), std::to_string(i));
    if (nodes.is(3, "state", "disk_full")) nodes.node[3]->end(SIGKILL);
    else check_stopped(*nodes.node[3]);
    nodes.write(3, "mine", "while it was down");
    nodes.start(3);
    check_stopped(*nodes.node[3]);
    CHECK(nodes.barrier(1).code == 0);   // without node 3, which is gone
    disk.leave(8192);                    // room for a few words, not for a journal
    nodes.start(3);
    CHECK(within(seconds(10), [&] { return nodes.is(3, "state", "disk_full"); }));
    check_refused(nodes.barrier(1), {"node 3 cannot write", nodes.state[3].string(), "no space left on device"});
    check_refused(nodes.barrier(3, "300ms"), {"no space left on device"});
    CHECK(health(nodes, 3).find(" 503 ") != std::string::npos);
    disk.empty();
    CHECK(within(seconds(10), ready));
    nodes.settle();
    CHECK(text_of(nodes.dir[1] / "mine") == "while it was down");
    CHECK(nodes.node[3]->end(SIGTERM).code == 0);
}
