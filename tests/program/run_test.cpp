// The program at work, as a cluster of one: the smallest thing that a user can run.
#include <tests/program/cluster.hpp>

using namespace program_test;
namespace fs = std::filesystem;

TEST_CASE("a cluster of one takes edits, says how it stands, and ends cleanly") {
    scratch s;
    const auto dir = s.make("d");
    single one(s, dir);
    std::ofstream(fs::path(dir) / "file") << "twelve bytes";
    REQUIRE(one.barrier().code == 0);
    const auto plain = run(s, {"status", "--admin", one.admin});
    CHECK(plain.code == 0);
    for (const char* line : {"role         leader\n", "state        ready\n", "files        1\n",
                             "bytes        12\n", "leader       1\n"}) {
        INFO(line << plain.out);
        CHECK(plain.out.find(line) != std::string::npos);
    }
    const auto json = run(s, {"status", "--admin", one.admin, "--json"});
    CHECK(json.code == 0);
    CHECK(json.out.front() == '{');
    CHECK(json.out.find(R"("files":1,"bytes":12,)") != std::string::npos);
    const auto ended = one.node.end(SIGTERM);
    CHECK(ended.code == 0);
    CHECK(ended.err.empty());
}

TEST_CASE("the node's own directory is there, closed to others, and only its top-level name is reserved") {
    scratch s;
    const auto dir = s.make("d");
    single one(s, dir, {"--state", (s.path / "state").string()});
    REQUIRE(one.barrier().code == 0);
    CHECK(fs::status(fs::path(dir) / ".lockstep").permissions() == fs::perms::owner_all);
    CHECK(fs::exists(s.path / "state" / "identity"));
    CHECK(!fs::exists(fs::path(dir) / ".lockstep" / "identity"));
    fs::create_directories(fs::path(dir) / "below" / ".lockstep");
    std::ofstream(fs::path(dir) / "below" / ".lockstep" / "file") << "x";
    REQUIRE(one.barrier().code == 0);
    CHECK(run(s, {"status", "--admin", one.admin}).out.find("files        1\n") != std::string::npos);
}

TEST_CASE("a killed node has everything when it is back, and finds what was edited meanwhile") {
    scratch s;
    const auto dir = s.make("d");
    {
        single one(s, dir);
        std::ofstream(fs::path(dir) / "kept") << "kept";
        REQUIRE(one.barrier().code == 0);
        one.node.end(SIGKILL);
    }
    std::ofstream(fs::path(dir) / "added") << "added";
    single again(s, dir);
    REQUIRE(again.barrier().code == 0);
    CHECK(run(s, {"status", "--admin", again.admin}).out.find("files        2\n") != std::string::npos);
    CHECK(text_of(fs::path(dir) / "kept") == "kept");
}

TEST_CASE("a node that waits for the others says for whom, and a barrier on it says so too") {
    scratch s;
    const auto dir = s.make("d");
    single alone(s, dir, {"--peer", "2=" + free_address(), "--peer", "3=" + free_address()});
    const auto barrier = alone.barrier("300ms");
    check_refused(barrier, {"2 3"});
    const auto status = run(s, {"status", "--admin", alone.admin}).out;
    CHECK(status.find("state        waiting\n") != std::string::npos);
    CHECK(alone.node.end(SIGINT).code == 0);
}

TEST_CASE("help is given on stdout, with success") {
    scratch s;
    for (const arguments& asked :
         {arguments{"--help"}, {"run", "--help"}, {"status", "--help"}, {"barrier", "-h"}}) {
        const auto help = run(s, asked);
        CHECK(help.code == 0);
        CHECK(help.err.empty());
        CHECK(help.out.find("--help") != std::string::npos);
    }
}

TEST_CASE("a node whose state is another cluster's ends and says so, the others go on, and with them it works again") {
    cluster ours;
    cluster theirs;
    ours.start();
    theirs.start();
    ours.write(2, "file", "of our cluster");
    ours.settle();
    theirs.write(2, "file", "of another cluster");
    theirs.settle();
    theirs.node[1]->end(SIGTERM);
    ours.node[1]->end(SIGTERM);
    const auto own = std::exchange(ours.dir[1], theirs.dir[1]);
    ours.start(1);
    const auto ended = ours.node[1]->wait();
    INFO(ended.out << ended.err);
    CHECK(ended.code == 1);
    CHECK(ended.err.find("the state in " + (theirs.dir[1] / ".lockstep").string() + " belongs to another cluster than nodes 2 3") != std::string::npos);
    CHECK(std::count(ended.err.begin(), ended.err.end(), '\n') == 1);
    CHECK(text_of(theirs.dir[1] / "file") == "of another cluster");
    CHECK(ours.barrier(2).code == 0);
    ours.dir[1] = own;
    ours.start(1);
    ours.settle();
    theirs.start(1);
    theirs.settle();
}
