// The checker of files that stay open tells what stood there from what never did.
#include <tests/catch.hpp>

#include <sim/checkers/log_file_checker.hpp>

using namespace lockstep;
using namespace lockstep::sim;
using namespace std::chrono_literals;

namespace {

struct bench {
    explicit bench(std::uint64_t seed = 1) : w(seed), here(w, 1), there(w, 2), writer(w, here, node_id(1), history, "/data"), checker({{node_id(1), &here}, {node_id(2), &there}}, "/data") {
        for (sim_disk* disk : {&here, &there}) {
            auto top = disk->open_directory(sim_disk::user, "/").value();
            REQUIRE(disk->make_directory(top, "data", 0755));
        }
        checker.add(writer);
        writer.start();
        w.run_until(w.now() + 5s);
    }
    std::string state() const { return std::string(as_text(byte_view(here.find("/data/log-1")->content))); }
    void show_there(const std::string& text) {
        auto data = there.open_directory(sim_disk::user, "/data").value();
        auto file = there.open_file(sim_disk::user, data, "log-1", open_mode::create_or_open, 0644).value();
        REQUIRE(there.resize(file, 0));
        REQUIRE(there.write_at(file, 0, as_bytes(text)));
        there.close(file);
        checker.at_end(w);
    }

    world w;
    sim_disk here, there;
    edit_history history;
    log_writer writer;
    log_file_checker checker;
};

}  // namespace

TEST_CASE("an earlier state of a log is in order, and so is what is left of it after a loss of power") {
    bench b;
    const std::string early = b.state();
    REQUIRE(b.writer.writes() > 10);
    b.w.run_until(b.w.now() + 5s);
    REQUIRE(b.state().size() > early.size());
    b.show_there(early);
    b.show_there(b.state());
    b.here.lose_power();
    b.writer.power_lost();
    if (b.here.find("/data/log-1")) b.show_there(b.state());
    CHECK_FALSE(b.w.failed());
    CHECK(b.checker.states() >= 3);
}

TEST_CASE("half a line, a splice of two states and a byte that nobody wrote are found") {
    for (int what = 0; what < 3; ++what) {
        bench b;
        std::string wrong = b.state();
        if (what == 0) wrong.resize(wrong.size() - 3);
        if (what == 1) wrong.erase(10, 80);
        if (what == 2) wrong[40] = '?';
        b.show_there(wrong);
        REQUIRE(b.w.failed());
        CHECK(b.w.failed()->text.find("of log-1 that never stood there") != std::string::npos);
    }
}

TEST_CASE("a log is closed once, with all that was written") {
    bench b;
    CHECK(b.history.contents().empty());
    b.writer.stop();
    const std::string last = b.state();
    b.w.run_until(b.w.now() + 5s);
    CHECK(b.state() == last);
    CHECK(b.history.contents().size() == 1);
    CHECK(b.history.find(as_bytes(last)) != nullptr);
}

TEST_CASE("some keep their log open to the end, and let go of it only where another file took its place") {
    std::uint64_t open = 0;
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        bench b(seed);
        b.writer.stop();
        b.w.run_until(b.w.now() + 5s);
        CHECK(b.history.find(as_bytes(b.state())) != nullptr);
        if (!b.writer.has_it_open()) continue;
        ++open;
        const std::string last = b.state();
        auto data = b.here.open_directory(sim_disk::user, "/data").value();
        REQUIRE(b.here.rename(data, "log-1", data, "log-2", rename_mode::replace));
        b.w.run_until(b.w.now() + 5s);
        CHECK_FALSE(b.writer.has_it_open());
    }
    CHECK(open > 1);
    CHECK(open < 12);
}
