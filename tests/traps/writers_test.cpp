// Programs that write in their own ways, and readers on a peer that must only see whole files.
#include <tests/traps/three_nodes.hpp>

#include <sys/mman.h>

#include <atomic>
#include <thread>

using namespace traps_test;

namespace {

/// Reads a file again and again, and keeps what its contents said about themselves.
class reader {
public:
    /// `judge` returns what is wrong with a content; empty where nothing is. A file that is missing is wrong.
    reader(fs::path path, std::function<std::string(const std::string&)> judge)
        : thread_([this, path = std::move(path), judge = std::move(judge)] {
              while (!over_) {
                  std::string wrong = "missing";
                  if (std::ifstream file(path, std::ios::binary); file) {
                      std::ostringstream text;
                      text << file.rdbuf();
                      wrong = judge(text.str());
                  }
                  ++reads_;
                  if (!wrong.empty() && wrong_.empty())
                      wrong_ = "at read " + std::to_string(reads_) + ": " + wrong;
                  pause(milliseconds(1));
              }
          }) {}
    reader(const reader&) = delete;
    reader& operator=(const reader&) = delete;
    ~reader() { stop(); }

    /// The first thing that was wrong.
    std::string wrong() {
        stop();
        CHECK(reads_ > 20);
        return wrong_;
    }

private:
    void stop() {
        over_ = true;
        if (thread_.joinable()) thread_.join();
    }

    std::atomic<bool> over_{false};
    std::atomic<int> reads_{0};
    std::string wrong_;   ///< the thread's, until it has ended
    std::thread thread_;
};

/// A version of a document: as long as its first line says, and of one character.
std::string document(int version) {
    return std::to_string(version) + "\n" +
           std::string(static_cast<std::size_t>(3000 + version * 37 % 5000), char('a' + version % 26));
}

std::string judge_document(const std::string& text) {
    const int version = std::atoi(text.c_str());
    return text == document(version) ? ""
                                     : "of " + std::to_string(text.size()) + " bytes: " + text.substr(0, 10);
}

constexpr std::size_t block = 4096;
constexpr std::size_t blocks = 256;

/// A version of a big file, written from front to back: every eight bytes hold its number.
std::string numbered(std::uint64_t version) {
    std::string text(block * blocks, '\0');
    for (std::size_t at = 0; at < text.size(); at += sizeof version)
        std::memcpy(text.data() + at, &version, sizeof version);
    return text;
}

/// At no moment did the file hold more than two versions, the newer one at its front.
std::string judge_numbered(const std::string& text, std::uint64_t steps_max) {
    if (text.size() != block * blocks) return "of " + std::to_string(text.size()) + " bytes";
    std::uint64_t before = 0, changes = 0;
    for (std::size_t at = 0; at < text.size(); at += sizeof before) {
        std::uint64_t version = 0;
        std::memcpy(&version, text.data() + at, sizeof version);
        if (at > 0 && version != before) {
            if (version + 1 != before || ++changes > steps_max)
                return "version " + std::to_string(before) + " is followed by " + std::to_string(version) +
                       " at " + std::to_string(at);
        }
        before = version;
    }
    return {};
}

}  // namespace

TEST_CASE("row 8: however an editor saves, a reader on a peer sees whole files only") {
    three_nodes nodes;
    const auto file = nodes.dir(1) / "document";
    const auto beside = [&](const char* name) { return nodes.dir(1) / name; };
    int version = 1;
    write(file, document(version));
    nodes.settle();
    reader there(nodes.dir(3) / "document", judge_document);
    // What an editor leaves away for longer than nodes wait before they believe it is gone, on a peer too.
    bool slow = false;
    const auto without_a_name = [&](const std::function<void()>& f) {
        const auto begun = steady::now();
        f();
        slow = slow || steady::now() - begun > milliseconds(15);
    };

    SECTION("vim: the old file becomes a backup, the new one is written, the backup goes") {
        for (; version < 60; ++version) {
            write(beside("4913"), "");
            fs::remove(beside("4913"));
            without_a_name([&] {
                fs::rename(file, beside("document~"));
                write(file, document(version));
            });
            fs::permissions(file, fs::perms(0644));
            fs::remove(beside("document~"));
            if (version % 4 == 0) REQUIRE(nodes.barrier(1).code == 0);
        }
    }
    // What an editor holds open and does not write for half a second counts as between two saves.
    bool stalled = false;
    SECTION("nano: in place, in small pieces") {
        for (; version < 60; ++version) {
            auto last = steady::now();
            const std::string text = document(version);
            const opened out(file, O_WRONLY | O_TRUNC);
            for (std::size_t at = 0; at < text.size(); at += 512) {
                const auto size = std::min<std::size_t>(512, text.size() - at);
                REQUIRE(::write(out.fd, text.data() + at, size) == static_cast<ssize_t>(size));
                if (at % 2048 == 0) pause(milliseconds(version % 12));
                stalled = stalled || steady::now() - last > milliseconds(400);
                last = steady::now();
            }
        }
    }
    SECTION("gedit: a new file is renamed over the old one") {
        for (; version < 200; ++version) {
            write(beside(".goutputstream-X"), document(version));
            fs::rename(beside(".goutputstream-X"), file);
            if (version % 20 == 0) REQUIRE(nodes.barrier(1).code == 0);
        }
    }
    SECTION("LibreOffice: a lock file, a temporary file, and two renames") {
        for (; version < 60; ++version) {
            write(beside(".~lock.document#"), "me");
            write(beside("lu1.tmp"), document(version));
            without_a_name([&] {
                fs::rename(file, beside("lu2.tmp"));
                fs::rename(beside("lu1.tmp"), file);
            });
            fs::remove(beside("lu2.tmp"));
            fs::remove(beside(".~lock.document#"));
            if (version % 4 == 0) REQUIRE(nodes.barrier(1).code == 0);
        }
    }
    nodes.settle();
    CHECK(text_of(nodes.dir(3) / "document") == document(version - 1));
    const std::string wrong = there.wrong();
    if (stalled) WARN("this machine held the editor up in the midst of a save: " << wrong);
    else if (slow && wrong.ends_with("missing")) WARN("this machine held the editor up while its file had no name: " << wrong);
    else CHECK(wrong == "");
    for (int id : {1, 2, 3}) CHECK(tree_of(nodes.dir(id)).size() == 1);
    CHECK(nodes.number(1, "conflicts") == 0);
}

TEST_CASE("row 9: a log that is always open arrives in time, and only prefixes of it") {
    three_nodes nodes;
    const auto log = nodes.dir(1) / "log";
    std::string all;
    for (int line = 0; line < 5000; ++line) all += "line " + std::to_string(line) + "\n";
    write(log, "");
    nodes.settle();
    reader there(nodes.dir(3) / "log", [&](const std::string& text) {
        return text == all.substr(0, text.size()) ? "" : "not a prefix: " + text.substr(0, 40);
    });
    {
        const opened out(log, O_WRONLY | O_APPEND);
        std::size_t at = 0;
        const auto append = [&](std::size_t bytes) {
            REQUIRE(::write(out.fd, all.data() + at, bytes) == static_cast<ssize_t>(bytes));
            at += bytes;
        };
        const auto until = steady::now() + seconds(5);
        std::vector<std::pair<steady::time_point, std::size_t>> marks;
        milliseconds worst{0};
        while (steady::now() < until) {
            append(7);
            marks.emplace_back(steady::now(), at);
            const auto seen = fs::file_size(nodes.dir(3) / "log");
            while (!marks.empty() && marks.front().second <= seen) marks.erase(marks.begin());
            if (!marks.empty())
                worst = std::max(
                    worst, std::chrono::duration_cast<milliseconds>(steady::now() - marks.front().first));
            pause(milliseconds(5));
        }
        // It is read about once a second while somebody holds it.
        INFO("the worst was " << worst.count() << " ms");
        CHECK(worst < milliseconds(3000));
        CHECK(fs::file_size(nodes.dir(3) / "log") > 0);
        // The last write before a pause arrives without a close.
        append(7);
        CHECK(within(seconds(4), [&] { return fs::file_size(nodes.dir(3) / "log") == at; }));
        append(7);
    }
    nodes.settle();
    const auto commands = nodes.commands();
    for (int i = 0; i < 20; ++i) opened(log, O_WRONLY | O_APPEND);
    nodes.settle();
    CHECK(nodes.commands() == commands);
    CHECK(there.wrong() == "");
}

TEST_CASE("row 10: what is written through a mapping arrives when the mapping goes") {
    three_nodes nodes;
    const auto file = nodes.dir(1) / "mapped";
    const std::size_t size = 64 << 10;
    write(file, std::string(size, 'a'));
    nodes.settle();
    const auto map = [&](int fd) {
        void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        REQUIRE(at != MAP_FAILED);
        return static_cast<char*>(at);
    };
    char* at = nullptr;
    {
        const opened mapped(file, O_RDWR);
        at = map(mapped.fd);
        std::memset(at, 'b', size / 2);
    }
    // The descriptor is closed, the mapping still writes.
    std::memset(at, 'c', size);
    ::munmap(at, size);
    CHECK(within(seconds(4), [&] { return text_of(nodes.dir(3) / "mapped") == std::string(size, 'c'); }));
    nodes.settle();
    {
        const opened mapped(file, O_RDWR);
        at = map(mapped.fd);
        at[size - 1] = 'd';
        ::munmap(at, size);
        at = map(mapped.fd);
        at[0] = 'd';
        ::munmap(at, size);
    }
    nodes.settle();
    CHECK(text_of(nodes.dir(2) / "mapped") == "d" + std::string(size - 2, 'c') + "d");
}

TEST_CASE("row 11: a file that is being rewritten is replicated as it was at one moment") {
    three_nodes nodes;
    const auto file = nodes.dir(1) / "big";
    std::uint64_t version = 1;
    write(file, numbered(version));
    nodes.settle();
    const auto save = [&](int fd) {
        const std::string text = numbered(++version);
        REQUIRE(::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    };
    const auto until = steady::now() + seconds(5);
    SECTION("opened and closed for each version") {
        reader there(nodes.dir(3) / "big", [](const std::string& text) { return judge_numbered(text, 0); });
        while (steady::now() < until) save(opened(file, O_WRONLY).fd);
        nodes.settle();
        CHECK(there.wrong() == "");
    }
    SECTION("held open all the time") {
        reader there(nodes.dir(3) / "big", [](const std::string& text) { return judge_numbered(text, 1); });
        {
            const opened held(file, O_WRONLY);
            while (steady::now() < until) save(held.fd);
        }
        nodes.settle();
        CHECK(there.wrong() == "");
    }
    CHECK(text_of(nodes.dir(3) / "big") == numbered(version));
}

TEST_CASE("a node that edits all the time holds up no barrier and no other node's edits") {
    three_nodes nodes;
    std::atomic<bool> over{false};
    std::thread writer([&] {
        for (int k = 0; !over; ++k) {
            write(nodes.dir(1) / ("circle" + std::to_string(k % 1000)), std::to_string(k));
            if (k % 4 == 0) pause(milliseconds(2));
        }
    });
    CHECK(within(seconds(20), [&] { return nodes.commands() > 2000; }));
    CHECK(nodes.barrier(2, "10s").code == 0);
    CHECK(nodes.barrier(1, "10s").code == 0);
    write(nodes.dir(2) / "mine", "x");
    CHECK(within(seconds(5), [&] { return fs::exists(nodes.dir(3) / "mine"); }));
    over = true;
    writer.join();
    nodes.settle();
}
