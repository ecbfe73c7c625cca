// What a scenario tells a user to do, he does, and when it says.
#include <tests/catch.hpp>

#include <sim/scenario.hpp>
#include <sim/simulation.hpp>
#include <sim/workload/sim_user.hpp>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

namespace {

/// One user at one disk, and no node.
struct desk {
    world w{1};
    sim_disk disk{w, {}};
    edit_history history;
    std::unique_ptr<sim_user> user;

    desk() {
        const auto top = disk.open_directory(sim_disk::user, "/").value();
        REQUIRE(disk.make_directory(top, "data", 0755));
        disk.close(top);
        user = std::make_unique<sim_user>(w, disk, node_id(1), history);
    }
    /// A line a second, each an edit but for its beginning.
    void does(std::initializer_list<std::string_view> orders) {
        std::string text = "scenario 1\n";
        std::uint64_t n = 0;
        for (const std::string_view order : orders) {
            ++n;
            text += "at " + std::to_string(n) + "s edit 1 n" + std::to_string(n) + " " + std::string(order) + "\n";
        }
        const auto read = parse_scenario(text);
        REQUIRE(read.wrong == "");
        user->start(read.what.edits);
        w.run_until(w.now() + std::chrono::seconds(n + 1));
        REQUIRE(user->idle());
    }
    inode_ptr at(const std::string& path) const { return disk.find("/data/" + path); }
    std::string text_at(const std::string& path) const {
        const inode_ptr there = at(path);
        return there ? std::string(reinterpret_cast<const char*>(there->content.data()), there->content.size()) : "nothing";
    }
};

}  // namespace

TEST_CASE("each order does what it says") {
    desk d;
    SECTION("write, append, truncate") {
        d.does({"write a 20", "append a 5", "write b 30", "truncate b 4", "write c 20", "write c 3"});
        CHECK(d.text_at("a") == "n1 of node 1\nn1 of nn2 of");
        CHECK(d.text_at("b") == "n3 o");
        CHECK(d.text_at("c") == "n6 ");
        d.does({"write d 6", "overwrite d 4 synced"});
        CHECK(d.text_at("d") == "n2 of ");   // 4 bytes of the second one, and what was behind them
    }
    SECTION("a file is held open for as long as is said") {
        d.does({"write a 20"});
        const auto read = parse_scenario("scenario 1\nat 1s edit 1 n7 append a 20 held 2s\n");
        REQUIRE(read.wrong == "");
        d.user->start(read.what.edits);
        d.w.run_until(d.w.now() + 2900ms);
        CHECK(d.at("a")->open == 1);
        CHECK(d.text_at("a").size() == 20);
        d.w.run_until(d.w.now() + 10s);
        CHECK(d.at("a")->open == 0);
        CHECK(d.text_at("a").size() == 40);
    }
    SECTION("save puts another file there, write the same") {
        d.does({"write a 20"});
        const auto first = d.at("a")->serial;
        d.does({"write a 20"});
        CHECK(d.at("a")->serial == first);
        d.does({"save a 20"});
        CHECK(d.at("a")->serial != first);
        CHECK(d.at("")->entries.size() == 1);
    }
    SECTION("synced is durable, and nothing else is") {
        d.does({"write a 20 synced", "save b 20 synced", "write c 20"});
        CHECK(d.at("a")->unsynced.empty());
        CHECK(d.at("b")->unsynced.empty());
        CHECK_FALSE(d.at("c")->unsynced.empty());
    }
    SECTION("rewrite keeps the size") {
        d.does({"write a 40", "rewrite a"});
        CHECK(d.text_at("a").size() == 40);
        CHECK(d.text_at("a").find("time 3") != std::string::npos);
    }
    SECTION("directories, moves and removals") {
        d.does({"mkdir d", "mkdir d/e", "write d/e/f 20", "move d/e g", "write x 20", "remove x", "mkdir t", "write t/u 20", "remove-tree t"});
        CHECK(d.at("d")->entries.empty());
        CHECK(d.text_at("g/f") == "n3 of node 1\nn3 of n");
        CHECK_FALSE(d.at("x"));
        CHECK_FALSE(d.at("t"));
    }
    SECTION("links, modes and times") {
        d.does({"write a 20", "link a b", "symlink s ../out", "chmod a 600", "mkdir d", "chmod d 700"});
        CHECK(d.at("a") == d.at("b"));
        CHECK(d.at("")->entries.at("s")->type == file_type::symlink);
        CHECK(d.at("a")->mode == 0600);
        CHECK(d.at("d")->mode == 0700);
        const auto before = d.at("a")->mtime_ns;
        d.does({"touch a"});
        CHECK(d.at("a")->mtime_ns > before);
    }
    SECTION("what cannot be done is given up, and the next edit is made") {
        d.does({"move nothing a", "remove nothing", "write no/where 5", "write a 5"});
        CHECK(d.text_at("a") == "n4 of");
    }
}

TEST_CASE("an edit at a call is whole before that call, and none before it") {
    desk d;
    const auto read = parse_scenario("scenario 1\nat 1s edit 1 n1 call 3 write a 2000\nat 1s edit 1 n2 call 4 append a 10\n");
    REQUIRE(read.wrong == "");
    d.user->start(read.what.edits);
    d.user->before_call();   // calls are counted from its time on
    d.w.run_until(d.w.now() + 2s);
    for (int call = 1; call <= 4; ++call) {
        d.user->before_call();
        INFO("call " << call);
        CHECK(d.text_at("a").size() == (call < 3 ? std::string("nothing").size() : call == 3 ? 2000 : 2010));
    }
    CHECK(d.user->edits() == 2);
    SECTION("no more once the faults are over") {
        d.user->start(read.what.edits);
        d.w.run_until(d.w.now() + 2s);
        d.user->stop();
        for (int call = 1; call <= 4; ++call) d.user->before_call();
        CHECK(d.user->edits() == 2);
    }
}

TEST_CASE("orders come back from their text") {
    const std::string text = "scenario 1\n"
                             "at 1s edit 1 n1 write a/b 300\nat 1s edit 2 n1 call 7 save a 3 synced\nat 1s edit 1 n1 overwrite a 3 synced held 0.25s\nat 1s edit 1 n2 append a 0\n"
                             "at 1s edit 1 n3 truncate a 5\nat 1s edit 1 n4 rewrite a\nat 1s edit 1 n5 remove a\nat 1s edit 1 n6 remove-tree a\n"
                             "at 1s edit 1 n7 mkdir a\nat 1s edit 1 n8 move a b/c\nat 1s edit 1 n9 symlink a ../x\nat 1s edit 1 n10 link a b\n"
                             "at 1s edit 1 n11 chmod a 640\nat 1s edit 1 n12 touch a\nat 1s edit 1 n13\n";
    const auto read = parse_scenario(text);
    REQUIRE(read.wrong == "");
    CHECK(read.what.edits.size() == 15);
    const auto again = parse_scenario(to_text(read.what));
    REQUIRE(again.wrong == "");
    CHECK(again.what.edits == read.what.edits);
    for (const planned_edit& e : read.what.edits) CHECK(text.find(line_of(e) + "\n") != std::string::npos);
}

TEST_CASE("an order that makes no sense is refused") {
    const std::pair<const char*, const char*> cases[] = {
        {"hope a", "edit: want a verb, as write or move"},
        {"call 3", "edit: want a verb, as write or move"},
        {"call 0 write a 1", "edit: call wants a number; calls are counted from 1"},
        {"call x write a 1", "edit: call wants a number; calls are counted from 1"},
        {"write", "write: want a path below the directory"},
        {"write /a 1", "write: want a path below the directory"},
        {"write a/../b 1", "write: want a path below the directory"},
        {"write a/ 1", "write: want a path below the directory"},
        {"write .lockstep/log 1", "write: want a path below the directory"},
        {"write a", "write: want a number of bytes, up to 1000000"},
        {"write a -1", "write: want a number of bytes, up to 1000000"},
        {"write a 1000001", "write: want a number of bytes, up to 1000000"},
        {"write a 1 soon", "\"soon\" is too much"},
        {"append a 1 synced", "\"synced\" is too much"},
        {"append a 1 held", "append: held wants a time"},
        {"append a 1 held 0s", "append: held wants a time"},
        {"call 1 append a 1 held 1s", "append: an edit at a call holds nothing"},
        {"remove a held 1s", "\"held\" is too much"},
        {"move a", "move: want a second path"},
        {"move a .lockstep", "move: want a second path"},
        {"symlink a", "symlink: want a second path"},
        {"chmod a 8", "chmod: want a mode, as 644"},
        {"chmod a 10000", "chmod: want a mode, as 644"},
        {"mkdir a b", "\"b\" is too much"},
    };
    for (const auto& [text, wrong] : cases) {
        INFO(text);
        CHECK(parse_scenario("scenario 1\nat 1s edit 1 n1 " + std::string(text)).wrong == "line 2: " + std::string(wrong));
    }
    CHECK(parse_scenario("scenario 1\nworkload consensus\nat 1s expect 1 synced 3").wrong ==
          "line 3: no node shows anything where there are no folders");
}

TEST_CASE("what a scenario orders is on every node, and it can tell") {
    const auto run = [](const char* expected) {
        const auto read = parse_scenario("scenario 1\nquiet\nfaulty 4s\nat 2s edit 1 n1 mkdir d\nat 2.1s edit 2 n1 write d/f 300\n" + std::string(expected));
        REQUIRE(read.wrong == "");
        return simulate(read.what);
    };
    // Three sessions begin behind the leader's first entry.
    CHECK(run("at 3s expect 3 synced 6\n").outcome.text == "");
    CHECK(run("at 3s expect 3 synced 7\n").outcome.what == exit_class::liveness);
    CHECK(run("at 1s expect 3 synced 6\n").outcome.what == exit_class::liveness);
}
