// Directories that come, go, move and swap faster than anybody can watch them.
#include <tests/traps/three_nodes.hpp>

#include <lockstep/base/random.hpp>

#include <sys/syscall.h>

using namespace traps_test;

namespace {

void shell(const std::string& command) {
    INFO(command);
    REQUIRE(std::system(command.c_str()) == 0);
}

bool exchange(const fs::path& a, const fs::path& b) {
    return ::syscall(SYS_renameat2, AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), 2u) == 0;
}

/// The names and contents of all files below some directories.
std::map<std::string, std::string> files_in(const std::vector<fs::path>& directories) {
    std::map<std::string, std::string> out;
    for (const auto& directory : directories)
        for (const auto& item : fs::recursive_directory_iterator(directory))
            if (item.is_regular_file()) out[item.path().filename()] += text_of(item.path());
    return out;
}

}  // namespace

TEST_CASE("row 1: whatever is in a directory before its watch exists arrives") {
    three_nodes nodes;
    for (int i = 0; i < 1000; ++i) {
        const auto leaf = nodes.dir(1) / ("chain" + std::to_string(i % 50)) / std::to_string(i) / "deep";
        fs::create_directories(leaf);
        write(leaf / "file", std::to_string(i));
    }
    nodes.settle();
    CHECK(text_of(nodes.dir(3) / "chain49" / "999" / "deep" / "file") == "999");
    CHECK(nodes.number(3, "files") == 1000);

    shell("cp -r '" + (nodes.dir(1) / "chain7").string() + "' '" + (nodes.dir(2) / "copy").string() + "'");
    nodes.settle();
    CHECK(text_of(nodes.dir(3) / "copy" / "7" / "deep" / "file") == "7");
}

TEST_CASE("row 1: a repository that git fills arrives whole") {
    if (std::system("git --version >/dev/null 2>&1") != 0) {
        WARN("skipped: there is no git here");
        return;
    }
    three_nodes nodes;
    const auto here = nodes.dir(1) / "repository";
    fs::create_directories(here / "sub");
    for (int i = 0; i < 200; ++i)
        write(here / (i % 2 ? "sub" : ".") / ("f" + std::to_string(i)), std::string(100, char('a' + i % 26)));
    const std::string git = "git -c user.name=n -c user.email=e -c safe.directory='*' -C '";
    shell(git + here.string() + "' init -q && " + git + here.string() + "' add -A && " + git + here.string() +
          "' commit -q -m all");
    nodes.settle();
    const auto there = (nodes.dir(3) / "repository").string();
    shell(git + there + "' fsck --strict >/dev/null 2>&1");
    shell("test -z \"$(" + git + there + "' status --porcelain)\"");
}

TEST_CASE("row 3: eight processes that rename in, out and across leave the same tree everywhere") {
    three_nodes nodes;
    const std::vector<fs::path> places{nodes.dir(1) / "a", nodes.dir(1) / "b", nodes.outside() / "c"};
    for (const auto& place : places) fs::create_directories(place);
    for (int i = 0; i < 40; ++i)
        write(places[0] / ("file" + std::to_string(i)), "content " + std::to_string(i));
    for (int i = 0; i < 6; ++i) {
        fs::create_directories(places[1] / ("tree" + std::to_string(i)));
        write(places[1] / ("tree" + std::to_string(i)) / ("leaf" + std::to_string(i)), std::to_string(i));
    }
    nodes.settle();
    const auto before = files_in(places);
    std::vector<child> movers;
    for (std::uint64_t seed = 1; seed <= 8; ++seed)
        movers.emplace_back([&, seed] {
            lockstep::random_generator random(seed);
            for (int step = 0; step < 400; ++step) {
                const auto number = random.below(46);
                const std::string name =
                    number < 40 ? "file" + std::to_string(number) : "tree" + std::to_string(number - 40);
                const auto from = random.below(3), to = (from + 1 + random.below(2)) % 3;
                (void)::rename((places[from] / name).c_str(), (places[to] / name).c_str());
                if (step % 16 == 0) pause(milliseconds(1));
            }
            return true;
        });
    for (auto& mover : movers) CHECK(mover.wait());
    nodes.settle();
    // Nothing came back, nothing went, nothing is anywhere twice.
    CHECK(files_in(places) == before);
    CHECK(nodes.number(1, "conflicts") == 0);
}

TEST_CASE("row 4: what happens in a directory that was moved out is nobody's business") {
    three_nodes nodes;
    fs::create_directories(nodes.dir(1) / "d" / "below");
    write(nodes.dir(1) / "d" / "below" / "x", "inside");
    nodes.settle();
    fs::rename(nodes.dir(1) / "d", nodes.outside() / "d");
    nodes.settle();
    CHECK(!fs::exists(nodes.dir(2) / "d"));
    const auto commands = nodes.commands();
    write(nodes.outside() / "d" / "below" / "x", "outside");
    write(nodes.outside() / "d" / "new", "outside");
    fs::create_directories(nodes.outside() / "d" / "more" / "still");
    nodes.settle();
    CHECK(nodes.commands() == commands);
    CHECK(!fs::exists(nodes.dir(1) / "d"));
    CHECK(!fs::exists(nodes.dir(2) / "d"));
    // It comes back as what it is by then.
    fs::rename(nodes.outside() / "d", nodes.dir(1) / "d");
    nodes.settle();
    CHECK(text_of(nodes.dir(3) / "d" / "below" / "x") == "outside");
    CHECK(fs::is_directory(nodes.dir(3) / "d" / "more" / "still"));
}

TEST_CASE("row 5: a directory deleted and made again is watched again, at the normal latency") {
    three_nodes nodes;
    const auto d = nodes.dir(1) / "d";
    fs::create_directories(d);
    write(d / "f", "first");
    nodes.settle();
    for (int i = 0; i < 20; ++i) {
        fs::remove_all(d);
        fs::create_directory(d);
        const std::string text = "again " + std::to_string(i);
        write(d / "f", text);
        // No barrier: the events alone must bring it.
        const auto began = steady::now();
        const bool arrived = within(seconds(10), [&] { return text_of(nodes.dir(3) / "d" / "f") == text; });
        INFO("round " << i << " took "
                      << std::chrono::duration_cast<milliseconds>(steady::now() - began).count() << " ms");
        REQUIRE(arrived);
        CHECK(steady::now() - began < seconds(3));
    }
    write(d / "later", "later");
    CHECK(within(seconds(3), [&] { return text_of(nodes.dir(3) / "d" / "later") == "later"; }));
    nodes.settle();
}

TEST_CASE("row 12: hard links become files of their own, and links are never followed") {
    three_nodes nodes;
    const auto d = nodes.dir(1);
    write(nodes.outside() / "secret", "not to be replicated");
    write(d / "one", "shared");
    fs::create_hard_link(d / "one", d / "two");
    fs::create_symlink("loop-b", d / "loop-a");
    fs::create_symlink("loop-a", d / "loop-b");
    fs::create_directory(d / "sub");
    fs::create_directory_symlink(".", d / "sub" / "self");
    fs::create_directory_symlink("..", d / "sub" / "up");
    fs::create_directory_symlink(nodes.outside(), d / "sub" / "out");
    fs::create_symlink(nodes.outside() / "secret", d / "secret");
    fs::create_symlink("nowhere", d / "dangling");
    nodes.settle();
    const auto there = nodes.dir(3);
    CHECK(text_of(there / "two") == "shared");
    CHECK(fs::hard_link_count(there / "one") == 1);
    CHECK(fs::read_symlink(there / "loop-a") == "loop-b");
    CHECK(fs::read_symlink(there / "sub" / "self") == ".");
    CHECK(fs::is_symlink(there / "secret"));
    CHECK(fs::is_symlink(there / "sub" / "out"));

    // Edited under one name: that one follows, the other at its next look. Nothing else is promised.
    write(d / "two", "edited as two");
    REQUIRE(nodes.barrier(1).code == 0);
    CHECK(text_of(there / "two") == "edited as two");
    REQUIRE(::utimensat(AT_FDCWD, (d / "one").c_str(), nullptr, 0) == 0);
    nodes.settle();
    CHECK(text_of(there / "one") == "edited as two");
}

TEST_CASE("row 12: a directory that becomes a link takes nothing along from where it leads") {
    three_nodes nodes;
    fs::create_directories(nodes.outside() / "target");
    write(nodes.outside() / "target" / "f", "outside");
    fs::create_directories(nodes.dir(1) / "d" / "deep");
    write(nodes.dir(1) / "d" / "f", "inside");
    write(nodes.dir(1) / "d" / "deep" / "g", "inside");
    nodes.settle();
    fs::remove_all(nodes.dir(1) / "d");
    fs::create_directory_symlink(nodes.outside() / "target", nodes.dir(1) / "d");
    nodes.settle();
    for (int id : {1, 2, 3}) CHECK(fs::is_symlink(nodes.dir(id) / "d"));
    CHECK(nodes.number(2, "files") == 0);
    CHECK(text_of(nodes.outside() / "target" / "f") == "outside");
    CHECK(!fs::exists(nodes.outside() / "target" / "deep"));
    fs::remove(nodes.dir(2) / "d");
    fs::create_directory(nodes.dir(2) / "d");
    write(nodes.dir(2) / "d" / "f", "a directory again");
    nodes.settle();
    CHECK(text_of(nodes.dir(1) / "d" / "f") == "a directory again");
    CHECK(text_of(nodes.outside() / "target" / "f") == "outside");
}

TEST_CASE("row 17: names and watches used again and again end as the disk ends") {
    three_nodes nodes;
    const auto d = nodes.dir(1);
    for (const char* name : {"a", "b", "c"}) {
        fs::create_directories(d / name / "sub");
        write(d / name / "sub" / "f", std::string("of ") + name);
    }
    nodes.settle();
    for (int i = 0; i < 100; ++i) {
        REQUIRE(exchange(d / "a", d / "b"));
        fs::rename(d / "c", d / "tmp");
        fs::rename(d / "a", d / "c");
        fs::rename(d / "tmp", d / "a");
        fs::remove_all(d / "brief");
        fs::create_directories(d / "brief" / "sub");
        write(d / "brief" / "sub" / "n", std::to_string(i));
        if (i % 10 == 3) write(d / "b" / "sub" / "f", "edit " + std::to_string(i));
        if (i % 25 == 0) REQUIRE(nodes.barrier(1).code == 0);
    }
    const auto mine = tree_of(d);
    nodes.settle();
    CHECK(difference(mine, tree_of(nodes.dir(2))) == "");
    CHECK(text_of(nodes.dir(3) / "brief" / "sub" / "n") == "99");
    // The watches stand for the right paths: single edits arrive by their events alone.
    for (const char* name : {"a", "b", "c"}) {
        write(d / name / "sub" / "late", name);
        CHECK(within(seconds(3), [&] { return text_of(nodes.dir(2) / name / "sub" / "late") == name; }));
    }
}

TEST_CASE("row 19: a link planted on the way leads nobody out of the root") {
    three_nodes nodes;
    const auto trap = nodes.outside() / "trap";
    fs::create_directories(trap / "sub");
    write(trap / "sub" / "secret", "untouched");
    fs::create_directories(nodes.dir(1) / "d" / "sub");
    nodes.settle();
    // Node 1's directory is exchanged with a link to a place outside, back and forth, while a peer fills it.
    fs::create_directory_symlink(trap, nodes.outside() / "link");
    child planter([&] {
        for (int i = 0; i < 400; ++i) {
            if (!exchange(nodes.dir(1) / "d", nodes.outside() / "link")) return false;
            pause(milliseconds(i % 7));
        }
        return true;
    });
    int written = 0;
    for (int i = 0; i < 200; ++i) {
        // The link comes here too: this user does not follow it.
        const int d = ::open((nodes.dir(2) / "d").c_str(), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        const int sub = ::openat(d, "sub", O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        const int file = ::openat(sub, ("f" + std::to_string(i)).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (file >= 0 && ::write(file, "inside", 6) == 6) ++written;
        ::close(file);
        ::close(sub);
        ::close(d);
        if (i % 20 == 0) (void)nodes.barrier(2, "500ms");
    }
    CHECK(written > 0);
    CHECK(planter.wait());
    nodes.settle();
    CHECK(text_of(trap / "sub" / "secret") == "untouched");
    for (const auto& item : fs::directory_iterator(trap / "sub")) CHECK(item.path().filename() == "secret");
    for (int id : {1, 2, 3})
        for (const auto& [path, line] : tree_of(nodes.dir(id))) CHECK(path.find("secret") == std::string::npos);
}
