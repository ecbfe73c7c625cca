#include <tests/catch.hpp>

#include <lockstep/os/asio_runtime.hpp>
#include <lockstep/os/linux_kernel_events.hpp>
#include <lockstep/testing/watcher_conformance.hpp>
#include <lockstep/watch/inotify_watcher.hpp>
#include <tests/os/temporary_directory.hpp>

#include <algorithm>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

using namespace lockstep;
using namespace lockstep::testing;
namespace files = std::filesystem;

namespace {

static_assert(kernel_events<linux_kernel_events, os::posix_file_system::directory>);
using real_watcher = inotify_watcher<asio_runtime, os::posix_file_system, linux_kernel_events>;
static_assert(watcher<real_watcher, os::posix_file_system::directory>);

/// The watcher over the kernel, and an owner that watches the directories that it is told of.
struct world {
    world() {
        files::create_directories(at("tree"));
        files::create_directories(at("marks"));
        files::create_directories(at("outside"));
        watcher_callbacks callbacks;
        callbacks.hints = [this](std::vector<hint> given) {
            for (auto& h : given) hints.push_back(std::move(h));
        };
        callbacks.problem = [this](std::string text) { problems.push_back(std::move(text)); };
        REQUIRE(watch.start(fs.open_directory(at("marks")).value(), std::move(callbacks)));
        add("");
    }
    std::string at(const std::string& path) const { return directory.path() + "/" + path; }
    void add(const std::string& path) { watch.add(path, fs.open_directory(at("tree/" + path)).value()); }
    void write(const std::string& path) const { std::ofstream(at(path)) << "x"; }
    bool told(hint::kind what, const std::string& path) const {
        return std::any_of(hints.begin(), hints.end(), [&](const hint& h) { return h.what == what && h.path == path; });
    }
    /// What was hinted at since the last call; runs the loop until a flush is answered.
    void flush() {
        hints.clear();
        bool done = false;
        watch.flush([&](error_code error) {
            CHECK_FALSE(error);
            done = true;
        });
        while (!done) rt.context().run_one();
    }

    temporary_directory directory;
    os::posix_file_system fs;
    asio_runtime rt;
    linux_kernel_events kernel{rt.context()};
    real_watcher watch{rt, fs, kernel};
    ~world() {
        if (problems != problems_wanted) FAIL_CHECK(problems.at(0));
    }

    std::vector<hint> hints;
    std::vector<std::string> problems;
    std::vector<std::string> problems_wanted;
};

/// The descriptor of the only inotify instance of this process.
int inotify_descriptor() {
    for (const auto& open : files::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        if (files::read_symlink(open.path(), gone) == "anon_inode:inotify") return std::stoi(open.path().filename());
    }
    return -1;
}

}  // namespace

TEST_CASE("a flush comes after the hints of all that was done before it") {
    world w;
    for (int i = 0; i < 1000; ++i) w.write("tree/f" + std::to_string(i));
    w.flush();
    for (int i = 0; i < 1000; ++i) REQUIRE(w.told(hint::kind::name, "f" + std::to_string(i)));
    files::remove(w.at("tree/f7"));
    files::create_symlink("nowhere", w.at("tree/link"));
    files::permissions(w.at("tree/f8"), files::perms::owner_read);
    w.flush();
    for (const char* name : {"f7", "link", "f8"}) CHECK(w.told(hint::kind::name, name));
    w.flush();
    CHECK(w.hints.empty());
}

TEST_CASE("a writer that has not closed is told as open") {
    world w;
    std::ofstream writer(w.at("tree/f"));
    writer << "x" << std::flush;
    w.flush();
    CHECK(std::count(w.hints.begin(), w.hints.end(), hint{hint::kind::name, "f", true}) == 1);
    writer.close();
    w.flush();
    CHECK(std::count(w.hints.begin(), w.hints.end(), hint{hint::kind::name, "f", false}) == 1);
}

TEST_CASE("a renamed directory tells under its new path once it was added there") {
    world w;
    files::create_directories(w.at("tree/a/b"));
    for (const char* path : {"a", "a/b"}) w.add(path);
    files::rename(w.at("tree/a"), w.at("tree/c"));
    w.flush();
    CHECK(w.told(hint::kind::name, "a"));
    CHECK(w.told(hint::kind::name, "c"));
    for (const char* path : {"c", "c/b"}) w.add(path);
    w.watch.remove("a");
    w.write("tree/c/b/f");
    w.flush();
    CHECK(w.told(hint::kind::name, "c/b/f"));
    CHECK_FALSE(w.told(hint::kind::name, "a/b/f"));
    CHECK(w.watch.counters().watches == 3);
}

TEST_CASE("a directory that was moved out of the tree is silent once its path was removed") {
    world w;
    files::create_directories(w.at("tree/a"));
    w.add("a");
    files::rename(w.at("tree/a"), w.at("outside/a"));
    w.flush();
    CHECK(w.told(hint::kind::name, "a"));
    w.watch.remove("a");
    w.write("outside/a/f");
    w.flush();
    CHECK(w.hints.empty());
}

TEST_CASE("a directory deleted and made again is watched under the same path") {
    world w;
    for (int i = 0; i < 50; ++i) {
        files::create_directories(w.at("tree/d"));
        w.add("d");
        w.write("tree/d/f");
        w.flush();
        REQUIRE(w.told(hint::kind::name, "d/f"));
        files::remove_all(w.at("tree/d"));
    }
    w.flush();
    CHECK(w.watch.counters().watches == 1);
}

TEST_CASE("a queue that overflowed is told as everything, and the flush is answered") {
    world w;
    std::size_t queue = 16384;
    std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> queue;
    if (queue > 100'000) return;   // too long a queue to fill in a test
    for (std::size_t i = 0; i <= queue / 3 + 1; ++i) w.write("tree/f" + std::to_string(i));
    for (std::size_t i = 0; i <= queue / 3 + 1; ++i) files::remove(w.at("tree/f" + std::to_string(i)));
    w.flush();
    CHECK(std::count(w.hints.begin(), w.hints.end(), hint{}) == 1);   // one look at everything
    CHECK(w.watch.counters().overflows == 1);
    w.write("tree/after");
    w.flush();
    CHECK(w.told(hint::kind::name, "after"));
    CHECK_FALSE(w.told(hint::kind::everything, ""));
    CHECK(w.watch.counters().overflows == 1);
}

TEST_CASE("events that cannot be read any more are told as a problem, and polled for") {
    world w;
    const int descriptor = inotify_descriptor();
    REQUIRE(descriptor >= 0);
    // What is waited for stays; what is read from is a directory, which gives an error.
    const int waited_for = ::dup(descriptor);
    const int unreadable = ::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(::dup2(unreadable, descriptor) == descriptor);
    w.flush();
    ::close(unreadable);
    ::close(waited_for);
    CHECK(w.told(hint::kind::everything, ""));
    CHECK(w.watch.counters().polling);
    CHECK(w.watch.counters().watches == 0);
    while (w.problems.empty()) REQUIRE(w.rt.context().run_one_for(std::chrono::seconds(5)) == 1);
    CHECK(w.problems[0].find("cannot be read any more") != std::string::npos);
    w.problems_wanted = w.problems;

    // No spin: what is left to happen is the next poll, seconds away.
    CHECK(w.rt.context().poll() == 0);
    w.write("tree/later");
    w.add("");
    w.flush();
    CHECK(w.told(hint::kind::everything, ""));
    CHECK(w.problems.size() == 1);
    w.watch.stop();
    w.hints.clear();
    w.rt.context().run_for(std::chrono::seconds(5));
    CHECK(w.hints.empty());
}

TEST_CASE("kernel events that were stopped while some waited give nothing, and can be started anew") {
    world w;
    w.write("tree/f");
    w.watch.stop();
    w.rt.context().poll();
    CHECK(w.hints.empty());
    CHECK(w.kernel.read().empty());
    CHECK(w.kernel.add(w.fs.open_directory(w.at("tree")).value()).error() == errc::halted);
    int ready = 0;
    REQUIRE(w.kernel.start([&] { ++ready; }));
    REQUIRE(w.kernel.add(w.fs.open_directory(w.at("tree")).value()));
    w.rt.context().poll();
    CHECK(ready == 0);
    CHECK(w.kernel.read().empty());   // nothing waits: no error either
    w.write("tree/f");
    w.rt.context().restart();
    w.rt.context().run_for(std::chrono::seconds(1));
    CHECK(ready >= 1);
}

namespace {

struct conformance_fixture : world {
    conformance_fixture() {
        files::create_directories(at("tree/d"));
        add("d");
    }
    real_watcher& watch() { return world::watch; }
    os::posix_file_system& fs() { return world::fs; }
    os::posix_file_system::directory root() { return world::fs.open_directory(at("tree")).value(); }
    const std::vector<hint>& hints() const { return world::hints; }
    template <class Predicate>
    bool drive(Predicate done) {
        while (!done())
            if (rt.context().run_one_for(std::chrono::milliseconds(500)) == 0) return done();
        return true;
    }
};

}  // namespace

TEST_CASE("the watcher over inotify is a watcher") {
    for (const auto& failure : check_watcher<conformance_fixture>()) FAIL_CHECK(failure);
}
