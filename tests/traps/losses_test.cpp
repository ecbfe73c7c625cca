// What the kernel or the administrator takes away: events, the root, watches.
#include <tests/traps/three_nodes.hpp>

#include <sys/mount.h>

#include <atomic>
#include <thread>

using namespace traps_test;

namespace {

/// The files of a cluster that loses node 2's root: none of them may go anywhere.
void fill(const three_nodes& nodes) {
    fs::create_directories(nodes.dir(1) / "d");
    for (int i = 0; i < 20; ++i)
        write(nodes.dir(1) / "d" / std::to_string(i), "content " + std::to_string(i));
    nodes.settle();
}

bool all_there(const three_nodes& nodes) {
    for (int id : {1, 3})
        for (int i = 0; i < 20; ++i)
            if (text_of(nodes.dir(id) / "d" / std::to_string(i)) != "content " + std::to_string(i))
                return false;
    return true;
}

/// Node 2's root is gone: it says so, and the others lose nothing and go on.
void check_missing(const three_nodes& nodes, std::uint64_t commands) {
    REQUIRE(within(seconds(10), [&] {
        (void)nodes.barrier(2, "100ms");
        return nodes.is(2, "state", "root_missing");
    }));
    CHECK(nodes.commands() == commands);
    CHECK(all_there(nodes));
    write(nodes.dir(1) / "meanwhile", "written meanwhile");
    CHECK(within(seconds(5), [&] { return text_of(nodes.dir(3) / "meanwhile") == "written meanwhile"; }));
    CHECK(nodes.barrier(1, "300ms").code != 0);
    CHECK(nodes.commands() == commands + 1);
}

void check_back(const three_nodes& nodes) {
    REQUIRE(within(seconds(10), [&] { return nodes.is(2, "state", "ready"); }));
    nodes.settle();
    CHECK(all_there(nodes));
    CHECK(text_of(nodes.dir(2) / "meanwhile") == "written meanwhile");
    write(nodes.dir(2) / "after", "written after");
    nodes.settle();
    CHECK(text_of(nodes.dir(1) / "after") == "written after");
}

}  // namespace

TEST_CASE("row 2: an overflow of the event queue costs one rescan and deletes nothing") {
    three_nodes nodes;
    const int stopped = nodes.leader() == 2 ? 3 : 2, peer = 1;
    const auto d = nodes.dir(stopped);
    fs::create_directory(d / "churn");
    fs::create_directory(d / "kept");
    for (int i = 0; i < 100; ++i) {
        write(d / "churn" / std::to_string(i), "churn " + std::to_string(i));
        write(d / "kept" / std::to_string(i), "kept " + std::to_string(i));
    }
    nodes.settle();
    const auto overflows = nodes.number(stopped, "overflows"), rescans = nodes.number(stopped, "rescans");

    nodes.signal(stopped, SIGSTOP);
    for (int round = 0; round < 1000; ++round)
        for (int i = 0; i < 100; ++i) {
            const auto name = d / "churn" / std::to_string(i),
                       other = d / "churn" / ("x" + std::to_string(i));
            if (::rename((round % 2 ? other : name).c_str(), (round % 2 ? name : other).c_str()) != 0)
                FAIL("rename");
        }
    // These events find the queue full.
    for (int i = 0; i < 30; ++i) write(d / "churn" / std::to_string(i), "rewritten " + std::to_string(i));
    for (int i = 30; i < 60; ++i) fs::remove(d / "churn" / std::to_string(i));
    fs::create_directories(d / "fresh" / "deep");
    for (int i = 0; i < 30; ++i)
        write(d / "fresh" / "deep" / std::to_string(i), "fresh " + std::to_string(i));

    std::atomic<bool> over{false};
    std::atomic<int> vanished{0};
    std::thread reader([&] {
        while (!over) {
            for (int i = 0; i < 100; ++i)
                if (text_of(nodes.dir(peer) / "kept" / std::to_string(i)) != "kept " + std::to_string(i))
                    ++vanished;
            pause(milliseconds(2));
        }
    });
    nodes.signal(stopped, SIGCONT);
    const bool arrived =
        within(seconds(30), [&] { return text_of(nodes.dir(peer) / "fresh" / "deep" / "29") == "fresh 29"; });
    over = true;
    reader.join();
    CHECK(arrived);
    CHECK(vanished == 0);
    const auto more = nodes.number(stopped, "overflows") - overflows;
    CHECK(more >= 1);
    // One for each time that the queue was full.
    CHECK(nodes.number(stopped, "rescans") - rescans <= more + 1);
    nodes.settle();
    for (int i = 0; i < 100; ++i) {
        const std::string want = i < 30 ? "rewritten " : i < 60 ? "" : "churn ";
        CHECK(text_of(nodes.dir(peer) / "churn" / std::to_string(i)) ==
              (want.empty() ? want : want + std::to_string(i)));
    }
}

TEST_CASE("row 6: a root that was moved away is an error and no deletion, until it is back") {
    three_nodes nodes;
    fill(nodes);
    const auto commands = nodes.commands();
    fs::rename(nodes.dir(2), nodes.outside() / "node2");
    check_missing(nodes, commands);
    fs::rename(nodes.outside() / "node2", nodes.dir(2));
    check_back(nodes);
}

TEST_CASE("row 6: an empty directory in the root's place is an error and no deletion") {
    three_nodes nodes;
    fill(nodes);
    const auto commands = nodes.commands();
    fs::rename(nodes.dir(2), nodes.outside() / "node2");
    fs::create_directory(nodes.dir(2));
    check_missing(nodes, commands);
    CHECK(fs::is_empty(nodes.dir(2)));
    fs::remove(nodes.dir(2));
    fs::rename(nodes.outside() / "node2", nodes.dir(2));
    check_back(nodes);
}

TEST_CASE("row 6: a root that was emptied by accident is an error and no deletion") {
    three_nodes nodes;
    fill(nodes);
    const auto commands = nodes.commands();
    // The marker goes first, as it does in the order of names.
    for (const char* name : {".lockstep", "d"}) fs::rename(nodes.dir(2) / name, nodes.outside() / name);
    check_missing(nodes, commands);
    for (const char* name : {"d", ".lockstep"}) fs::rename(nodes.outside() / name, nodes.dir(2) / name);
    check_back(nodes);
}

TEST_CASE("row 6: a root that is unmounted is an error and no deletion, until it is mounted again") {
    three_nodes nodes;
    fill(nodes);
    nodes.end(2, SIGTERM);
    const auto source = nodes.outside() / "mounted";
    fs::rename(nodes.dir(2), source);
    fs::create_directory(nodes.dir(2));
    const auto mount = [&] {
        return ::mount(source.c_str(), nodes.dir(2).c_str(), nullptr, MS_BIND, nullptr) == 0;
    };
    const auto unmount = [&] { return ::umount2(nodes.dir(2).c_str(), MNT_DETACH) == 0; };
    if (!mount()) {
        WARN("skipped: nothing can be mounted here (" << std::strerror(errno) << ")");
        return;
    }
    nodes.start(2);
    CHECK(within(seconds(10), [&] { return nodes.is(2, "state", "ready"); }));
    CHECK(nodes.barrier(2).code == 0);
    const auto commands = nodes.commands();
    const bool gone = unmount();
    CHECK(gone);
    if (gone) {
        check_missing(nodes, commands);
        CHECK(fs::is_empty(nodes.dir(2)));
        CHECK(mount());
        check_back(nodes);
    }
    nodes.end(2, SIGTERM);
    (void)unmount();
}

TEST_CASE("row 7: a node with too few watches says so, polls, and converges without spinning") {
    // In a user namespace of its own the node has a limit of its own.
    const std::string limited = "echo 20 >/proc/sys/user/max_inotify_watches && exec \"$@\"";
    const arguments wrapper{"unshare", "--user", "--map-root-user", "sh", "-c", limited, "sh"};
    if (std::system("unshare --user --map-root-user sh -c 'echo 20 >/proc/sys/user/max_inotify_watches' "
                    "2>/dev/null") != 0) {
        WARN("skipped: a user namespace with a limit of its own cannot be made here");
        return;
    }
    three_nodes nodes({{2, wrapper}});
    for (int i = 0; i < 100; ++i) {
        fs::create_directories(nodes.dir(2) / "d" / std::to_string(i));
        write(nodes.dir(2) / "d" / std::to_string(i) / "f", std::to_string(i));
    }
    nodes.settle();
    CHECK(nodes.status(2).find("\"polling\":true") != std::string::npos);
    CHECK(nodes.number(2, "watches") < 20);
    // Edits below what is not watched: one by polling alone, one by the barrier, one by a peer.
    write(nodes.dir(2) / "d" / "99" / "f", "polled");
    CHECK(within(seconds(10), [&] { return text_of(nodes.dir(3) / "d" / "99" / "f") == "polled"; }));
    write(nodes.dir(2) / "d" / "98" / "f", "barrier");
    fs::remove_all(nodes.dir(2) / "d" / "97");
    nodes.settle();
    CHECK(text_of(nodes.dir(1) / "d" / "98" / "f") == "barrier");
    CHECK(!fs::exists(nodes.dir(1) / "d" / "97"));
    write(nodes.dir(1) / "d" / "96" / "f", "from a peer");
    nodes.settle();
    CHECK(text_of(nodes.dir(2) / "d" / "96" / "f") == "from a peer");
    // Polls every few seconds: far less often than one that spins.
    const auto rescans = nodes.number(2, "rescans");
    const auto began = steady::now();
    CHECK(within(seconds(10), [&] { return nodes.number(2, "rescans") >= rescans + 2; }));
    CHECK(steady::now() - began > milliseconds(1500));
    const auto said = nodes.end(2, SIGTERM);
    CHECK(said.out.find("no inotify watches left") != std::string::npos);
}
